//! From the text of a record's data to its wire form, names uncompressed.
//!
//! The common types are rows of a table in [`super::fields`]. Every type also takes the generic form
//! `\# LENGTH HEX` (RFC 3597 §5); for a type of the table the octets are held against the same row. The types with a
//! grammar of their own (SVCB, HTTPS, CERT, CSYNC, OPENPGPKEY) go through hickory-proto, whose types appear in this file
//! only. Its parser takes no origin, reads escapes otherwise than RFC 1035 and skips what it does not expect, so it sees
//! only tokens on which that makes no difference.

use std::str::FromStr;

use hickory_proto::rr::rdata::SVCB;
use hickory_proto::rr::rdata::svcb::SvcParamValue;
use hickory_proto::rr::{RData, RecordType as HickoryType};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

use super::fields::{self, FORMS, decimal, form, hex, skip};
use super::scan::Token;
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
    #[error("pairs of hexadecimal digits are expected")]
    Hex,
    #[error("the length does not agree with the octets that follow")]
    Length,
    #[error("the octets are not what the type holds")]
    Generic,
    #[error("there are more than 65535 octets")]
    TooLong,
    #[error("it is not in the form of its type")]
    Form,
    #[error("this can only be written as \\# LENGTH HEX (RFC 3597)")]
    Unsupported,
}

/// What is wrong, and the line of the token with which it is.
pub(super) type Flaw = (u32, RdataError);

/// Reads a type mnemonic in any case, or `TYPEnnn` (RFC 3597 §5). Meta-types are types here; 0 is not (RFC 6895 §3.1).
pub(super) fn record_type(text: &str) -> Option<RecordType> {
    let text = text.to_ascii_uppercase();
    if let Some((_, number, _)) = FORMS.iter().find(|(mnemonic, ..)| *mnemonic == text) {
        return Some(RecordType(*number));
    }
    if let Some(number) = text.strip_prefix("TYPE") {
        return decimal(number, u32::from(u16::MAX))
            .filter(|number| *number != 0)
            .map(|number| RecordType(number as u16));
    }
    match HickoryType::from_str(&text).ok()? {
        HickoryType::ANAME => None, // no such type is assigned
        known => Some(RecordType(known.into())),
    }
}

/// Reads the data of one record; relative names are completed by `origin`.
pub(super) fn parse(rtype: RecordType, tokens: &[Token<'_>], origin: &Name) -> Result<Rdata, Flaw> {
    let line = tokens.last().map_or(0, |token| token.line);
    let rdata = match tokens.split_first() {
        None => return Err((line, RdataError::Missing)),
        Some((mark, rest)) if mark.text == "\\#" && !mark.quoted => {
            generic(rtype, rest).map_err(|error| (line, error))?
        }
        Some(_) => match form(rtype) {
            Some(fields) => fields::read(fields, tokens, origin)?,
            None => by_hickory(rtype, tokens, origin).map_err(|error| (line, error))?,
        },
    };
    if rdata.len() > usize::from(u16::MAX) { Err((line, RdataError::TooLong)) } else { Ok(rdata.into()) }
}

/// The generic form after its `\#` (RFC 3597 §5).
fn generic(rtype: RecordType, tokens: &[Token<'_>]) -> Result<Vec<u8>, RdataError> {
    let (length, digits) = tokens.split_first().ok_or(RdataError::Missing)?;
    let max = u32::from(u16::MAX);
    let length = decimal(length.text, max).ok_or(RdataError::Number(max))?;
    let wire = if digits.is_empty() { Vec::new() } else { hex(digits)? };
    if wire.len() != length as usize {
        return Err(RdataError::Length);
    }
    match form(rtype).map(|fields| fields.iter().try_fold(wire.as_slice(), |left, field| skip(*field, left))) {
        None | Some(Some([])) => Ok(wire),
        Some(_) => Err(RdataError::Generic),
    }
}

/// Where in the tokens of a type base64 begins, which text may split at will and hickory wants in one piece.
fn base64_at(rtype: HickoryType) -> usize {
    match rtype {
        HickoryType::CERT => 3,
        HickoryType::OPENPGPKEY => 0,
        _ => usize::MAX,
    }
}

fn by_hickory(rtype: RecordType, tokens: &[Token<'_>], origin: &Name) -> Result<Vec<u8>, RdataError> {
    let rtype = HickoryType::from(rtype.0);
    let svcb = matches!(rtype, HickoryType::SVCB | HickoryType::HTTPS);
    if !svcb && !matches!(rtype, HickoryType::CERT | HickoryType::CSYNC | HickoryType::OPENPGPKEY) {
        return Err(RdataError::Unsupported);
    }
    let mut text = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let value_of_key = svcb && token.joined && text.ends_with('=');
        if token.text.contains(['\\', '"', ' ', '\t', '\r', '(', ')', ';']) {
            return Err(RdataError::Unsupported);
        }
        if token.quoted && !value_of_key {
            return Err(RdataError::Quoted);
        }
        if !value_of_key && at <= base64_at(rtype) {
            text.push(' ');
        }
        text.push_str(if svcb && at == 1 { "." } else { token.text });
    }
    let data = RData::try_from_str(rtype, text.trim_start()).map_err(|_| RdataError::Form)?;
    match data {
        RData::SVCB(svcb) => with_target(svcb, tokens, origin),
        RData::HTTPS(https) => with_target(https.0, tokens, origin),
        other => emitted(&other),
    }
}

/// The wire form of SVCB data, which was read with the root as its target, with its parameters in order and its own
/// target, which is the second token (RFC 9460 §2.2).
fn with_target(mut svcb: SVCB, tokens: &[Token<'_>], origin: &Name) -> Result<Vec<u8>, RdataError> {
    svcb.svc_params.sort_by_key(|(key, _)| *key);
    for (_, value) in &mut svcb.svc_params {
        if let SvcParamValue::Mandatory(mandatory) = value {
            mandatory.0.sort();
        }
    }
    let target = Name::parse_below(tokens.get(1).ok_or(RdataError::Missing)?.text, Some(origin))?;
    let mut wire = emitted(&svcb)?;
    wire.splice(2..3, target.wire().iter().copied());
    Ok(wire)
}

fn emitted(data: &impl BinEncodable) -> Result<Vec<u8>, RdataError> {
    let mut wire = Vec::new();
    let mut encoder = BinEncoder::new(&mut wire);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    data.emit(&mut encoder).map_err(|_| RdataError::Form)?;
    Ok(wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::scan::Scanner;

    /// `TYPE data` to wire, escaped as ASCII.
    fn wire(text: &str) -> Result<String, RdataError> {
        let line = format!("@ {text}");
        let entry = Scanner::new(&line).next().unwrap().unwrap();
        let rtype = record_type(entry.tokens[0].text).expect(text);
        let origin = Name::parse("o.test").unwrap();
        parse(rtype, &entry.tokens[1..], &origin)
            .map(|rdata| rdata.escape_ascii().to_string())
            .map_err(|(_, error)| error)
    }

    #[test]
    fn text_becomes_wire() {
        for (text, expected) in [
            ("A 10.0.0.1", r"\n\x00\x00\x01"),
            ("aaaa 2001:db8::1", r" \x01\r\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"),
            ("NS ns", r"\x02ns\x01o\x04test\x00"),
            ("CNAME @", r"\x01o\x04test\x00"),
            (r"PTR a\.\066.X.", r"\x03a.B\x01X\x00"),
            ("DNAME .", r"\x00"),
            ("MX 10 mx.o.test.", r"\x00\n\x02mx\x01o\x04test\x00"),
            ("SRV 1 2 3 .", r"\x00\x01\x00\x02\x00\x03\x00"),
            (
                "SOA . h. 4294967295 1h 1 2w 5",
                r"\x00\x01h\x00\xff\xff\xff\xff\x00\x00\x0e\x10\x00\x00\x00\x01\x00\x12u\x00\x00\x00\x00\x05",
            ),
            (r#"TXT a "b c" "" \255\"\; "é""#, r#"\x01a\x03b c\x00\x03\xff\";\x02\xc3\xa9"#),
            (r#"HINFO "x" y"#, r"\x01x\x01y"),
            (r#"NAPTR 1 2 "u" "" "!^.*$!\\1!" r"#, r"\x00\x01\x00\x02\x01u\x00\t!^.*$!\\1!\x01r\x01o\x04test\x00"),
            (r#"CAA 128 issue "ca.test; a=b""#, r"\x80\x05issueca.test; a=b"),
            ("DS 60485 5 1 2BB1 83AF", r"\xecE\x05\x01+\xb1\x83\xaf"),
            ("TLSA ( 3 1 1 0\n a )", r"\x03\x01\x01\n"),
            ("TYPE65280 \\# 3 abcd 01", r"\xab\xcd\x01"),
            ("TYPE65280 \\# 0", ""),
            ("A \\# 4 0a000001", r"\n\x00\x00\x01"),
            ("TYPE1 10.0.0.1", r"\n\x00\x00\x01"),
            ("DNSKEY \\# 4 01000305", r"\x01\x00\x03\x05"),
            ("HTTPS 0 web", r"\x00\x00\x03web\x01o\x04test\x00"),
            ("SVCB 1 . port=53 alpn=\"h2,h3\"", r"\x00\x01\x00\x00\x01\x00\x06\x02h2\x02h3\x00\x03\x00\x02\x005"),
            ("HTTPS 1 @ ipv4hint=10.0.0.1", r"\x00\x01\x01o\x04test\x00\x00\x04\x00\x04\n\x00\x00\x01"),
            (
                "SVCB 1 . mandatory=port,alpn alpn=h2 port=1",
                r"\x00\x01\x00\x00\x00\x00\x04\x00\x01\x00\x03\x00\x01\x00\x03\x02h2\x00\x03\x00\x02\x00\x01",
            ),
            ("OPENPGPKEY ( YW\nJj )", "abc"),
            ("CERT 1 2 3 YW Jj", r"\x00\x01\x00\x02\x03abc"),
        ] {
            assert_eq!(wire(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn bad_text_is_refused() {
        let long = format!("TXT {}", "a".repeat(256));
        let huge = format!("TXT {}", "a ".repeat(40_000));
        for (text, expected) in [
            ("A", RdataError::Missing),
            ("A 10.0.0.256", RdataError::Ipv4),
            ("A 10.0.0.1 10.0.0.2", RdataError::Extra),
            ("A \"10.0.0.1\"", RdataError::Quoted),
            ("AAAA 10.0.0.1", RdataError::Ipv6),
            ("MX mx", RdataError::Number(65535)),
            ("MX 65536 mx", RdataError::Number(65535)),
            ("MX +1 mx", RdataError::Number(65535)),
            ("MX 1", RdataError::Missing),
            ("NS a..b", RdataError::Name(NameError::EmptyLabel)),
            ("SOA a b 1 2 3 4", RdataError::Missing),
            ("SOA a b 1 2 3 4 x", RdataError::Period),
            ("TXT \\256", RdataError::Escape),
            ("TXT \\1", RdataError::Escape),
            (&long, RdataError::StringTooLong),
            (&huge, RdataError::TooLong),
            ("DS 1 2 3", RdataError::Missing),
            ("DS 1 2 3 abc", RdataError::Hex),
            ("DS 1 2 3 xy", RdataError::Hex),
            ("TYPE65280 10.0.0.1", RdataError::Unsupported),
            ("DNSKEY 256 3 5 AQ==", RdataError::Unsupported),
            ("TYPE65280 \\# 2 ab", RdataError::Length),
            ("A \\# 3 0a0000", RdataError::Generic),
            ("A \\# 5 0a00000101", RdataError::Generic),
            ("NS \\# 2 c00c", RdataError::Generic),
            ("TXT \\# 2 0261", RdataError::Generic),
            ("TXT \\# 0", RdataError::Generic),
            ("SVCB 1 . alpn=a\\,b", RdataError::Unsupported),
            ("SVCB 1 . port=1 port=2", RdataError::Form),
            ("SVCB 1 a..b", RdataError::Name(NameError::EmptyLabel)),
            ("SVCB x .", RdataError::Form),
        ] {
            assert_eq!(wire(text), Err(expected), "{text:.40}");
        }
    }

    #[test]
    fn mnemonics_are_types() {
        for (text, expected) in [
            ("a", Some(1)),
            ("Https", Some(65)),
            ("TYPE257", Some(257)),
            ("type0", None),
            ("TYPE65536", None),
            ("TYPE", None),
            ("TYPE+1", None),
            ("AXFR", Some(252)),
            ("ANAME", None),
            ("BOGUS", None),
        ] {
            assert_eq!(record_type(text), expected.map(RecordType), "{text}");
        }
    }
}
