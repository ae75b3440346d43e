//! Octets from and to the text forms of records: base64, base32, hexadecimal, times and sets of types.

use super::forms::record_type;
use crate::wire::RecordType;

/// Pairs of hexadecimal digits.
pub(super) fn hex(digits: impl IntoIterator<Item = u8>) -> Option<Vec<u8>> {
    let nibbles = digits.into_iter().map(|digit| char::from(digit).to_digit(16).map(|value| value as u8));
    let nibbles: Vec<u8> = nibbles.collect::<Option<_>>()?;
    let pairs = nibbles.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

/// Base64 with its padding (RFC 4648 §4). Bits that stand for nothing must be zero.
pub(super) fn base64(text: impl IntoIterator<Item = u8>) -> Option<Vec<u8>> {
    let value = |octet: u8| match octet {
        b'A'..=b'Z' => Some(octet - b'A'),
        b'a'..=b'z' => Some(octet - b'a' + 26),
        b'0'..=b'9' => Some(octet - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    };
    let text: Vec<u8> = text.into_iter().collect();
    let padding = text.iter().rev().take_while(|octet| **octet == b'=').count();
    if padding > 2 || !text.len().is_multiple_of(4) {
        return None;
    }
    digits(&text[..text.len() - padding], 6, value)
}

/// Base32 with the extended hexadecimal alphabet, without padding, in any case (RFC 4648 §7, RFC 5155 §3.3).
pub(super) fn base32(text: &[u8]) -> Option<Vec<u8>> {
    let value = |octet: u8| match octet.to_ascii_uppercase() {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        letter @ b'A'..=b'V' => Some(letter - b'A' + 10),
        _ => None,
    };
    digits(text, 5, value)
}

/// Octets out of digits of so many bits; what is left over is less than a digit, and zero.
fn digits(text: &[u8], bits: u32, value: impl Fn(u8) -> Option<u8>) -> Option<Vec<u8>> {
    let (mut octets, mut held, mut holds) = (Vec::with_capacity(text.len()), 0_u32, 0);
    for octet in text {
        held = held << bits | u32::from(value(*octet)?);
        holds += bits;
        if holds >= 8 {
            holds -= 8;
            octets.push((held >> holds) as u8);
            held &= (1 << holds) - 1;
        }
    }
    (holds < bits && held == 0).then_some(octets)
}

/// A time as `YYYYMMDDHHmmSS` in UTC or as seconds since 1970, modulo 2^32 (RFC 4034 §3.2).
pub(super) fn time(text: &str) -> Option<u32> {
    if !text.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    if text.len() != 14 {
        return text.parse().ok();
    }
    let part = |from: usize, to: usize| text[from..to].parse::<u64>().ok();
    let (year, month, day) = (part(0, 4)?, part(4, 6)?, part(6, 8)?);
    let (hour, minute, second) = (part(8, 10)?, part(10, 12)?, part(12, 14)?);
    let is_leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let february = if is_leap(year) { 29 } else { 28 };
    let months = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let length = usize::try_from(month).ok()?.checked_sub(1).and_then(|at| months.get(at))?;
    if year < 1970 || day == 0 || day > *length || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let before: u64 = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum();
    let days = before + months[..month as usize - 1].iter().sum::<u64>() + day - 1;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second) as u32)
}

/// Windows of bits for types (RFC 4034 §4.1.2); `None` when a word is no type.
pub(super) fn types<'a>(words: impl IntoIterator<Item = &'a str>) -> Option<Vec<u8>> {
    let mut types: Vec<RecordType> = words.into_iter().map(record_type).collect::<Option<_>>()?;
    types.sort_unstable();
    let mut wire = Vec::new();
    for window in types.chunk_by(|one, next| one.0 >> 8 == next.0 >> 8) {
        let mut bits = [0_u8; 32];
        for rtype in window {
            bits[usize::from(rtype.0 as u8) / 8] |= 0x80 >> (rtype.0 % 8);
        }
        let length = bits.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1);
        wire.extend([(window[0].0 >> 8) as u8, length as u8]);
        wire.extend_from_slice(&bits[..length]);
    }
    Some(wire)
}

/// Whether octets are windows of bits in order, none empty (RFC 4034 §4.1.2).
pub(super) fn are_types(mut wire: &[u8]) -> bool {
    let mut last = None;
    while let [window, length @ 1..=32, rest @ ..] = wire {
        let ordered = last.is_none_or(|last| last < *window);
        let Some((bits, after)) = rest.split_at_checked(usize::from(*length)) else { return false };
        if !ordered || bits.ends_with(&[0]) {
            return false;
        }
        last = Some(*window);
        wire = after;
    }
    wire.is_empty()
}

/// Octets as pairs of hexadecimal digits.
pub(super) fn hex_text(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

/// The text of [`base64`].
pub(super) fn base64_text(octets: &[u8]) -> String {
    let mut text = digits_text(octets, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    text.extend(std::iter::repeat_n('=', text.len().next_multiple_of(4) - text.len()));
    text
}

/// The text of [`base32`].
pub(super) fn base32_text(octets: &[u8]) -> String {
    digits_text(octets, 5, b"0123456789ABCDEFGHIJKLMNOPQRSTUV")
}

/// Digits of so many bits for octets; the last is filled up with zeros.
fn digits_text(octets: &[u8], bits: u32, alphabet: &[u8]) -> String {
    let digit = |value: u32| char::from(alphabet[(value & ((1 << bits) - 1)) as usize]);
    let (mut text, mut held, mut holds) = (String::new(), 0_u32, 0);
    for octet in octets {
        held = (held << 8 | u32::from(*octet)) & 0xffff;
        holds += 8;
        while holds >= bits {
            holds -= bits;
            text.push(digit(held >> holds));
        }
    }
    if holds > 0 {
        text.push(digit(held << (bits - holds)));
    }
    text
}

/// The text of [`time`] that is a date.
pub(super) fn time_text(seconds: u32) -> String {
    let at = jiff::Timestamp::UNIX_EPOCH.saturating_add(jiff::SignedDuration::from_secs(seconds.into()));
    at.map_or_else(|_| seconds.to_string(), |at| at.strftime("%Y%m%d%H%M%S").to_string())
}

/// The types of windows of bits, in order.
pub(super) fn types_of(mut wire: &[u8]) -> impl Iterator<Item = RecordType> {
    let mut types = Vec::new();
    while let [window, length, rest @ ..] = wire
        && let Some((bits, after)) = rest.split_at_checked(usize::from(*length))
    {
        let set = |bit: &u16| bits.get(usize::from(bit / 8)).is_some_and(|octet| octet & (0x80 >> (bit % 8)) != 0);
        types.extend((0..256).filter(set).map(|bit| RecordType(u16::from(*window) << 8 | bit)));
        wire = after;
    }
    types.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_octets() {
        for (text, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYg==", Some("foob")),
        ] {
            assert_eq!(base64(text.bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
        }
        for text in ["Z", "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "Zg==Zg==", "Zm-v", "====", "Zm 9v"] {
            assert_eq!(base64(text.bytes()), None, "{text}");
        }
        for (text, expected) in [("", Some("")), ("CO", Some("f")), ("cpnmu", Some("foo")), ("CPNMUOJ1", Some("fooba"))]
        {
            assert_eq!(base32(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
        }
        for text in ["C", "CP", "CPNMUW", "CPN"] {
            assert_eq!(base32(text.as_bytes()), None, "{text}");
        }
        assert_eq!(hex(*b"0aF9"), Some(vec![0x0a, 0xf9]));
        assert_eq!((hex(*b"0aF"), hex(*b"xy"), hex(*b"")), (None, None, Some(vec![])));
    }

    #[test]
    fn times_are_dates_or_seconds() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4294967295", Some(u32::MAX)),
            ("4294967296", None),
            ("19700101000000", Some(0)),
            ("20040229123456", Some(1_078_058_096)),
            ("20000301000000", Some(951_868_800)),
            ("21060207062816", Some(0)),
            ("20030229000000", None),
            ("20031301000000", None),
            ("20030001000000", None),
            ("20030100000000", None),
            ("20030101240000", None),
            ("19691231235959", None),
            ("2003010100000", None),
            ("-1", None),
            ("", None),
        ] {
            assert_eq!(time(text), expected, "{text}");
        }
    }

    #[test]
    fn types_are_windows_of_bits() {
        // RFC 4034 §4.3
        let expected =
            b"\x00\x06\x40\x01\x00\x00\x00\x03\x04\x1b\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x20";
        assert_eq!(types(["A", "MX", "RRSIG", "NSEC", "TYPE1234"]).as_deref(), Some(&expected[..]));
        assert_eq!(types(["TYPE1234", "MX", "nsec", "A", "RRSIG", "A"]).as_deref(), Some(&expected[..]));
        assert_eq!((types([]), types(["BOGUS"])), (Some(vec![]), None));
        assert!(are_types(expected) && are_types(b""));
        for wrong in
            [&b"\x00"[..], b"\x00\x00", b"\x00\x02\x40", b"\x00\x02\x40\x00", b"\x01\x01\x40\x00\x01\x40", &[0; 40]]
        {
            assert!(!are_types(wrong), "{wrong:?}");
        }
    }
}
