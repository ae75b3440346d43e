//! From the text of a record's data to its wire form, names uncompressed.
//!
//! Most types are rows of a table in [`super::forms`]; SVCB and HTTPS are read in [`super::svcb`]. Every type also takes the
//! generic form `\# LENGTH HEX` (RFC 3597 §5); for a type of the table the octets are held against the same row.

use super::encodings::hex;
use super::fields::{self, decimal, skip};
use super::forms::{Field, form};
use super::scan::Token;
use super::svcb::{self, ParameterError, ParameterKey};
use crate::wire::{Name, NameError, Rdata, RecordType};

/// Why tokens are not the data of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RdataError {
    #[error("a field is missing")]
    Missing,
    #[error("there is more than the type has fields")]
    Extra,
    #[error("only strings may be quoted")]
    Quoted,
    #[error("a number from 0 to {0} is expected")]
    Number(u32),
    #[error("a time in seconds is expected, at most 2147483647")]
    Period,
    #[error("an IPv4 address is expected")]
    Ipv4,
    #[error("an IPv6 address is expected")]
    Ipv6,
    #[error("a name is expected: {0}")]
    Name(#[from] NameError),
    #[error("an escape is not \\DDD with DDD up to 255, or \\ and one character")]
    Escape,
    #[error("a string has more than 255 octets")]
    StringTooLong,
    #[error("a tag of letters and digits is expected")]
    Tag,
    #[error("pairs of hexadecimal digits are expected")]
    Hex,
    #[error("at least 12 pairs of hexadecimal digits are expected (RFC 8976 §2.2.4)")]
    Digest,
    #[error("the length does not agree with the octets that follow")]
    Length,
    #[error("the octets are not what the type holds")]
    Generic,
    #[error("there are more than 65535 octets")]
    TooLong,
    #[error("base64 is expected, with its padding")]
    Base64,
    #[error("base32 in the extended hexadecimal alphabet is expected, without padding")]
    Base32,
    #[error("a time is expected: YYYYMMDDHHmmSS, or seconds since 1970")]
    Time,
    #[error("types of records are expected")]
    Types,
    #[error("pairs of hexadecimal digits with hyphens between them are expected, as many as the type has octets")]
    Eui,
    #[error("four groups of four hexadecimal digits with colons between them are expected")]
    Locator,
    #[error("the parameter {0} {1}")]
    Parameter(ParameterKey, ParameterError),
    #[error("a parameter begins with its key, such as alpn, port or key667")]
    ParameterKey,
    #[error("this can only be written as \\# LENGTH HEX (RFC 3597)")]
    Unsupported,
}

/// What is wrong, and the line of the token with which it is.
pub(super) type Flaw = (u32, RdataError);

/// Reads the data of one record; relative names are completed by `origin`.
pub(super) fn parse(rtype: RecordType, tokens: &[Token<'_>], origin: &Name) -> Result<Rdata, Flaw> {
    let line = tokens.last().map_or(0, |token| token.line);
    let here = |error| (line, error);
    let rdata = match (tokens.split_first(), form(rtype)) {
        (None, _) => return Err(here(RdataError::Missing)),
        (Some((mark, rest)), form) if mark.text == b"\\#" && !mark.quoted => generic(form, rest).map_err(here)?,
        (_, Some([])) => svcb::read(tokens, origin).map_err(here)?,
        (_, Some(fields)) => fields::read(fields, tokens, origin)?,
        (_, None) => return Err(here(RdataError::Unsupported)),
    };
    if rdata.len() > usize::from(u16::MAX) { Err(here(RdataError::TooLong)) } else { Ok(rdata.into()) }
}

/// The generic form after its `\#` (RFC 3597 §5).
fn generic(form: Option<&[Field]>, tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let (length, digits) = tokens.split_first().ok_or(RdataError::Missing)?;
    let max = u32::from(u16::MAX);
    let length = decimal(length.word(), max).ok_or(RdataError::Number(max))?;
    if digits.iter().any(|token| token.quoted) {
        return Err(RdataError::Quoted);
    }
    let wire = hex(digits.iter().flat_map(|token| token.text.iter().copied())).ok_or(RdataError::Hex)?;
    if wire.len() != length as usize {
        return Err(RdataError::Length);
    }
    let is_right = match form {
        None => true,
        Some([]) => svcb::is_right(&wire),
        Some(fields) => {
            fields.iter().try_fold(wire.as_slice(), |left, field| skip(*field, left)).is_some_and(<[u8]>::is_empty)
        }
    };
    if is_right { Ok(wire) } else { Err(RdataError::Generic) }
}

#[cfg(test)]
mod tests;
