//! The zones that are served: fragments, large RRsets and random records over few labels.
//!
//! All of it follows from one seed. What no server takes (a CNAME beside other data, names below a DNAME) is not made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use rand::rngs::StdRng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand::{RngExt, SeedableRng};

use crate::fragments::{ANYWHERE, AT_APEX, Fragment};

/// A zone as a master file, and what is in it.
pub struct Zone {
    /// The apex without a last dot.
    pub apex: String,
    pub text: String,
    /// The names of fragments and other parts.
    pub parts: Vec<String>,
    /// Every owner name, absolute, as written, with its types.
    pub owners: BTreeMap<String, BTreeSet<String>>,
}

/// Makes `count` zones.
pub fn make(seed: u64, count: usize) -> Vec<Zone> {
    (0..count).map(|number| zone(&mut StdRng::seed_from_u64(seed ^ (number as u64) << 32), number)).collect()
}

fn zone(random: &mut StdRng, number: usize) -> Zone {
    let apex = format!("z{number}.test");
    let mut zone = Zone { apex, text: String::new(), parts: Vec::new(), owners: BTreeMap::new() };
    let ttl = [0, 1, 60, 3600, 86400].choose(random).copied().unwrap_or_default();
    let minimum = [0, 30, 300, 7200].choose(random).copied().unwrap_or_default();
    zone.add("@", &format!("{ttl} SOA ns.example. hostmaster {number} 7200 3600 1209600 {minimum}"));
    zone.add("@", "600 NS ns.example.");
    zone.text.insert_str(0, &format!("$TTL {}\n", random.random_range(1..10_000)));
    // Every fragment comes about: by turns one that may take the apex, then others below it.
    match number % (ANYWHERE.len() + AT_APEX.len() + 2) {
        at if at < ANYWHERE.len() => zone.fragment(ANYWHERE[at], "@"),
        at if at < ANYWHERE.len() + AT_APEX.len() => zone.fragment(AT_APEX[at - ANYWHERE.len()], "@"),
        _ => zone.soup(random, "@"),
    }
    if zone.text.contains("\n@ DNAME") {
        return zone;
    }
    zone.add("@", "600 NS ns-of-zone");
    zone.add("ns-of-zone", "A 192.0.2.53");
    let mut places = ["pa", "pb", "deep.pc", "*.pd", "pe.below.pf"].map(str::to_owned);
    places.shuffle(random);
    for (at, place) in places.iter().take(random.random_range(0..4)).enumerate() {
        match random.random_range(0..4) {
            0 => zone.soup(random, place),
            1 => zone.large(random, place),
            _ => zone.fragment(ANYWHERE[random.random_range(0..ANYWHERE.len())], &format!("x{at}.{place}")),
        }
    }
    zone
}

impl Zone {
    fn add(&mut self, owner: &str, rest: &str) {
        self.add_below("@", owner, rest);
    }

    /// Adds a record whose owner name is relative to `origin`, which is itself relative to the apex.
    fn add_below(&mut self, origin: &str, owner: &str, rest: &str) {
        writeln!(self.text, "{owner} {rest}").expect("text grows");
        let labels = [owner, origin].into_iter().filter(|part| *part != "@");
        let owner = labels.chain([self.apex.as_str()]).collect::<Vec<_>>().join(".");
        let rtype = rest.split(' ').find(|word| !word.starts_with(|first: char| first.is_ascii_digit()));
        self.owners.entry(owner).or_default().extend(rtype.map(str::to_owned));
    }

    fn begin(&mut self, part: &str, origin: &str) {
        self.parts.push(format!("{part} at {origin}"));
        let apex = if origin == "@" { String::new() } else { format!("{origin}.") };
        writeln!(self.text, "; {part}\n$ORIGIN {apex}{}.", self.apex).expect("text grows");
    }

    fn end(&mut self) {
        writeln!(self.text, "$ORIGIN {}.", self.apex).expect("text grows");
    }

    fn fragment(&mut self, (part, records): Fragment, origin: &str) {
        self.begin(part, origin);
        for (owner, rest) in records.lines().filter_map(|line| line.split_once(' ')) {
            self.add_below(origin, owner, rest);
        }
        self.end();
    }

    /// RRsets around the sizes at which responses no longer fit.
    fn large(&mut self, random: &mut StdRng, origin: &str) {
        self.begin("large sets", origin);
        for number in 0..random.random_range(20..90) {
            self.add_below(origin, "a", &format!("A 198.51.100.{number}"));
            self.add_below(origin, "aaaa", &format!("AAAA 2001:db8::{number:x}"));
            self.add_below(origin, "txt", &format!("TXT \"{}\"", "x".repeat(number)));
        }
        for number in 0..random.random_range(5..40) {
            self.add_below(origin, "mx", &format!("MX {number} h{number}"));
            self.add_below(origin, "srv", &format!("SRV {number} 0 1 h{number}"));
            self.add_below(origin, &format!("h{number}"), &format!("A 203.0.113.{number}"));
            self.add_below(origin, "cut", &format!("NS ns{number}.cut"));
            self.add_below(origin, &format!("ns{number}.cut"), &format!("A 203.0.113.{}", 100 + number));
            self.add_below(origin, "sib", &format!("NS h{number}"));
        }
        self.add_below(origin, "to", "CNAME a");
        self.add_below(origin, "*.wild", "CNAME txt");
        self.end();
    }

    /// Random records over so few labels that names meet.
    fn soup(&mut self, random: &mut StdRng, origin: &str) {
        self.begin("soup", origin);
        let mut taken: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
        for _ in 0..random.random_range(5..40) {
            let owner = soup_name(random);
            let rtype = *SOUP.choose(random).expect("there are types");
            let types = taken.get(&owner).cloned().unwrap_or_default();
            let alone = |rtype: &str| matches!(rtype, "CNAME" | "DNAME");
            let conflict = types.iter().any(|other| alone(other)) || (alone(rtype) && !types.is_empty());
            let below_dname = taken.iter().any(|(other, types)| {
                types.contains("DNAME") && owner.ends_with(&format!(".{other}"))
                    || rtype == "DNAME" && other.ends_with(&format!(".{owner}"))
            });
            let wild_cut = rtype == "NS" && owner.starts_with('*');
            if conflict || below_dname || wild_cut || (owner == "@" && matches!(rtype, "CNAME" | "DNAME" | "NS" | "DS"))
            {
                continue;
            }
            let target = if random.random_bool(0.1) { "www.example.".to_owned() } else { soup_name(random) };
            let data = match rtype {
                "A" => format!("192.0.2.{}", random.random_range(0..8)),
                "AAAA" => format!("2001:db8::{}", random.random_range(0..8)),
                "TXT" => format!("\"{}\"", random.random_range(0..8)),
                "MX" => format!("{} {target}", random.random_range(0..3)),
                "SRV" => format!("0 0 {} {target}", random.random_range(0..3)),
                "DS" => format!("{} 8 2 {:064}", random.random_range(0..3), 1),
                _ => target,
            };
            self.add_below(origin, &owner, &format!("{rtype} {data}"));
            taken.entry(owner).or_default().insert(rtype);
        }
        self.end();
    }
}

const SOUP: [&str; 12] = ["A", "A", "A", "AAAA", "TXT", "MX", "SRV", "CNAME", "CNAME", "DNAME", "NS", "DS"];

fn soup_name(random: &mut StdRng) -> String {
    let labels: Vec<&str> =
        (0..random.random_range(0..4)).filter_map(|_| ["a", "b", "c", "*"].choose(random).copied()).collect();
    if labels.is_empty() { "@".to_owned() } else { labels.join(".") }
}
