//! `GET /metrics`: the figures of the whole server, for Prometheus.
//!
//! What there is now is read from the published index, which keeps its numbers; what has happened, whoever counts it tells.
//! No number of instances makes a scrape longer than its bounds do.

use std::convert::Infallible;
use std::ops::Bound;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::Api;
use super::params::Params;
use super::problem::Problem;
use crate::model::Status;
use crate::registry::Scope;
use crate::telemetry::metrics::{CONTENT_TYPE, Exposition, Source, Type};

/// Services with numbers of their own, the first ones by name; and holds.
const SERVICES: usize = 1_000;
/// Scrapes whose text is in memory at one time, until their peers have taken it in.
const SCRAPES: usize = 16;

/// Octets that are handed over at once.
const PART: usize = 16 * 1024;

/// Room for scrapes; cheap to clone.
#[derive(Debug, Clone)]
pub struct Scrapes(Arc<Semaphore>);

impl Default for Scrapes {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(SCRAPES)))
    }
}

/// `GET /metrics`
pub async fn metrics(State(api): State<Api>, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let busy = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many read the metrics already");
    let place = Arc::clone(&api.scrapes.0).try_acquire_owned().map_err(busy)?;
    // Files of the system are read for it.
    let text = spawn_blocking(move || text(&api)).await;
    let text = text.map_err(|_| Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be told"))?;
    // The place goes with the last part.
    let parts = stream::unfold((Bytes::from(text), place), |(mut rest, place)| async move {
        let part = rest.split_to(rest.len().min(PART));
        (!part.is_empty()).then_some((Ok::<_, Infallible>(part), (rest, place)))
    });
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], Body::from_stream(parts)).into_response())
}

fn text(api: &Api) -> String {
    let mut to = Exposition::default();
    registry(api, &mut to);
    services(api, &mut to);
    protection(api, &mut to);
    let checks = api.checks.state();
    to.gauge("srvd_checks", "Checks of registered instances.", checks.total());
    to.gauge("srvd_checks_in_flight", "Checks that run.", checks.in_flight());
    to.gauge("srvd_watchers", "Clients that watch or wait for changes.", api.watchers.count());
    for source in [api.engine.metrics() as &dyn Source, &checks.metrics, &*api.requests] {
        source.tell(&mut to);
    }
    api.sources.iter().for_each(|source| source.tell(&mut to));
    to.into_text()
}

fn registry(api: &Api, to: &mut Exposition) {
    let index = api.engine.index();
    to.gauge("srvd_ready", "1 while the server should be sent traffic.", u8::from(api.readiness.is_ready()));
    to.gauge("srvd_revision", "The registry's revision.", api.engine.revision().0);
    to.gauge("srvd_services", "Services that have instances.", index.services());
    let mut family = to.family("srvd_instances", Type::Gauge, "Registered instances by status.");
    for status in Status::ALL {
        family.sample(&[("status", status.as_str())], index.count(status));
    }
    let help = "Services of which so few instances are healthy that the unhealthy ones are served too.";
    to.gauge("srvd_services_panicking", help, index.panicking());
}

fn services(api: &Api, to: &mut Exposition) {
    let index = api.engine.index();
    let views: Vec<_> = index.views_from(Bound::Unbounded).take(SERVICES).collect();
    let help = "Registered instances by service and status, of the first 1,000 services by name.";
    let mut family = to.family("srvd_service_instances", Type::Gauge, help);
    for view in &views {
        for status in Status::ALL {
            let labels = [("service", view.name().as_str()), ("status", status.as_str())];
            family.sample(&labels, view.count(status));
        }
    }
    let help = "Services that srvd_service_instances leaves out.";
    to.gauge("srvd_services_left_out", help, index.services().saturating_sub(views.len()));
}

fn protection(api: &Api, to: &mut Exposition) {
    let holds = api.engine.holds();
    to.gauge("srvd_protection_holds", "Holds of mass expiry that there are.", holds.len());
    let help = "Instances that a hold keeps from lapsing, by its scope; of one service, or of all.";
    let mut family = to.family("srvd_lapses_held", Type::Gauge, help);
    for hold in holds.iter().take(SERVICES) {
        let (scope, service) = match &hold.scope {
            Scope::All => ("all", ""),
            Scope::Service(service) => ("service", service.as_str()),
        };
        family.sample(&[("scope", scope), ("service", service)], hold.held);
    }
}
