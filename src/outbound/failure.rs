//! Why a connection or a question came to nothing, as one of a closed set, and the words in which people read it.
//!
//! They hold nothing that the other side sent except its status code: what a body or a header says is not for everyone
//! who may read the registry.

use std::fmt;
use std::io::{self, ErrorKind};

use hyper::StatusCode;

use super::grpc::{Code, ServingStatus};
use super::limit::Phase;
use super::metered::TooMuch;
use super::tls::{self, TlsFault};
use crate::model::Span;
use crate::model::reach::Refusal;

/// Why something did not come about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// By the other side's doing.
    Failed(Fault),
    /// It could not be carried out: this says nothing about the other side.
    Hindered(Hindrance),
}

/// What the other side did or left undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A status that was not expected.
    Status(StatusCode),
    ConnectionRefused,
    ConnectionReset,
    Unreachable,
    /// The connection was closed before there was a whole head of an answer.
    Closed,
    NotHttp,
    NotHttp2,
    NotGrpc,
    /// The target ended the call, or the whole connection, with an error of HTTP/2 (RFC 9113 §7).
    Http2(h2::Reason),
    /// The call did not succeed.
    Grpc(Code),
    /// The call succeeded, and the answer is not that the service is serving.
    NotServing(ServingStatus),
    Tls(TlsFault),
    /// The head of the answer is longer, or has more fields, than is read.
    HeadTooLarge,
    TooMuch,
    /// The host name has no address.
    Unresolved,
    TimedOut {
        phase: Phase,
        within: Span,
    },
    /// srvd does not connect to such addresses.
    Forbidden(Refusal),
    /// The request cannot be put into HTTP.
    Unsendable,
    Io(ErrorKind),
}

/// What kept srvd from carrying something out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hindrance {
    /// No descriptors, ports or memory are left for a socket.
    NoSocket,
    /// The process did not run for a while.
    StoodStill,
    /// Too many other names are being looked up.
    ResolverBusy,
    /// Cryptography is not available.
    NoTls,
}

/// Descriptors used up, in the system and in the process; alike on Linux, the BSDs and macOS (errno.h).
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;

impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        if error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()) {
            return Fault::TooMuch.into();
        }
        if let Some(error) = error.get_ref().and_then(|inner| inner.downcast_ref()) {
            return Fault::Tls(tls::fault(error)).into();
        }
        if matches!(error.raw_os_error(), Some(ENFILE | EMFILE)) {
            return Hindrance::NoSocket.into();
        }
        match error.kind() {
            ErrorKind::AddrNotAvailable | ErrorKind::OutOfMemory => Hindrance::NoSocket.into(),
            ErrorKind::ConnectionRefused => Fault::ConnectionRefused.into(),
            ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe => {
                Fault::ConnectionReset.into()
            }
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Fault::Unreachable.into(),
            ErrorKind::UnexpectedEof => Fault::Closed.into(),
            other => Fault::Io(other).into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Hindrance> for Failure {
    fn from(hindrance: Hindrance) -> Self {
        Self::Hindered(hindrance)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(fault) => fault.fmt(f),
            Self::Hindered(hindrance) => hindrance.fmt(f),
        }
    }
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSocket => "srvd has no socket left",
            Self::StoodStill => "srvd stood still",
            Self::NoTls => "srvd has no TLS",
            Self::ResolverBusy => "too many names are being looked up",
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => show_status(*status, f),
            Self::ConnectionRefused => f.write_str("connection refused"),
            Self::ConnectionReset => f.write_str("connection reset"),
            Self::Unreachable => f.write_str("no route to the address"),
            Self::Closed => f.write_str("connection closed without an answer"),
            Self::NotHttp => f.write_str("the answer is not HTTP/1"),
            Self::NotHttp2 => f.write_str("the answer is not HTTP/2"),
            Self::NotGrpc => f.write_str("the answer is not gRPC"),
            Self::Http2(reason) => write!(f, "HTTP/2 error: {}", reason.description()),
            Self::Grpc(code) => code.fmt(f),
            Self::NotServing(serving) => f.write_str(serving.as_str()),
            Self::Tls(fault) => fault.fmt(f),
            Self::HeadTooLarge => f.write_str("the head of the answer is too large"),
            Self::TooMuch => f.write_str("the answer is too long"),
            Self::Unresolved => f.write_str("the host name has no address"),
            Self::TimedOut { phase, within } => write!(f, "{} within {within}", unfinished(*phase)),
            Self::Forbidden(refusal) => refusal.fmt(f),
            Self::Unsendable => f.write_str("the request cannot be put into HTTP"),
            Self::Io(kind) => kind.fmt(f),
        }
    }
}

/// What is not done when a phase has run out of time.
fn unfinished(phase: Phase) -> &'static str {
    match phase {
        Phase::Resolve => "the host name was not resolved",
        Phase::Connect => "no connection",
        Phase::Tls => "the TLS handshake did not end",
        Phase::Request => "the request was not taken",
        Phase::Answer => "no answer",
        Phase::Rest => "the answer did not end",
    }
}

/// The code with its registered phrase, never with what the other side wrote there.
pub fn show_status(status: StatusCode, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match status.canonical_reason() {
        Some(phrase) => write!(f, "{} {phrase}", status.as_u16()),
        None => write!(f, "{}", status.as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_is_told_in_words() {
        for (error, line) in [
            (ErrorKind::ConnectionRefused.into(), "connection refused"),
            (ErrorKind::ConnectionReset.into(), "connection reset"),
            (ErrorKind::HostUnreachable.into(), "no route to the address"),
            (ErrorKind::UnexpectedEof.into(), "connection closed without an answer"),
            (ErrorKind::PermissionDenied.into(), "permission denied"),
            (ErrorKind::AddrNotAvailable.into(), "srvd has no socket left"),
            (io::Error::from_raw_os_error(EMFILE), "srvd has no socket left"),
            (io::Error::other(TooMuch), "the answer is too long"),
        ] {
            let failure = Failure::from(&error);
            let failed = !line.starts_with("srvd");
            assert_eq!(matches!(failure, Failure::Failed(_)), failed, "{line}");
            assert_eq!(failure.to_string(), line);
        }
    }
}
