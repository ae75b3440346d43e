//! Who is answered, and how often: allow lists and response rate limiting, from several loopback networks.

mod common;

use std::net::{IpAddr, Ipv4Addr};

use common::message::{self, A, Response, Tcp, Udp};
use common::{Server, Setup, edns, population};

/// Answers a second in the tests of limits.
const RATE: u16 = 5;
/// Queries of a flood: far more than the credit, and no more than a socket holds unread.
const FLOOD: u16 = 200;

/// An address in the network 127.0.`network`.0/24.
fn client(network: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(127, 0, network, 1))
}

fn limited() -> Setup {
    // One worker answers in the order of arrival, so that one answer says that the queries before it are done with.
    let setup = Setup::new().set("dns.workers", 1).set("dns.rate_limit", RATE);
    setup.set("dns.rate_limit_exempt", "")
}

fn start(setup: &Setup) -> Server {
    let server = setup.start();
    population::two(&server);
    server
}

/// What came of a flood.
#[derive(Debug, PartialEq, Eq, Clone, Copy)]
struct Outcome {
    whole: u16,
    slipped: u16,
}

impl Outcome {
    fn limited(self) -> u16 {
        FLOOD - self.whole
    }
}

/// Sends [`FLOOD`] queries from `network` and counts what was sent back once `barrier`, another client, has its answer.
#[track_caller]
fn flood(server: &Server, network: u8, query: impl Fn(u16) -> Vec<u8>, barrier: u8) -> Outcome {
    let flooder = Udp::from_address(client(network), server.dns[0]);
    for id in 0..FLOOD {
        flooder.socket().send(&query(id)).expect("loopback takes a datagram");
    }
    Udp::from_address(client(barrier), server.dns[0]).ask("b.web.svc.local", A, None);
    flooder.socket().set_nonblocking(true).expect("a socket");
    let (mut outcome, mut buffer) = (Outcome { whole: 0, slipped: 0 }, [0; 1232]);
    while let Ok(length) = flooder.socket().recv(&mut buffer) {
        let octets = &buffer[..length];
        let asked = query(u16::from_be_bytes([octets[0], octets[1]]));
        let response = Response::read(octets, &asked);
        if response.truncated {
            assert!(response.answer.is_empty() && response.authority.is_empty() && response.additional.is_empty());
            assert!(length <= asked.len(), "a slip gains nothing: {length} octets");
            outcome.slipped += 1;
        } else {
            outcome.whole += 1;
        }
    }
    outcome
}

fn web(id: u16) -> Vec<u8> {
    message::query(id, "web.svc.local", A, Some(1232))
}

#[test]
fn a_flood_is_cut_to_the_rate_and_half_of_the_rest_slips() {
    let server = start(&limited());
    let outcome = flood(&server, 1, web, 2);
    // A slow machine earns some credit on the way.
    assert!((RATE..FLOOD / 2).contains(&outcome.whole), "{outcome:?}");
    assert_eq!(outcome.slipped, outcome.limited().div_ceil(2), "{outcome:?}");

    // The flood has its own network to answer for, and only what it was about.
    assert_eq!(Udp::from_address(client(3), server.dns[0]).ask("web.svc.local", A, None).answer.len(), 2);
    assert_eq!(Udp::from_address(client(1), server.dns[0]).ask("a.web.svc.local", A, None).answer.len(), 1);
    assert_eq!(Tcp::from_address(client(1), server.dns[0]).ask("web.svc.local", A, None).answer.len(), 2);
    // An honest client asks again until one slips, and goes on by TCP.
    server.dig("web.svc.local A -b 127.0.1.77 +tries=5 +time=1").answers("A", &["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn names_that_do_not_exist_count_together() {
    let server = start(&limited());
    let outcome = flood(&server, 1, |id| message::query(id, &format!("n{id}.svc.local"), A, None), 2);
    assert!((RATE..FLOOD / 2).contains(&outcome.whole) && outcome.slipped > 0, "{outcome:?}");
}

#[test]
fn names_that_a_wildcard_stands_for_count_together() {
    let zone = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n* A 192.0.2.2\n*.old CNAME ns\n";
    let server = start(&limited().zone("example.test.zone", zone));
    for (network, below) in [(1, ""), (3, "old.")] {
        let query = |id| message::query(id, &format!("n{id}.{below}example.test"), A, None);
        let outcome = flood(&server, network, query, 2);
        assert!((RATE..FLOOD / 2).contains(&outcome.whole) && outcome.slipped > 0, "{outcome:?}");
    }
}

#[test]
fn different_answers_do_not() {
    let server = start(&limited());
    population::many(&server, usize::from(FLOOD));
    let name = |id: u16| format!("i-{id:02}.web.svc.local");
    assert_eq!(flood(&server, 1, |id| message::query(id, &name(id), A, None), 2).whole, FLOOD);
}

#[test]
fn errors_are_dropped_and_never_slip() {
    let server = start(&limited().set("dns.rate_limit_slip", 1));
    let outcome = flood(&server, 1, |id| message::query(id, &format!("n{id}.example"), A, None), 2);
    assert!((RATE..FLOOD / 2).contains(&outcome.whole) && outcome.slipped == 0, "{outcome:?}");
}

#[test]
fn slips_are_as_configured() {
    for (slip, share) in [(0, 0), (1, FLOOD)] {
        let server = start(&limited().set("dns.rate_limit_slip", slip));
        let outcome = flood(&server, 1, web, 2);
        assert_eq!(outcome.slipped, outcome.limited().min(share), "{slip}: {outcome:?}");
    }
}

#[test]
fn a_valid_cookie_lifts_the_limit() {
    let server = start(&limited());
    let with = |id, cookie: &[u8]| {
        let mut query = message::query(id, "web.svc.local", A, None);
        edns::append(&mut query, 0, 0, &[(edns::COOKIE, cookie)]);
        query
    };
    let first = with(0, b"12345678");
    let reply = Udp::from_address(client(1), server.dns[0]).exchange(&first);
    let edns = Response::read(&reply, &first).edns.expect("an OPT record");
    let cookie = edns.option(edns::COOKIE).expect("a cookie").to_vec();
    assert_eq!(flood(&server, 1, |id| with(id, &cookie), 2).whole, FLOOD);
    // It is the address that was proved: another one's cookie is worth nothing.
    assert!(flood(&server, 2, |id| with(id, &cookie), 3).whole < FLOOD / 2);
}

#[test]
fn loopback_is_exempt_unless_told_otherwise() {
    let server = start(&Setup::new().set("dns.workers", 1).set("dns.rate_limit", RATE));
    assert_eq!(flood(&server, 1, web, 2).whole, FLOOD);
    let off = start(&limited().set("dns.rate_limit", 0));
    assert_eq!(flood(&off, 1, web, 2).whole, FLOOD);
}

#[test]
fn a_network_is_in_the_log_once() {
    let mut server = start(&limited());
    flood(&server, 1, web, 2);
    flood(&server, 1, web, 2);
    server.sigterm();
    let log = server.process.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("answers are limited")).collect();
    assert!(lines.len() == 1 && lines[0].contains("127.0.1.0/24"), "{log}");
}

#[test]
fn only_those_allowed_are_answered() {
    let server = start(&Setup::new().set("dns.allow", "127.0.1.0/24,::1/128"));
    let refused = "web.svc.local A";
    for transport in ["+notcp", "+tcp"] {
        let stranger = server.dig(&format!("{refused} -b 127.0.2.1 {transport}"));
        stranger.is_refused();
        assert!(stranger.raw.contains("EDE: 18 (Prohibited): (not answered from this address)"), "{stranger}");
        server.dig(&format!("{refused} -b 127.0.2.1 {transport} +noedns")).is_refused();
        server.dig(&format!("-c CH version.bind TXT -b 127.0.2.1 {transport}")).is_refused();
        server.dig(&format!("{refused} -b 127.0.1.9 {transport}")).answers("A", &["10.0.0.1", "10.0.0.2"]);
    }
}
