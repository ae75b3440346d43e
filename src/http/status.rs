//! Calls about the server itself.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::params::Params;
use super::problem::Problem;
use super::{Api, render};
use crate::model::{Moment, Status, Tick};
use crate::registry::{Hold, Scope};

/// What does not change while the server runs.
#[derive(Debug)]
pub struct About {
    pub zone: String,
    pub store: &'static str,
    pub dns: Vec<SocketAddr>,
    pub http: Vec<SocketAddr>,
}

/// `GET /v1/status`
pub async fn status(State(api): State<Api>, params: Params) -> Result<Json<Value>, Problem> {
    params.finish()?;
    let now = api.engine.clock().now();
    let views = api.engine.index().views();
    let instances = || views.iter().flat_map(|view| view.instances());
    let mut counts: Map<String, Value> = Status::ALL
        .iter()
        .map(|status| (status.as_str().to_owned(), instances().filter(|i| i.status() == *status).count().into()))
        .collect();
    counts.insert("total".into(), instances().count().into());
    let next_expiry = instances().filter_map(|instance| instance.pulse.deadline()).min();
    let addresses = |listed: &[SocketAddr]| listed.iter().map(ToString::to_string).collect::<Vec<_>>();
    let time = |tick| render::time(now.wall_at(tick));
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": time(Tick(0)),
        "uptime_s": now.tick.0 / 1000,
        "loaded": api.engine.index().is_loaded(),
        "ready": api.readiness.is_ready(),
        "revision": api.engine.revision().0,
        "zone": api.about.zone,
        "services": views.len(),
        "instances": counts,
        "watchers": api.watchers.count(),
        "protection": protection(&api, now),
        "panicking": views.iter().filter(|view| view.is_panicking()).map(|view| view.name().as_str()).collect::<Vec<_>>(),
        "store": {"kind": api.about.store},
        "listeners": {"dns": addresses(&api.about.dns), "http": addresses(&api.about.http)},
        "checks": {
            "total": api.checks.state().total(),
            "in_flight": api.checks.state().in_flight(),
            "late_ms": api.checks.state().late().as_millis(),
        },
        "schedule": {"next_expiry": next_expiry.map(time), "next_check": api.checks.state().next().map(time)},
    })))
}

/// The lapses that are held, of all services or of one.
fn protection(api: &Api, now: Moment) -> Value {
    let hold = |hold: &Hold| {
        let mut shown = json!({
            "held": hold.held,
            "since": render::time(now.wall_at(hold.since)),
            "until": render::time(now.wall_at(hold.until)),
        });
        if let Scope::Service(service) = &hold.scope {
            shown["service"] = service.as_str().into();
        }
        shown
    };
    json!({"holds": api.engine.holds().iter().map(hold).collect::<Vec<_>>()})
}

/// `GET /healthz`
pub async fn alive() -> &'static str {
    "alive\n"
}

/// `GET /readyz`
pub async fn ready(State(api): State<Api>) -> Response {
    if api.readiness.is_ready() {
        return "ready\n".into_response();
    }
    let detail = if api.engine.index().is_loaded() { "the server is stopping" } else { "the state is being loaded" };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail).into_response()
}
