//! Static zones against NSD, Knot DNS and BIND: where these three agree, srvd must too.
//!
//! Generated zones are served by all four, and each question goes to all four. What may differ is listed in `verdict`.
//! A failure prints the smallest zone that shows it, with the question.
//!
//! Another run is one with `DIFFERENTIAL_SEED=N` or more `DIFFERENTIAL_ZONES=N` in the environment.

#[path = "../common/mod.rs"]
mod common;

mod asking;
mod fragments;
mod questions;
mod references;
mod tally;
mod types;
mod verdict;
mod zones;

use common::Setup;
use tally::Tally;

const SEED: u64 = 1;
const ZONES: usize = 48;
/// Of each hundred questions, those on which the three references must agree: the others have told us nothing.
const AGREED: usize = 97;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn static_zones_are_served_as_by_nsd_knot_and_bind() {
    let (seed, count) = (setting("DIFFERENTIAL_SEED", SEED), setting("DIFFERENTIAL_ZONES", ZONES as u64) as usize);
    let zones = zones::make(seed, count);
    let mut setup = Setup::new();
    for zone in &zones {
        setup = setup.zone(&format!("{}.zone", zone.apex), &zone.text);
    }
    let server = setup.start();
    let directory = tempfile::tempdir().expect("a temporary directory");
    let references = references::start(directory.path(), &setup.zones(), &zones);
    let mut servers = vec![server.dns[0]];
    servers.extend(references.iter().map(|reference| reference.address));
    let mut tally = Tally::default();
    for (number, zone) in zones.iter().enumerate() {
        let questions = questions::make(seed, number, zone);
        let responses = asking::ask(&servers, &questions);
        for (question, responses) in questions.iter().zip(responses) {
            tally.judge(zone, question, &responses, &servers);
        }
    }
    println!("{}", tally.summary());
    assert!(tally.agreed * 100 >= tally.asked * AGREED, "the references agree too seldom: {}", tally.summary());
    assert!(tally.wrong.is_empty(), "seed {seed}: {}\n{}", tally.summary(), tally.smallest(&zones));
}
