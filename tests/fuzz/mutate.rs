//! Random changes to octets.

use std::ops::Range;

use rand::RngExt;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;

/// Octets of an input: more than any message over UDP has, and enough for a zone with all types.
const MAX: usize = 16_384;
/// Octets of a part that is moved, doubled or taken out.
const MAX_PART: usize = 64;
/// Numbers at which something changes: lengths of labels and names, pointers, signs.
const EDGES: [u8; 12] = [0, 1, 2, 12, 0x29, 0x3f, 0x40, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

/// One of `corpus` after a few changes, some of which put in one of `tokens` or a part of another input.
pub fn mutated(random: &mut StdRng, corpus: &[&[u8]], tokens: &[&[u8]]) -> Vec<u8> {
    let mut input = chosen(random, corpus).to_vec();
    for _ in 0..random.random_range(1..8) {
        change(random, &mut input, corpus, tokens);
        input.truncate(MAX);
    }
    input
}

fn change(random: &mut StdRng, input: &mut Vec<u8>, corpus: &[&[u8]], tokens: &[&[u8]]) {
    let at = random.random_range(0..=input.len());
    match random.random_range(0..9) {
        0 => set(input, at, |octet| octet ^ 1 << random.random_range(0..8)),
        1 => set(input, at, |_| random.random()),
        2 => set(input, at, |_| *EDGES.choose(random).expect("there are some")),
        3 => drop(input.drain(part(random, input.len()))),
        4 => {
            let again = input[part(random, input.len())].to_vec();
            input.splice(at..at, again);
        }
        5 => input.truncate(at),
        6 => {
            let other = chosen(random, corpus);
            let from = random.random_range(0..=other.len());
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            input.splice(at..at, chosen(random, tokens).iter().copied());
        }
    }
}

fn chosen<'a>(random: &mut StdRng, from: &[&'a [u8]]) -> &'a [u8] {
    from.choose(random).copied().expect("there are some")
}

fn set(input: &mut [u8], at: usize, new: impl FnOnce(u8) -> u8) {
    if let Some(octet) = input.get_mut(at) {
        *octet = new(*octet);
    }
}

fn part(random: &mut StdRng, length: usize) -> Range<usize> {
    let from = random.random_range(0..=length);
    from..length.min(from + random.random_range(0..=MAX_PART))
}
