//! DNS messages as a client writes and reads them (RFC 1035 §4): one question, and the records of its answer.
//!
//! What is read is bounded by the message: a pointer leads only to before itself, a name has at most 255 octets, and a
//! record ends where its length says. Records of other types and classes are stepped over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::wire::octets::u16_at;
use crate::wire::{Name, NameError, RecordType, flag};

const HEADER: usize = 12;
const CLASS_IN: u16 = 1;
/// What is taken over UDP: it fits every path (DNS flag day 2020).
pub const PAYLOAD: u16 = 1232;
/// The mark of a compression pointer (RFC 1035 §4.1.4).
const POINTER: u8 = 0xc0;
/// SVCB and the like aside, the SOA's last five numbers (RFC 1035 §3.3.13).
const SOA_NUMBERS: usize = 20;

/// An answer, as far as it matters.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// The response code; 0 is no error.
    pub code: u8,
    /// It did not fit (TC): all of it has to be asked for over TCP.
    pub is_cut: bool,
    /// Those of the answer and additional sections that are understood.
    pub records: Vec<Record>,
    /// How long nothing may be believed to be there, in seconds (RFC 2308 §5), where a SOA record says so.
    pub negative_ttl: Option<u32>,
}

#[derive(Debug, PartialEq)]
pub struct Record {
    pub owner: Name,
    /// In seconds.
    pub ttl: u32,
    pub data: Data,
}

#[derive(Debug, PartialEq)]
pub enum Data {
    Srv { priority: u16, weight: u16, port: u16, target: Name },
    Address(IpAddr),
}

/// Why octets are not the answer to a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("it ends too early")]
    Cut,
    #[error("it is no response to this question")]
    Other,
    #[error("a pointer in a name does not lead back")]
    Pointer,
    #[error("a name in it is none: {0}")]
    Name(NameError),
}

/// The query for records of one type at `name`, with EDNS.
pub fn query(id: u16, name: &Name, rtype: RecordType) -> Vec<u8> {
    let mut octets = Vec::with_capacity(HEADER + name.wire().len() + 15);
    for number in [id, flag::RD, 1, 0, 0, 1] {
        octets.extend(number.to_be_bytes());
    }
    octets.extend(name.wire());
    for number in [rtype.0, CLASS_IN] {
        octets.extend(number.to_be_bytes());
    }
    // OPT (RFC 6891 §6.1.2): root, type, payload; no extended code, version 0, no flags; no options.
    octets.push(0);
    for number in [RecordType::OPT.0, PAYLOAD, 0, 0, 0] {
        octets.extend(number.to_be_bytes());
    }
    octets
}

/// Reads the answer to [`query`].
///
/// # Errors
/// When it is none, or something else's: then another may still come.
pub fn read(octets: &[u8], id: u16, name: &Name, rtype: RecordType) -> Result<Answer, MessageError> {
    let number = |at| u16_at(octets, at).ok_or(MessageError::Cut);
    let (answer_id, flags) = (number(0)?, number(2)?);
    let counts = [number(4)?, number(6)?, number(8)?, number(10)?];
    if answer_id != id || flags & flag::QR == 0 || counts[0] != 1 {
        return Err(MessageError::Other);
    }
    let mut reader = Reader { octets, at: HEADER };
    let asked = reader.name()?;
    if asked != *name || reader.u16()? != rtype.0 || reader.u16()? != CLASS_IN {
        return Err(MessageError::Other);
    }
    let mut answer =
        Answer { code: (flags & 0xf) as u8, is_cut: flags & flag::TC != 0, records: Vec::new(), negative_ttl: None };
    let sections = counts[1..].iter().enumerate().flat_map(|(section, count)| (0..*count).map(move |_| section));
    for section in sections {
        match reader.record(section == 1, &mut answer) {
            // What a cut message still holds is whole.
            Err(MessageError::Cut) if answer.is_cut => break,
            other => other?,
        }
    }
    Ok(answer)
}

struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn u16(&mut self) -> Result<u16, MessageError> {
        let number = u16_at(self.octets, self.at).ok_or(MessageError::Cut)?;
        self.at += 2;
        Ok(number)
    }

    fn u32(&mut self) -> Result<u32, MessageError> {
        Ok(u32::from(self.u16()?) << 16 | u32::from(self.u16()?))
    }

    /// A name, which may end in a pointer.
    fn name(&mut self) -> Result<Name, MessageError> {
        let mut wire = Vec::with_capacity(64);
        let (mut at, mut after, mut before) = (self.at, None, self.at);
        loop {
            let length = *self.octets.get(at).ok_or(MessageError::Cut)?;
            if length & POINTER == POINTER {
                let to = usize::from(u16_at(self.octets, at).ok_or(MessageError::Cut)? & 0x3fff);
                after.get_or_insert(at + 2);
                if to >= before {
                    return Err(MessageError::Pointer);
                }
                (at, before) = (to, to);
                continue;
            }
            let end = at + 1 + usize::from(length);
            wire.extend_from_slice(self.octets.get(at..end).ok_or(MessageError::Cut)?);
            if length == 0 || wire.len() > crate::wire::MAX_NAME {
                break;
            }
            at = end;
        }
        self.at = after.unwrap_or(at + 1);
        Name::from_wire(&wire).map_err(MessageError::Name)
    }

    /// One record, which goes into `answer` if it means something there.
    fn record(&mut self, is_authority: bool, answer: &mut Answer) -> Result<(), MessageError> {
        let owner = self.name()?;
        let (rtype, class, ttl) = (RecordType(self.u16()?), self.u16()?, self.u32()?);
        let length = usize::from(self.u16()?);
        let (start, end) = (self.at, self.at + length);
        let rdata = self.octets.get(start..end).ok_or(MessageError::Cut)?;
        // A TTL with its first bit set counts as 0 (RFC 2181 §8).
        let ttl = if ttl >> 31 == 0 { ttl } else { 0 };
        if class == CLASS_IN {
            let data = match (rtype, is_authority) {
                (RecordType::SOA, true) => {
                    let minimum =
                        rdata.len().checked_sub(SOA_NUMBERS).and_then(|numbers| rdata[numbers..].last_chunk());
                    let minimum = minimum.map(|octets| u32::from_be_bytes(*octets)).unwrap_or(0);
                    answer.negative_ttl = Some(ttl.min(minimum));
                    None
                }
                (_, true) => None,
                (RecordType::SRV, false) => Some(self.srv(end)?),
                (RecordType::A, false) => {
                    rdata.try_into().ok().map(|octets: [u8; 4]| Data::Address(Ipv4Addr::from(octets).into()))
                }
                (RecordType::AAAA, false) => {
                    rdata.try_into().ok().map(|octets: [u8; 16]| Data::Address(Ipv6Addr::from(octets).into()))
                }
                _ => None,
            };
            answer.records.extend(data.map(|data| Record { owner, ttl, data }));
        }
        self.at = end;
        Ok(())
    }

    fn srv(&mut self, end: usize) -> Result<Data, MessageError> {
        let (priority, weight, port) = (self.u16()?, self.u16()?, self.u16()?);
        let target = self.name()?;
        if self.at == end { Ok(Data::Srv { priority, weight, port, target }) } else { Err(MessageError::Cut) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: u16 = 0x1234;

    fn web() -> Name {
        Name::parse("web.svc.local").unwrap()
    }

    /// A response to the question, with its records counted in `counts` and written out in `records`.
    fn response(flags: u16, counts: [u16; 3], records: &[u8]) -> Vec<u8> {
        let mut octets = query(ID, &web(), RecordType::SRV);
        octets.truncate(octets.len() - 11);
        octets[2..4].copy_from_slice(&(flag::QR | flags).to_be_bytes());
        for (at, count) in [6, 8, 10].into_iter().zip(counts) {
            octets[at..at + 2].copy_from_slice(&count.to_be_bytes());
        }
        octets.extend(records);
        octets
    }

    fn record(rtype: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
        let length = rdata.len() as u16;
        [&[0xc0, 12][..], &rtype.to_be_bytes(), &[0, 1], &ttl.to_be_bytes(), &length.to_be_bytes(), rdata].concat()
    }

    fn read_it(octets: &[u8]) -> Result<Answer, MessageError> {
        read(octets, ID, &web(), RecordType::SRV)
    }

    /// Priority 1, weight 2, port 80, target `a.` and a pointer to the question.
    const SRV: &[u8] = &[0, 1, 0, 2, 0, 80, 1, b'a', 0xc0, 12];

    #[test]
    fn what_another_implementation_reads_and_writes() {
        use hickory_proto::op::{Message, MessageType, OpCode, Query};
        use hickory_proto::rr::rdata::{A, SRV};
        use hickory_proto::rr::{Name as Other, RData, Record as OtherRecord, RecordType as OtherType};
        let query = query(ID, &web(), RecordType::SRV);
        let seen = Message::from_vec(&query).unwrap();
        assert_eq!((seen.id, seen.queries.len(), seen.edns.as_ref().unwrap().max_payload()), (ID, 1, PAYLOAD));
        let name: Other = "web.svc.local.".parse().unwrap();
        let target: Other = "a.web.svc.local.".parse().unwrap();
        assert_eq!((seen.queries[0].name(), seen.queries[0].query_type()), (&name, OtherType::SRV));
        let mut reply = Message::new(ID, MessageType::Response, OpCode::Query);
        reply.add_query(Query::query(name.clone(), OtherType::SRV));
        reply.add_answer(OtherRecord::from_rdata(name, 5, RData::SRV(SRV::new(1, 2, 80, target.clone()))));
        reply.add_additional(OtherRecord::from_rdata(target, 5, RData::A(A::new(10, 0, 0, 7))));
        let answer = read_it(&reply.to_vec().unwrap()).unwrap();
        let target = Name::parse("a.web.svc.local").unwrap();
        let srv = Data::Srv { priority: 1, weight: 2, port: 80, target: target.clone() };
        assert_eq!(answer.records[0], Record { owner: web(), ttl: 5, data: srv });
        assert_eq!(answer.records[1], Record { owner: target, ttl: 5, data: Data::Address([10, 0, 0, 7].into()) });
    }

    #[test]
    fn sections_and_their_records() {
        let soa = [&[0, 0][..], &[0; 16], &[0, 0, 0, 9]].concat();
        for (flags, counts, records, code, kept, negative) in [
            (0, [1, 0, 0], record(33, 5, SRV), 0, 1, None),
            (0, [1, 0, 1], [record(33, 5, SRV), record(28, 5, &[1; 16])].concat(), 0, 2, None),
            (0, [1, 0, 1], [record(33, 5, SRV), record(1, 5, &[1; 3])].concat(), 0, 1, None),
            (3, [0, 1, 0], record(6, 7, &soa), 3, 0, Some(7)),
            (3, [0, 1, 0], record(6, 11, &soa), 3, 0, Some(9)),
            (0, [0, 1, 0], record(33, 5, SRV), 0, 0, None),
            (0, [1, 0, 0], record(16, 5, b"\x01a"), 0, 0, None),
            (0, [1, 0, 0], record(33, 1 << 31, SRV), 0, 1, None),
            (5, [0, 0, 0], Vec::new(), 5, 0, None),
            (flag::TC, [9, 0, 0], record(33, 5, SRV), 0, 1, None),
        ] {
            let answer = read_it(&response(flags, counts, &records)).unwrap();
            assert_eq!((answer.code, answer.records.len(), answer.negative_ttl), (code, kept, negative), "{records:?}");
            assert_eq!(answer.is_cut, flags & flag::TC != 0);
        }
    }

    #[test]
    fn what_is_no_answer() {
        let good = response(0, [1, 0, 0], &record(33, 5, SRV));
        let changed = |at: usize, octet: u8| {
            let mut octets = good.clone();
            octets[at] = octet;
            octets
        };
        let loops = [0, 1, 0, 2, 0, 80, 0xc0, good.len() as u8 - 4];
        for (octets, error) in [
            (Vec::new(), MessageError::Cut),
            (good[..good.len() - 1].to_vec(), MessageError::Cut),
            (response(0, [2, 0, 0], &record(33, 5, SRV)), MessageError::Cut),
            (response(0, [1, 0, 0], &record(33, 5, &SRV[..9])), MessageError::Cut),
            (response(0, [1, 0, 0], &record(33, 5, &[SRV, &[0]].concat())), MessageError::Cut),
            (response(0, [1, 0, 0], &record(33, 5, &loops)), MessageError::Pointer),
            (response(0, [1, 0, 0], &record(33, 5, &[0, 1, 0, 2, 0, 80, 0xff, 0xff])), MessageError::Pointer),
            (changed(0, 0), MessageError::Other),
            (changed(2, 0), MessageError::Other),
            (changed(5, 2), MessageError::Other),
            (changed(13, b'x'), MessageError::Other),
        ] {
            assert_eq!(read_it(&octets), Err(error), "{octets:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_that_comes_harms(octets in prop::collection::vec(any::<u8>(), 0..600), valid in any::<bool>()) {
            let octets = if valid { response(0, [3, 3, 3], &octets) } else { octets };
            drop(read_it(&octets));
        }

        #[test]
        fn a_good_answer_with_octets_changed(at in 12..60usize, octet: u8) {
            let mut octets = response(0, [1, 0, 1], &[record(33, 5, SRV), record(1, 5, &[10, 0, 0, 7])].concat());
            let at = at % octets.len();
            octets[at] = octet;
            if let Ok(answer) = read_it(&octets) {
                prop_assert!(answer.records.len() <= 2);
            }
        }
    }
}
