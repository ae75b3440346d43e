//! Reading a query.
//!
//! The header and the question are read in place, because they are echoed. Of the records behind them only OPT and TSIG
//! mean anything here; the others are stepped over and their names never followed, so that reading costs no more than
//! the packet is long, whatever is in it.

use super::edns::Edns;
use super::tsig::Tsig;
use crate::wire::octets::u16_at;
use crate::wire::{Name, RecordType, flag};

const HEADER: usize = 12;
const TYPE_AND_CLASS: usize = 4;
/// TYPE, CLASS, TTL and RDLENGTH.
const RECORD_FIXED: usize = 10;
const OPCODE: u16 = 0x7800;
/// The offset of a compression pointer (RFC 1035 §4.1.4).
const OFFSET: u16 = 0x3fff;

/// A packet as a question to a server. Where it cannot be read to its end, it holds what came before, for the reply.
#[derive(Debug, PartialEq, Eq)]
pub struct Query<'a> {
    pub id: u16,
    /// The header bits that a reply repeats.
    pub flags: u16,
    /// The question, if there is one and no other (RFC 9619).
    pub question: Option<Question<'a>>,
    pub edns: Option<Edns<'a>>,
    pub tsig: Option<Tsig<'a>>,
    /// Nothing is wrong with its form. It may still be without a question.
    pub is_whole: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Question<'a> {
    pub qname: Name,
    pub qtype: RecordType,
    pub qclass: u16,
    /// The question section as it came.
    pub octets: &'a [u8],
}

/// Reads a packet; `None` is one that is never answered, because it is a response itself or has no header.
pub fn read(packet: &[u8]) -> Option<Query<'_>> {
    let (id, bits) = (u16_at(packet, 0)?, u16_at(packet, 2)?);
    if packet.len() < HEADER || bits & flag::QR != 0 {
        return None;
    }
    // The opcode is repeated and RD copied (RFC 1035 §4.1.1). CD is cleared (RFC 4035 §3.1.6), and so is all else.
    let flags = bits & (OPCODE | flag::RD);
    let mut query = Query { id, flags, question: None, edns: None, tsig: None, is_whole: false };
    query.is_whole = query.read_sections(packet).is_some();
    Some(query)
}

impl<'a> Query<'a> {
    /// Whether the opcode is QUERY.
    pub fn is_query(&self) -> bool {
        self.flags & OPCODE == 0
    }

    /// Reads what follows the header; `None` at the first thing that is not as it should be.
    fn read_sections(&mut self, packet: &'a [u8]) -> Option<()> {
        let questions = u16_at(packet, 4)?;
        let mut at = HEADER;
        if questions == 1 {
            let question = Question::read(packet)?;
            at += question.octets.len();
            self.question = Some(question);
        } else {
            for _ in 0..questions {
                at = after_name(packet, at)? + TYPE_AND_CLASS;
            }
        }
        self.read_records(packet, at)?;
        (questions <= 1).then_some(())
    }

    /// Steps over the records from `at` on, and keeps what the OPT and TSIG records say. Either must be alone and in the
    /// additional section, OPT at the root (RFC 6891 §6.1.1), and TSIG the last of all (RFC 8945 §5.1).
    fn read_records(&mut self, packet: &'a [u8], mut at: usize) -> Option<()> {
        let before = usize::from(u16_at(packet, 6)?) + usize::from(u16_at(packet, 8)?);
        let all = before + usize::from(u16_at(packet, 10)?);
        for number in 0..all {
            let owner = at;
            at = after_name(packet, at)?;
            let fixed = packet.get(at..at + RECORD_FIXED)?;
            let rdata = packet.get(at + RECORD_FIXED..)?.get(..usize::from(u16_at(fixed, 8)?))?;
            match RecordType(u16_at(fixed, 0)?) {
                RecordType::OPT => {
                    if self.edns.take().is_some() || number < before || at != owner + 1 {
                        return None;
                    }
                    self.edns = Some(Edns::read(fixed, rdata)?);
                }
                RecordType::TSIG => {
                    if number < before || number + 1 < all {
                        return None;
                    }
                    let key = self.owner(packet, owner..at)?;
                    self.tsig = Some(Tsig::read(key, fixed, rdata)?);
                }
                _ => {}
            }
            at += RECORD_FIXED + rdata.len();
        }
        Some(())
    }

    /// The owner name of a record. There is no other name that it could share a part with but that of the question.
    fn owner(&self, packet: &[u8], place: std::ops::Range<usize>) -> Option<Name> {
        let octets = packet.get(place)?;
        if let Ok(whole) = Name::from_wire(octets) {
            return Some(whole);
        }
        let front = octets.len().checked_sub(2)?;
        let offset = usize::from(u16_at(octets, front)? & OFFSET);
        let end = HEADER + self.question.as_ref()?.qname.wire().len();
        Name::from_wire(&[&octets[..front], packet.get(offset..end)?].concat()).ok()
    }
}

impl<'a> Question<'a> {
    /// Reads the question behind the header. Its name has nothing before it that it could point at.
    fn read(packet: &'a [u8]) -> Option<Self> {
        let qname = Name::from_wire(packet.get(HEADER..)?).ok()?;
        let end = HEADER + qname.wire().len() + TYPE_AND_CLASS;
        let octets = packet.get(HEADER..end)?;
        let (qtype, qclass) = (RecordType(u16_at(packet, end - 4)?), u16_at(packet, end - 2)?);
        Some(Self { qname, qtype, qclass, octets })
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::edns::Asked;
    use proptest::prelude::*;

    const PLAIN: &[u8] = b"\x12\x34\x01\x20\x00\x01\x00\x00\x00\x00\x00\x00\x03wEb\x03svc\x05local\x00\x00\x21\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
    /// Of the key `k.`, with a MAC of two octets.
    const TSIG: &[u8] = b"\x01k\x00\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x15\x01h\x00\x00\x00\x65\x5f\x00\x00\x01\x2c\x00\x02MM\x12\x34\x00\x00\x00\x00";

    fn with(counts: [u8; 3], records: &[&[u8]]) -> Vec<u8> {
        let mut packet = PLAIN.to_vec();
        (packet[7], packet[9], packet[11]) = (counts[0], counts[1], counts[2]);
        packet.extend(records.concat());
        packet
    }

    fn changed(at: usize, octet: u8) -> Vec<u8> {
        let mut packet = PLAIN.to_vec();
        packet[at] = octet;
        packet
    }

    #[test]
    fn a_query_is_read_with_its_case() {
        let query = read(PLAIN).unwrap();
        assert!(query.is_whole && query.is_query());
        assert_eq!((query.id, query.flags, query.edns), (0x1234, 0x0100, None));
        let question = query.question.unwrap();
        assert_eq!(
            (question.qname.to_string().as_str(), question.qtype, question.qclass),
            ("wEb.svc.local.", RecordType::SRV, 1)
        );
        assert_eq!(question.octets, &PLAIN[HEADER..]);
    }

    #[test]
    fn the_opt_record_is_found_among_others() {
        let edns = |asked| Edns { version: 0, udp_payload: 1232, dnssec_ok: true, asked };
        let other: &[u8] = b"\x01k\xc0\x0c\x00\xfb\x00\xff\x00\x00\x00\x00\x00\x02xx";
        let nsid: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x00";
        for (packet, expected) in [
            (with([0, 0, 1], &[OPT]), Some(edns(Asked::default()))),
            (with([0, 1, 2], &[other, other, OPT]), Some(edns(Asked::default()))),
            (with([0, 0, 1], &[nsid]), Some(edns(Asked { nsid: true, ..Asked::default() }))),
            (with([0, 0, 0], &[b"trailing"]), None),
        ] {
            let query = read(&packet).unwrap();
            assert!(query.is_whole && query.edns == expected, "{query:?}");
        }
    }

    #[test]
    fn options_of_other_versions_mean_nothing() {
        let mut packet = with([0, 0, 1], &[b"\x00\x00\x29\x04\xd0\x00\x01\x00\x00\x00\x03cut"]);
        assert!(read(&packet).is_some_and(|query| query.is_whole && query.edns.unwrap().version == 1));
        packet[PLAIN.len() + 6] = 0;
        assert!(read(&packet).is_some_and(|query| !query.is_whole && query.edns.is_none()));
    }

    #[test]
    fn what_is_broken_keeps_what_came_before() {
        let named: &[u8] = b"\x01x\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00";
        let cut_option: &[u8] = b"\x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x04\x00\x03\x00\x01";
        let mut two = with([0, 0, 1], &[b"\x01y\x00\x00\x01\x00\x01", OPT]);
        two[5] = 2;
        for (packet, has_question, has_edns) in [
            (changed(5, 2), false, false),
            (two, false, true),
            (changed(12, 0xc0), false, false),
            (changed(12, 63), false, false),
            (PLAIN[..PLAIN.len() - 1].to_vec(), false, false),
            (with([0, 0, 1], &[]), true, false),
            (with([0, 0, 1], &[&OPT[..10]]), true, false),
            (with([0, 0, 2], &[OPT, OPT]), true, false),
            (with([0, 0, 2], &[OPT, b"\x80"]), true, true),
            (with([1, 0, 0], &[OPT]), true, false),
            (with([0, 0, 1], &[named]), true, false),
            (with([0, 0, 1], &[cut_option]), true, false),
            (with([0, 0, 2], &[TSIG, OPT]), true, false),
            (with([0, 1, 0], &[TSIG]), true, false),
            (with([0, 0, 1], &[&TSIG[..TSIG.len() - 1]]), true, false),
        ] {
            let query = read(&packet).unwrap();
            let found = (query.is_whole, query.question.is_some(), query.edns.is_some());
            assert_eq!(found, (false, has_question, has_edns), "{packet:02x?}");
        }
    }

    #[test]
    fn some_packets_are_no_queries() {
        assert_eq!(read(&PLAIN[..11]), None);
        assert_eq!(read(&changed(2, 0x81)), None);
        assert!(read(&changed(2, 0x21)).is_some_and(|notify| !notify.is_query() && notify.question.is_some()));
        let mut none = PLAIN[..HEADER].to_vec();
        none[5] = 0;
        assert!(read(&none).is_some_and(|query| query.is_whole && query.question.is_none()));
    }

    #[test]
    fn a_signature_is_read_whatever_its_owner_looks_like() {
        let answer = |tsig: &[u8]| read(&with([0, 0, 2], &[OPT, tsig])).unwrap().tsig.map(|tsig| tsig.unknown_key());
        let mut expected = TSIG.to_vec();
        // Without the MAC, and with an error.
        expected.drain(26..28);
        (expected[12], expected[25], expected[29]) = (0x13, 0, 17);
        assert_eq!(answer(TSIG), Some(expected.clone()));
        // `k.svc.local.`, the end of which is a pointer to the question; and a label that looks like a pointer.
        for (written, whole) in
            [(&b"\x01k\xc0\x10"[..], &b"\x01k\x03svc\x05local\x00"[..]), (b"\x01\xc0\x00", b"\x01\xc0\x00")]
        {
            let found = answer(&[written, &TSIG[3..]].concat());
            assert_eq!(found, Some([whole, &expected[3..]].concat()));
        }
        // Pointers into the header, behind the question, and to themselves.
        for pointer in [&b"\xc0\x00"[..], b"\xc0\x1b", b"\xc0\x28", b"\xff\xff"] {
            assert_eq!(answer(&[pointer, &TSIG[3..]].concat()), None, "{pointer:02x?}");
        }
        for (at, octet) in [(6, 1), (10, 1), (12, 0x14), (13, 0xc0), (25, 3)] {
            let mut broken = TSIG.to_vec();
            broken[at] = octet;
            assert_eq!(answer(&broken), None, "octet {at}");
        }
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
        assert!(read(&packet).is_some_and(|query| query.is_whole));
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
