//! The HTTP client: one call, one reply, every wait and every size bounded.
//!
//! It blocks its caller; the asynchronous machinery lives for the length of one call. Redirects are not followed and no
//! proxy is used. It knows nothing of what the replies mean.

use std::error::Error;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::http::uri::InvalidUri;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::{Map, Value};

use super::connection::ServerUrl;
use super::target::Target;

/// The longest wait for a connection; it is shared by all addresses of the host, so that a dead one leaves time for the next.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The longest wait for the whole reply.
const TOTAL_LIMIT: Duration = Duration::from_secs(10);
/// The largest reply body in octets: a listing of some hundred thousand instances.
const MAX_REPLY: usize = 64 << 20;

/// What to ask.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    /// What it is about (`web/a`), for messages; may be empty.
    pub(super) subject: String,
    pub(super) method: Method,
    pub(super) target: Target,
    /// Whether to send `If-None-Match: *`: do it only if there is no such thing yet.
    pub(super) if_absent: bool,
    pub(super) body: Option<Map<String, Value>>,
    /// The longest wait for the whole reply, where it is not the usual one.
    pub(super) patience: Option<Duration>,
}

impl Call {
    /// A call without a body.
    pub(super) fn new(subject: impl Into<String>, method: Method, target: Target) -> Self {
        Self { subject: subject.into(), method, target, if_absent: false, body: None, patience: None }
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    /// The server's clock, if it told it.
    pub(super) date: Option<Timestamp>,
    pub(super) body: Bytes,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the asynchronous runtime did not start: {0}")]
    Runtime(io::Error),
    #[error("the request is no valid URL: {0}")]
    Target(InvalidUri),
    #[error("cannot reach {server}: {}; start a server with `srvd serve` or name another with --server URL", cause(.source.as_ref()))]
    Unreachable { server: ServerUrl, source: Box<dyn Error + Send + Sync> },
    #[error("no whole HTTP reply from {server}: {}; see that --server names a srvd server", cause(.source.as_ref()))]
    Broken { server: ServerUrl, source: Box<dyn Error + Send + Sync> },
    #[error("no reply from {server} within {} s; see that a server runs there or name another with --server URL", .limit.as_secs())]
    TimedOut { server: ServerUrl, limit: Duration },
    #[error("the reply of {server} has more than {limit} octets")]
    TooLarge { server: ServerUrl, limit: usize },
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    server: ServerUrl,
    total_limit: Duration,
    max_reply: usize,
}

impl Client {
    pub(super) fn new(server: ServerUrl) -> Self {
        Self { server, total_limit: TOTAL_LIMIT, max_reply: MAX_REPLY }
    }

    /// Makes the call and waits for the whole reply.
    pub(super) fn send(&self, call: Call) -> Result<Reply, ClientError> {
        let limit = call.patience.unwrap_or(self.total_limit);
        let request = self.request(call)?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Runtime)?;
        let reply = runtime.block_on(async {
            tokio::time::timeout(limit, self.exchange(request)).await.unwrap_or_else(|_| Err(self.timed_out(limit)))
        });
        // A name lookup that hangs cannot be cancelled; it must not hold up the exit.
        runtime.shutdown_background();
        reply
    }

    /// Makes the call and waits for the head of the reply; the body may then take for ever. `last_id` is the last event
    /// that was read of the same stream.
    pub(super) async fn open(&self, call: Call, last_id: Option<&str>) -> Result<Response<Incoming>, ClientError> {
        let mut request = self.request(call)?;
        if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            request.headers_mut().insert("last-event-id", id);
        }
        tokio::time::timeout(self.total_limit, self.response(request))
            .await
            .unwrap_or_else(|_| Err(self.timed_out(self.total_limit)))
    }

    fn timed_out(&self, limit: Duration) -> ClientError {
        ClientError::TimedOut { server: self.server.clone(), limit }
    }

    fn request(&self, call: Call) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::new(Full::default());
        *request.method_mut() = call.method;
        *request.uri_mut() = format!("{}{}", self.server, call.target).parse().map_err(ClientError::Target)?;
        let headers = request.headers_mut();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if call.if_absent {
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        if let Some(body) = call.body {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *request.body_mut() = Full::from(Value::Object(body).to_string());
        }
        Ok(request)
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Reply, ClientError> {
        let (head, body) = self.response(request).await?.into_parts();
        Ok(Reply { status: head.status, date: date(&head.headers), body: self.whole(body).await? })
    }

    async fn response(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, ClientError> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        client.request(request).await.map_err(|error| match error.is_connect() {
            true => ClientError::Unreachable { server: self.server.clone(), source: error.into() },
            false => self.broken(error.into()),
        })
    }

    /// The whole of a body that ends.
    pub(super) async fn whole(&self, body: Incoming) -> Result<Bytes, ClientError> {
        let body = Limited::new(body, self.max_reply).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return ClientError::TooLarge { server: self.server.clone(), limit: self.max_reply };
            }
            self.broken(error)
        })?;
        Ok(body.to_bytes())
    }

    fn broken(&self, source: Box<dyn Error + Send + Sync>) -> ClientError {
        ClientError::Broken { server: self.server.clone(), source }
    }
}

const USER_AGENT: &str = concat!("srvd/", env!("CARGO_PKG_VERSION"));

fn date(headers: &HeaderMap) -> Option<Timestamp> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

/// The innermost cause, which is the one that says something ("Connection refused").
fn cause(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    match innermost.downcast_ref::<io::Error>() {
        // The connector's own words for it are "deadline has elapsed".
        Some(error) if error.kind() == io::ErrorKind::TimedOut => "the connection timed out".to_owned(),
        _ => innermost.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::responder::{Responder, held_port, silent};

    fn get() -> Call {
        Call::new("", Method::GET, Target::v1(&["services"]))
    }

    #[test]
    fn a_call_and_its_reply() {
        let responder =
            Responder::once("HTTP/1.1 200 OK\r\nDate: Wed, 01 Jul 2026 10:00:00 GMT\r\nContent-Length: 2\r\n\r\n{}");
        let mut call = Call::new("", Method::PUT, Target::v1(&["services", "a b"]).with("x", "1"));
        call.if_absent = true;
        call.body = Some(Map::from_iter([("port".to_owned(), Value::from(80))]));
        let reply = Client::new(responder.url()).send(call).unwrap();
        assert_eq!(reply.status, StatusCode::OK);
        assert_eq!(reply.body, "{}");
        assert_eq!(reply.date, Some("2026-07-01T10:00:00Z".parse().unwrap()));
        let request = responder.request();
        assert!(request.starts_with("PUT /v1/services/a%20b?x=1 HTTP/1.1\r\n"), "{request}");
        for header in ["if-none-match: *\r\n", "content-type: application/json\r\n", "host: 127.0.0.1:"] {
            assert!(request.contains(header), "{header:?} in {request}");
        }
        assert!(request.ends_with("\r\n\r\n{\"port\":80}"), "{request}");
    }

    #[test]
    fn a_call_without_a_body_has_no_content_type() {
        let responder = Responder::once("HTTP/1.1 204 No Content\r\n\r\n");
        let reply = Client::new(responder.url()).send(get()).unwrap();
        assert_eq!((reply.status, reply.date, reply.body.len()), (StatusCode::NO_CONTENT, None, 0));
        let request = responder.request();
        assert!(!request.contains("content-type") && !request.contains("if-none-match"), "{request}");
    }

    #[test]
    fn nobody_listens() {
        let (url, _held) = held_port();
        let error = Client::new(url.clone()).send(get()).unwrap_err();
        assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot reach {url}: Connection refused")), "{text}");
        assert!(text.contains("`srvd serve`") && text.contains("--server URL"), "{text}");
    }

    #[test]
    fn a_server_that_never_answers() {
        let (url, _listener) = silent();
        let client = Client { total_limit: Duration::from_millis(10), ..Client::new(url) };
        assert!(matches!(client.send(get()), Err(ClientError::TimedOut { .. })));
    }

    #[test]
    fn replies_that_are_no_whole_http() {
        for response in ["", "220 smtp.example.net ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"] {
            let error = Client::new(Responder::once(response).url()).send(get()).unwrap_err();
            assert!(matches!(error, ClientError::Broken { .. }), "{response:?}: {error:?}");
        }
    }

    #[test]
    fn a_reply_that_is_too_large() {
        for (max_reply, fits) in [(9, true), (8, false)] {
            let responder = Responder::json("200 OK", "123456789");
            let client = Client { max_reply, ..Client::new(responder.url()) };
            match client.send(get()) {
                Ok(reply) => assert!(fits && reply.body == "123456789"),
                Err(error) => assert!(!fits && matches!(error, ClientError::TooLarge { limit: 8, .. }), "{error:?}"),
            }
        }
    }
}
