//! Writing a message whose length is known before it is begun.

use super::asked::{Asked, QNAME, recursion_desired};
use crate::answer::Entry;
use crate::dns::edns::cookie::BOTH;
use crate::dns::reply::Rcode;
use crate::wire::{MAX_NAME, RecordType, flag};

/// A pointer to the name of the question (RFC 1035 §4.1.4).
pub const TO_QNAME: u16 = POINTER | QNAME as u16;
pub const POINTER: u16 = 0xc000;
/// Owner, TYPE, CLASS, TTL and RDLENGTH of a record whose owner is a pointer.
pub const RECORD: usize = 12;
/// Priority, weight and port of an SRV record (RFC 2782).
pub const SRV_NUMBERS: usize = 6;
/// Octets of the OPT record of a reply, without options.
pub const OPT: usize = 11;
/// Octets of its COOKIE option.
pub const COOKIE: usize = 4 + BOTH;
const CLASS_IN: u16 = 1;

/// Octets that are copied at once where fewer count: two vector registers.
const FEW: usize = 32;

/// A message being written.
#[derive(Debug)]
pub struct Page<'o> {
    out: &'o mut [u8],
    at: usize,
    counts: [u16; 3],
}

/// What the SRV records of a service have in common.
#[derive(Debug)]
pub struct Srv<'e> {
    weight_scale: u32,
    /// The names of the service and of the zone: the end of each target.
    end: &'e [u8; MAX_NAME],
    end_length: usize,
}

impl<'e> Srv<'e> {
    /// The label of the service is led by its length, the apex is in wire form. Both came into one name when the service
    /// was registered; here they do in `end`.
    pub fn new(weight_scale: u32, service: &[u8], apex: &[u8], end: &'e mut [u8; MAX_NAME]) -> Self {
        end[..service.len()].copy_from_slice(service);
        let end_length = service.len() + apex.len();
        end[service.len()..end_length].copy_from_slice(apex);
        Self { weight_scale, end, end_length }
    }

    /// Octets of the RDATA of an instance.
    #[inline]
    pub fn rdata_length(&self, entry: &Entry<'_>) -> usize {
        entry.rdata_length() + self.end_length
    }
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

    #[inline]
    pub fn put(&mut self, octets: &[u8]) {
        let end = self.at + octets.len();
        self.out[self.at..end].copy_from_slice(octets);
        self.at = end;
    }

    /// Writes the first `length` octets. Where they are few, and there is room, more is copied than counts: copying a
    /// length that is known beforehand takes two instructions and no call. What is too much is overwritten by what
    /// follows.
    #[inline]
    fn put_few(&mut self, octets: &[u8], length: usize) {
        if let (true, Some(few), Some(room)) =
            (length <= FEW, octets.first_chunk::<FEW>(), self.out[self.at..].first_chunk_mut::<FEW>())
        {
            *room = *few;
            self.at += length;
        } else {
            self.put(&octets[..length]);
        }
    }

    /// Writes a record up to its RDATA, whose length is `length`. The owner is a pointer.
    #[inline]
    pub fn record(&mut self, section: Section, owner: u16, rtype: RecordType, ttl: u32, length: u16) {
        self.put(&head(owner, rtype, ttl, length));
        self.counts[section as usize] += 1;
    }

    /// Writes an A record for each address.
    #[inline]
    pub fn a<'a>(&mut self, section: Section, owner: u16, ttl: u32, ips: impl IntoIterator<Item = &'a [u8; 4]>) {
        self.addresses::<4, { RECORD + 4 }>(section, head(owner, RecordType::A, ttl, 4), ips);
    }

    /// Writes an AAAA record for each address.
    #[inline]
    pub fn aaaa<'a>(&mut self, section: Section, owner: u16, ttl: u32, ips: impl IntoIterator<Item = &'a [u8; 16]>) {
        self.addresses::<16, { RECORD + 16 }>(section, head(owner, RecordType::AAAA, ttl, 16), ips);
    }

    /// Writes records of addresses of `W` octets, which have `R` with the head that they share.
    #[inline]
    fn addresses<'a, const W: usize, const R: usize>(
        &mut self,
        section: Section,
        head: [u8; RECORD],
        ips: impl IntoIterator<Item = &'a [u8; W]>,
    ) {
        let mut record = [0; R];
        record[..RECORD].copy_from_slice(&head);
        for ip in ips {
            record[RECORD..].copy_from_slice(ip);
            self.put(&record);
            self.counts[section as usize] += 1;
        }
    }

    /// Writes an SRV record at the name of the question.
    #[inline]
    pub fn srv(&mut self, of: &Srv<'_>, entry: &Entry<'_>, ttl: u32) {
        self.record(Section::Answer, TO_QNAME, RecordType::SRV, ttl, of.rdata_length(entry) as u16);
        let weight_at = self.at + 2;
        self.put_few(entry.rdata(), entry.rdata_length());
        if of.weight_scale != 1 {
            let weight = u16::try_from(u32::from(entry.weight()) * of.weight_scale).unwrap_or(u16::MAX);
            self.patch(weight_at, &weight.to_be_bytes());
        }
        self.put_few(of.end, of.end_length);
    }

    /// Replaces octets that were written.
    pub fn patch(&mut self, at: usize, octets: &[u8]) {
        self.out[at..at + octets.len()].copy_from_slice(octets);
    }

    /// Ends the message with the OPT record, if the query had one, and the header. Gives its length.
    pub fn end(&mut self, asked: &Asked<'_>, cookie: Option<&[u8; BOTH]>, rcode: Rcode, udp_payload: u16) -> usize {
        if let Some(opt) = asked.opt {
            let [high, low] = udp_payload.to_be_bytes();
            let length = if cookie.is_some() { COOKIE as u8 } else { 0 };
            self.put(&[0, 0, 41, high, low, 0, 0, u8::from(opt.dnssec_ok) << 7, 0, 0, length]);
            if let Some(cookie) = cookie {
                self.put(&[0, 10, 0, BOTH as u8]);
                self.put(cookie);
            }
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

/// A record up to its RDATA.
#[inline]
fn head(owner: u16, rtype: RecordType, ttl: u32, length: u16) -> [u8; RECORD] {
    let mut head = [0; RECORD];
    head[..2].copy_from_slice(&owner.to_be_bytes());
    head[2..4].copy_from_slice(&rtype.0.to_be_bytes());
    head[4..6].copy_from_slice(&CLASS_IN.to_be_bytes());
    head[6..10].copy_from_slice(&ttl.to_be_bytes());
    head[10..].copy_from_slice(&length.to_be_bytes());
    head
}
