//! What is asked of a zone: every name in it, names around them, and types that are there and that are not.

use std::collections::BTreeSet;
use std::str::FromStr;

use domain::base::name::Name;
use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::common::message;
use crate::zones::Zone;

/// How a question is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// UDP with EDNS.
    Edns,
    /// UDP without EDNS: responses have 512 octets at most.
    Plain,
    Tcp,
}

impl Transport {
    /// Octets that a response may have.
    pub fn limit(self) -> usize {
        match self {
            Self::Edns => usize::from(PAYLOAD),
            Self::Plain => 512,
            Self::Tcp => usize::from(u16::MAX),
        }
    }
}

/// One question.
#[derive(Debug, Clone)]
pub struct Question {
    /// The zone's position in the list.
    pub zone: usize,
    /// Absolute, in presentation format.
    pub name: String,
    pub kind: String,
    pub transport: Transport,
}

impl Question {
    /// The query, which is also what the response is held against.
    pub fn query(&self, id: u16) -> Vec<u8> {
        let payload = (self.transport != Transport::Plain).then_some(PAYLOAD);
        message::query(id, &self.name, message::kind(&self.kind), payload)
    }
}

/// What every query with EDNS offers.
const PAYLOAD: u16 = 1232;
const KINDS: [&str; 13] =
    ["A", "AAAA", "NS", "MX", "CNAME", "SOA", "TXT", "SRV", "DNAME", "DS", "TYPE65280", "HTTPS", "ANY"];
/// Names of one zone: all of a small one, a sample of a large one.
const MAX_NAMES: usize = 110;
const KINDS_OF_NAME: usize = 5;

/// The questions for the zone at `number`, in no order that a zone has.
pub fn make(seed: u64, number: usize, zone: &Zone) -> Vec<Question> {
    let mut random = StdRng::seed_from_u64(seed ^ (number as u64) << 32 ^ 0x5eed);
    let mut names: Vec<String> = names(zone, &mut random).into_iter().collect();
    names.shuffle(&mut random);
    names.truncate(MAX_NAMES);
    let mut questions = Vec::new();
    for name in names {
        let some = ["A", "CNAME"].into_iter().chain(KINDS.sample(&mut random, KINDS_OF_NAME).copied());
        let own = zone.owners.get(&name).into_iter().flatten().cloned();
        let kinds: BTreeSet<String> = some.map(str::to_owned).chain(own).collect();
        for kind in kinds {
            let mut ask = |transport| {
                questions.push(Question { zone: number, name: name.clone(), kind: kind.clone(), transport });
            };
            ask(Transport::Edns);
            match random.random_range(0..8) {
                0 => ask(Transport::Plain),
                1 => ask(Transport::Tcp),
                _ => {}
            }
        }
    }
    questions
}

/// Owner names, the names above and below them, and others beside them.
fn names(zone: &Zone, random: &mut StdRng) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    for owner in zone.owners.keys() {
        let name = Name::<Vec<u8>>::from_str(owner).expect("zones hold names");
        let apex = zone.apex.split('.').count() + 1;
        let above = name.iter_suffixes().take(name.label_count() - apex + 1).map(|name| name.to_string());
        names.extend(above);
        names.insert(other_case(owner));
        let first = *["x", "*", "a", "zz", "*.x", "x.*", "a.b"].choose(random).expect("there are some");
        names.insert(format!("{first}.{owner}"));
        if let Some(parent) = name.parent().filter(|_| name.label_count() > apex) {
            names.insert(format!("{}.{parent}", ["new", "*", "b", "ns"].choose(random).expect("there are some")));
        }
        let first = name.first().to_string();
        names.insert(format!("{first}.{owner}"));
        // Long enough to make a DNAME fail.
        names.insert(format!("{0}.{0}.{owner}", "l".repeat(random.random_range(20..60))));
    }
    names.retain(|name| Name::<Vec<u8>>::from_str(name).is_ok());
    names
}

/// The same name in other letters. An escape has none, so that it stays what it is.
fn other_case(name: &str) -> String {
    let swapped = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    name.chars().map(swapped).collect()
}
