//! What is wrong with a value that a client sent, and where.

use std::fmt;

/// Characters of a member's name that an error repeats.
const SHOWN: usize = 80;

/// A refused value: the path of the member and the reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Path of the member from the body's root, such as `checks[0].interval`; empty for the body itself.
    pub field: String,
    pub reason: Reason,
}

/// Why a value is refused, as facts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    #[error("is required")]
    Missing,
    #[error("is not known here{}", nearest.map(|name| format!("; is `{name}` meant?")).unwrap_or_default())]
    Unknown { nearest: Option<&'static str> },
    #[error("must be {expected}")]
    Type { expected: &'static str },
    #[error("must be {min} to {max}")]
    Range { min: u64, max: u64 },
    #[error("must be {min} to {max} octets long")]
    Length { min: usize, max: usize },
    #[error("has more than {max} entries")]
    TooMany { max: usize },
    #[error("must be one of {}", choices.join(", "))]
    Choice { choices: &'static [&'static str] },
    #[error("must be a DNS label: letters, digits, and hyphens inside")]
    Label,
    #[error("must be a port name (RFC 6335): letters, digits and single hyphens inside, at least one letter")]
    PortName,
    #[error("must be an IP address or a host name")]
    Address,
    #[error("must be an IP address")]
    IpAddress,
    #[error("is the unspecified address; give the one that clients reach")]
    Unspecified,
    #[error("is a multicast address")]
    Multicast,
    #[error("stands beside `{other}`; give one of the two")]
    Both { other: &'static str },
    #[error("must be a domain name: labels of 1 to 63 octets, 255 octets in all")]
    DomainName,
    #[error("must be a record type such as A, SRV or TYPE65")]
    RecordType,
    #[error("must be a span such as 30s, 500ms or 10m")]
    Span,
    #[error("must be {min} to {max}")]
    SpanRange { min: super::Span, max: super::Span },
    #[error("must be printable ASCII")]
    Printable,
    #[error("must be printable ASCII without `=`")]
    MetadataKey,
    #[error("must be a string, number, boolean, or a list of these")]
    MetadataValue,
    #[error("takes {octets} octets as text with its key; a TXT string holds {max}")]
    MetadataLength { octets: usize, max: usize },
    #[error("must be a URI scheme: a letter, then letters, digits, `+`, `-` and `.`")]
    Scheme,
    #[error("must begin with `/` and hold printable ASCII without spaces")]
    Path,
    #[error("must be an http or https URL with a host, without credentials and fragment")]
    Callback,
    #[error("is not a header that can be sent")]
    Header,
    #[error("must be a status such as 200, a range such as \"200-299\", or a list of these")]
    Statuses,
    #[error("cannot be chosen here; {instead}")]
    Elsewhere { instead: &'static str },
    #[error("is given more than once")]
    Repeated,
    #[error("does not agree with the path, which says `{path}`")]
    Disagrees { path: String },
    #[error("makes a DNS name of {octets} octets; 255 are allowed")]
    DerivedName { octets: usize },
}

impl Invalid {
    /// A fault of the member `field`, of which a long name is shown in part.
    pub fn at(field: impl AsRef<str>, reason: Reason) -> Self {
        let mut field: String = field.as_ref().to_owned();
        if let Some((cut, _)) = field.char_indices().nth(SHOWN).filter(|_| field.len() > SHOWN) {
            field.truncate(cut);
            field.push('…');
        }
        Self { field, reason }
    }

    /// The same fault, seen from the object that holds the value as `member`.
    #[must_use]
    pub fn under(mut self, member: &str) -> Self {
        self.field = match self.field.as_str() {
            "" => member.to_owned(),
            inner if inner.starts_with('[') => format!("{member}{inner}"),
            inner => format!("{member}.{inner}"),
        };
        self
    }
}

impl From<Reason> for Invalid {
    fn from(reason: Reason) -> Self {
        Self { field: String::new(), reason }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.field.is_empty() {
            write!(f, "the body {}", self.reason)
        } else {
            write!(f, "`{}` {}", self.field, self.reason)
        }
    }
}

impl std::error::Error for Invalid {}
