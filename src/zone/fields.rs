//! The fields of records' data, from text and on the wire.
//!
//! A type is a row of fields in [`super::forms`]; one interpreter reads rows from text and one walks them over octets.
//! Relative names are completed, `\DDD` is an octet in decimal, and tokens that are left over are a mistake.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::encodings::{are_types, base32, base64, hex, time, types};
use super::forms::{ALGORITHMS, CERTIFICATES, Field, record_type};
use super::rdata::{Flaw, RdataError};
use super::scan::Token;
use super::ttl;
use crate::wire::Name;

/// Octets of a digest, at least (RFC 8976 §2.2.4).
const DIGEST: usize = 12;

/// Reads a row from tokens.
pub(super) fn read(fields: &[Field], tokens: &[Token<'_>], origin: &Name) -> Result<Vec<u8>, Flaw> {
    let mut wire = Vec::new();
    let mut left = tokens;
    for field in fields {
        let line = left.first().or(tokens.last()).map_or(0, |token| token.line);
        let taken = match field {
            Field::Texts | Field::Hex | Field::Digest | Field::Base64 | Field::Types => left.len(),
            _ => left.len().min(1),
        };
        let (now, later) = left.split_at(taken);
        write(*field, now, origin, &mut wire).map_err(|error| (line, error))?;
        left = later;
    }
    left.first().map_or(Ok(wire), |extra| Err((extra.line, RdataError::Extra)))
}

/// Appends one field. `tokens` is one token, or all that are left for a field that takes them all.
fn write(field: Field, tokens: &[Token<'_>], origin: &Name, wire: &mut Vec<u8>) -> Result<(), RdataError> {
    let may_quote = matches!(field, Field::Text | Field::Texts | Field::Tag | Field::Rest);
    if !may_quote && tokens.iter().any(|token| token.quoted) {
        return Err(RdataError::Quoted);
    }
    if field == Field::Types {
        wire.extend(types(tokens.iter().map(Token::word)).ok_or(RdataError::Types)?);
        return Ok(());
    }
    let token = tokens.first().ok_or(RdataError::Missing)?;
    let octets = || tokens.iter().flat_map(|token| token.text.iter().copied());
    match field {
        Field::Text | Field::Texts => {
            for token in tokens {
                with_length(&unescaped(token.text)?, RdataError::StringTooLong, wire)?;
            }
        }
        Field::Tag if !is_tag(token.text) => return Err(RdataError::Tag),
        Field::Tag => with_length(token.text, RdataError::StringTooLong, wire)?,
        Field::Rest => wire.extend(unescaped(token.text)?),
        Field::Name => wire.extend(Name::parse_below(token.text, Some(origin))?.wire()),
        Field::Hex => wire.extend(hex(octets()).filter(|octets| !octets.is_empty()).ok_or(RdataError::Hex)?),
        Field::Digest => {
            wire.extend(hex(octets()).filter(|octets| octets.len() >= DIGEST).ok_or(RdataError::Digest)?);
        }
        Field::Base64 => wire.extend(base64(octets()).ok_or(RdataError::Base64)?),
        Field::Salt if token.text == b"-" => wire.push(0),
        Field::Salt => with_length(&hex(octets()).ok_or(RdataError::Hex)?, RdataError::StringTooLong, wire)?,
        Field::Hash => with_length(&base32(token.text).ok_or(RdataError::Base32)?, RdataError::StringTooLong, wire)?,
        Field::Ipv4 => wire.extend(Ipv4Addr::from_str(token.word()).map_err(|_| RdataError::Ipv4)?.octets()),
        Field::Ipv6 => wire.extend(Ipv6Addr::from_str(token.word()).map_err(|_| RdataError::Ipv6)?.octets()),
        Field::Eui(length) => wire.extend(groups(token.word(), '-', length, 1).ok_or(RdataError::Eui)?),
        Field::Locator => wire.extend(groups(token.word(), ':', 4, 2).ok_or(RdataError::Locator)?),
        number => write_number(number, token.word(), wire)?,
    }
    Ok(())
}

/// Appends a number of fixed length.
fn write_number(field: Field, text: &str, wire: &mut Vec<u8>) -> Result<(), RdataError> {
    let number = |max: u32| decimal(text, max).ok_or(RdataError::Number(max));
    let mnemonic = |known: &[(&str, u32)], max: u32| {
        let named = known.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|(_, number)| *number);
        named.map_or_else(|| number(max), Ok)
    };
    let (octets, value) = match field {
        Field::U8 => (1, number(u32::from(u8::MAX))?),
        Field::Algorithm => (1, mnemonic(ALGORITHMS, u32::from(u8::MAX))?),
        Field::U16 => (2, number(u32::from(u16::MAX))?),
        Field::Certificate => (2, mnemonic(CERTIFICATES, u32::from(u16::MAX))?),
        Field::Type => (2, record_type(text).ok_or(RdataError::Types)?.0.into()),
        Field::Period => (4, ttl::parse(text).map_err(|_| RdataError::Period)?),
        Field::Time => (4, time(text).ok_or(RdataError::Time)?),
        _ => (4, number(u32::MAX)?),
    };
    wire.extend_from_slice(&value.to_be_bytes()[4 - octets..]);
    Ok(())
}

/// A decimal number up to `max`: digits only, no sign.
pub(super) fn decimal(text: &str, max: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= max)
}

/// Appends octets behind an octet with their number.
pub(super) fn with_length(octets: &[u8], too_long: RdataError, wire: &mut Vec<u8>) -> Result<(), RdataError> {
    wire.push(u8::try_from(octets.len()).map_err(|_| too_long)?);
    wire.extend_from_slice(octets);
    Ok(())
}

/// Exactly `count` groups of hexadecimal digits, each of so many octets.
fn groups(text: &str, between: char, count: usize, octets: usize) -> Option<Vec<u8>> {
    let parts: Vec<&str> = text.split(between).collect();
    let whole = parts.len() == count && parts.iter().all(|part| part.len() == 2 * octets);
    whole.then(|| hex(parts.concat().bytes())).flatten()
}

/// The octets of a character-string, escapes decoded (RFC 1035 §5.1).
pub(super) fn unescaped(text: &[u8]) -> Result<Vec<u8>, RdataError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (b'\\', [b'0'..=b'9', ..]) => {
                let digits = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
                let octet = digits.and_then(|digits| decimal(digits, 255)).ok_or(RdataError::Escape)?;
                octets.push(octet as u8);
                &tail[3..]
            }
            (b'\\', [plain, after @ ..]) => {
                octets.push(*plain);
                after
            }
            (b'\\', []) => return Err(RdataError::Escape),
            _ => {
                octets.push(*first);
                tail
            }
        };
    }
    Ok(octets)
}

fn is_tag(octets: &[u8]) -> bool {
    !octets.is_empty() && octets.iter().all(u8::is_ascii_alphanumeric)
}

/// What is left of wire form after one field; `None` when the field is not there.
pub(super) fn skip(field: Field, wire: &[u8]) -> Option<&[u8]> {
    let string = |wire: &[u8]| wire.first().map(|length| usize::from(*length) + 1);
    let length = match field {
        Field::U8 | Field::Algorithm => 1,
        Field::U16 | Field::Type | Field::Certificate => 2,
        Field::U32 | Field::Period | Field::Time | Field::Ipv4 => 4,
        Field::Locator => 8,
        Field::Ipv6 => 16,
        Field::Eui(length) => length,
        Field::Name => Name::from_wire(wire).ok()?.wire().len(),
        Field::Text | Field::Salt | Field::Hash => string(wire)?,
        Field::Tag => string(wire).filter(|length| wire.get(1..*length).is_some_and(is_tag))?,
        Field::Texts => {
            let mut left = wire.get(string(wire)?..)?;
            while !left.is_empty() {
                left = left.get(string(left)?..)?;
            }
            wire.len()
        }
        Field::Types if !are_types(wire) => return None,
        Field::Rest | Field::Types => wire.len(),
        Field::Hex | Field::Base64 => wire.len().max(1),
        Field::Digest => wire.len().max(DIGEST),
    };
    wire.get(length..)
}
