//! Three servers on one etcd while things go wrong at random: servers are killed, stand still, are cut off from etcd,
//! and from everybody where the machine allows networks of their own, under a load of registrations, heartbeats and queries. Then what was recorded is held against the rules.
//!
//! `SRVD_CHAOS_SECONDS` makes it longer than usual, and `SRVD_CHAOS_SEED` repeats the faults of a run; a run that fails
//! prints its seed.

#[path = "../common/mod.rs"]
mod common;

mod call;
mod faults;
mod history;
mod load;
mod network;

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use common::etcd::Member;
use common::eventually;
use faults::Site;
use history::History;
use rand::SeedableRng;
use rand::rngs::StdRng;

const SERVERS: usize = 3;
/// Instances that are there from before the first fault to the end.
const STEADY: usize = 8;
/// Instances that come and go.
const FICKLE: usize = 6;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn the_rules_hold_whatever_goes_wrong() {
    let seconds = Duration::from_secs(setting("SRVD_CHAOS_SECONDS").unwrap_or(20));
    let seed = setting("SRVD_CHAOS_SEED").unwrap_or_else(rand::random);
    let etcd = Member::start();
    let mut sites: Vec<Site> = (0..SERVERS).map(|_| Site::start(&etcd)).collect();
    let addresses: Vec<_> = sites.iter().map(|site| (site.http, site.dns)).collect();
    let (history, stop) = (History::default(), AtomicBool::new(false));
    let told = thread::scope(|scope| {
        // However this ends, the load does too: it must not keep the test from failing.
        let _stop = StopAtEnd(&stop);
        for at in 0..STEADY + FICKLE {
            let (history, stop, addresses) = (&history, &stop, &addresses);
            scope.spawn(move || load::live(at, at < STEADY, seed, addresses, history, stop));
        }
        eventually("every steady instance is seen by all", || {
            let missing = addresses.iter().find_map(|(http, _)| load::missing(*http, STEADY));
            missing.map_or(Ok(()), Err)
        });
        for (at, (_, dns)) in addresses.iter().enumerate() {
            let (history, stop) = (&history, &stop);
            scope.spawn(move || load::look(at, *dns, history, stop));
        }
        let mut random = StdRng::seed_from_u64(seed);
        let (begin, mut told) = (Instant::now(), Vec::new());
        while begin.elapsed() < seconds {
            let at = history.clock();
            told.push(format!("{at:?} {}", faults::next(&mut sites, &mut random)));
        }
        sites.iter_mut().for_each(Site::heal);
        told
    });
    let report = || format!("SRVD_CHAOS_SEED={seed}\n{}\n{}", told.join("\n"), logs(&sites));
    assert!(history.has_seen(), "nobody was looking\n{}", report());
    let broken = history.broken();
    assert!(broken.is_empty(), "{}\n{}", broken.join("\n"), report());
    eventually("all agree, and nothing that was acknowledged is lost", || {
        load::agree(&addresses, &history).map_err(|why| format!("{why}\n{}", report()))
    });
    println!("seed {seed}: {} faults, {}", told.len(), history.summary());
}

/// What the servers have logged.
fn logs(sites: &[Site]) -> String {
    let log = |(at, site): (usize, &Site)| format!("--- server {at}\n{}", site.log());
    sites.iter().enumerate().map(log).collect::<Vec<_>>().join("\n")
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn an_etcd_of_three_loses_its_leader() {
    let mut members = Member::cluster(3);
    let urls = members.iter().map(Member::url).collect::<Vec<_>>().join(",");
    let servers: Vec<_> = (0..2).map(|_| common::etcd::sharing(&urls).start()).collect();
    let body = |port: usize| serde_json::json!({ "address": "10.0.0.1", "port": port, "ttl": "none" });
    let put = |at: usize| {
        let path = format!("/v1/services/web/instances/i{at}");
        servers[at % 2].api.put(&path, body(1 + at)).status
    };
    (0..20).for_each(|at| assert_eq!(put(at), 201));
    let leader = members.iter().position(Member::is_leader).expect("a leader");
    members[leader].kill9();
    // Whoever is refused tries again, as `Retry-After` says; what was lost on its way may have arrived.
    for at in 20..60 {
        eventually("there is a new leader", || {
            assert_eq!(servers[at % 2].dig("web.svc.local SRV +tcp").data("SRV").len().min(20), 20);
            match put(at) {
                200 | 201 => Ok(()),
                503 => Err("503"),
                other => panic!("{other}"),
            }
        });
    }
    members[leader].restart();
    for server in &servers {
        eventually("all that was acknowledged is there", || {
            match server.dig("web.svc.local SRV +tcp").data("SRV").len() {
                60 => Ok(()),
                other => Err(other),
            }
        });
    }
}
