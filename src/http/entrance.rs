//! Where every request comes in, and short ways for the most frequent ones.
//!
//! A fleet sends bare heartbeats all day, and when it is deployed, plain registrations. The router does for each what some
//! request may need: it matches the path among all others, and hands copies of it through layers that compress, guard and
//! count, each with allocations of its own. These need nothing of that, so they are recognised here as they stand in the
//! request: a bare heartbeat is renewed in the index and answered at once, an instance that is put or deleted goes straight
//! to the engine ([`mod@write`]). The answers and the figures are those of the router. Whatever is not exactly that takes the
//! complete way, from its start: parameters, an `Origin`, a `Host` that is not right, a name that is spelled in another way,
//! and of a heartbeat a body, a name that is not registered, a lease that has run out. So does everything while calls are
//! traced.

mod write;

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, Bytes, HttpBody};
use axum::http::{HeaderMap, Method, Request, StatusCode, Version, header};
use axum::response::Response;
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use hyper::service::Service;
use tower::{BoxError, Service as _};

use super::access::{Line, Route};
use super::requests::HEARTBEAT;
use super::serve::Peer;
use super::{Api, host, router, stamped};
use crate::telemetry::traces;

/// The whole API, behind its entrance. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Entrance(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    api: Api,
    router: Router,
}

/// The entrance as one peer uses it.
#[derive(Debug, Clone)]
pub struct Visit {
    entrance: Entrance,
    peer: Peer,
}

impl Entrance {
    pub fn new(api: Api) -> Self {
        let router = router(api.clone());
        Self(Arc::new(Parts { api, router }))
    }

    /// The entrance for the requests of one peer.
    pub fn visit(&self, peer: SocketAddr) -> Visit {
        Visit { entrance: self.clone(), peer: Peer(peer) }
    }
}

impl Visit {
    fn api(&self) -> &Api {
        &self.entrance.0.api
    }

    /// The complete way.
    fn complete(&self, mut request: Request<Body>) -> RouteFuture<Infallible> {
        request.extensions_mut().insert(self.peer);
        self.entrance.0.router.clone().call(request)
    }
}

impl<B> Service<Request<B>> for Visit
where
    B: HttpBody<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Either<Ready<Result<Response, Infallible>>, Either<write::Answering, RouteFuture<Infallible>>>;

    fn call(&self, mut request: Request<B>) -> Self::Future {
        let (api, traced) = (self.api(), traces::are_on());
        if !traced && renewed(api, &request, self.peer) {
            // The space for the headers that were read is good for those of the reply.
            return Either::Left(ready(Ok(no_content(api, std::mem::take(request.headers_mut())))));
        }
        if let Some((key, writing)) = write::plain(&request).filter(|_| !traced && api.engine.index().is_loaded()) {
            let answering = write::answer(self.clone(), key, writing, request.map(Body::new));
            return Either::Right(Either::Left(Box::pin(answering)));
        }
        Either::Right(Either::Right(self.complete(request.map(Body::new))))
    }
}

/// Whether a request was a bare heartbeat, and all that it asks for is done and counted.
fn renewed<B: HttpBody>(api: &Api, request: &Request<B>, peer: Peer) -> bool {
    let began = Instant::now();
    let Some((service, id)) = bare_heartbeat(request) else { return false };
    let done = api.engine.index().is_loaded() && api.engine.renew(service, id);
    if done {
        let took = began.elapsed();
        api.requests.count_heartbeat(took);
        let (route, status, client) = (Route::Known(HEARTBEAT), StatusCode::NO_CONTENT.as_u16(), Some(peer.0));
        api.access.note(|| Line { method: "PUT", route, status, took, client });
    }
    done
}

/// The service and the id in the path of a heartbeat that says nothing else, as they are written there.
fn bare_heartbeat<B: HttpBody>(request: &Request<B>) -> Option<(&str, &str)> {
    let named = names(request.uri().path())?;
    let bare = request.method() == Method::PUT
        && request.uri().query().is_none()
        && request.body().is_end_stream()
        && is_plain(request.version(), request.headers());
    bare.then_some(named)
}

/// The two names in `/v1/services/{service}/instances/{id}/heartbeat`.
fn names(path: &str) -> Option<(&str, &str)> {
    write::names(path.strip_suffix("/heartbeat")?)
}

/// Whether the headers are right, and none asks for a look at who sent the request, or at how the reply may be encoded:
/// one without a body is good for everyone but those who exclude it with a weight (RFC 9110 §12.5.3).
fn is_plain(version: Version, headers: &HeaderMap) -> bool {
    let weighted = |value: &axum::http::HeaderValue| value.as_bytes().contains(&b';');
    host::is_right(version, headers)
        && !headers.contains_key(header::ORIGIN)
        && !headers.get_all(header::ACCEPT_ENCODING).iter().any(weighted)
}

/// The reply of the router, in `headers` that are needed no more.
fn no_content(api: &Api, mut headers: HeaderMap) -> Response {
    headers.clear();
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    *response.headers_mut() = headers;
    stamped(response, api.engine.revision())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_in_the_path_of_a_heartbeat_alone() {
        for (path, named) in [
            ("/v1/services/web/instances/a/heartbeat", Some(("web", "a"))),
            ("/v1/services//instances//heartbeat", Some(("", ""))),
            ("/v1/services/web/instances/a%2fb/heartbeat", Some(("web", "a%2fb"))),
            ("/v1/services/web/instances/a/b/heartbeat", Some(("web", "a/b"))),
            ("/v1/services/web/instances/a/heartbeat/", None),
            ("/v1/services/web/instances/a", None),
            ("/v1/services/web/instances/heartbeat", None),
            ("/v1/services/web/heartbeat", None),
            ("/v1/heartbeats", None),
            ("v1/services/web/instances/a/heartbeat", None),
            ("/v1/services/web/x/instances/a/heartbeat", None),
            ("*", None),
        ] {
            assert_eq!(names(path), named, "{path}");
        }
    }

    #[test]
    fn what_asks_for_more_is_not_bare() {
        const PATH: &str = "/v1/services/web/instances/a/heartbeat";
        let parameters = format!("{PATH}?");
        for (method, uri, header, body, bare) in [
            ("PUT", PATH, ("accept", "*/*"), "", true),
            ("PUT", PATH, ("accept-encoding", "gzip, deflate"), "", true),
            ("PUT", PATH, ("accept-encoding", "identity;q=0"), "", false),
            ("PUT", PATH, ("origin", "http://127.0.0.1"), "", false),
            ("PUT", PATH, ("host", "b"), "", false),
            ("PUT", PATH, ("accept", "*/*"), "{}", false),
            ("PUT", &parameters, ("accept", "*/*"), "", false),
            ("POST", PATH, ("accept", "*/*"), "", false),
            ("PUT", "/v1/heartbeats", ("accept", "*/*"), "", false),
        ] {
            let request = Request::builder().method(method).uri(uri).header("host", "a").header(header.0, header.1);
            let request = request.body(Body::from(body)).unwrap();
            assert_eq!(bare_heartbeat(&request).is_some(), bare, "{method} {uri} {header:?} {body}");
        }
    }
}
