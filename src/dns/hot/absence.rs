//! The SOA record of negative answers, ready to be copied (RFC 2308 §3).
//!
//! All names below the apex, its own included, end in a pointer to the apex in the question, so a record differs from the
//! next only in these pointers and the serial.

use super::page::{POINTER, Page, Section};
use crate::model::Revision;
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType, RrSet};

/// Octets of the numbers at the end of SOA RDATA.
const NUMBERS: usize = 20;

/// The record without its owner.
#[derive(Debug, Clone)]
pub struct Absence {
    ttl: u32,
    rdata: Box<[u8]>,
    /// Where pointers to the apex are.
    pointers: Vec<usize>,
    /// Whether the serial is the revision of the registry.
    follows_registry: bool,
}

impl Absence {
    /// Takes the SOA record of negative answers below `apex`; `None` when it is none.
    pub fn new(soa: &RrSet, apex: &Name, follows_registry: bool) -> Option<Self> {
        let rdata = soa.rdata.first().filter(|_| soa.rtype == RecordType::SOA && soa.owner == *apex)?;
        let mut written = Vec::with_capacity(rdata.len());
        let mut pointers = Vec::new();
        let mut rest = &rdata[..];
        for _ in ["MNAME", "RNAME"] {
            let name = Name::from_wire(rest).ok()?;
            rest = &rest[name.wire().len()..];
            if name.is_at_or_below(apex) {
                written.extend(&name.wire()[..name.wire().len() - apex.wire().len()]);
                pointers.push(written.len());
                written.extend([0; 2]);
            } else {
                written.extend(name.wire());
            }
        }
        let numbers = rest.get(..NUMBERS).filter(|numbers| numbers.len() == rest.len())?;
        written.extend(numbers);
        Some(Self { ttl: soa.ttl, rdata: written.into(), pointers, follows_registry })
    }

    /// Octets that the record takes in a message.
    pub fn len(&self) -> usize {
        2 + 10 + self.rdata.len()
    }

    /// Writes the record into the authority section of a message in whose question the apex begins at `apex`.
    pub fn write(&self, page: &mut Page<'_>, apex: usize, revision: Revision) {
        let pointer = POINTER | apex as u16;
        page.record(Section::Authority, pointer, RecordType::SOA, self.ttl, self.rdata.len() as u16);
        let begins = page.at();
        page.put(&self.rdata);
        for place in &self.pointers {
            page.patch(begins + place, &pointer.to_be_bytes());
        }
        if self.follows_registry {
            page.patch(begins + self.rdata.len() - NUMBERS, &revision.serial().to_be_bytes());
        }
    }
}

/// Whether two SOA records differ in their serials.
pub fn differ_in_serial(one: &RrSet, other: &RrSet) -> bool {
    let serial = |soa: &RrSet| soa.rdata.first().and_then(|rdata| Soa::serial_of(rdata));
    serial(one) != serial(other)
}
