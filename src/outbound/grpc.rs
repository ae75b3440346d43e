//! The question of a `grpc` check: `grpc.health.v1.Health/Check` over HTTP/2 in clear text, with prior knowledge.
//!
//! One call on one fresh connection, as the gRPC protocol over HTTP/2 puts it: a request of one message, and an answer of
//! one message and trailers, or of trailers alone. The text that a target may send with its status is not looked at.

mod message;

use std::fmt;

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use hyper::header::{CONTENT_TYPE, HeaderMap, TE, USER_AGENT};
use hyper::{Method, Request, StatusCode};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, Failure, Fault};
use crate::model::Span;
pub use message::ServingStatus;

const PATH: &str = "/grpc.health.v1.Health/Check";
/// Octets of all header fields of an answer.
const FIELDS: u32 = 16 * 1024;

/// A status of gRPC other than OK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code(u8);

/// The names of the codes, in their order from 0.
const CODES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
const NOT_FOUND: u8 = 5;
const UNIMPLEMENTED: u8 = 12;

/// Asks how `service` is; whatever is not SERVING is a fault. `authority` is what `:authority` says, `within` what the
/// target is told about the time it has. The caller limits the time, and what `stream` may give.
pub async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    authority: &str,
    service: &str,
    within: Span,
) -> Result<(), Failure> {
    let request = request(authority, within).ok_or(Fault::Unsendable)?;
    let handshake = Builder::new().enable_push(false).max_header_list_size(FIELDS).handshake(stream).await;
    let (sender, connection) = handshake.map_err(fault)?;
    let answer = call(sender, request, message::request(service));
    // The connection moves only while it is polled here, so nothing of it outlives the check.
    tokio::pin!(answer, connection);
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        ended = &mut connection => match ended {
            Ok(()) => answer.await,
            Err(error) => Err(fault(error)),
        },
    }
}

fn request(authority: &str, within: Span) -> Option<Request<()>> {
    Request::builder()
        .method(Method::POST)
        .uri(format!("http://{authority}{PATH}"))
        .header(CONTENT_TYPE, "application/grpc")
        .header(TE, "trailers")
        .header(USER_AGENT, AGENT)
        .header("grpc-timeout", format!("{}m", within.as_millis()))
        .body(())
        .ok()
}

async fn call(sender: SendRequest<Bytes>, request: Request<()>, message: Bytes) -> Result<(), Failure> {
    let (answer, mut body) = sender.ready().await.map_err(fault)?.send_request(request, false).map_err(fault)?;
    body.send_data(message, true).map_err(fault)?;
    let (head, mut body) = answer.await.map_err(fault)?.into_parts();
    if head.status != StatusCode::OK {
        return Err(Fault::Status(head.status).into());
    }
    let kind = head.headers.get(CONTENT_TYPE).map_or(&b""[..], |kind| kind.as_bytes());
    if !kind.starts_with(b"application/grpc") {
        return Err(Fault::NotGrpc.into());
    }
    let mut answer = Vec::new();
    while let Some(part) = body.data().await {
        let part = part.map_err(fault)?;
        if answer.len() + part.len() > message::MOST {
            return Err(Fault::TooMuch.into());
        }
        answer.extend_from_slice(&part);
    }
    let trailers = body.trailers().await.map_err(fault)?;
    // An answer of trailers alone comes as a head without a body.
    match code(trailers.as_ref().unwrap_or(&head.headers)).ok_or(Fault::NotGrpc)? {
        Code(0) => {}
        code => return Err(Fault::Grpc(code).into()),
    }
    match message::answer(&answer).ok_or(Fault::NotGrpc)? {
        ServingStatus::Serving => Ok(()),
        other => Err(Fault::NotServing(other).into()),
    }
}

fn code(fields: &HeaderMap) -> Option<Code> {
    let code = fields.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    (usize::from(code) < CODES.len()).then_some(Code(code))
}

fn fault(error: h2::Error) -> Failure {
    if let Some(error) = error.get_io() {
        return error.into();
    }
    match error.reason() {
        Some(reason) if error.is_remote() => Fault::Http2(reason).into(),
        _ => Fault::NotHttp2.into(),
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.0 {
            NOT_FOUND => " (the target does not know the service)",
            UNIMPLEMENTED => " (the target has no grpc.health.v1.Health)",
            _ => "",
        };
        write!(f, "gRPC status {}{what}", CODES[usize::from(self.0)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_and_named() {
        for (text, line) in [
            ("0", Some("gRPC status OK")),
            ("5", Some("gRPC status NOT_FOUND (the target does not know the service)")),
            ("12", Some("gRPC status UNIMPLEMENTED (the target has no grpc.health.v1.Health)")),
            ("16", Some("gRPC status UNAUTHENTICATED")),
            ("17", None),
            ("-1", None),
            ("", None),
        ] {
            let fields = HeaderMap::from_iter([("grpc-status".parse().unwrap(), text.parse().unwrap())]);
            assert_eq!(code(&fields).map(|code| code.to_string()).as_deref(), line, "{text}");
        }
        assert_eq!(code(&HeaderMap::new()), None);
    }

    #[test]
    fn requests_say_who_asks_whom() {
        let request = request("[2001:db8::1]:80", Span::from_secs(300)).unwrap();
        assert_eq!(request.uri(), "http://[2001:db8::1]:80/grpc.health.v1.Health/Check");
        assert_eq!(
            (&request.headers()["grpc-timeout"], &request.headers()[TE]),
            (&"300000m".parse().unwrap(), &"trailers".parse().unwrap())
        );
    }
}
