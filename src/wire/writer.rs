//! Writing a response, record by record, within a limit.
//!
//! The question is copied as it came, so that a client that randomised its case finds it again, and owner names that
//! equal it become a pointer to it (RFC 1035 §4.1.4). A record that does not fit leaves the message as it was; what that
//! means is for the caller to decide. Names in RDATA are compressed only for the types of RFC 1035 (RFC 3597 §4).

use std::collections::HashMap;

use super::{Name, RecordType, record};

const HEADER: usize = 12;
/// Offsets that a compression pointer can hold.
const POINTABLE: usize = 0x4000;
/// The class of records where no other is said.
const CLASS_IN: u16 = 1;

/// Header bits besides the id, as the second 16-bit word of the header without the response code (RFC 1035 §4.1.1).
pub mod flag {
    pub const QR: u16 = 0x8000;
    pub const AA: u16 = 0x0400;
    pub const TC: u16 = 0x0200;
    pub const RD: u16 = 0x0100;
}

/// The sections that records are written to, in the order in which they must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

/// The OPT record of a response (RFC 6891 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opt<'a> {
    /// Octets that this server takes in over UDP.
    pub udp_payload: u16,
    /// The high octet of the response code.
    pub rcode_high: u8,
    pub dnssec_ok: bool,
    /// The options in wire form.
    pub options: &'a [u8],
}

impl Opt<'_> {
    /// Octets of the record when it has no options.
    pub const LENGTH: usize = 11;
}

/// A response being written to the end of a vector.
#[derive(Debug)]
pub struct MessageWriter<'a> {
    out: &'a mut Vec<u8>,
    limit: usize,
    class: u16,
    counts: [u16; 4],
    /// Offsets of names and of their suffixes, by their wire form in lower case.
    names: HashMap<Box<[u8]>, u16, foldhash::fast::RandomState>,
    /// The suffixes in the order in which they came, to be forgotten again.
    remembered: Vec<Box<[u8]>>,
}

/// A place in a message to go back to.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    octets: usize,
    counts: [u16; 4],
    remembered: usize,
}

impl<'a> MessageWriter<'a> {
    /// Begins a message of at most `limit` octets in `out`, which is emptied first. `question` is the question section
    /// as it came, or nothing if it could not be read; `qname` is its name.
    pub fn new(out: &'a mut Vec<u8>, limit: usize, question: &[u8], qname: Option<&Name>) -> Self {
        out.clear();
        out.extend_from_slice(&[0; HEADER]);
        out.extend_from_slice(question);
        let counts = [u16::from(!question.is_empty()), 0, 0, 0];
        let mut writer =
            Self { out, limit, class: CLASS_IN, counts, names: HashMap::default(), remembered: Vec::new() };
        if let Some(qname) = qname {
            writer.remember(qname, HEADER, usize::MAX);
        }
        writer
    }

    /// The class of the records that follow, instead of IN.
    pub fn set_class(&mut self, class: u16) {
        self.class = class;
    }

    /// Sets octets aside that records must not use: for an OPT record, or one that [`Self::append`] takes.
    pub fn set_aside(&mut self, octets: usize) {
        self.limit = self.limit.saturating_sub(octets);
    }

    /// Octets that records may still use.
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.out.len())
    }

    /// Octets that are written.
    pub fn written(&self) -> usize {
        self.out.len()
    }

    /// Where the message ends now.
    pub fn mark(&self) -> Mark {
        Mark { octets: self.out.len(), counts: self.counts, remembered: self.remembered.len() }
    }

    /// Forgets everything since `mark`.
    pub fn rewind(&mut self, mark: Mark) {
        self.out.truncate(mark.octets);
        self.counts = mark.counts;
        for suffix in self.remembered.drain(mark.remembered..) {
            self.names.remove(&suffix);
        }
    }

    /// Writes a record, or nothing and gives `false` when it does not fit.
    pub fn push(&mut self, section: Section, owner: &Name, rtype: RecordType, ttl: u32, rdata: &[u8]) -> bool {
        let mark = self.mark();
        self.name(owner);
        self.out.extend_from_slice(&rtype.0.to_be_bytes());
        self.out.extend_from_slice(&self.class.to_be_bytes());
        self.out.extend_from_slice(&ttl.to_be_bytes());
        let length_at = self.out.len();
        self.out.extend_from_slice(&[0, 0]);
        self.rdata(rtype, rdata);
        let length = self.out.len() - length_at - 2;
        let count = &mut self.counts[section as usize];
        if self.out.len() > self.limit || *count == u16::MAX || length > usize::from(u16::MAX) {
            self.rewind(mark);
            return false;
        }
        self.out[length_at..length_at + 2].copy_from_slice(&(length as u16).to_be_bytes());
        *count += 1;
        true
    }

    /// Writes the OPT record, for which [`Self::set_aside`] made room.
    pub fn opt(&mut self, opt: &Opt<'_>) {
        self.out.push(0);
        self.out.extend_from_slice(&RecordType::OPT.0.to_be_bytes());
        self.out.extend_from_slice(&opt.udp_payload.to_be_bytes());
        self.out.extend_from_slice(&[opt.rcode_high, 0, u8::from(opt.dnssec_ok) << 7, 0]);
        self.out.extend_from_slice(&(opt.options.len() as u16).to_be_bytes());
        self.out.extend_from_slice(opt.options);
        self.counts[Section::Additional as usize] += 1;
    }

    /// Writes an additional record that is in wire form already, for which [`Self::set_aside`] made room.
    pub fn append(&mut self, record: &[u8]) {
        self.out.extend_from_slice(record);
        self.counts[Section::Additional as usize] += 1;
    }

    /// Ends the message with its header. Of `rcode` only the lower four bits have their place there.
    pub fn finish(self, id: u16, flags: u16, rcode: u8) {
        self.out[..2].copy_from_slice(&id.to_be_bytes());
        self.out[2..4].copy_from_slice(&(flags | u16::from(rcode & 0x0f)).to_be_bytes());
        for (at, count) in self.counts.iter().enumerate() {
            self.out[4 + 2 * at..6 + 2 * at].copy_from_slice(&count.to_be_bytes());
        }
    }

    /// Writes a name, its longest suffix that stands in the message already as a pointer.
    fn name(&mut self, name: &Name) {
        let wire = name.wire();
        let lower = wire.to_ascii_lowercase();
        let start = self.out.len();
        let mut at = 0;
        while wire[at] != 0 {
            if let Some(&offset) = self.names.get(&lower[at..]) {
                self.remember(name, start, at);
                self.out.extend_from_slice(&(0xc000 | offset).to_be_bytes());
                return;
            }
            let next = at + usize::from(wire[at]) + 1;
            self.out.extend_from_slice(&wire[at..next]);
            at = next;
        }
        self.remember(name, start, at);
        self.out.push(0);
    }

    /// Notes that the first `octets` of `name` stand at `offset`, each label the start of a suffix.
    fn remember(&mut self, name: &Name, offset: usize, octets: usize) {
        let lower = name.wire().to_ascii_lowercase();
        let mut at = 0;
        while lower[at] != 0 && at < octets && offset + at < POINTABLE {
            if !self.names.contains_key(&lower[at..]) {
                let suffix: Box<[u8]> = lower[at..].into();
                self.names.insert(suffix.clone(), (offset + at) as u16);
                self.remembered.push(suffix);
            }
            at += usize::from(lower[at]) + 1;
        }
    }

    fn rdata(&mut self, rtype: RecordType, rdata: &[u8]) {
        let Some((before, names)) = record::compressible(rtype) else {
            // The name stays whole, yet others may point at it.
            if let (Some(at), Some(target)) = (record::target_at(rtype), record::target(rtype, rdata)) {
                self.remember(&target, self.out.len() + at, usize::MAX);
            }
            return self.out.extend_from_slice(rdata);
        };
        let mut at = before.min(rdata.len());
        self.out.extend_from_slice(&rdata[..at]);
        for _ in 0..names {
            let Ok(name) = Name::from_wire(&rdata[at..]) else { break };
            self.name(&name);
            at += name.wire().len();
        }
        self.out.extend_from_slice(&rdata[at..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record::srv;

    fn question(name: &Name) -> Vec<u8> {
        [name.wire(), &[0, 33, 0, 1]].concat()
    }

    /// Octets of each name as `hickory-proto` reads the message back.
    fn read(message: &[u8]) -> hickory_proto::op::Message {
        hickory_proto::op::Message::from_vec(message).unwrap()
    }

    #[test]
    fn owners_point_at_the_question_and_at_targets() {
        let qname = Name::parse("wEb.Svc.local").unwrap();
        let target = Name::parse("i1.web.svc.local").unwrap();
        let mut out = Vec::new();
        let mut writer = MessageWriter::new(&mut out, 512, &question(&qname), Some(&qname));
        assert!(writer.push(Section::Answer, &qname.to_lowercase(), RecordType::SRV, 5, &srv(0, 1, 80, &target)));
        assert!(writer.push(Section::Additional, &target, RecordType::A, 5, &[10, 0, 0, 1]));
        writer.finish(7, flag::QR | flag::AA, 0);
        let answer_at = HEADER + qname.wire().len() + 4;
        assert_eq!(out[answer_at..answer_at + 2], [0xc0, 12], "the owner is the question's name");
        let target_at = answer_at + 12 + 6;
        assert_eq!(&out[target_at..target_at + target.wire().len()], target.wire(), "RFC 2782: not compressed");
        let owner_at = target_at + target.wire().len();
        assert_eq!(out[owner_at..owner_at + 2], [0xc0, target_at as u8]);
        let message = read(&out);
        assert_eq!((message.answers.len(), message.additionals.len()), (1, 1));
        assert_eq!(message.additionals[0].name.to_string(), "i1.web.svc.local.");
    }

    #[test]
    fn what_does_not_fit_leaves_no_trace() {
        let qname = Name::parse("web.svc.local").unwrap();
        let ns = Name::parse("ns.elsewhere.example").unwrap();
        let mut out = Vec::new();
        let mut writer = MessageWriter::new(&mut out, 12 + 15 + 4 + 16 + Opt::LENGTH, &question(&qname), Some(&qname));
        writer.set_aside(Opt::LENGTH);
        assert!(!writer.push(Section::Answer, &qname, RecordType::NS, 5, ns.wire()));
        assert!(writer.push(Section::Answer, &qname, RecordType::A, 5, &[10, 0, 0, 1]), "the room is as it was");
        assert!(!writer.push(Section::Answer, &qname, RecordType::A, 5, &[10, 0, 0, 2]));
        writer.opt(&Opt { udp_payload: 1232, rcode_high: 0, dnssec_ok: true, options: &[] });
        writer.finish(7, flag::QR, 0);
        let message = read(&out);
        assert_eq!(message.answers.len(), 1);
        assert!(message.edns.unwrap().flags().dnssec_ok);
    }

    #[test]
    fn names_in_rdata_are_compressed_where_they_may() {
        let qname = Name::parse("svc.local").unwrap();
        let soa = record::Soa {
            mname: Name::parse("ns.svc.local").unwrap(),
            rname: Name::parse("hostmaster.svc.local").unwrap(),
            serial: 1,
            refresh: 2,
            retry: 3,
            expire: 4,
            minimum: 5,
        };
        let mut out = Vec::new();
        let mut writer = MessageWriter::new(&mut out, 512, &question(&qname), Some(&qname));
        assert!(writer.push(Section::Authority, &qname, RecordType::SOA, 5, &soa.to_rdata()));
        writer.finish(7, flag::QR, 0);
        assert_eq!(out.len(), HEADER + qname.wire().len() + 4 + 12 + (2 + 1 + 2) + (10 + 1 + 2) + 20);
        assert_eq!(read(&out).authorities[0].data.to_string(), "ns.svc.local. hostmaster.svc.local. 1 2 3 4 5");
    }
}
