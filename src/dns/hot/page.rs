//! Writing a message whose length is known before it is begun.

use super::asked::{Asked, QNAME, recursion_desired};
use crate::answer::Entry;
use crate::dns::reply::Rcode;
use crate::wire::{RecordType, flag};

/// A pointer to the name of the question (RFC 1035 §4.1.4).
pub const TO_QNAME: u16 = POINTER | QNAME as u16;
pub const POINTER: u16 = 0xc000;
/// Owner, TYPE, CLASS, TTL and RDLENGTH of a record whose owner is a pointer.
pub const RECORD: usize = 12;
/// Priority, weight and port of an SRV record (RFC 2782).
pub const SRV_NUMBERS: usize = 6;
/// Octets of the OPT record of a reply.
pub const OPT: usize = 11;
const CLASS_IN: u16 = 1;

/// A message being written.
#[derive(Debug)]
pub struct Page<'o> {
    out: &'o mut [u8],
    at: usize,
    counts: [u16; 3],
}

/// What the SRV records of a service have in common.
#[derive(Debug, Clone, Copy)]
pub struct Srv<'a> {
    pub weight_scale: u32,
    /// The label of the service, led by its length.
    pub service: &'a [u8],
    /// The apex of the zone in wire form.
    pub apex: &'a [u8],
}

/// The sections behind the question.
#[derive(Debug, Clone, Copy)]
pub enum Section {
    Answer,
    Authority,
    Additional,
}

impl<'o> Page<'o> {
    /// Begins the reply to a query with its question.
    pub fn begin(asked: &Asked<'_>, out: &'o mut [u8]) -> Self {
        out[QNAME..asked.end].copy_from_slice(&asked.packet[QNAME..asked.end]);
        Self { out, at: asked.end, counts: [0; 3] }
    }

    /// Where the next octet goes.
    pub fn at(&self) -> usize {
        self.at
    }

    pub fn put(&mut self, octets: &[u8]) {
        let end = self.at + octets.len();
        self.out[self.at..end].copy_from_slice(octets);
        self.at = end;
    }

    /// Writes a record up to its RDATA, whose length is `length`. The owner is a pointer.
    pub fn record(&mut self, section: Section, owner: u16, rtype: RecordType, ttl: u32, length: u16) {
        let mut head = [0; RECORD];
        head[..2].copy_from_slice(&owner.to_be_bytes());
        head[2..4].copy_from_slice(&rtype.0.to_be_bytes());
        head[4..6].copy_from_slice(&CLASS_IN.to_be_bytes());
        head[6..10].copy_from_slice(&ttl.to_be_bytes());
        head[10..].copy_from_slice(&length.to_be_bytes());
        self.put(&head);
        self.counts[section as usize] += 1;
    }

    /// Writes an address record for each address of a family, `width` octets each.
    pub fn addresses(&mut self, section: Section, owner: u16, ttl: u32, octets: &[u8], width: usize) {
        let rtype = if width == 4 { RecordType::A } else { RecordType::AAAA };
        for address in octets.chunks_exact(width) {
            self.record(section, owner, rtype, ttl, width as u16);
            self.put(address);
        }
    }

    /// Writes an SRV record at the name of the question.
    pub fn srv(&mut self, of: &Srv<'_>, entry: &Entry<'_>, ttl: u32) {
        let length = SRV_NUMBERS + entry.label.len() + of.service.len() + of.apex.len();
        self.record(Section::Answer, TO_QNAME, RecordType::SRV, ttl, length as u16);
        let weight = u16::try_from(u32::from(entry.weight) * of.weight_scale).unwrap_or(u16::MAX);
        for number in [entry.priority, weight, entry.port] {
            self.put(&number.to_be_bytes());
        }
        self.put(entry.label);
        self.put(of.service);
        self.put(of.apex);
    }

    /// Replaces octets that were written.
    pub fn patch(&mut self, at: usize, octets: &[u8]) {
        self.out[at..at + octets.len()].copy_from_slice(octets);
    }

    /// Ends the message with the OPT record, if the query had one, and the header. Gives its length.
    pub fn end(mut self, asked: &Asked<'_>, rcode: Rcode, udp_payload: u16) -> usize {
        if let Some(opt) = asked.opt {
            let [high, low] = udp_payload.to_be_bytes();
            self.put(&[0, 0, 41, high, low, 0, 0, u8::from(opt.dnssec_ok) << 7, 0, 0, 0]);
            self.counts[Section::Additional as usize] += 1;
        }
        let head = &mut self.out[..QNAME];
        head[..2].copy_from_slice(&asked.packet[..2]);
        head[2] = ((flag::QR | flag::AA) >> 8) as u8 | recursion_desired(asked.packet);
        head[3] = rcode as u8;
        head[4..6].copy_from_slice(&[0, 1]);
        for (place, count) in head[6..].chunks_exact_mut(2).zip(self.counts) {
            place.copy_from_slice(&count.to_be_bytes());
        }
        self.at
    }
}
