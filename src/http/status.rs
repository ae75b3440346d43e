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
use crate::engine::{Expiries, Upcoming};
use crate::model::{Key, Moment, Status, Tick};
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
    // The rest is told all the same when the engine's task has no time for this.
    let expiries = match api.engine.index().is_loaded() {
        true => api.engine.next_expiries().await.unwrap_or_default(),
        false => Expiries::new(),
    };
    Ok(Json(show(&api, expiries)))
}

fn show(api: &Api, expiries: Expiries) -> Value {
    let now = api.engine.clock().now();
    let index = api.engine.index();
    let of_status = Status::ALL.map(|status| (status, index.count(status)));
    let mut counts: Map<String, Value> =
        of_status.iter().map(|(status, count)| (status.as_str().to_owned(), (*count).into())).collect();
    counts.insert("total".into(), of_status.iter().map(|(_, count)| count).sum::<usize>().into());
    let addresses = |listed: &[SocketAddr]| listed.iter().map(ToString::to_string).collect::<Vec<_>>();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "started_at": render::time(now.wall_at(Tick(0))),
        "uptime_s": now.tick.0 / 1000,
        "loaded": api.engine.index().is_loaded(),
        "ready": api.readiness.is_ready(),
        "revision": api.engine.revision().0,
        "zone": api.about.zone,
        "services": index.services(),
        "instances": counts,
        "watchers": api.watchers.count(),
        "protection": protection(api, now),
        "panicking": index.panicking_names().map(|name| name.as_str().to_owned()).collect::<Vec<_>>(),
        "store": {"kind": api.about.store},
        "listeners": {"dns": addresses(&api.about.dns), "http": addresses(&api.about.http)},
        "checks": {
            "total": api.checks.state().total(),
            "in_flight": api.checks.state().in_flight(),
            "late_ms": api.checks.state().late().as_millis(),
        },
        "schedule": schedule(api, expiries, now),
    })
}

/// What happens next by itself.
fn schedule(api: &Api, expiries: Expiries, now: Moment) -> Value {
    let at = |tick: Tick, key: &Key| json!({"at": render::time(now.wall_at(tick)), "service": key.service.as_str(), "id": key.id.as_str()});
    let expiries: Vec<Value> = expiries.into_iter().map(|(tick, key)| at(tick, &key)).collect();
    let check = |upcoming: Upcoming| {
        let mut shown = at(upcoming.due, &upcoming.key);
        shown["kind"] = upcoming.kind.into();
        shown
    };
    let checks: Vec<Value> = api.checks.state().upcoming().into_iter().map(check).collect();
    json!({
        "next_expiry": expiries.first().map(|first| &first["at"]),
        "next_check": checks.first().map(|first| &first["at"]),
        "expiries": expiries,
        "checks": checks,
    })
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
