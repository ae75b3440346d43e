//! What a responder makes of a query, and what it says of its reply; every reply is read by the `domain` crate.

pub mod fixture;
mod property;
mod served;

use std::sync::Arc;

use super::*;
use crate::dns::{Kind, Rcode, Transport};
use crate::wire::RecordType;
use fixture::*;

#[test]
fn replies_are_told_apart() {
    let responder = responder(|_| {});
    for (question, qtype, kind, rcode, about) in [
        ("MX.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "MX.example.test."),
        ("out.example.test", RecordType::A, Kind::Positive, Rcode::NoError, "out.example.test."),
        ("one.any.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "*.any.example.test."),
        ("a.two.any.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "*.any.example.test."),
        ("*.any.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "*.any.example.test."),
        ("one.any.example.test", RecordType::A, Kind::NoData, Rcode::NoError, "example.test."),
        ("one.old.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "*.old.example.test."),
        ("one.moved.example.test", RecordType::MX, Kind::Positive, Rcode::NoError, "moved.example.test."),
        ("web.svc.local", RecordType::A, Kind::Positive, Rcode::NoError, "web.svc.local."),
        ("mx.example.test", RecordType::A, Kind::NoData, Rcode::NoError, "example.test."),
        ("i1.web.svc.local", RecordType::AAAA, Kind::NoData, Rcode::NoError, "svc.local."),
        ("a.b.c.example.test", RecordType::A, Kind::NxDomain, Rcode::NxDomain, "example.test."),
        ("x.sub.example.test", RecordType::A, Kind::Referral, Rcode::NoError, "sub.example.test."),
        ("www.example.org", RecordType::A, Kind::Error, Rcode::Refused, "www.example.org."),
    ] {
        let (reply, read) = ask(&responder, &query(question, qtype, IN, None), &TCP);
        assert_eq!((reply.kind, reply.rcode), (kind, rcode), "{question}");
        assert_eq!(reply.name.map(|name| name.to_string()).as_deref(), Some(about));
        assert_eq!((reply.qtype, reply.has_valid_cookie), (Some(qtype), false));
        assert_eq!(read.authoritative, !matches!(kind, Kind::Referral | Kind::Error), "{question}");
    }
}

#[test]
fn what_is_not_looked_up_is_said_why() {
    let responder = responder(|_| {});
    let plain = |qtype, qclass| query("web.svc.local", qtype, qclass, Some(&[]));
    let opcode = |opcode: u8| {
        let mut packet = plain(RecordType::SOA, IN);
        packet[2] |= opcode << 3;
        packet
    };
    let version = |mut packet: Vec<u8>| {
        let at = packet.len() - 5;
        packet[at] = 1;
        packet
    };
    let mut no_question = plain(RecordType::A, IN);
    no_question.drain(12..12 + 15 + 4);
    no_question[5] = 0;
    for (packet, rcode, questions, extended) in [
        (plain(RecordType::AXFR, IN), Rcode::Refused, 1, Some(21)),
        (plain(RecordType::IXFR, IN), Rcode::Refused, 1, Some(21)),
        (plain(RecordType::A, 4), Rcode::Refused, 1, Some(18)),
        (plain(RecordType::A, 255), Rcode::Refused, 1, Some(18)),
        (plain(RecordType::A, CH), Rcode::Refused, 1, Some(18)),
        (opcode(1), Rcode::NotImp, 1, Some(21)),
        (opcode(4), Rcode::NotImp, 1, Some(21)),
        (opcode(5), Rcode::NotImp, 1, Some(21)),
        (opcode(6), Rcode::NotImp, 1, Some(21)),
        (opcode(15), Rcode::NotImp, 1, Some(21)),
        (version(plain(RecordType::A, IN)), Rcode::BadVers, 1, None),
        (version(opcode(5)), Rcode::BadVers, 1, None),
        (no_question, Rcode::FormErr, 0, None),
        (query("www.example.org", RecordType::A, IN, Some(&[])), Rcode::Refused, 1, Some(20)),
    ] {
        for client in [&UDP, &TCP] {
            let (reply, read) = ask(&responder, &packet, client);
            assert_eq!((reply.kind, reply.rcode, read.authoritative), (Kind::Error, rcode, false), "{packet:02x?}");
            assert_eq!(read.counts, [questions, 0, 0, 1], "{packet:02x?}");
            let codes: Vec<u16> = read
                .options
                .unwrap()
                .iter()
                .map(|(code, data)| {
                    assert_eq!(*code, 15);
                    u16::from_be_bytes([data[0], data[1]])
                })
                .collect();
            assert_eq!(codes, extended.into_iter().collect::<Vec<_>>(), "{packet:02x?}");
        }
    }
}

#[test]
fn before_there_is_state_nothing_is_known() {
    let responder = responder_over(Arc::default(), |_| {});
    let (reply, read) = ask(&responder, &query("web.svc.local", RecordType::A, IN, Some(&[])), &UDP);
    assert_eq!((reply.kind, reply.rcode), (Kind::Error, Rcode::ServFail));
    assert_eq!(read.options.unwrap()[0].1[..2], [0, 14]);
    let (_, plain) = ask(&responder, &query("web.svc.local", RecordType::A, IN, None), &UDP);
    assert!(plain.options.is_none());
    // Who answers can be told all the same.
    let (reply, _) = ask(&responder, &query("id.server", RecordType::TXT, CH, None), &UDP);
    assert_eq!(reply.rcode, Rcode::NoError);
}

#[test]
fn a_signature_with_an_unknown_key_is_answered_in_kind() {
    const TSIG: &[u8] = b"\x01k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x15\x01h\x00\x00\x00\x65\x5f\x00\x00\x01\x2c\x00\x02MM\x12\x34\x00\x00\x00\x00";
    let responder = responder(|_| {});
    for options in [None, Some(&[][..])] {
        let mut packet = query("web.svc.local", RecordType::A, IN, options);
        packet[11] += 1;
        packet.extend(TSIG);
        let (reply, read) = ask(&responder, &packet, &UDP);
        assert_eq!((reply.rcode, read.counts), (Rcode::NotAuth, [1, 0, 0, 1 + u16::from(options.is_some())]));
    }
}

#[test]
fn cookies_are_given_and_believed() {
    let responder = responder(|_| {});
    let with = |cookie: &[u8]| query("web.svc.local", RecordType::A, IN, Some(&option(10, cookie)));
    let (reply, read) = ask(&responder, &with(b"12345678"), &UDP);
    assert_eq!((reply.rcode, reply.has_valid_cookie, reply.kind), (Rcode::NoError, false, Kind::Positive));
    let (code, cookie) = read.options.unwrap().remove(0);
    assert_eq!((code, cookie.len()), (10, 24));
    let (reply, read) = ask(&responder, &with(&cookie), &UDP);
    assert!(reply.has_valid_cookie && read.options.unwrap()[0].1 == cookie);
    let elsewhere = Client { address: "192.0.2.1".parse().unwrap(), transport: Transport::Udp };
    assert!(!ask(&responder, &with(&cookie), &elsewhere).0.has_valid_cookie);
    for length in [0, 7, 9, 15, 41] {
        let (reply, read) = ask(&responder, &with(&vec![1; length]), &UDP);
        assert_eq!((reply.rcode, read.options), (Rcode::FormErr, Some(Vec::new())), "{length}");
    }
}

#[test]
fn without_cookies_the_option_means_nothing() {
    let responder = responder(|config| config.cookies = false);
    for length in [7, 8] {
        let packet = query("web.svc.local", RecordType::A, IN, Some(&option(10, &vec![1; length])));
        let (reply, read) = ask(&responder, &packet, &UDP);
        assert_eq!((reply.rcode, read.options), (Rcode::NoError, Some(Vec::new())));
    }
}

#[test]
fn a_cookie_can_be_all_that_is_asked_for() {
    let responder = responder(|_| {});
    let mut packet = query("web.svc.local", RecordType::A, IN, Some(&option(10, b"12345678")));
    packet.drain(12..12 + 15 + 4);
    packet[5] = 0;
    let (reply, read) = ask(&responder, &packet, &UDP);
    assert_eq!((reply.rcode, reply.name, read.counts), (Rcode::NoError, None, [0, 0, 0, 1]));
    assert_eq!(read.options.unwrap()[0].1.len(), 24);
}

#[test]
fn where_cookies_are_required_udp_gets_nothing_without() {
    let responder = responder(|config| config.require_cookies = true);
    let with = |options: Option<&[u8]>| query("web.svc.local", RecordType::A, IN, options);
    for options in [None, Some(&[][..])] {
        let (reply, read) = ask(&responder, &with(options), &UDP);
        assert_eq!((reply.kind, reply.rcode, reply.truncated), (Kind::Error, Rcode::NoError, true));
        assert_eq!(read.counts[1..3], [0, 0]);
    }
    let (reply, read) = ask(&responder, &with(Some(&option(10, b"12345678"))), &UDP);
    assert_eq!((reply.rcode, read.counts), (Rcode::BadCookie, [1, 0, 0, 1]));
    let cookie = read.options.unwrap().remove(0).1;
    assert_eq!(ask(&responder, &with(Some(&option(10, &cookie))), &UDP).0.rcode, Rcode::NoError);
    let forged = [&cookie[..23], b"x"].concat();
    assert_eq!(ask(&responder, &with(Some(&option(10, &forged))), &UDP).0.rcode, Rcode::BadCookie);
    for options in [None, Some(option(10, b"12345678"))] {
        assert_eq!(ask(&responder, &with(options.as_deref()), &TCP).0.kind, Kind::Positive);
    }
}

#[test]
fn the_server_tells_its_name_and_no_other() {
    let whole = responder(|_| {});
    let silent = responder(|config| (config.nsid, config.version) = (String::new(), String::new()));
    for (name, qtype, told) in [
        ("VERSION.bind", RecordType::TXT, true),
        ("version.server", RecordType::TXT, true),
        ("id.server", RecordType::ANY, true),
        ("hostname.bind", RecordType::TXT, true),
        ("authors.bind", RecordType::TXT, false),
        ("id.server", RecordType::A, false),
    ] {
        let packet = query(name, qtype, CH, None);
        let (reply, read) = ask(&whole, &packet, &UDP);
        let expected = if told { (Rcode::NoError, 1) } else { (Rcode::Refused, 0) };
        assert_eq!((reply.rcode, read.counts[1]), expected, "{name}");
        assert_eq!(ask(&silent, &packet, &UDP).0.rcode, Rcode::Refused, "{name}");
    }
    let asked = query("web.svc.local", RecordType::A, IN, Some(&option(3, b"")));
    assert_eq!(ask(&whole, &asked, &UDP).1.options.unwrap(), [(3, b"here".to_vec())]);
    assert_eq!(ask(&silent, &asked, &UDP).1.options.unwrap(), []);
}

#[test]
fn keepalive_and_padding_are_for_connections() {
    let responder = responder(|_| {});
    let with = |options: &[u8]| query("web.svc.local", RecordType::A, IN, Some(options));
    let keepalive = option(11, b"");
    assert_eq!(ask(&responder, &with(&keepalive), &TCP).1.options.unwrap(), [(11, vec![0, 100])]);
    assert_eq!(ask(&responder, &with(&keepalive), &UDP).1.options.unwrap(), []);
    let wrong = option(11, &[0, 1]);
    assert_eq!(ask(&responder, &with(&wrong), &TCP).0.rcode, Rcode::FormErr);
    assert_eq!(ask(&responder, &with(&wrong), &UDP).0.rcode, Rcode::NoError);
    let padding = option(12, &[0; 9]);
    assert_eq!(ask(&responder, &with(&padding), &UDP).1.options.unwrap(), []);
    let mut out = Vec::new();
    responder.respond(&with(&[padding, keepalive].concat()), &TCP, 1, now(), &mut out).unwrap();
    assert_eq!(out.len(), 2 * 468, "40 addresses take 640 octets");
    assert_eq!(read(&out).options.unwrap().iter().map(|(code, _)| *code).collect::<Vec<_>>(), [11, 12]);
}

#[test]
fn a_redirected_query_learns_nothing_but_its_errors() {
    let responder = responder(|_| {});
    let redirect = |packet: &[u8]| {
        let mut out = Vec::new();
        let reply = responder.redirect(packet, &UDP, now(), &mut out)?;
        Some((reply.rcode, read(&out).truncated, out.len()))
    };
    let good = query("web.svc.local", RecordType::A, IN, None);
    assert_eq!(redirect(&good), Some((Rcode::NoError, true, good.len())));
    assert_eq!(redirect(&good[..good.len() - 1]), Some((Rcode::FormErr, false, 12)));
    assert_eq!(redirect(&good[..11]), None);
}

#[test]
fn what_no_message_holds_is_cut_over_tcp_too() {
    let responder = responder(|_| {});
    let options = [option(3, b""), option(10, b"12345678"), option(11, b""), option(12, b"")].concat();
    for (options, kept) in [(None, None), (Some(&options[..]), Some(vec![3, 11, 10, 12]))] {
        let mut out = Vec::new();
        let packet = query("large.example.test", RecordType::TXT, IN, options);
        let reply = responder.respond(&packet, &TCP, 1, now(), &mut out).unwrap();
        let read = read(&out);
        assert!(reply.truncated && read.truncated && read.counts[1] > 200, "{:?}", read.counts);
        assert!((65_000..=65_535).contains(&out.len()), "{}", out.len());
        let codes = read.options.map(|options| options.iter().map(|(code, _)| *code).collect::<Vec<_>>());
        assert_eq!(codes, kept);
    }
}

#[test]
fn of_ten_thousand_instances_a_connection_gets_as_many_as_a_message_holds() {
    for (instances, qtype, least) in
        [(10_000, RecordType::A, 4000), (10_000, RecordType::SRV, 1500), (4000, RecordType::A, 4000)]
    {
        let responder = responder_over(index(instances), |_| {});
        let packet = query("web.svc.local", qtype, IN, None);
        let mut out = Vec::new();
        let reply = responder.respond(&packet, &TCP, 1, now(), &mut out).unwrap();
        let read = read(&out);
        let (answers, whole) = (u32::from(read.counts[1]), u32::from(read.counts[1]) == instances);
        assert_eq!((reply.truncated, read.truncated), (!whole, !whole), "{answers} {qtype} records");
        assert!(
            answers >= least && (whole || out.len() > 65_535 - 64),
            "{answers} {qtype} records, {} octets",
            out.len()
        );
    }
}

#[test]
fn options_and_records_share_the_room() {
    let responder = responder(|config| config.nsid = "n".repeat(128));
    let options = [option(3, b""), option(10, b"12345678")].concat();
    let mut packet = query("_web._tcp.svc.local", RecordType::SRV, IN, Some(&options));
    for offered in [0_u16, 512, 700, 1232] {
        let at = packet.len() - options.len() - 8;
        packet[at..at + 2].copy_from_slice(&offered.to_be_bytes());
        let mut out = Vec::new();
        let reply = responder.respond(&packet, &UDP, 1, now(), &mut out).unwrap();
        let (read, limit) = (read(&out), usize::from(offered.max(512)));
        assert!(reply.truncated && out.len() <= limit && out.len() + 40 > limit, "{} of {limit}", out.len());
        assert_eq!(read.options.unwrap().len(), 2, "both are kept in {limit}");
    }
}
