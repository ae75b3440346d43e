//! One HTTP call to one server: every wait and every size bounded.
//!
//! Redirects are not followed and no proxy is used. It knows nothing of what the replies mean.

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

use super::ServerUrl;
use super::target::Target;

/// The longest wait for a connection; it is shared by all addresses of the host, so that a dead one leaves time for the next.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// The longest wait for the whole reply.
const TOTAL_LIMIT: Duration = Duration::from_secs(10);
/// The largest reply body in octets: a listing of some hundred thousand instances.
const MAX_REPLY: usize = 64 << 20;

/// What to ask.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Call {
    /// What it is about (`web/a`), for messages; may be empty.
    pub(crate) subject: String,
    pub(crate) method: Method,
    pub(crate) target: Target,
    /// Whether to send `If-None-Match: *`: do it only if there is no such thing yet.
    pub(crate) if_absent: bool,
    pub(crate) body: Option<Map<String, Value>>,
    /// The longest wait for the whole reply, where it is not the usual one.
    pub(crate) patience: Option<Duration>,
}

impl Call {
    /// A call without a body.
    pub(crate) fn new(subject: impl Into<String>, method: Method, target: Target) -> Self {
        Self { subject: subject.into(), method, target, if_absent: false, body: None, patience: None }
    }
}

/// What came back, whatever its status.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// The server's clock, if it told it.
    pub(crate) date: Option<Timestamp>,
    pub(crate) body: Bytes,
}

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    #[error("the request is no valid URL: {0}")]
    Target(InvalidUri),
    #[error("cannot reach {server}: {}", cause(.source.as_ref()))]
    Unreachable { server: ServerUrl, source: Box<dyn Error + Send + Sync> },
    #[error("no whole HTTP reply from {server}: {}", cause(.source.as_ref()))]
    Broken { server: ServerUrl, source: Box<dyn Error + Send + Sync> },
    #[error("no reply from {server} within {} s", .limit.as_secs())]
    TimedOut { server: ServerUrl, limit: Duration },
    #[error("the reply of {server} has more than {limit} octets")]
    TooLarge { server: ServerUrl, limit: usize },
}

/// Makes calls, and keeps the connections that it made for the next ones. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    pool: hyper_util::client::legacy::Client<HttpConnector, Full<Bytes>>,
    pub(crate) total_limit: Duration,
    pub(crate) max_reply: usize,
}

impl Default for Http {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_LIMIT));
        connector.set_nodelay(true);
        let pool = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build(connector);
        Self { pool, total_limit: TOTAL_LIMIT, max_reply: MAX_REPLY }
    }
}

impl Http {
    /// Makes the call and waits for the whole reply.
    pub(crate) async fn send(&self, server: &ServerUrl, call: Call) -> Result<Reply, TransportError> {
        let limit = call.patience.unwrap_or(self.total_limit);
        let request = request(server, call)?;
        let exchange = async {
            let (head, body) = self.response(server, request).await?.into_parts();
            Ok(Reply { status: head.status, date: date(&head.headers), body: self.whole(server, body).await? })
        };
        tokio::time::timeout(limit, exchange).await.unwrap_or_else(|_| Err(timed_out(server, limit)))
    }

    /// Makes the call and waits for the head of the reply; the body may then take for ever. `last_id` is the last event
    /// that was read of the same stream.
    pub(crate) async fn open(
        &self,
        server: &ServerUrl,
        call: Call,
        last_id: Option<&str>,
    ) -> Result<Response<Incoming>, TransportError> {
        let mut request = request(server, call)?;
        if let Some(id) = last_id.and_then(|id| HeaderValue::from_str(id).ok()) {
            request.headers_mut().insert("last-event-id", id);
        }
        tokio::time::timeout(self.total_limit, self.response(server, request))
            .await
            .unwrap_or_else(|_| Err(timed_out(server, self.total_limit)))
    }

    /// The whole of a body that ends.
    pub(crate) async fn whole(&self, server: &ServerUrl, body: Incoming) -> Result<Bytes, TransportError> {
        let body = Limited::new(body, self.max_reply).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                return TransportError::TooLarge { server: server.clone(), limit: self.max_reply };
            }
            broken(server, error)
        })?;
        Ok(body.to_bytes())
    }

    async fn response(
        &self,
        server: &ServerUrl,
        request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, TransportError> {
        self.pool.request(request).await.map_err(|error| match error.is_connect() {
            true => TransportError::Unreachable { server: server.clone(), source: error.into() },
            false => broken(server, error.into()),
        })
    }
}

fn request(server: &ServerUrl, call: Call) -> Result<Request<Full<Bytes>>, TransportError> {
    let mut request = Request::new(Full::default());
    *request.method_mut() = call.method;
    *request.uri_mut() = format!("{server}{}", call.target).parse().map_err(TransportError::Target)?;
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

fn timed_out(server: &ServerUrl, limit: Duration) -> TransportError {
    TransportError::TimedOut { server: server.clone(), limit }
}

fn broken(server: &ServerUrl, source: Box<dyn Error + Send + Sync>) -> TransportError {
    TransportError::Broken { server: server.clone(), source }
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
