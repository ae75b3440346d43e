//! EDNS (RFC 6891): what the OPT record of a query asks for, and what the one of a reply says.
//!
//! Options that are not known here are ignored, client subnets (RFC 7871) among them: answers do not depend on them, so
//! none is repeated.

pub mod cookie;
mod extended_error;
mod options;

pub use cookie::Cookies;
pub use extended_error::ExtendedError;
pub use options::{Asked, Options};

use crate::wire::octets::u16_at;

/// The OPT record of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns<'a> {
    pub version: u8,
    /// Octets that the client takes in over UDP.
    pub udp_payload: u16,
    pub dnssec_ok: bool,
    pub asked: Asked<'a>,
}

impl<'a> Edns<'a> {
    /// Reads the record from its fixed part (TYPE to RDLENGTH) and its RDATA; `None` when its options are cut. Those of
    /// a version that is not known mean nothing.
    pub fn read(fixed: &[u8], rdata: &'a [u8]) -> Option<Self> {
        let (version, bits) = (*fixed.get(5)?, *fixed.get(6)?);
        let asked = if version == 0 { Asked::read(rdata)? } else { Asked::default() };
        Some(Self { version, udp_payload: u16_at(fixed, 2)?, dnssec_ok: bits & 0x80 != 0, asked })
    }
}
