//! What a worker does with a batch.

use std::net::Ipv4Addr;

use super::*;
use crate::dns::prefixes::Prefixes;
use crate::dns::rate_limit::RateLimits;
use crate::dns::responder::tests::fixture;
use crate::wire::RecordType;

/// A worker's surroundings, over the service `web` of so many instances.
fn shared(instances: u32, rate: u32) -> Shared {
    let responder = Arc::new(fixture::responder_over(fixture::index(instances), |_| {}));
    let limiter = Arc::new(RateLimiter::new(RateLimits { rate, slip: 1, exempt: Prefixes::default() }));
    Shared { responder, limiter, clock: Clock::start() }
}

/// Asks all of `packets` at once and gives the replies, with what the worker allocated meanwhile.
fn ask(worker: &mut Worker<'_>, packets: &[Vec<u8>]) -> (Vec<Vec<u8>>, u64) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut batch = Batch::new(set_up(&socket, Duration::from_secs(30)).unwrap());
    let client = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    client.connect(socket.local_addr().unwrap()).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    packets.iter().for_each(|packet| assert_eq!(client.send(packet).unwrap(), packet.len()));
    let allocations = allocation_counter::measure(|| {
        // What was sent on loopback is there.
        let count = batch.receive(&socket).unwrap();
        assert_eq!(count, packets.len());
        worker.answer(&mut batch, count);
        batch.send(&socket, |_, error| panic!("{error}"));
    });
    let replies = packets.iter().map(|_| {
        let mut reply = vec![0; 4096];
        let length = client.recv(&mut reply).unwrap();
        reply.truncate(length);
        reply
    });
    (replies.collect(), allocations.count_total)
}

fn usual() -> Vec<Vec<u8>> {
    let questions = [
        ("web.svc.local", RecordType::A),
        ("wEb.svc.local", RecordType::AAAA),
        ("_web._tcp.svc.local", RecordType::SRV),
        ("i1.web.svc.local", RecordType::A),
        ("i1.web.svc.local", RecordType::SRV),
        ("web.svc.local", RecordType::HTTPS),
        ("none.svc.local", RecordType::A),
    ];
    let cookie = fixture::option(10, b"12345678");
    let ways = [None, Some(&[][..]), Some(&cookie[..])];
    let each = |(name, qtype)| ways.map(|options| fixture::query(name, qtype, fixture::IN, options));
    questions.into_iter().flat_map(each).collect()
}

#[test]
fn the_usual_questions_are_answered_without_an_allocation() {
    let shared = shared(5, 1000);
    let mut worker = Worker::new(&shared);
    // The first batch may set up what later ones use.
    ask(&mut worker, &usual());
    let (replies, allocations) = ask(&mut worker, &usual());
    assert!(replies.iter().all(|reply| fixture::read(reply).authoritative));
    assert_eq!(allocations, 0);
    // It is this that counts nothing, and not the counter.
    let complete = fixture::query("mx.example.test", RecordType::MX, fixture::IN, None);
    assert!(ask(&mut worker, &[complete]).1 > 0);
}

#[test]
fn usual_and_unusual_questions_are_answered_side_by_side() {
    let shared = shared(5, 0);
    let mut worker = Worker::new(&shared);
    let mut packets = usual();
    packets.insert(1, fixture::query("mx.example.test", RecordType::MX, fixture::IN, Some(&[])));
    packets.insert(3, fixture::query("version.bind", RecordType::TXT, fixture::CH, None));
    let (replies, _) = ask(&mut worker, &packets);
    for (packet, reply) in packets.iter().zip(&replies) {
        let end = 16 + packet[12..].iter().position(|octet| *octet == 0).unwrap() + 1;
        assert_eq!(packet[12..end], reply[12..end], "each reply has its own question");
    }
}

#[test]
fn what_the_limit_keeps_back_slips() {
    let shared = shared(5, 2);
    let mut worker = Worker::new(&shared);
    let packets = vec![fixture::query("web.svc.local", RecordType::A, fixture::IN, None); 4];
    let (replies, _) = ask(&mut worker, &packets);
    let read: Vec<_> = replies.iter().map(|reply| fixture::read(reply)).collect();
    assert_eq!(read.iter().map(|read| read.counts[1]).collect::<Vec<_>>(), [5, 5, 0, 0]);
    assert_eq!(read.iter().map(|read| read.truncated).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(shared.limiter.limited(), 2);
}

#[test]
fn whose_cookie_is_good_has_no_limit() {
    let shared = shared(5, 2);
    let mut worker = Worker::new(&shared);
    let with =
        |cookie: &[u8]| fixture::query("web.svc.local", RecordType::A, fixture::IN, Some(&fixture::option(10, cookie)));
    let (replies, _) = ask(&mut worker, &[with(b"12345678")]);
    let (_, given) = fixture::read(&replies[0]).options.unwrap().remove(0);
    let (replies, allocations) = ask(&mut worker, &vec![with(&given); 5]);
    assert!(replies.iter().all(|reply| fixture::read(reply).counts[1] == 5));
    assert_eq!((shared.limiter.limited(), allocations), (0, 0));
    let (replies, _) = ask(&mut worker, &vec![with(b"12345678"); 3]);
    assert!(replies.iter().any(|reply| fixture::read(reply).truncated), "one that proves nothing is limited");
}

#[test]
fn services_are_no_clients() {
    for (port, may) in [(0, false), (7, false), (19, false), (464, false), (53, true), (1024, true), (65_535, true)] {
        assert_eq!(may_ask(port), may, "{port}");
    }
}
