//! Questions over HTTP/1.1: one request on one fresh connection.
//!
//! Nothing is followed, kept or decoded. The stream that it is asked on ends after a number of octets, interim answers
//! included, so a target that never ends costs no more than one that never begins.

use std::convert::Infallible;
use std::error::Error;
use std::io;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, Failure, Fault, Limit, Phase};
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
    let (mut sender, connection) = shake_hands(stream).await?;
    let answer = sender.send_request(request);
    tokio::pin! {
        let ended = moved(connection);
    }
    tokio::select! {
        biased;
        answer = answer => Ok(answer.map_err(fault)?.status()),
        never = &mut ended => match never {},
    }
}

/// Posts a body, which `headers` tell the type of, and gives the status of the answer. The rest of the answer is read
/// too, so that nobody is cut off while they write it, but nothing depends on how it ends. `stream` bounds its octets,
/// and `limit` the time for everything.
pub async fn post(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin + Send),
    authority: &str,
    path: &str,
    (headers, body): (HeaderMap, Bytes),
    limit: Limit,
) -> Result<StatusCode, Failure> {
    let mut request = Request::post(encoded(path))
        .header(HOST, authority)
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, HeaderValue::from_static("close"))
        .body(Full::new(body))
        .map_err(|_| Fault::Unsendable)?;
    request.headers_mut().extend(headers);
    let (mut sender, connection) = shake_hands(stream).await?;
    tokio::pin! {
        let ended = moved(connection);
    }
    let answer = async {
        tokio::select! {
            biased;
            answer = sender.send_request(request) => answer.map_err(fault),
            never = &mut ended => match never {},
        }
    };
    let answer = limit.hold(Phase::Answer, answer).await?;
    let status = answer.status();
    let rest = async {
        tokio::select! {
            biased;
            () = read_off(answer.into_body()) => Ok::<_, Failure>(()),
            never = &mut ended => match never {},
        }
    };
    limit.hold(Phase::Rest, rest).await.ok();
    Ok(status)
}

type Handshake<S, B> = (http1::SendRequest<B>, http1::Connection<TokioIo<S>, B>);

async fn shake_hands<S, B>(stream: S) -> Result<Handshake<S, B>, Failure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    B: Body<Data: Send, Error: Into<Box<dyn Error + Send + Sync>>> + 'static,
{
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD).max_headers(FIELDS);
    builder.handshake(TokioIo::new(stream)).await.map_err(fault)
}

/// Moves a connection on for as long as it is polled, so nothing of it outlives its question. What it ends with, the
/// question is told too.
async fn moved(connection: impl Future<Output = hyper::Result<()>>) -> Infallible {
    connection.await.ok();
    std::future::pending().await
}

/// Reads a body to its end, or until it breaks off.
async fn read_off(mut body: Incoming) {
    while let Some(Ok(_)) = body.frame().await {}
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
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
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
