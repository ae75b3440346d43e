//! The HTTP client of the commands: one call, one reply.
//!
//! It blocks its caller; the asynchronous machinery lives for the length of one call. The call itself is made by
//! [`crate::client`]; what is added are words for people at a command line.

use std::io;

use bytes::Bytes;
use hyper::Response;
use hyper::body::Incoming;

use super::connection::ServerUrl;
pub(super) use crate::client::http::{Call, Reply};
use crate::client::{TransportError, http::Http};

/// Why there is no reply.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    #[error("the asynchronous runtime did not start: {0}")]
    Runtime(io::Error),
    #[error("{}{}", .0, hint(.0))]
    Transport(#[from] TransportError),
}

/// What to do about it.
fn hint(error: &TransportError) -> &'static str {
    match error {
        TransportError::Unreachable { .. } => "; start a server with `srvd serve` or name another with --server URL",
        TransportError::Broken { .. } => "; see that --server names a srvd server",
        TransportError::TimedOut { .. } => "; see that a server runs there or name another with --server URL",
        TransportError::Target(_) | TransportError::TooLarge { .. } => "",
    }
}

/// A client of one server.
#[derive(Debug)]
pub(super) struct Client {
    server: ServerUrl,
    http: Http,
}

impl Client {
    pub(super) fn new(server: ServerUrl) -> Self {
        Self { server, http: Http::default() }
    }

    /// Makes the call and waits for the whole reply.
    pub(super) fn send(&self, call: Call) -> Result<Reply, ClientError> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ClientError::Runtime)?;
        let reply = runtime.block_on(self.http.send(&self.server, call));
        // A name lookup that hangs cannot be cancelled; it must not hold up the exit.
        runtime.shutdown_background();
        Ok(reply?)
    }

    /// Makes the call and waits for the head of the reply; the body may then take for ever. `last_id` is the last event
    /// that was read of the same stream.
    pub(super) async fn open(&self, call: Call, last_id: Option<&str>) -> Result<Response<Incoming>, ClientError> {
        Ok(self.http.open(&self.server, call, last_id).await?)
    }

    /// The whole of a body that ends.
    pub(super) async fn whole(&self, body: Incoming) -> Result<Bytes, ClientError> {
        Ok(self.http.whole(&self.server, body).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::{Method, StatusCode};
    use serde_json::{Map, Value};

    use super::super::target::Target;
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
        assert!(matches!(error, ClientError::Transport(TransportError::Unreachable { .. })), "{error:?}");
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot reach {url}: Connection refused")), "{text}");
        assert!(text.contains("`srvd serve`") && text.contains("--server URL"), "{text}");
    }

    #[test]
    fn a_server_that_never_answers() {
        let (url, _listener) = silent();
        let mut client = Client::new(url);
        client.http.total_limit = Duration::from_millis(10);
        assert!(matches!(client.send(get()), Err(ClientError::Transport(TransportError::TimedOut { .. }))));
    }

    #[test]
    fn replies_that_are_no_whole_http() {
        for response in ["", "220 smtp.example.net ESMTP\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}"] {
            let error = Client::new(Responder::once(response).url()).send(get()).unwrap_err();
            assert!(matches!(error, ClientError::Transport(TransportError::Broken { .. })), "{response:?}: {error:?}");
        }
    }

    #[test]
    fn a_reply_that_is_too_large() {
        for (max_reply, fits) in [(9, true), (8, false)] {
            let responder = Responder::json("200 OK", "123456789");
            let mut client = Client::new(responder.url());
            client.http.max_reply = max_reply;
            match client.send(get()) {
                Ok(reply) => assert!(fits && reply.body == "123456789"),
                Err(error) => assert!(
                    !fits && matches!(error, ClientError::Transport(TransportError::TooLarge { limit: 8, .. })),
                    "{error:?}"
                ),
            }
        }
    }
}
