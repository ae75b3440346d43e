//! Names in presentation format (RFC 1035 §5.1): read with all escapes, and written so that they are read again.

use std::fmt;

use super::{MAX_LABEL, Name, NameError};

impl Name {
    /// Reads a name in presentation format (RFC 1035 §5.1) as absolute, whether or not it ends in a dot.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        Self::parse_below(text, Some(&Self::root()))
    }

    /// Reads a name in presentation format, whose octets need not be UTF-8; one that does not end in a dot is completed
    /// by `origin`, and `@` is the origin itself.
    pub fn parse_below(text: impl AsRef<[u8]>, origin: Option<&Name>) -> Result<Self, NameError> {
        let text = text.as_ref();
        match text {
            b"" => return Err(NameError::Empty),
            b"@" => return origin.cloned().ok_or(NameError::Relative),
            b"." => return Ok(Self::root()),
            _ => {}
        }
        let mut wire = vec![0];
        let mut label_at = 0;
        let mut octets = text.iter().copied();
        let mut absolute = false;
        while let Some(octet) = octets.next() {
            let octet = match octet {
                b'.' => {
                    close_label(&mut wire, label_at)?;
                    absolute = octets.len() == 0;
                    label_at = wire.len();
                    wire.push(0);
                    continue;
                }
                b'\\' => unescape(&mut octets)?,
                plain => plain,
            };
            wire.push(octet);
        }
        if absolute {
            return Self::from_vec(wire);
        }
        close_label(&mut wire, label_at)?;
        wire.extend_from_slice(&origin.ok_or(NameError::Relative)?.0);
        Self::from_vec(wire)
    }
}

fn close_label(wire: &mut [u8], label_at: usize) -> Result<(), NameError> {
    match wire.len() - label_at - 1 {
        0 => Err(NameError::EmptyLabel),
        length if length > MAX_LABEL => Err(NameError::LabelTooLong),
        length => {
            wire[label_at] = length as u8;
            Ok(())
        }
    }
}

fn unescape(octets: &mut impl Iterator<Item = u8>) -> Result<u8, NameError> {
    let first = octets.next().ok_or(NameError::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u16::from(first - b'0');
    for _ in 0..2 {
        let digit = octets.next().filter(u8::is_ascii_digit).ok_or(NameError::BadEscape)?;
        value = value * 10 + u16::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| NameError::BadEscape)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &octet in label {
                match octet {
                    b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => write!(f, "\\{}", octet as char)?,
                    0x21..=0x7e => write!(f, "{}", octet as char)?,
                    _ => write!(f, "\\{octet:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::super::MAX_NAME;
    use super::*;

    #[test]
    fn presentation_format_goes_both_ways() {
        for (text, shown) in [
            ("web.svc.local", "web.svc.local."),
            ("web.svc.local.", "web.svc.local."),
            (".", "."),
            (r"a\.b.example", r"a\.b.example."),
            (r"a\032b.example", r"a\032b.example."),
            (r"\065.example", "A.example."),
            ("_sip._tcp.example.", "_sip._tcp.example."),
        ] {
            assert_eq!(Name::parse(text).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn bad_names_are_refused() {
        let long_label = "a".repeat(64);
        let long_name = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(62)].join(".");
        for (text, error) in [
            ("", NameError::Empty),
            ("..", NameError::EmptyLabel),
            (".a", NameError::EmptyLabel),
            ("a..b", NameError::EmptyLabel),
            (long_label.as_str(), NameError::LabelTooLong),
            (long_name.as_str(), NameError::TooLong),
            (r"a\", NameError::BadEscape),
            (r"a\25", NameError::BadEscape),
            (r"a\256", NameError::BadEscape),
        ] {
            assert_eq!(Name::parse(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(Name::parse_below("web", None).unwrap_err(), NameError::Relative);
        let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
        assert_eq!(Name::parse(&longest).unwrap().wire().len(), MAX_NAME);
    }
}
