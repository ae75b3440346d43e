//! Data of records as text: presentation format (RFC 1035 §5.1), in the words that a master file is read by.
//!
//! What is written here reads back as the same octets. Data of a type without a form, or that do not have the form of
//! their type, are written in the generic form (RFC 3597 §5), so that there is nothing that has no text.

use std::fmt::Write;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encodings::{base32_text, base64_text, hex_text, time_text, types_of};
use super::fields::skip;
use super::forms::{Field, form, mnemonic};
use super::svcb;
use crate::wire::{Name, RecordType};

/// The data of a record of this type as text, on one line.
pub fn rdata(rtype: RecordType, wire: &[u8]) -> String {
    let text = match form(rtype) {
        None => None,
        Some([]) => svcb::text(wire),
        Some(fields) => fields_text(fields, wire),
    };
    text.unwrap_or_else(|| generic(wire))
}

/// A character-string between quotes, with what is no printable ASCII as `\DDD`.
pub(super) fn quoted(octets: &[u8]) -> String {
    let mut text = String::from("\"");
    for &octet in octets {
        match octet {
            b'"' | b'\\' => text.extend(['\\', char::from(octet)]),
            b' '..=b'~' => text.push(char::from(octet)),
            // Writing to a string does not fail.
            _ => write!(text, "\\{octet:03}").unwrap_or_default(),
        }
    }
    text + "\""
}

fn generic(wire: &[u8]) -> String {
    match wire {
        [] => "\\# 0".to_owned(),
        _ => format!("\\# {} {}", wire.len(), hex_text(wire)),
    }
}

fn fields_text(fields: &[Field], wire: &[u8]) -> Option<String> {
    let mut words = Vec::with_capacity(fields.len());
    let mut left = wire;
    for &field in fields {
        let after = skip(field, left)?;
        let own = &left[..left.len() - after.len()];
        // Fields that may hold nothing are the last.
        words.extend(Some(field_text(field, own)?).filter(|word| !word.is_empty()));
        left = after;
    }
    left.is_empty().then(|| words.join(" "))
}

/// One field, of which `wire` is all.
fn field_text(field: Field, wire: &[u8]) -> Option<String> {
    let number = || wire.iter().fold(0_u64, |number, octet| number << 8 | u64::from(*octet));
    let between =
        |separator: &str, octets: usize| wire.chunks(octets).map(hex_text).collect::<Vec<_>>().join(separator);
    Some(match field {
        Field::U8 | Field::U16 | Field::U32 | Field::Period | Field::Algorithm | Field::Certificate => {
            number().to_string()
        }
        Field::Time => time_text(number() as u32),
        Field::Type => mnemonic(RecordType(number() as u16)),
        Field::Ipv4 => Ipv4Addr::from(<[u8; 4]>::try_from(wire).ok()?).to_string(),
        Field::Ipv6 => Ipv6Addr::from(<[u8; 16]>::try_from(wire).ok()?).to_string(),
        Field::Name => Name::from_wire(wire).ok()?.to_string(),
        Field::Text => quoted(wire.get(1..)?),
        Field::Tag => String::from_utf8(wire.get(1..)?.to_vec()).ok()?,
        Field::Texts => strings(wire)?.into_iter().map(quoted).collect::<Vec<_>>().join(" "),
        Field::Rest => quoted(wire),
        Field::Hex | Field::Digest => hex_text(wire),
        Field::Base64 => base64_text(wire),
        Field::Salt if wire.len() == 1 => "-".to_owned(),
        Field::Salt => hex_text(wire.get(1..)?),
        Field::Hash => base32_text(wire.get(1..)?),
        Field::Types => types_of(wire).map(mnemonic).collect::<Vec<_>>().join(" "),
        Field::Eui(_) => between("-", 1),
        Field::Locator => between(":", 2),
    })
}

/// Character-strings that follow each other.
fn strings(mut wire: &[u8]) -> Option<Vec<&[u8]>> {
    let mut strings = Vec::new();
    while let [length, rest @ ..] = wire {
        let (string, after) = rest.split_at_checked(usize::from(*length))?;
        strings.push(string);
        wire = after;
    }
    Some(strings)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// That what is written reads back is tested beside the reader, for every type that it knows.
    #[test]
    fn data_are_written_as_people_know_them() {
        for (rtype, wire, text) in [
            (1, &b"\x0a\x00\x00\x01"[..], "10.0.0.1"),
            (28, b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01", "2001:db8::1"),
            (33, b"\0\x01\0\x02\0\x50\x01a\x00", "1 2 80 a."),
            (16, b"\x03a=b\x00\x03\"\\\xff", r#""a=b" "" "\"\\\255""#),
            (16, b"\x00", r#""""#),
            (15, b"\0\x0a\x02mx\x00", "10 mx."),
            (43, b"\0\x01\x0d\x02\xab\xcd", "1 13 2 ABCD"),
            (47, b"\x01b\x00\x00\x01\x40", "b. A"),
            (64, b"\0\x01\x00\0\x01\0\x03\x02h2\0\x03\0\x02\x20\xfb", r#"1 . alpn="h2" port=8443"#),
            (65, b"\0\0\x01a\x00", "0 a."),
            (65280, b"\x01\x02", r"\# 2 0102"),
            (65280, b"", r"\# 0"),
        ] {
            assert_eq!(rdata(RecordType(rtype), wire), text);
        }
    }

    #[test]
    fn data_of_another_form_are_written_all_the_same() {
        for (rtype, wire, text) in [
            (1, &b"\x0a"[..], r"\# 1 0A"),
            (1, b"\x0a\x00\x00\x01\x02", r"\# 5 0A00000102"),
            (33, b"\0\x01\0\x02\0\x50\x05a", r"\# 8 0001000200500561"),
            (16, b"\x05a", r"\# 2 0561"),
            (64, b"\0\x01\x00\0\x03\0\x09x", r"\# 8 0001000003000978"),
        ] {
            assert_eq!(rdata(RecordType(rtype), wire), text);
        }
    }
}
