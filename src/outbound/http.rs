//! The question of an `http` check: one request on one fresh connection, of whose answer only the head is read.
//!
//! Nothing is followed, kept or decoded. The stream that it is asked on ends after a number of octets, interim answers
//! included, so a target that never ends costs no more than one that never begins.

use std::io;

use bytes::Bytes;
use http_body_util::Empty;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, Failure, Fault};
use crate::model::Method;

/// Octets of the head of an answer that hyper may hold at once.
const HEAD: usize = 16 * 1024;
/// Fields of the head of an answer.
const FIELDS: usize = 100;

/// Sends the request of a check and gives the status of the answer. `authority` is what the `Host` field says when
/// `headers` do not. The caller limits the time, and what `stream` may give.
pub async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin + Send),
    authority: &str,
    path: &str,
    method: Method,
    headers: &[(String, String)],
) -> Result<StatusCode, Failure> {
    let request = request(authority, path, method, headers).ok_or(Fault::Unsendable)?;
    let io = TokioIo::new(stream);
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD).max_headers(FIELDS).handshake(io).await.map_err(fault)?;
    let answer = sender.send_request(request);
    // The connection moves only while it is polled here, so nothing of it outlives the check.
    tokio::pin!(answer, connection);
    let answer = tokio::select! {
        biased;
        answer = &mut answer => answer,
        _ = &mut connection => answer.await,
    };
    Ok(answer.map_err(fault)?.status())
}

fn request(authority: &str, path: &str, method: Method, headers: &[(String, String)]) -> Option<Request<Empty<Bytes>>> {
    let mut request = Request::builder()
        .method(method.as_str())
        .uri(encoded(path))
        .header(HOST, authority)
        .header(USER_AGENT, AGENT)
        .body(Empty::new())
        .ok()?;
    for (name, value) in headers {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        request.headers_mut().insert(name, HeaderValue::from_str(value).ok()?);
    }
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Some(request)
}

/// The path with those octets encoded that RFC 3986 §3.3 and §3.4 know only so.
fn encoded(path: &str) -> String {
    let mut encoded = String::with_capacity(path.len());
    for octet in path.chars() {
        match octet {
            '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' => encoded.push_str(&format!("%{:02X}", octet as u32)),
            other => encoded.push(other),
        }
    }
    encoded
}

fn fault(error: hyper::Error) -> Failure {
    if error.is_parse_too_large() {
        return Fault::HeadTooLarge.into();
    }
    if error.is_parse() {
        return Fault::NotHttp.into();
    }
    let cause = std::error::Error::source(&error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.map_or_else(|| Fault::Closed.into(), Failure::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_say_who_asks_whom() {
        let own = [("HOST".to_owned(), "a.example".to_owned()), ("x-probe".to_owned(), "1".to_owned())];
        for (headers, host) in [(&[][..], "[2001:db8::1]:80"), (&own[..], "a.example")] {
            let request = request("[2001:db8::1]:80", "/health?a=<b>", Method::Head, headers).unwrap();
            assert_eq!((request.method().as_str(), request.uri().to_string().as_str()), ("HEAD", "/health?a=%3Cb%3E"));
            assert_eq!(request.headers()[HOST], host);
            assert_eq!(request.headers().get_all(HOST).iter().count(), 1);
            assert_eq!(request.headers()[CONNECTION], "close");
            assert_eq!(request.headers()[USER_AGENT], AGENT);
        }
    }

    #[test]
    fn every_path_that_a_check_may_have_can_be_sent() {
        let path: String = std::iter::once('/').chain('!'..='~').filter(|&octet| octet != '#').collect();
        for path in [path.as_str(), "//a.example/", "/?", "/%"] {
            let request = request("a:1", path, Method::Get, &[]).unwrap();
            assert!(request.uri().authority().is_none(), "{path}");
        }
    }
}
