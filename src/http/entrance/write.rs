//! The short way of a plain write: an instance that is put or deleted by a request that asks for nothing else.
//!
//! The head is looked at first, before anything is taken from the request. A body that turns out to be written in an unusual
//! way is given back to the request, which then takes the complete way as if it came in just now.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Version, header, request};
use axum::response::{IntoResponse, Response};

use super::Visit;
use crate::engine::WriteError;
use crate::http::access::{Line, Route};
use crate::http::body::{UsualBody, is_json};
use crate::http::problem::Problem;
use crate::http::requests::INSTANCE;
use crate::http::{host, instances, plain, stamped};
use crate::model::{InstanceId, Key, Registration, ServiceName};
use crate::registry::{Command, Done, Expected};

/// A request on its short way.
pub type Answering = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

/// What is done with an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    Put,
    Delete,
}

/// What a request is about, if its head asks for nothing more than that.
pub fn plain<B: HttpBody>(request: &Request<B>) -> Option<(Key, Writing)> {
    let writing = match *request.method() {
        Method::PUT => Writing::Put,
        Method::DELETE => Writing::Delete,
        _ => return None,
    };
    let (service, id) = names(request.uri().path())?;
    let is_bare = request.uri().query().is_none() && is_plain(request.version(), request.headers());
    let fits = match writing {
        Writing::Put => is_json(request.headers()),
        Writing::Delete => request.body().is_end_stream(),
    };
    let key = Key { service: ServiceName::parse(service).ok()?, id: InstanceId::parse(id).ok()? };
    (is_bare && fits).then_some((key, writing))
}

/// The two names in `/v1/services/{service}/instances/{id}`.
pub fn names(path: &str) -> Option<(&str, &str)> {
    let (service, rest) = path.strip_prefix("/v1/services/")?.split_once('/')?;
    Some((service, rest.strip_prefix("instances/")?))
}

/// Whether the headers are right, and none asks for a look at who sent the request, for a reply in another encoding, or
/// for a condition.
fn is_plain(version: Version, headers: &HeaderMap) -> bool {
    let asks = [header::ORIGIN, header::ACCEPT_ENCODING, header::IF_MATCH, header::IF_NONE_MATCH];
    host::is_right(version, headers) && !asks.iter().any(|name| headers.contains_key(name))
}

/// Answers a request about `key`.
pub async fn answer(visit: Visit, key: Key, writing: Writing, request: Request<Body>) -> Result<Response, Infallible> {
    let (began, api) = (Instant::now(), visit.api());
    let (head, body) = request.into_parts();
    let (method, answered) = match writing {
        Writing::Delete => ("DELETE", api.engine.write(Command::Deregister { key }).await.map_err(Problem::from)),
        Writing::Put => match UsualBody::take(&head.headers, body, &api.bodies).await {
            Ok(body) => match plain::registration(&body.octets, &key, &api.defaults.get(), visit.peer.0.ip()) {
                Some(registration) => ("PUT", register(&visit, key, registration).await.map_err(Problem::from)),
                None => return visit.complete(unread(head, body)).await,
            },
            Err(problem) => ("PUT", Err(problem)),
        },
    };
    let mut response = answered.map_or_else(Problem::into_response, |done| instances::reply(api, done));
    if response.status() != StatusCode::NO_CONTENT {
        // As it could have been compressed.
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    let response = stamped(response, api.engine.revision());
    let (status, took) = (response.status().as_u16(), began.elapsed());
    api.requests.count(INSTANCE, method, status, took);
    api.access.note(|| Line { method, route: Route::Known(INSTANCE), status, took, client: Some(visit.peer.0) });
    Ok(response)
}

async fn register(visit: &Visit, key: Key, registration: Arc<Registration>) -> Result<Done, WriteError> {
    visit.api().engine.write(Command::Register { key, registration, expected: Expected::Any }).await
}

/// A request as it was before its body was taken in.
fn unread(head: request::Parts, body: UsualBody) -> Request<Body> {
    Request::from_parts(head, Body::from(body.octets))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_asks_for_more_is_not_plain() {
        const PATH: &str = "/v1/services/web/instances/a";
        let parameters = format!("{PATH}?");
        let json = ("content-type", "application/json");
        for (method, uri, header, body, writing) in [
            ("PUT", PATH, json, "{}", Some(Writing::Put)),
            ("PUT", PATH, ("content-type", "text/plain"), "{}", None),
            ("PUT", PATH, ("accept", "*/*"), "", None),
            ("PUT", &parameters, json, "{}", None),
            ("PUT", "/v1/services/web/instances/a/drain", json, "{}", None),
            ("PUT", "/v1/services/web/instances/%61", json, "{}", None),
            ("PUT", "/v1/services/web/instances/", json, "{}", None),
            ("PUT", "/v1/services/web", json, "{}", None),
            ("PATCH", PATH, json, "{}", None),
            ("POST", PATH, json, "{}", None),
            ("DELETE", PATH, ("accept", "*/*"), "", Some(Writing::Delete)),
            ("DELETE", PATH, ("host", "b"), "", None),
            ("DELETE", PATH, json, "{}", None),
            ("DELETE", PATH, ("accept-encoding", "gzip"), "", None),
            ("DELETE", PATH, ("origin", "http://127.0.0.1"), "", None),
            ("DELETE", PATH, ("if-match", "*"), "", None),
            ("DELETE", PATH, ("if-none-match", "*"), "", None),
        ] {
            let request = Request::builder().method(method).uri(uri).header("host", "a").header(header.0, header.1);
            let found = plain(&request.body(Body::from(body)).unwrap());
            assert_eq!(found.as_ref().map(|(_, writing)| *writing), writing, "{method} {uri} {header:?} {body}");
            assert!(found.is_none_or(|(key, _)| key.to_string() == "web/a"), "{method} {uri}");
        }
    }
}
