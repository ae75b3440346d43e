//! The fields of the common types' data, in text and on the wire.
//!
//! A type is a row of [`FORMS`]; one interpreter reads rows from text and one walks them over octets. Relative names are
//! completed, `\DDD` is an octet in decimal, and tokens that are left over are a mistake.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::rdata::{Flaw, RdataError};
use super::scan::Token;
use super::ttl;
use crate::wire::{Name, RecordType};

/// One field of RDATA.
#[derive(Clone, Copy)]
pub(super) enum Field {
    U8,
    U16,
    U32,
    /// 32 bits, in text with units.
    Period,
    Ipv4,
    Ipv6,
    Name,
    /// A character-string: a length octet and up to 255 octets.
    Text,
    /// All that is left, one or more character-strings.
    Texts,
    /// All that is left, one string without a length.
    Rest,
    /// All that is left, hexadecimal in text, at least one octet.
    Hex,
}

use Field::{Hex, Ipv4, Ipv6, Name as Host, Period, Rest, Text, Texts, U8, U16, U32};

/// Mnemonic, type and fields; a type that is not of RFC 1035 names the RFC with its format.
pub(super) const FORMS: &[(&str, u16, &[Field])] = &[
    ("A", 1, &[Ipv4]),
    ("NS", 2, &[Host]),
    ("CNAME", 5, &[Host]),
    ("SOA", 6, &[Host, Host, U32, Period, Period, Period, Period]),
    ("PTR", 12, &[Host]),
    ("HINFO", 13, &[Text, Text]),
    ("MX", 15, &[U16, Host]),
    ("TXT", 16, &[Texts]),
    ("RP", 17, &[Host, Host]),                          // RFC 1183 §2.2
    ("AFSDB", 18, &[U16, Host]),                        // RFC 1183 §1
    ("AAAA", 28, &[Ipv6]),                              // RFC 3596 §2.2
    ("SRV", 33, &[U16, U16, U16, Host]),                // RFC 2782
    ("NAPTR", 35, &[U16, U16, Text, Text, Text, Host]), // RFC 3403 §4.1
    ("DNAME", 39, &[Host]),                             // RFC 6672 §2.1
    ("DS", 43, &[U16, U8, U8, Hex]),                    // RFC 4034 §5.1
    ("SSHFP", 44, &[U8, U8, Hex]),                      // RFC 4255 §3.1
    ("TLSA", 52, &[U8, U8, U8, Hex]),                   // RFC 6698 §2.1
    ("SMIMEA", 53, &[U8, U8, U8, Hex]),                 // RFC 8162 §2
    ("CDS", 59, &[U16, U8, U8, Hex]),                   // RFC 7344 §3.1
    ("SPF", 99, &[Texts]),                              // RFC 7208 §14.1
    ("URI", 256, &[U16, U16, Rest]),                    // RFC 7553 §4.5
    ("CAA", 257, &[U8, Text, Rest]),                    // RFC 8659 §4.1
];

/// The row of a type.
pub(super) fn form(rtype: RecordType) -> Option<&'static [Field]> {
    FORMS.iter().find(|(_, number, _)| *number == rtype.0).map(|(_, _, fields)| *fields)
}

/// Reads a row from tokens.
pub(super) fn read(fields: &[Field], tokens: &[Token<'_>], origin: &Name) -> Result<Vec<u8>, Flaw> {
    let mut wire = Vec::new();
    let mut left = tokens;
    for field in fields {
        let line = left.first().or(tokens.last()).map_or(0, |token| token.line);
        let taken = match field {
            Field::Texts | Field::Hex => left.len(),
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
    let token = tokens.first().ok_or(RdataError::Missing)?;
    let text = token.text;
    if token.quoted && !matches!(field, Field::Text | Field::Texts | Field::Rest) {
        return Err(RdataError::Quoted);
    }
    let number = |max: u32| decimal(text, max).ok_or(RdataError::Number(max));
    match field {
        Field::U8 => wire.push(number(u32::from(u8::MAX))? as u8),
        Field::U16 => wire.extend((number(u32::from(u16::MAX))? as u16).to_be_bytes()),
        Field::U32 => wire.extend(number(u32::MAX)?.to_be_bytes()),
        Field::Period => wire.extend(ttl::parse(text).map_err(|_| RdataError::Period)?.to_be_bytes()),
        Field::Ipv4 => wire.extend(Ipv4Addr::from_str(text).map_err(|_| RdataError::Ipv4)?.octets()),
        Field::Ipv6 => wire.extend(Ipv6Addr::from_str(text).map_err(|_| RdataError::Ipv6)?.octets()),
        Field::Name => wire.extend(Name::parse_below(text, Some(origin))?.wire()),
        Field::Text | Field::Texts => {
            for token in tokens {
                let string = unescaped(token.text)?;
                wire.push(u8::try_from(string.len()).map_err(|_| RdataError::StringTooLong)?);
                wire.extend(string);
            }
        }
        Field::Rest => wire.extend(unescaped(text)?),
        Field::Hex => wire.extend(hex(tokens)?),
    }
    Ok(())
}

/// A decimal number up to `max`: digits only, no sign.
pub(super) fn decimal(text: &str, max: u32) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number <= max)
}

/// The octets of a character-string, escapes decoded (RFC 1035 §5.1).
fn unescaped(text: &str) -> Result<Vec<u8>, RdataError> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
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

/// Hexadecimal digits over any number of tokens; never empty.
pub(super) fn hex(tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let mut nibbles = Vec::new();
    for octet in tokens.iter().flat_map(|token| token.text.bytes()) {
        nibbles.push(char::from(octet).to_digit(16).ok_or(RdataError::Hex)? as u8);
    }
    let pairs = nibbles.chunks_exact(2);
    if nibbles.is_empty() || !pairs.remainder().is_empty() {
        return Err(RdataError::Hex);
    }
    Ok(pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// What is left of wire form after one field; `None` when the field is not there.
pub(super) fn skip(field: Field, wire: &[u8]) -> Option<&[u8]> {
    let string = |wire: &[u8]| wire.first().map(|length| usize::from(*length) + 1);
    let length = match field {
        Field::U8 => 1,
        Field::U16 => 2,
        Field::U32 | Field::Period | Field::Ipv4 => 4,
        Field::Ipv6 => 16,
        Field::Name => Name::from_wire(wire).ok()?.wire().len(),
        Field::Text => string(wire)?,
        Field::Texts => {
            let mut left = wire.get(string(wire)?..)?;
            while !left.is_empty() {
                left = left.get(string(left)?..)?;
            }
            wire.len()
        }
        Field::Rest => wire.len(),
        Field::Hex => wire.len().max(1),
    };
    wire.get(length..)
}
