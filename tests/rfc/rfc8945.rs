//! RFC 8945 §5.2: what a server does with a signed query that has no keys at all.

use crate::common::Server;
use crate::common::edns;
use crate::common::message::{A, Response, Udp, query};

/// A TSIG record of `key.`, with a MAC of 32 octets.
fn sign(packet: &mut Vec<u8>) {
    packet[11] += 1;
    packet.extend(b"\x03key\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x3d\x0bhmac-sha256\x00");
    packet.extend([0, 0, 0x65, 0x5f, 0, 0, 1, 0x2c, 0, 32]);
    packet.extend([7; 32]);
    packet.extend([0, 7, 0, 0, 0, 0]);
}

#[test]
fn a_key_that_is_not_known_is_named() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    let mut signed = query(7, "web.svc.local", A, None);
    let mut with_edns = signed.clone();
    edns::append(&mut with_edns, 0, 0, &[]);
    for packet in [&mut signed, &mut with_edns] {
        sign(packet);
        let response = Response::read(&client.exchange(packet), packet);
        assert_eq!(response.rcode, "NOTAUTH", "{response:?}");
        assert!(response.answer.is_empty() && !response.authoritative, "{response:?}");
        // Time and fudge as they came, no MAC, the id, BADKEY (17), no more.
        let tail = [0, 0, 0x65, 0x5f, 0, 0, 1, 0x2c, 0, 0, 0, 7, 0, 17, 0, 0];
        assert!(response.octets.ends_with(&tail), "{response:?}");
        assert_eq!(response.additional.len(), 1, "{response:?}");
        assert_eq!((response.additional[0].owner.as_str(), response.additional[0].kind.as_str()), ("key", "TSIG"));
        assert!(response.octets.len() < packet.len(), "a forged query gains nothing");
    }
}

#[test]
fn a_signature_is_the_last_record() {
    let server = Server::start();
    let mut packet = query(7, "web.svc.local", A, None);
    sign(&mut packet);
    edns::append(&mut packet, 0, 0, &[]);
    let response = Response::read(&Udp::to(server.dns[0]).exchange(&packet), &packet);
    assert_eq!((response.rcode.as_str(), response.additional.len()), ("FORMERR", 0));
}
