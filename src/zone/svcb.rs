//! The data of SVCB and HTTPS records (RFC 9460): a priority, a target and parameters, each in a form of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::encodings::{base64, base64_text};
use super::fields::{decimal, unescaped, with_length};
use super::presentation::quoted;
use super::rdata::RdataError;
use super::scan::Token;
use crate::wire::Name;

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;
const DOH_PATH: u16 = 7;
const OHTTP: u16 = 8;
/// The key that is none (RFC 9460 §14.3.2).
const INVALID: u32 = 65_535;

/// Keys by name (RFC 9460 §14.3.2, RFC 9461 §5, RFC 9540 §4).
const KEYS: [(&str, u16); 9] = [
    ("mandatory", MANDATORY),
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", PORT),
    ("ipv4hint", IPV4_HINT),
    ("ech", ECH),
    ("ipv6hint", IPV6_HINT),
    ("dohpath", DOH_PATH),
    ("ohttp", OHTTP),
];

/// A key, shown as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterKey(pub u16);

impl fmt::Display for ParameterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match KEYS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "key{}", self.0),
        }
    }
}

/// What is wrong with a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterError {
    #[error("stands twice")]
    Twice,
    #[error("is listed as mandatory and is not there")]
    NotThere,
    #[error("needs a value of another form")]
    Value,
    #[error("needs alpn beside it")]
    NoAlpn,
}

/// Reads the data; the target is completed by `origin`.
pub(super) fn read(tokens: &[Token<'_>], origin: &Name) -> Result<Vec<u8>, RdataError> {
    let [priority, target, parameters @ ..] = tokens else { return Err(RdataError::Missing) };
    if priority.quoted || target.quoted {
        return Err(RdataError::Quoted);
    }
    let max = u32::from(u16::MAX);
    let priority = decimal(priority.word(), max).ok_or(RdataError::Number(max))? as u16;
    let mut wire = priority.to_be_bytes().to_vec();
    wire.extend(Name::parse_below(target.text, Some(origin))?.wire());
    // In the order of their keys, each once (RFC 9460 §2.2).
    for (key, value) in checked(values(parameters)?)? {
        let length = u16::try_from(value.len()).map_err(|_| RdataError::TooLong)?;
        wire.extend_from_slice(&key.to_be_bytes());
        wire.extend_from_slice(&length.to_be_bytes());
        wire.extend_from_slice(&value);
    }
    Ok(wire)
}

type Values = BTreeMap<u16, Vec<u8>>;

fn values(mut tokens: &[Token<'_>]) -> Result<Values, RdataError> {
    let mut values = Values::new();
    while let [token, rest @ ..] = tokens {
        if token.quoted {
            return Err(RdataError::Quoted);
        }
        let equals = token.text.iter().position(|octet| *octet == b'=');
        let (name, text) = equals.map_or((token.text, None), |at| (&token.text[..at], Some(&token.text[at + 1..])));
        // A value between quotes is a token of its own, without a space before it.
        let (text, rest) = match (text, rest) {
            (Some(b""), [quoted, rest @ ..]) if quoted.quoted && quoted.joined => (Some(quoted.text), rest),
            _ => (text, rest),
        };
        let (key, is_named) = key(name)?;
        let value = text.map(unescaped).transpose()?;
        let value = if is_named { encoded(key, value)? } else { value.unwrap_or_default() };
        if values.insert(key, value).is_some() {
            return Err(RdataError::Parameter(ParameterKey(key), ParameterError::Twice));
        }
        tokens = rest;
    }
    Ok(values)
}

/// A key, and whether it stands by its name rather than as `keyNNNNN`.
fn key(text: &[u8]) -> Result<(u16, bool), RdataError> {
    if let Some((_, key)) = KEYS.iter().find(|(name, _)| name.as_bytes() == text) {
        return Ok((*key, true));
    }
    let number = text.strip_prefix(b"key").and_then(|digits| std::str::from_utf8(digits).ok());
    let plain = number.filter(|digits| !digits.starts_with('0') || *digits == "0");
    let number = plain.and_then(|digits| decimal(digits, INVALID - 1));
    number.map(|key| (key as u16, false)).ok_or(RdataError::ParameterKey)
}

/// The value of a key in the form that the key has (RFC 9460 §7, §8).
fn encoded(key: u16, value: Option<Vec<u8>>) -> Result<Vec<u8>, RdataError> {
    let wrong = RdataError::Parameter(ParameterKey(key), ParameterError::Value);
    let text = || value.as_deref().and_then(|value| std::str::from_utf8(value).ok()).filter(|text| !text.is_empty());
    let parts = || text().ok_or(wrong).map(|text| text.split(','));
    let mut wire = Vec::new();
    match key {
        NO_DEFAULT_ALPN | OHTTP => return if value.is_none() { Ok(wire) } else { Err(wrong) },
        MANDATORY => {
            let mut keys: Vec<u16> =
                parts()?.map(|name| Ok(self::key(name.as_bytes())?.0)).collect::<Result<_, RdataError>>()?;
            keys.sort_unstable();
            if keys.contains(&MANDATORY) || keys.windows(2).any(|pair| pair[0] == pair[1]) {
                return Err(wrong);
            }
            wire.extend(keys.iter().flat_map(|key| key.to_be_bytes()));
        }
        ALPN => {
            for protocol in listed(value.as_deref().ok_or(wrong)?) {
                if protocol.is_empty() {
                    return Err(wrong);
                }
                with_length(&protocol, wrong, &mut wire)?;
            }
        }
        PORT => {
            let max = u32::from(u16::MAX);
            wire.extend((text().and_then(|text| decimal(text, max)).ok_or(wrong)? as u16).to_be_bytes());
        }
        IPV4_HINT => {
            for part in parts()? {
                wire.extend(part.parse::<Ipv4Addr>().map_err(|_| wrong)?.octets());
            }
        }
        IPV6_HINT => {
            for part in parts()? {
                wire.extend(part.parse::<Ipv6Addr>().map_err(|_| wrong)?.octets());
            }
        }
        ECH => wire = text().and_then(|text| base64(text.bytes())).ok_or(wrong)?,
        _ => wire = text().ok_or(wrong)?.as_bytes().to_vec(),
    }
    Ok(wire)
}

/// The data as text; `None` when octets are no such data.
pub(super) fn text(wire: &[u8]) -> Option<String> {
    if !is_right(wire) {
        return None;
    }
    let (priority, rest) = wire.split_first_chunk()?;
    let target = Name::from_wire(rest).ok()?;
    let mut text = format!("{} {target}", u16::from_be_bytes(*priority));
    let mut left = &rest[target.wire().len()..];
    while let [key_high, key, length_high, length, after @ ..] = left {
        let (key, length) = (u16::from_be_bytes([*key_high, *key]), u16::from_be_bytes([*length_high, *length]));
        let (value, after) = after.split_at_checked(length.into())?;
        text += &match value_text(key, value) {
            Some(value) => format!(" {}={value}", ParameterKey(key)),
            None => format!(" {}", ParameterKey(key)),
        };
        left = after;
    }
    Some(text)
}

/// The value of a key in the form that the key has; `None` for none.
fn value_text(key: u16, value: &[u8]) -> Option<String> {
    let listed = |size: usize, one: fn(&[u8]) -> String| value.chunks(size).map(one).collect::<Vec<_>>().join(",");
    match key {
        _ if value.is_empty() => None,
        MANDATORY => Some(listed(2, |key| ParameterKey(u16::from_be_bytes([key[0], key[1]])).to_string())),
        ALPN => Some(quoted(&unlisted(value))),
        PORT => Some(u16::from_be_bytes(value.try_into().ok()?).to_string()),
        IPV4_HINT => Some(listed(4, |ip| {
            <[u8; 4]>::try_from(ip).map(Ipv4Addr::from).map(|ip| ip.to_string()).unwrap_or_default()
        })),
        IPV6_HINT => Some(listed(16, |ip| {
            <[u8; 16]>::try_from(ip).map(Ipv6Addr::from).map(|ip| ip.to_string()).unwrap_or_default()
        })),
        ECH => Some(base64_text(value)),
        _ => Some(quoted(value)),
    }
}

/// Whether octets are such data, with the values of known keys in their form (RFC 9460 §2.2).
pub(super) fn is_right(wire: &[u8]) -> bool {
    let target = wire.get(2..).and_then(|rest| Name::from_wire(rest).ok());
    let Some(mut left) = target.and_then(|target| wire.get(2 + target.wire().len()..)) else { return false };
    let mut values = Values::new();
    while let [key_high, key, length_high, length, rest @ ..] = left {
        let (key, length) = (u16::from_be_bytes([*key_high, *key]), u16::from_be_bytes([*length_high, *length]));
        let in_order = values.last_key_value().is_none_or(|(last, _)| *last < key);
        let Some((value, after)) = rest.split_at_checked(length.into()) else { return false };
        if !in_order || u32::from(key) == INVALID || !is_value(key, value) {
            return false;
        }
        values.insert(key, value.to_vec());
        left = after;
    }
    left.is_empty() && checked(values).is_ok()
}

fn is_value(key: u16, value: &[u8]) -> bool {
    let of = |size: usize| !value.is_empty() && value.len().is_multiple_of(size);
    match key {
        NO_DEFAULT_ALPN | OHTTP => value.is_empty(),
        MANDATORY => of(2) && value[..2] != [0, 0] && value.chunks(2).is_sorted_by(|one, next| one < next),
        ALPN => {
            let mut left = value;
            while let [length @ 1..=u8::MAX, rest @ ..] = left
                && let Some(after) = rest.get(usize::from(*length)..)
            {
                left = after;
            }
            left.is_empty() && !value.is_empty()
        }
        PORT => value.len() == 2,
        IPV4_HINT => of(4),
        IPV6_HINT => of(16),
        _ => true,
    }
}

/// The values of a list with commas, in which a backslash takes the meaning from a comma or a backslash (RFC 9460 A.1).
fn listed(text: &[u8]) -> Vec<Vec<u8>> {
    let mut values = vec![Vec::new()];
    let mut octets = text.iter();
    while let Some(octet) = octets.next() {
        match octet {
            b',' => values.push(Vec::new()),
            octet => {
                let plain = if *octet == b'\\' { octets.next().unwrap_or(octet) } else { octet };
                values.last_mut().expect("there is one from the start").push(*plain);
            }
        }
    }
    values
}

/// The text of [`listed`] for character-strings that follow each other.
fn unlisted(mut wire: &[u8]) -> Vec<u8> {
    let mut text = Vec::new();
    while let [length, rest @ ..] = wire
        && let Some((value, after)) = rest.split_at_checked(usize::from(*length))
    {
        if !text.is_empty() {
            text.push(b',');
        }
        for octet in value {
            text.extend((*octet == b',' || *octet == b'\\').then_some(b'\\').into_iter().chain([*octet]));
        }
        wire = after;
    }
    text
}

/// The rules between parameters (RFC 9460 §7.1.1, §8).
fn checked(values: Values) -> Result<Values, RdataError> {
    if values.contains_key(&NO_DEFAULT_ALPN) && !values.contains_key(&ALPN) {
        return Err(RdataError::Parameter(ParameterKey(NO_DEFAULT_ALPN), ParameterError::NoAlpn));
    }
    let mandatory = values.get(&MANDATORY).map_or(&[][..], Vec::as_slice).chunks_exact(2);
    for key in mandatory.map(|pair| u16::from_be_bytes([pair[0], pair[1]])) {
        if !values.contains_key(&key) {
            return Err(RdataError::Parameter(ParameterKey(key), ParameterError::NotThere));
        }
    }
    Ok(values)
}
