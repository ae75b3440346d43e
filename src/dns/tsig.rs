//! Signed queries (RFC 8945), for a server that has no keys.
//!
//! Such a query is answered with NOTAUTH and a TSIG record that says BADKEY and is itself unsigned (§5.2.1, §5.3.2), so
//! that whoever configured a key learns that it is not known here.

use crate::wire::octets::u16_at;
use crate::wire::{Name, RecordType};

const ANY_CLASS_NO_TTL: [u8; 6] = [0, 255, 0, 0, 0, 0];
/// Octets of Time Signed and Fudge.
const TIME: usize = 8;
/// Error: the key is not known.
const BADKEY: u16 = 17;

/// The parts of a TSIG record that are repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tsig<'a> {
    key: Name,
    algorithm: Name,
    time: &'a [u8],
    original_id: &'a [u8],
}

impl<'a> Tsig<'a> {
    /// Reads a record from its owner name, its fixed part (TYPE to RDLENGTH) and its RDATA. `None` is a format error: a
    /// class other than ANY, a TTL, or RDATA that is not whole (RFC 8945 §4.2).
    pub fn read(key: Name, fixed: &[u8], rdata: &'a [u8]) -> Option<Self> {
        if fixed.get(2..8)? != ANY_CLASS_NO_TTL {
            return None;
        }
        let algorithm = Name::from_wire(rdata).ok()?;
        let rest = &rdata[algorithm.wire().len()..];
        let time = rest.get(..TIME)?;
        let after_mac = rest.get(TIME + 2..)?.get(usize::from(u16_at(rest, TIME)?)..)?;
        // Original ID, Error and Other Len, and the Other Data to their end.
        let original_id = after_mac.get(..2)?;
        let is_whole = after_mac.len() == 6 + usize::from(u16_at(after_mac, 4)?);
        is_whole.then_some(Self { key, algorithm, time, original_id })
    }

    /// The record that says that the key is not known. It is shorter than the one that was read.
    pub fn unknown_key(&self) -> Vec<u8> {
        let length = (self.algorithm.wire().len() + TIME + 8) as u16;
        let parts: [&[u8]; 10] = [
            self.key.wire(),
            &RecordType::TSIG.0.to_be_bytes(),
            &ANY_CLASS_NO_TTL,
            &length.to_be_bytes(),
            self.algorithm.wire(),
            self.time,
            // MAC Size
            &[0, 0],
            self.original_id,
            &BADKEY.to_be_bytes(),
            // Other Len
            &[0, 0],
        ];
        parts.concat()
    }
}
