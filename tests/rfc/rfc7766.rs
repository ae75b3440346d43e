//! RFC 7766: DNS over TCP.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, Shutdown};

use crate::common::message::{self, A, Response, Tcp, frame};
use crate::common::{Server, Setup, population};

const TXT: u16 = 16;

fn queries(count: u16) -> Vec<Vec<u8>> {
    (0..count).map(|id| message::query(id, "web.svc.local", A, Some(1232))).collect()
}

/// Each query has one response, in whatever order.
#[track_caller]
fn answered(client: &mut Tcp, queries: &[Vec<u8>]) {
    let mut open: BTreeSet<u16> = (0..queries.len() as u16).collect();
    for _ in queries {
        let response = client.receive();
        let id = u16::from_be_bytes([response[0], response[1]]);
        assert!(open.remove(&id), "{id} was answered twice");
        assert_eq!(Response::read(&response, &queries[usize::from(id)]).answer.len(), 2);
    }
}

/// §6.2.1.1: clients may send queries without waiting for responses.
#[test]
fn queries_in_one_segment_are_all_answered() {
    let server = Server::start();
    population::two(&server);
    let mut client = Tcp::to(server.dns[0]);
    for _ in 0..3 {
        let queries = queries(100);
        let segment: Vec<u8> = queries.iter().flat_map(|query| frame(query)).collect();
        client.stream.write_all(&segment).unwrap();
        answered(&mut client, &queries);
    }
}

/// §8: a receiver copes with messages that are split between segments anywhere.
#[test]
fn queries_in_single_octets_are_answered() {
    let server = Server::start();
    population::two(&server);
    let mut client = Tcp::to(server.dns[0]);
    let queries = queries(3);
    for octet in queries.iter().flat_map(|query| frame(query)) {
        client.stream.write_all(&[octet]).unwrap();
    }
    answered(&mut client, &queries);
}

/// §6.2.1: a client that closes its direction has not taken its questions back.
#[test]
fn a_half_closed_connection_gets_its_answers() {
    let server = Server::start();
    population::two(&server);
    let mut client = Tcp::to(server.dns[0]);
    let queries = queries(50);
    queries.iter().for_each(|query| client.send(query));
    client.stream.shutdown(Shutdown::Write).unwrap();
    answered(&mut client, &queries);
    assert!(client.rest().is_empty());
}

/// RFC 1035 §4.2.2: the length has 16 bits.
#[test]
fn answers_up_to_the_longest_message_are_whole() {
    let long = "x".repeat(255);
    let records =
        |count: usize| (0..count).map(|at| format!("t{count} TXT \"{at:03}{}\"\n", &long[3..])).collect::<String>();
    let zone =
        format!("$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n{}{}", records(243), records(250));
    let server = Setup::new().zone("example.test.zone", &zone).start();
    let mut client = Tcp::to(server.dns[0]);
    for _ in 0..20 {
        let whole = client.ask("t243.example.test", TXT, None);
        assert!(!whole.truncated && whole.answer.len() == 243 && whole.octets.len() > 65_000);
        let cut = client.ask("t250.example.test", TXT, None);
        assert!(cut.truncated && cut.octets.len() > 65_000, "nothing longer can be said");
    }
}

/// §6.2.3: the server may close idle connections, and says nothing on them.
#[test]
fn resting_connections_are_closed() {
    let server = Setup::new().set("dns.tcp_idle", "1s").start();
    population::two(&server);
    let (mut silent, mut asked) = (Tcp::to(server.dns[0]), Tcp::to(server.dns[0]));
    assert_eq!(asked.ask("web.svc.local", A, None).answer.len(), 2);
    assert!(silent.rest().is_empty() && asked.rest().is_empty());
    assert_eq!(Tcp::to(server.dns[0]).ask("web.svc.local", A, None).answer.len(), 2);
}

/// §6.2.2, §10: connections are bounded for each client and in all, and whoever rests makes room for whoever asks.
#[test]
fn newcomers_take_the_places_of_those_who_rest() {
    let setup = Setup::new().also_dns("127.0.0.1:0");
    // So few that no part of them counts as the last ones, which would have less time to rest.
    let server = setup.set("dns.tcp_connections_per_client", 2).set("dns.tcp_connections", 3).start();
    population::two(&server);
    let from = |host: u8, listener: usize| {
        let mut client = Tcp::from_address(IpAddr::from([127, 0, 0, host]), server.dns[listener]);
        assert_eq!(client.ask("web.svc.local", A, None).answer.len(), 2);
        client
    };
    let mut greedy: Vec<_> = (0..3).map(|at| from(2, at % 2)).collect();
    assert!(greedy[0].rest().is_empty(), "two for each client");
    let mut modest = from(3, 0);
    let _newcomer = from(4, 1);
    assert!(greedy[1].rest().is_empty(), "three in all, on both listeners together");
    for client in [&mut greedy[2], &mut modest] {
        assert_eq!(client.ask("web.svc.local", A, None).answer.len(), 2);
    }
}

/// §6.2.1: a client that does not take in its answers keeps nobody else waiting.
#[test]
fn who_does_not_read_costs_others_nothing() {
    let server = Server::start();
    population::many(&server, 100);
    let mut deaf: Vec<_> = (0..20).map(|_| Tcp::to(server.dns[0])).collect();
    for client in &mut deaf {
        client.stream.set_nonblocking(true).unwrap();
        let queries: Vec<u8> = queries(1000).iter().flat_map(|query| frame(query)).collect();
        // As much as the server takes in.
        while client.stream.write(&queries).is_ok() {}
    }
    assert_eq!(Tcp::to(server.dns[0]).ask("web.svc.local", A, None).answer.len(), 100);
    assert_eq!(message::Udp::to(server.dns[0]).ask("i-00.web.svc.local", A, None).answer.len(), 1);
}

/// §6.2.4: an answered query is no reason to close, and neither is a failed one.
#[test]
fn errors_keep_the_connection() {
    let server = Server::start();
    population::two(&server);
    let mut client = Tcp::to(server.dns[0]);
    let mut malformed = message::query(1, "web.svc.local", A, None);
    malformed.truncate(20);
    client.send(&malformed);
    let refused = client.receive();
    assert_eq!((refused[0], refused[1], refused[3] & 15), (0, 1, 1), "FORMERR");
    assert_eq!(client.ask("example.org", A, None).rcode, "REFUSED");
    assert_eq!(client.ask("web.svc.local", A, None).answer.len(), 2);
}
