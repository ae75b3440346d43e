//! Spoilt input for the packet handler and for the reader of master files, in process.
//!
//! Each input is one or two files of the committed corpus after a few random changes that follow from a seed. No coverage
//! guides the changes, which needs a nightly compiler: what this finds more than random octets would, it finds because
//! the corpus has everything that the two understand. The corpus itself is tried first, as it is.
//!
//! `FUZZ_ROUNDS=N` in the environment makes a longer run, `FUZZ_SEED=N` another one. What makes a check fail is written to
//! a file whose name the failure tells; copied into the corpus, it is tried by every later run.

#[path = "../common/mod.rs"]
mod common;

mod mutate;
mod packets;
mod serving;
mod zone_files;

use std::fs;
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand::rngs::StdRng;

/// Changed inputs that are tried, besides the corpus.
const ROUNDS: u64 = 3_000;
const SEED: u64 = 1;

/// What is tried, and how it is spoilt.
struct Target<'a> {
    name: &'a str,
    /// The name and the octets of each file.
    corpus: Vec<(String, Vec<u8>)>,
    /// What is put in now and then: octets that mean something.
    tokens: &'a [&'a [u8]],
}

impl Target<'_> {
    /// Tries the corpus and what becomes of it.
    fn run(&self, check: impl Fn(&[u8])) {
        let (seed, rounds) = (setting("FUZZ_SEED", SEED), setting("FUZZ_ROUNDS", ROUNDS));
        assert!(!self.corpus.is_empty(), "the corpus of {} was not found", self.name);
        let attempt = |origin: &str, input: &[u8]| {
            let kept = Kept { name: self.name, origin, input };
            check(input);
            std::mem::forget(kept);
        };
        for (name, input) in &self.corpus {
            attempt(name, input);
        }
        let inputs: Vec<&[u8]> = self.corpus.iter().map(|(_, input)| &input[..]).collect();
        for round in 0..rounds {
            let mut random = StdRng::seed_from_u64(seed << 32 ^ round);
            attempt(&format!("{seed}-{round}"), &mutate::mutated(&mut random, &inputs, self.tokens));
        }
    }
}

/// Writes its input to a file when it is dropped, which it is by a check that fails.
struct Kept<'a> {
    name: &'a str,
    origin: &'a str,
    input: &'a [u8],
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}-{}", self.name, self.origin));
        let written = fs::write(&path, self.input);
        eprintln!("{} failed on this input, kept as {} ({written:?}):", self.name, path.display());
        eprintln!("{}", self.input.escape_ascii());
    }
}

/// The files below `corpus/kind`, in the order of their names.
fn corpus(kind: &str) -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(kind);
    let entries = fs::read_dir(directory).expect("a directory");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let named = |path: PathBuf| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        (name.unwrap_or_default(), fs::read(&path).expect("a file"))
    };
    paths.into_iter().map(named).collect()
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}
