//! kill -9 in a loop: what was acknowledged is there after every start, and no revision goes back.
//!
//! `SRVD_CRASH_ROUNDS` sets how many rounds there are, `SRVD_CRASH_SEED` repeats one run's choices. A failure names the
//! seed.

mod common;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/store.rs"]
mod store;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;

use common::{Setup, eventually};
use load::{Shared, Writer};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// Connections that write at once.
const WRITERS: usize = 6;
/// The most changes that are acknowledged before a round ends.
const CHANGES: u64 = 120;

/// How many rounds are asked for, or as many as are usual.
pub fn rounds(usual: u64) -> u64 {
    std::env::var("SRVD_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(usual)
}

/// The seed that is asked for, or a new one.
pub fn seed() -> u64 {
    let seed = std::env::var("SRVD_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    eprintln!("repeat with SRVD_CRASH_SEED={seed}");
    seed
}

#[test]
fn no_crash_loses_what_was_acknowledged() {
    let (seed, setup) = (seed(), Setup::new());
    let mut chance = StdRng::seed_from_u64(seed);
    let mut writers: Vec<Writer> = (0..WRITERS).map(|number| Writer::new(number, seed)).collect();
    let shared = Arc::new(Shared::default());
    for round in 0..rounds(10) {
        let mut server = setup.start();
        let before = shared.revision.load(Ordering::SeqCst);
        assert!(
            server.revision() >= before,
            "revision {} after {before}, round {round}, seed {seed}",
            server.revision()
        );
        for writer in &mut writers {
            writer.verify(server.api, &format!("round {round}, seed {seed}"));
        }
        let enough = shared.acknowledged.load(Ordering::SeqCst) + chance.random_range(1..CHANGES);
        let running: Vec<_> = writers
            .drain(..)
            .map(|mut writer| {
                let (shared, api) = (Arc::clone(&shared), server.api);
                thread::spawn(move || {
                    writer.work(api, &shared);
                    writer
                })
            })
            .collect();
        eventually("enough changes are acknowledged", || {
            let acknowledged = shared.acknowledged.load(Ordering::SeqCst);
            if acknowledged >= enough { Ok(()) } else { Err(format!("{acknowledged} of {enough}, seed {seed}")) }
        });
        server.kill9();
        writers.extend(running.into_iter().map(|writer| {
            writer.join().unwrap_or_else(|_| panic!("a writer was told something wrong in round {round}, seed {seed}"))
        }));
    }
    let server = setup.start();
    for writer in &mut writers {
        writer.verify(server.api, &format!("the end, seed {seed}"));
    }
}
