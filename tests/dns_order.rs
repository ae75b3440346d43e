//! The order of addresses: over many answers, first places are shared out by weight.

mod common;

use std::collections::HashMap;

use common::Server;
use common::message::{self, Udp};
use serde_json::{Value, json};

/// How many queries a measured share is made of.
const QUERIES: u32 = 2000;

/// How far a share measured over [`QUERIES`] draws may be off.
///
/// By Hoeffding's inequality a share is off by more than `e` with a probability of at most 2·exp(−2·n·e²). Solved for
/// one in 10^12, this is 0.084 for 2000 draws, while the shares that a wrong implementation would give (even ones, or
/// those by instance where instances share an address) are at least 0.16 away.
fn tolerance() -> f64 {
    ((2.0_f64 * 1e12).ln() / (2.0 * f64::from(QUERIES))).sqrt()
}

/// The share of answers to `name` that begin with each address.
fn first_places(server: &Server, name: &str, kind: u16) -> HashMap<String, f64> {
    let mut client = Udp::to(server.dns[0]);
    let mut shares = HashMap::new();
    for _ in 0..QUERIES {
        let first = client.ask(name, kind, None).first().to_owned();
        *shares.entry(first).or_default() += 1.0 / f64::from(QUERIES);
    }
    shares
}

#[track_caller]
fn assert_shares(server: &Server, kind: u16, expected: &[(&str, f64)]) {
    let shares = first_places(server, "web.svc.local", kind);
    assert_eq!(shares.len(), expected.len(), "{shares:?}");
    for (address, share) in expected {
        let seen = shares.get(*address).copied().unwrap_or_default();
        assert!((seen - share).abs() <= tolerance(), "{address} is first in {seen:.3} of answers, not {share:.3}");
    }
}

fn weighted(address: &str, weight: u16) -> Value {
    json!({ "address": address, "port": 80, "weight": weight })
}

#[test]
fn first_places_follow_the_weights() {
    let server = Server::start();
    for (id, address, weight) in [("a", "10.0.0.1", 1), ("b", "10.0.0.2", 2), ("c", "10.0.0.3", 5)] {
        server.register("web", id, weighted(address, weight));
    }
    assert_shares(&server, message::A, &[("10.0.0.1", 0.125), ("10.0.0.2", 0.25), ("10.0.0.3", 0.625)]);
}

#[test]
fn first_places_of_ipv6_follow_the_weights() {
    let server = Server::start();
    server.register("web", "a", weighted("2001:db8::1", 1));
    server.register("web", "b", weighted("2001:db8::2", 3));
    assert_shares(&server, message::AAAA, &[("2001:db8::1", 0.25), ("2001:db8::2", 0.75)]);
}

#[test]
fn weights_at_one_address_add_up() {
    let server = Server::start();
    for (id, address) in [("a", "10.0.0.1"), ("b", "10.0.0.1"), ("c", "10.0.0.2")] {
        server.register("web", id, weighted(address, 2));
    }
    assert_shares(&server, message::A, &[("10.0.0.1", 2.0 / 3.0), ("10.0.0.2", 1.0 / 3.0)]);
}

#[test]
fn weight_0_is_the_last_resort() {
    let server = Server::start();
    server.register("web", "a", weighted("10.0.0.1", 0));
    server.register("web", "b", weighted("10.0.0.2", 1));
    assert_shares(&server, message::A, &[("10.0.0.2", 1.0)]);
    server.dig("web.svc.local A").answers("A", &["10.0.0.1", "10.0.0.2"]);
    server.says("web", "b", "unhealthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
}
