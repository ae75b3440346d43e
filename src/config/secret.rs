//! Values that are used and never shown.

use std::fmt;

/// Text that no log line or error may show.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself, for the one place that sends it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "none" } else { "hidden" })
    }
}

/// The secret that DNS cookies are made with (RFC 9018 §5), or none; never shown.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct CookieSecret(Option<[u8; 16]>);

impl CookieSecret {
    /// Reads 32 hexadecimal digits, or nothing for no secret; `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self(None));
        }
        // The number's own parser would take a sign.
        let digits = text.len() == 32 && text.bytes().all(|octet| octet.is_ascii_hexdigit());
        let number = u128::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(Some(number.to_be_bytes())))
    }

    /// The secret itself, if one is configured.
    pub fn octets(&self) -> Option<[u8; 16]> {
        self.0
    }
}

impl fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_none() { "none" } else { "hidden" })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let store = Store { password: Secret::new("hunter2".into()), ..Store::default() };
        assert!(!format!("{store:?}").contains("hunter2"));
        let secret = CookieSecret::parse("000102030405060708090a0B0c0d0e0F").unwrap();
        assert_eq!(secret.octets(), Some(std::array::from_fn(|at| at as u8)));
        assert_eq!(format!("{secret:?} {:?}", CookieSecret::default()), "hidden none");
    }
}
