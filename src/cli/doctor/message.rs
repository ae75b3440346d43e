//! The one question that is asked, and what counts of a reply (RFC 1035, section 4).
//!
//! A reply comes from anybody: every read is bounded, and what does not hold together is no reply.

use std::ops::Range;

use crate::wire::{Name, RecordType, octets::u16_at};

const HEADER: usize = 12;
/// Pointers of one name that are followed; each must point before the one before it.
const POINTERS: usize = 16;

/// A reply to a question.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) rcode: u8,
    pub(super) authoritative: bool,
    pub(super) truncated: bool,
    answers: Vec<Record>,
}

/// One record of the answer section, and where its RDATA is in the packet.
#[derive(Debug, PartialEq, Eq)]
struct Record {
    owner: Name,
    rtype: RecordType,
    rdata: Range<usize>,
}

/// A question for `name`, with recursion desired as programs ask.
pub(super) fn question(id: u16, name: &Name, rtype: RecordType) -> Vec<u8> {
    let mut packet = Vec::with_capacity(HEADER + name.wire().len() + 4);
    packet.extend(id.to_be_bytes());
    packet.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    packet.extend(name.wire());
    packet.extend(rtype.0.to_be_bytes());
    packet.extend(1u16.to_be_bytes());
    packet
}

impl Reply {
    /// Reads `packet`, if it is a reply to the question with `id`.
    pub(super) fn read(packet: &[u8], id: u16) -> Option<Self> {
        let flags = u16_at(packet, 2)?;
        if u16_at(packet, 0)? != id || flags & 0x8000 == 0 {
            return None;
        }
        let mut at = HEADER;
        for _ in 0..u16_at(packet, 4)? {
            at = name(packet, at)?.1 + 4;
        }
        let mut answers = Vec::new();
        for _ in 0..u16_at(packet, 6)? {
            let Some((record, end)) = record(packet, at) else { break };
            answers.push(record);
            at = end;
        }
        Some(Self {
            rcode: (flags & 0x0f) as u8,
            authoritative: flags & 0x0400 != 0,
            truncated: flags & 0x0200 != 0,
            answers,
        })
    }

    /// The name server in the SOA record of `zone`.
    pub(super) fn soa_server(&self, packet: &[u8], zone: &Name) -> Option<Name> {
        let zone = zone.to_lowercase();
        let is_soa = |record: &&Record| record.rtype == RecordType::SOA && record.owner.to_lowercase() == zone;
        let soa = self.answers.iter().find(is_soa)?;
        name(packet, soa.rdata.start).map(|(server, _)| server.to_lowercase())
    }

    /// The addresses among the answers.
    pub(super) fn addresses(&self, packet: &[u8]) -> Vec<std::net::IpAddr> {
        let address = |rtype: RecordType, rdata: &[u8]| match rtype {
            RecordType::A => <[u8; 4]>::try_from(rdata).ok().map(Into::into),
            RecordType::AAAA => <[u8; 16]>::try_from(rdata).ok().map(Into::into),
            _ => None,
        };
        self.answers.iter().filter_map(|record| address(record.rtype, packet.get(record.rdata.clone())?)).collect()
    }
}

/// One record, and where the next begins.
fn record(packet: &[u8], at: usize) -> Option<(Record, usize)> {
    let (owner, at) = name(packet, at)?;
    let (rtype, length) = (RecordType(u16_at(packet, at)?), usize::from(u16_at(packet, at + 8)?));
    let rdata = at + 10..at + 10 + length;
    let end = rdata.end;
    (end <= packet.len()).then_some((Record { owner, rtype, rdata }, end))
}

/// The name at `start`, and where what follows it begins.
fn name(packet: &[u8], start: usize) -> Option<(Name, usize)> {
    let (mut at, mut end, mut before) = (start, None, start);
    let mut labels: Vec<&[u8]> = Vec::new();
    for _ in 0..=POINTERS {
        loop {
            let length = usize::from(*packet.get(at)?);
            if length == 0 {
                return Some((Name::from_labels(labels).ok()?, end.unwrap_or(at + 1)));
            }
            if length >= 0xc0 {
                break;
            }
            labels.push(packet.get(at + 1..at + 1 + length).filter(|_| length < 64)?);
            at += 1 + length;
        }
        let target = usize::from(u16_at(packet, at)? & 0x3fff);
        end = end.or(Some(at + 2));
        if target >= before {
            return None;
        }
        (at, before) = (target, target);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Name {
        Name::parse("svc.local").unwrap()
    }

    /// A reply to the question for the SOA record with that answer.
    fn reply(flags: u16, answers: u16, answer: &[u8]) -> Vec<u8> {
        let mut packet = question(7, &zone(), RecordType::SOA);
        packet[2..4].copy_from_slice(&flags.to_be_bytes());
        packet[7] = answers as u8;
        packet.extend(answer);
        packet
    }

    /// `svc.local. SOA ns.svc.local. ...`, with names that point into the question.
    fn soa() -> Vec<u8> {
        let mut record = vec![0xc0, 12, 0, 6, 0, 1, 0, 0, 0, 5, 0, 25, 2, b'n', b's', 0xc0, 12];
        record.extend([0; 20]);
        record
    }

    #[test]
    fn a_question() {
        let octets = b"\x01\x02\x01\0\0\x01\0\0\0\0\0\0\x03svc\x05local\0\0\x06\0\x01";
        assert_eq!(question(0x0102, &zone(), RecordType::SOA), octets);
    }

    #[test]
    fn an_soa_record() {
        let packet = reply(0x8400, 1, &soa());
        let read = Reply::read(&packet, 7).unwrap();
        assert_eq!((read.rcode, read.authoritative, read.truncated), (0, true, false));
        assert_eq!(read.soa_server(&packet, &zone()), Some(Name::parse("ns.svc.local").unwrap()));
        assert_eq!(read.soa_server(&packet, &Name::parse("local").unwrap()), None, "of another zone");
        assert!(read.addresses(&packet).is_empty());
    }

    #[test]
    fn addresses() {
        let record = [
            &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 1][..],
            &[0xc0, 12, 0, 28, 0, 1, 0, 0, 0, 5, 0, 4, 1, 2, 3, 4],
        ];
        let packet = reply(0x8180, 2, &record.concat());
        assert_eq!(
            Reply::read(&packet, 7).unwrap().addresses(&packet),
            ["10.0.0.1".parse::<std::net::IpAddr>().unwrap()]
        );
    }

    #[test]
    fn what_is_no_reply() {
        assert_eq!(Reply::read(&reply(0x8400, 0, &[]), 8), None, "another id");
        assert_eq!(Reply::read(&reply(0x0100, 0, &[]), 7), None, "a question");
        let whole = reply(0x8403, 1, &soa());
        for length in 0..whole.len() {
            // Cut anywhere, it is read as far as it goes or not at all.
            let cut = Reply::read(&whole[..length], 7);
            assert!(cut.is_none_or(|reply| reply.rcode == 3 && reply.answers.is_empty()), "{length}");
        }
    }

    #[test]
    fn pointers_lead_back_and_end() {
        for names in [&[0xc0, 27][..], &[0xc0, 40], &[1, b'a', 0xc0, 27], &[0x80, 1], &[63, 1]] {
            let record = [names, &[0, 6, 0, 1, 0, 0, 0, 5, 0, 0]].concat();
            assert!(Reply::read(&reply(0x8400, 1, &record), 7).unwrap().answers.is_empty(), "{names:?}");
        }
    }
}
