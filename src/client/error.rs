//! Why something could not be done, and what a server says when it refuses.

use std::fmt;
use std::io;

use hyper::StatusCode;
use serde_json::Value;

use super::{ServerUrl, TransportError, dns};
use crate::model::Reason;

/// Why a call to the servers came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// None of them gave a reply; one failure for each that was asked.
    #[error("no server answers: {}", each(.0))]
    Away(Vec<TransportError>),
    /// None answered a moment ago, and it is too early to ask again.
    #[error("{subject}: no server answered a moment ago")]
    AwayLately { subject: String },
    #[error("{subject}: {problem}")]
    Refused { subject: String, problem: Problem },
    /// A reply that srvd does not make: it is from something else, or much newer.
    #[error("{subject}: the reply is not one of srvd's")]
    Unreadable { subject: String },
    #[error("{name:?} is no name of a service: {reason}")]
    Service { name: String, reason: Reason },
    #[error(
        "the own address towards {server} cannot be found out: {source}; name one, or take the one that the server sees"
    )]
    OwnAddress { server: ServerUrl, source: io::Error },
    #[error("{subject}: {source}")]
    Dns { subject: String, source: dns::DnsError },
}

impl Error {
    /// Whether it goes by, as while a server is started anew.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Away(_) | Self::AwayLately { .. } | Self::Dns { .. } | Self::OwnAddress { .. } => true,
            Self::Refused { problem, .. } => problem.is_passing(),
            Self::Unreadable { .. } | Self::Service { .. } => false,
        }
    }
}

fn each(failures: &[TransportError]) -> String {
    failures.iter().map(TransportError::to_string).collect::<Vec<_>>().join("; ")
}

/// A refusal: the problem document of a reply (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub status: u16,
    pub title: Option<String>,
    pub detail: Option<String>,
    /// The path of the member or parameter that is wrong.
    pub field: Option<String>,
}

impl Problem {
    /// Reads the body of a reply. One that is no problem document, as a proxy's, leaves what its status says.
    pub(crate) fn read(status: StatusCode, body: &[u8]) -> Self {
        let document: Value = serde_json::from_slice(body).unwrap_or_default();
        let member = |name: &str| document[name].as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        Self { status: status.as_u16(), title: member("title"), detail: member("detail"), field: member("field") }
    }

    /// Whether it is for the time being that the server does not do it.
    pub fn is_passing(&self) -> bool {
        matches!(self.status, 502..=504)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(field) = &self.field {
            write!(f, "{field}: ")?;
        }
        match self.detail.as_ref().or(self.title.as_ref()) {
            Some(words) => f.write_str(words),
            None => write!(f, "the server answered {} without saying why", self.status),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_in_words() {
        for (body, words) in [
            (r#"{"title":"t","detail":"must be 0 to 65535","field":"weight"}"#, "weight: must be 0 to 65535"),
            (r#"{"title":"Conflict","field":null}"#, "Conflict"),
            (r#"{"detail":7}"#, "the server answered 409 without saying why"),
            ("<html>", "the server answered 409 without saying why"),
        ] {
            assert_eq!(Problem::read(StatusCode::CONFLICT, body.as_bytes()).to_string(), words, "{body}");
        }
    }
}
