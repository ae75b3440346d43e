//! The HTTP API: registrations and heartbeats in, the registry's state out.
//!
//! [`router`] is the whole API over an [`Api`], without a socket; [`fn@serve`] puts it on one, behind an [`Entrance`]. Every refusal is a problem
//! document (RFC 9457), written in one place (`problem`); every body is read in one place (`body`).

mod access;
mod batch;
mod body;
mod calls;
mod check;
mod condition;
mod console;
mod entrance;
mod events;
mod explain;
mod heartbeats;
mod history;
mod host;
mod instances;
mod items;
mod listing;
mod metrics;
mod openapi;
mod operator;
mod origin;
mod params;
mod pick;
mod plain;
mod problem;
mod prometheus_targets;
mod requests;
mod selection;
mod serve;
mod services;
mod settings;
mod snapshot;
mod status;
mod subscriptions;
mod wait;
mod watch;
mod watchers;

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use tokio_util::sync::CancellationToken;
use tower_http::compression::CompressionLayer;

pub use access::AccessLog;
pub use body::Room;
pub use entrance::Entrance;
pub use history::sample;
pub use metrics::Scrapes;
pub use requests::Requests;
pub use serve::{Peer, connections, serve};
pub use status::About;
pub use watchers::Watchers;

use crate::answer::Explain;
use crate::config::Setting;
use crate::engine::{Checks, Deliveries, Engine};
use crate::model::{Defaults, Revision};
use crate::render;
use crate::select::Rotations;
use crate::telemetry::history::History;
use crate::telemetry::metrics::Source;

/// The header that carries the registry's revision.
pub const REVISION: HeaderName = HeaderName::from_static("srvd-revision");

/// What the API works on. Every layer and every handler takes one of its own, so it is a single reference.
#[derive(Debug, Clone)]
pub struct Api(Arc<Works>);

/// The parts that the API works on.
#[derive(Debug)]
pub struct Works {
    pub engine: Engine,
    pub checks: Checks,
    pub deliveries: Deliveries,
    /// Whoever answers DNS, to explain it.
    pub answers: Arc<dyn Explain>,
    /// For registrations that leave members out.
    pub defaults: Setting<Defaults>,
    pub about: Arc<About>,
    pub readiness: Readiness,
    pub bodies: Room,
    /// Whose turn it is, for `pick`.
    pub rotations: Arc<Rotations>,
    pub watchers: Watchers,
    pub scrapes: Scrapes,
    pub requests: Arc<Requests>,
    pub access: Arc<AccessLog>,
    /// Some figures of the last hour.
    pub history: Arc<History>,
    /// Who has figures beside the engine, the checks and this API.
    pub sources: Arc<[Arc<dyn Source>]>,
    /// Cancelled when the server stops: calls that wait for something end then, with what there is to say.
    pub stopping: CancellationToken,
}

impl From<Works> for Api {
    fn from(works: Works) -> Self {
        Self(Arc::new(works))
    }
}

impl Deref for Api {
    type Target = Works;

    fn deref(&self) -> &Works {
        &self.0
    }
}

/// Whether the server should be sent traffic.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that every listener is up and the state is loaded, or no longer so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// All routes, made of the calls that are described.
pub fn router(api: Api) -> Router {
    let (registry, others) = calls::routes();
    registry
        .route_layer(middleware::from_fn_with_state(api.clone(), once_loaded))
        .merge(others)
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn(guard))
        .layer(middleware::from_fn_with_state(api.clone(), with_revision))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(api.clone(), requests::count))
        .with_state(api)
}

/// Before the state is loaded there is nothing to read, and nothing could be kept.
async fn once_loaded(State(api): State<Api>, request: Request, next: Next) -> Response {
    if api.engine.index().is_loaded() { next.run(request).await } else { problem::loading() }
}

/// Refuses what is not for this server to do, whatever it is.
async fn guard(request: Request, next: Next) -> Response {
    let (version, method, headers) = (request.version(), request.method(), request.headers());
    match host::check(version, headers).and_then(|()| origin::check(method, headers)) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

async fn with_revision(State(api): State<Api>, request: Request, next: Next) -> Response {
    // What is read is at least as new as the revision before it; what was written is in the revision after it.
    let before = request.method().is_safe().then(|| api.engine.revision());
    let response = next.run(request).await;
    // One that waited has looked again.
    if response.headers().contains_key(REVISION) {
        return response;
    }
    stamped(response, before.unwrap_or_else(|| api.engine.revision()))
}

/// A reply that says which revision it is of.
fn stamped(mut response: Response, revision: Revision) -> Response {
    response.headers_mut().insert(REVISION, HeaderValue::from(revision.0));
    response
}
