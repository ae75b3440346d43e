//! Reading a query.
//!
//! The header and the question are read in place, because they are echoed. Of the records behind them only the OPT record
//! means anything here; the others are stepped over and their names never followed, so that reading costs no more than
//! the packet is long, whatever is in it.

use crate::wire::{Name, RecordType, flag};

const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;
/// TYPE, CLASS, TTL and RDLENGTH.
const RECORD_FIXED: usize = 10;
const OPCODE: u16 = 0x7800;

/// A packet as a question to a server.
#[derive(Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Not a query at all, or too short to answer: nothing is sent back.
    Noise,
    /// It cannot be read; the answer is a format error under this id.
    Malformed {
        id: u16,
        flags: u16,
    },
    /// An opcode that is not served, with its question where there is one.
    Unserved {
        id: u16,
        flags: u16,
        query: Option<Query<'a>>,
    },
    Query(Query<'a>),
}

/// A query with its one question (RFC 9619).
#[derive(Debug, PartialEq, Eq)]
pub struct Query<'a> {
    pub id: u16,
    /// The header bits that a response repeats.
    pub flags: u16,
    pub qname: Name,
    pub qtype: RecordType,
    pub qclass: u16,
    /// The question section as it came.
    pub question: &'a [u8],
    pub edns: Option<Edns>,
}

/// What the OPT record of a query says (RFC 6891).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    pub version: u8,
    /// Octets that the client takes in over UDP.
    pub udp_payload: u16,
    pub dnssec_ok: bool,
}

/// Reads a packet as a query.
pub fn read(packet: &[u8]) -> Packet<'_> {
    let (Some(id), Some(bits), true) = (u16_at(packet, 0), u16_at(packet, 2), packet.len() >= HEADER) else {
        return Packet::Noise;
    };
    if bits & flag::QR != 0 {
        return Packet::Noise;
    }
    // The opcode is repeated and RD copied (RFC 1035 §4.1.1); everything else is the responder's.
    let flags = bits & (OPCODE | flag::RD);
    let query = query(packet, id, flags);
    match query {
        query if flags & OPCODE != 0 => Packet::Unserved { id, flags, query },
        Some(query) => Packet::Query(query),
        None => Packet::Malformed { id, flags },
    }
}

fn query(packet: &[u8], id: u16, flags: u16) -> Option<Query<'_>> {
    if u16_at(packet, 4)? != 1 {
        return None;
    }
    let qname = Name::from_wire(&packet[HEADER..]).ok()?;
    let end = HEADER + qname.wire().len() + TYPE_AND_CLASS;
    let question = packet.get(HEADER..end)?;
    let (qtype, qclass) = (u16_at(packet, end - 4)?, u16_at(packet, end - 2)?);
    let edns = edns(packet, end)?;
    Some(Query { id, flags, qname, qtype: RecordType(qtype), qclass, question, edns })
}

/// Steps over the records from `at` on, and gives what the OPT record says. The outer `None` is a format error: records
/// that are not there, an OPT record that is not alone or not where it belongs (RFC 6891 §6.1.1), or one that is broken.
fn edns(packet: &[u8], mut at: usize) -> Option<Option<Edns>> {
    let before = usize::from(u16_at(packet, 6)?) + usize::from(u16_at(packet, 8)?);
    let additional = usize::from(u16_at(packet, 10)?);
    let mut found = None;
    for number in 0..before + additional {
        let owner = at;
        at = after_name(packet, at)?;
        let fixed = packet.get(at..at + RECORD_FIXED)?;
        let rdata = packet.get(at + RECORD_FIXED..)?.get(..usize::from(u16_at(fixed, 8)?))?;
        if u16_at(fixed, 0)? == RecordType::OPT.0 {
            let is_root = at == owner + 1;
            if number < before || !is_root || found.is_some() || !options_are_whole(rdata) {
                return None;
            }
            found = Some(Edns { version: fixed[5], udp_payload: u16_at(fixed, 2)?, dnssec_ok: fixed[6] & 0x80 != 0 });
        }
        at += RECORD_FIXED + rdata.len();
    }
    Some(found)
}

/// Where a name ends that may be compressed: behind its root label, or behind the first pointer.
fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match packet.get(at)? {
            0 => return Some(at + 1),
            length @ 1..=63 => at += usize::from(*length) + 1,
            192.. => return packet.get(at + 1).map(|_| at + 2),
            _ => return None,
        }
    }
}

/// Whether the options of an OPT record have the lengths that they say.
fn options_are_whole(mut rdata: &[u8]) -> bool {
    while !rdata.is_empty() {
        let rest = u16_at(rdata, 2).and_then(|length| rdata.get(4 + usize::from(length)..));
        let Some(rest) = rest else { return false };
        rdata = rest;
    }
    true
}

fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..at + 2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &[u8] = b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00\x03wEb\x03svc\x05local\x00\x00\x21\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";

    fn with(counts: [u8; 3], records: &[&[u8]]) -> Vec<u8> {
        let mut packet = PLAIN.to_vec();
        (packet[7], packet[9], packet[11]) = (counts[0], counts[1], counts[2]);
        packet.extend(records.concat());
        packet
    }

    #[test]
    fn a_query_is_read_with_its_case() {
        let Packet::Query(query) = read(PLAIN) else { panic!("no query") };
        assert_eq!((query.id, query.flags, query.qtype, query.qclass), (0x1234, 0x0100, RecordType::SRV, 1));
        assert_eq!((query.qname.to_string().as_str(), query.edns), ("wEb.svc.local.", None));
        assert_eq!(query.question, &PLAIN[HEADER..]);
    }

    #[test]
    fn the_opt_record_is_found_among_others() {
        let edns = Edns { version: 0, udp_payload: 1232, dnssec_ok: true };
        let tsig: &[u8] = b"\x01k\xc0\x0c\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x02xx";
        let nsid: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x00";
        for packet in [with([0, 0, 1], &[OPT]), with([0, 1, 2], &[tsig, tsig, OPT]), with([0, 0, 1], &[nsid])] {
            let Packet::Query(query) = read(&packet) else { panic!("no query in {packet:02x?}") };
            assert_eq!(query.edns, Some(edns), "{packet:02x?}");
        }
        let trailing = with([0, 0, 0], &[b"trailing"]);
        assert!(matches!(read(&trailing), Packet::Query(Query { edns: None, .. })));
    }

    #[test]
    fn what_is_no_query_is_told_apart() {
        let changed = |at: usize, octet: u8| {
            let mut packet = PLAIN.to_vec();
            packet[at] = octet;
            packet
        };
        let named: &[u8] = b"\x01x\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
        let cut_option: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x01";
        for packet in [
            changed(5, 0),
            changed(5, 2),
            changed(12, 0xc0),
            changed(12, 63),
            PLAIN[..PLAIN.len() - 1].to_vec(),
            with([0, 0, 1], &[]),
            with([0, 0, 1], &[&OPT[..10]]),
            with([0, 0, 2], &[OPT, OPT]),
            with([1, 0, 0], &[OPT]),
            with([0, 0, 1], &[named]),
            with([0, 0, 1], &[cut_option]),
            with([0, 0, 1], &[b"\x80"]),
        ] {
            assert_eq!(read(&packet), Packet::Malformed { id: 0x1234, flags: 0x0100 }, "{packet:02x?}");
        }
        assert_eq!(read(&PLAIN[..11]), Packet::Noise);
        assert_eq!(read(&changed(2, 0x81)), Packet::Noise);
        let notify = changed(2, 0x21);
        assert!(matches!(read(&notify), Packet::Unserved { flags: 0x2100, query: Some(_), .. }));
    }

    /// A chain of pointers that thousands of owner names lead into: following them would cost the square of the length.
    #[test]
    fn names_of_records_are_never_followed() {
        const RECORDS: u16 = 3000;
        let mut packet = PLAIN.to_vec();
        packet[10..12].copy_from_slice(&RECORDS.to_be_bytes());
        let mut before = HEADER as u16;
        for _ in 0..RECORDS {
            let at = packet.len() as u16;
            packet.extend((0xc000 | (before & 0x3fff)).to_be_bytes());
            packet.extend(b"\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00");
            before = at;
        }
        assert!(matches!(read(&packet), Packet::Query(_)));
    }

    proptest! {
        #[test]
        fn no_packet_panics(packet in proptest::collection::vec(any::<u8>(), 0..600), flip in any::<bool>()) {
            let mut packet = packet;
            if flip && packet.len() > 40 {
                packet[..PLAIN.len()].copy_from_slice(PLAIN);
                packet[11] = 3;
            }
            read(&packet);
        }
    }
}
