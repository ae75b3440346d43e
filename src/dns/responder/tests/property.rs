//! Whatever packet comes, what is sent can be read, is no longer than it may be, and is never a reply to a reply.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::fixture::*;
use crate::dns::{Client, Responder, Transport};
use crate::wire::RecordType;

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn every_reply_can_be_read(
        seed in 0..PACKETS.len(),
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
        tail in proptest::collection::vec(any::<u8>(), 0..20),
        over_tcp in any::<bool>(),
        draw in any::<u64>(),
    ) {
        let mut packet = PACKETS[seed].clone();
        for (at, octet) in changes {
            let at = at.index(packet.len());
            packet[at] = octet;
        }
        packet.truncate(cut.map_or(packet.len(), |cut| cut.index(packet.len())));
        packet.extend(tail);
        never_wrong(&packet, if over_tcp { &TCP } else { &UDP }, draw);
    }

    #[test]
    fn noise_is_harmless(packet in proptest::collection::vec(any::<u8>(), 0..200), draw in any::<u64>()) {
        never_wrong(&packet, &UDP, draw);
    }
}

static RESPONDERS: LazyLock<[Responder; 2]> =
    LazyLock::new(|| [responder(|_| {}), responder(|config| config.require_cookies = true)]);

/// Good queries of every kind, to be spoilt.
static PACKETS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let options = [
        option(3, b""),
        option(10, b"12345678"),
        option(11, b""),
        option(12, &[0; 20]),
        option(8, b"\x00\x01\x18\x00\xc0\x00\x02"),
    ];
    let mut packets = Vec::new();
    for (name, qtype, qclass) in [
        ("_web._tcp.svc.local", RecordType::SRV, IN),
        ("web.svc.local", RecordType::ANY, IN),
        ("nothing.svc.local", RecordType::A, IN),
        ("alias.example.test", RecordType::MX, IN),
        ("x.sub.example.test", RecordType::A, IN),
        ("example.test", RecordType::AXFR, IN),
        ("id.server", RecordType::TXT, CH),
    ] {
        packets.push(query(name, qtype, qclass, None));
        packets.push(query(name, qtype, qclass, Some(&options.concat())));
        let mut signed = query(name, qtype, qclass, Some(&[]));
        signed[11] = 2;
        signed.extend(b"\x01k\xc0\x0c\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x15\x01h\x00\x00\x00\x65\x5f\x00\x00\x01\x2c\x00\x02MM\x12\x34\x00\x00\x00\x00");
        packets.push(signed);
    }
    packets
});

fn never_wrong(packet: &[u8], client: &Client, draw: u64) {
    let mut out = Vec::new();
    for responder in RESPONDERS.iter() {
        let is_reply = packet.get(2).is_none_or(|bits| bits & 0x80 != 0);
        let replied = responder.respond(packet, client, draw, now(), &mut out);
        if packet.len() < 12 || is_reply {
            assert_eq!(replied, None);
            continue;
        }
        let reply = replied.expect("a reply");
        let read = read(&out);
        assert_eq!((reply.rcode as u16, reply.truncated), (read.rcode, read.truncated));
        assert_eq!((&out[..2], out[2] & 0x79), (&packet[..2], packet[2] & 0x79), "id, opcode and RD");
        let most = match client.transport {
            Transport::Udp if read.options.is_none() => 512,
            Transport::Udp => 1232,
            Transport::Tcp { .. } => 65_535,
        };
        assert!(out.len() <= most, "{} octets", out.len());
        let mut again = Vec::new();
        assert_eq!(responder.respond(&out, client, draw, now(), &mut again), None, "a reply to a reply");
        let redirected = responder.redirect(packet, client, now(), &mut again);
        assert!(redirected.is_some() && self::read(&again).counts[1..3] == [0, 0]);
    }
}
