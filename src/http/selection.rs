//! Which service and which of its instances a call is about: the same in every call that has these parameters.

use std::sync::Arc;

use axum::http::StatusCode;

use super::Api;
use super::params::Params;
use super::problem::Problem;
use crate::answer::{Live, ServiceView};
use crate::model::{Invalid, Reason, ServiceName, Status};
use crate::select::Selector;

/// Reads the name of a service.
pub fn service_name(text: &str) -> Result<ServiceName, Invalid> {
    ServiceName::parse(text).map_err(|reason| Invalid::at("service", reason))
}

/// The present state of a service.
pub fn view(api: &Api, service: &ServiceName) -> Result<Arc<ServiceView>, Problem> {
    let view = api.engine.index().service(service.as_str());
    view.ok_or_else(|| unknown(service))
}

/// The refusal of a call about a service that is not there.
pub fn unknown(service: &ServiceName) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, format!("there is no service {service}"))
}

/// Reads `status=`, `tag=` (may be repeated), `version=` and `meta.KEY=`.
pub fn selector(params: &mut Params) -> Result<Selector, Invalid> {
    Ok(Selector {
        status: params.one("status", status)?.flatten(),
        tags: params.all("tag")?,
        version: params.one("version", |text| Ok(text.to_owned()))?,
        metadata: params.beginning_with("meta.")?,
    })
}

const STATUSES: &[&str] = &["all", "maintenance", "draining", "lapsed", "unhealthy", "starting", "healthy"];

/// A status; `all` asks for none in particular.
fn status(text: &str) -> Result<Option<Status>, Reason> {
    match text {
        "all" => Ok(None),
        other => Status::parse(other).map(Some).ok_or(Reason::Choice { choices: STATUSES }),
    }
}

/// A status, and nothing else.
pub fn one_status(text: &str) -> Result<Status, Reason> {
    Status::parse(text).ok_or(Reason::Choice { choices: &STATUSES[1..] })
}
