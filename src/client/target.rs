//! The request target of a call: path segments and query parameters, percent-encoded.
//!
//! Whatever a person types as a name stays one segment or one value; it can never reach another resource.

use std::fmt::{self, Write};

/// A path below `/v1`, with its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    text: String,
    has_query: bool,
}

impl Target {
    /// `/v1/` and the segments, each encoded.
    pub(crate) fn v1(segments: &[&str]) -> Self {
        let mut text = String::from("/v1");
        for segment in segments {
            text.push('/');
            encode(segment, &mut text);
        }
        Self { text, has_query: false }
    }

    /// `/` and the one segment: what has no version.
    pub(crate) fn root(segment: &str) -> Self {
        let mut text = String::from("/");
        encode(segment, &mut text);
        Self { text, has_query: false }
    }

    /// With one more query parameter.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.text.push(if self.has_query { '&' } else { '?' });
        self.has_query = true;
        encode(name, &mut self.text);
        self.text.push('=');
        encode(value, &mut self.text);
        self
    }

    /// With one parameter of that name for each value, in order.
    pub(crate) fn with_each(self, name: &str, values: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        values.into_iter().fold(self, |target, value| target.with(name, value.as_ref()))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Appends `text` with all octets encoded that RFC 3986 §2.3 does not call unreserved.
fn encode(text: &str, into: &mut String) {
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => into.push(char::from(octet)),
            other => write!(into, "%{other:02X}").expect("a String takes any text"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_encoded() {
        for (segment, encoded) in [
            ("web", "/v1/web"),
            ("a-b_c.d~e", "/v1/a-b_c.d~e"),
            ("a/../b", "/v1/a%2F..%2Fb"),
            ("a?b#c%d", "/v1/a%3Fb%23c%25d"),
            ("a b+c&d=e", "/v1/a%20b%2Bc%26d%3De"),
            ("ü€", "/v1/%C3%BC%E2%82%AC"),
            ("\r\n\0", "/v1/%0D%0A%00"),
        ] {
            assert_eq!(Target::v1(&[segment]).to_string(), encoded);
        }
    }

    #[test]
    fn what_has_no_version() {
        assert_eq!(Target::root("metrics").to_string(), "/metrics");
    }

    #[test]
    fn parameters_keep_their_order() {
        let target = Target::v1(&["services", "web"])
            .with("version", "1+2")
            .with_each("tag", ["a&b", "c"])
            .with_each("meta.te=am", Some("x y"));
        assert_eq!(target.to_string(), "/v1/services/web?version=1%2B2&tag=a%26b&tag=c&meta.te%3Dam=x%20y");
    }
}
