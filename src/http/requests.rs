//! What was asked over HTTP, and how long it took.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use parking_lot::Mutex;
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::access::{Line, Route};
use super::{Api, Peer};
use crate::telemetry::metrics::{Counter, Exposition, Histogram, Source, Type};
use crate::telemetry::traces;

/// The route of one instance, of which [`Entrance`](super::Entrance) answers plain writes.
pub const INSTANCE: &str = "/v1/services/{service}/instances/{id}";
/// The route of the heartbeats, which [`Entrance`](super::Entrance) counts too.
pub const HEARTBEAT: &str = "/v1/services/{service}/instances/{id}/heartbeat";
/// The route of a request to none.
const NO_ROUTE: &str = "none";

const BOUNDS: &[Duration] = &[
    Duration::from_micros(100),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];

/// The figures of all requests. Routes, methods and statuses are known, so their combinations are bounded, whatever is
/// asked.
#[derive(Debug)]
pub struct Requests {
    counts: Mutex<BTreeMap<String, Answered>>,
    /// Bare heartbeats that were answered without the router.
    heartbeats: Counter,
    durations: Histogram,
}

/// The requests of one route, by method and status.
type Answered = BTreeMap<(&'static str, u16), u64>;

impl Default for Requests {
    fn default() -> Self {
        Self { counts: Mutex::default(), heartbeats: Counter::default(), durations: Histogram::new(BOUNDS) }
    }
}

impl Requests {
    pub(super) fn count(&self, route: &str, method: &'static str, status: u16, took: Duration) {
        let mut counts = self.counts.lock();
        let number = match counts.get_mut(route) {
            Some(answered) => answered.entry((method, status)).or_default(),
            None => counts.entry(route.to_owned()).or_default().entry((method, status)).or_default(),
        };
        *number += 1;
        drop(counts);
        self.durations.observe(took);
    }

    /// Counts a bare heartbeat that was answered without the router.
    pub(super) fn count_heartbeat(&self, took: Duration) {
        self.heartbeats.increment();
        self.durations.observe(took);
    }
}

/// Counts every request by its route, as it is written in the router. What was waited for counts as time; how long a
/// stream lasts does not.
pub async fn count(State(api): State<Api>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = label(request.method());
    let client = request.extensions().get::<Peer>().map(|peer| peer.0);
    let span = span(&request, method, route.as_ref(), client);
    let response = next.run(request).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    note(&span, response.status());
    api.requests.count(route.as_ref().map_or(NO_ROUTE, MatchedPath::as_str), method, status, took);
    let route = || route.map_or(Route::None, Route::Matched);
    api.access.note(|| Line { method, route: route(), status, took, client });
    response
}

/// What a request is for the traces, in the words of OpenTelemetry's conventions: a part of its caller's, if it says so.
fn span(request: &Request, method: &'static str, route: Option<&MatchedPath>, client: Option<SocketAddr>) -> Span {
    if !traces::are_on() {
        return Span::none();
    }
    let route = route.map(MatchedPath::as_str);
    let span = tracing::info_span!(
        target: traces::TARGET,
        "call",
        otel.name = route.map_or_else(|| method.to_owned(), |route| format!("{method} {route}")),
        otel.kind = "server",
        otel.status_code = Empty,
        otel.status_description = Empty,
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        url.path = request.uri().path(),
        client.address = client.map(|client| client.ip().to_string()),
    );
    traces::asked_by(&span, request.headers());
    span
}

/// Notes how a request was answered. What a client did wrong is no failure of the server.
fn note(span: &Span, status: StatusCode) {
    // Of numbers, the traces have this type alone.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        traces::failed(span, status);
    }
}

/// Those that HTTP itself defines; a client may make up others.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => "other",
    }
}

impl Source for Requests {
    fn tell(&self, to: &mut Exposition) {
        let mut counts = self.counts.lock().clone();
        let bare = self.heartbeats.value();
        if bare > 0 {
            *counts.entry(HEARTBEAT.to_owned()).or_default().entry(("PUT", 204)).or_default() += bare;
        }
        let help = "Requests, by the route that they matched.";
        let mut family = to.family("srvd_http_requests_total", Type::Counter, help);
        for (route, answered) in &counts {
            for ((method, status), count) in answered {
                let status = status.to_string();
                family.sample(&[("route", route), ("method", method), ("status", &status)], count);
            }
        }
        let help = "From the head of a request to the head of its reply, with what was waited for.";
        to.histogram("srvd_http_request_duration_seconds", help, [&self.durations]);
    }
}
