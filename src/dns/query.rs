//! Reading a query.
//!
//! The header and the question are read in place, because they are echoed; the rest of the message, in which only the
//! OPT record matters, is left to hickory-proto. Anything that it cannot make sense of is a format error.

use hickory_proto::op::Message;

use crate::wire::{Name, RecordType, flag};

const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;

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
    /// An opcode that is not served.
    Unserved {
        id: u16,
        flags: u16,
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
    let word = |at: usize| packet.get(at..at + 2).map(|octets| u16::from_be_bytes([octets[0], octets[1]]));
    let (Some(id), Some(bits), true) = (word(0), word(2), packet.len() >= HEADER) else { return Packet::Noise };
    if bits & flag::QR != 0 {
        return Packet::Noise;
    }
    // The opcode is repeated and RD copied (RFC 1035 §4.1.1); everything else is the responder's.
    let flags = bits & (0x7800 | flag::RD);
    if bits & 0x7800 != 0 {
        return Packet::Unserved { id, flags };
    }
    match question(packet) {
        Some(query) => Packet::Query(Query { id, flags, ..query }),
        None => Packet::Malformed { id, flags },
    }
}

fn question(packet: &[u8]) -> Option<Query<'_>> {
    if packet[4..6] != [0, 1] {
        return None;
    }
    let qname = Name::from_wire(&packet[HEADER..]).ok()?;
    let end = HEADER + qname.wire().len();
    let tail = packet.get(end..end + TYPE_AND_CLASS)?;
    let message = Message::from_vec(packet).ok()?;
    Some(Query {
        id: 0,
        flags: 0,
        qname,
        qtype: RecordType(u16::from_be_bytes([tail[0], tail[1]])),
        qclass: u16::from_be_bytes([tail[2], tail[3]]),
        question: &packet[HEADER..end + TYPE_AND_CLASS],
        edns: message.edns.map(|edns| Edns {
            version: edns.version(),
            udp_payload: edns.max_payload(),
            dnssec_ok: edns.flags().dnssec_ok,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &[u8] = b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00\x03wEb\x03svc\x05local\x00\x00\x21\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";

    fn with_opt(times: u8) -> Vec<u8> {
        let mut packet = PLAIN.to_vec();
        packet[11] = times;
        (0..times).for_each(|_| packet.extend_from_slice(OPT));
        packet
    }

    #[test]
    fn a_query_is_read_with_its_case() {
        let Packet::Query(query) = read(PLAIN) else { panic!("no query") };
        assert_eq!((query.id, query.flags, query.qtype, query.qclass), (0x1234, 0x0100, RecordType::SRV, 1));
        assert_eq!((query.qname.to_string().as_str(), query.edns), ("wEb.svc.local.", None));
        assert_eq!(query.question, &PLAIN[HEADER..]);
        let packet = with_opt(1);
        let Packet::Query(query) = read(&packet) else { panic!("no query") };
        assert_eq!(query.edns, Some(Edns { version: 0, udp_payload: 1232, dnssec_ok: true }));
    }

    #[test]
    fn what_is_no_query_is_told_apart() {
        let changed = |at: usize, octet: u8| {
            let mut packet = PLAIN.to_vec();
            packet[at] = octet;
            packet
        };
        let malformed = Packet::Malformed { id: 0x1234, flags: 0x0100 };
        for (packet, expected) in [
            (PLAIN[..11].to_vec(), Packet::Noise),
            (changed(2, 0x81), Packet::Noise),
            (changed(2, 0x29), Packet::Unserved { id: 0x1234, flags: 0x2900 }),
            (changed(5, 0), malformed),
            (changed(5, 2), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
            (changed(12, 0xc0), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
            (changed(12, 63), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
            (PLAIN[..PLAIN.len() - 1].to_vec(), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
            (with_opt(2), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
            (changed(11, 1), Packet::Malformed { id: 0x1234, flags: 0x0100 }),
        ] {
            assert_eq!(read(&packet), expected, "{packet:02x?}");
        }
    }

    proptest! {
        #[test]
        fn no_packet_panics(packet in proptest::collection::vec(any::<u8>(), 0..600), flip in any::<bool>()) {
            let mut packet = packet;
            if flip && packet.len() > 12 {
                packet[2..12].copy_from_slice(&PLAIN[2..12]);
            }
            read(&packet);
        }
    }
}
