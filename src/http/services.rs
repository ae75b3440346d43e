//! Calls about services.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::params::{self, Params, Segments};
use super::problem::Problem;
use super::{Api, listing, render};
use crate::answer::{Live, ServiceView};
use crate::model::{Instance, Invalid, Reason, ServiceName, Status, limits};

/// `GET /v1/services`
pub async fn list(State(api): State<Api>, mut params: Params) -> Result<Response, Problem> {
    let tags = params.all("tag")?;
    let prefix = params.one("prefix", |text| Ok(text.to_ascii_lowercase()))?.unwrap_or_default();
    let limit = params.one("limit", |text| params::integer(text, limits::PAGE))?;
    let after = params.one("after", |text| Ok(text.to_ascii_lowercase()))?.unwrap_or_default();
    let with_instances = params.one("instances", params::boolean)?.unwrap_or(false);
    params.finish()?;
    let head = Map::from_iter([("revision".to_owned(), api.engine.revision().0.into())]);
    let now = api.engine.clock().now();
    let listed = move |view: &Arc<ServiceView>| {
        let name = view.name().as_str();
        let tagged = || tags.iter().all(|tag| view.instances().iter().any(|instance| has_tag(instance, tag)));
        name.starts_with(&prefix) && name > after.as_str() && tagged()
    };
    let shown = move |view: Arc<ServiceView>| {
        let mut entry = summary(&view);
        if with_instances {
            let members = view.instances().iter().map(|instance| render::instance(instance, now)).collect();
            entry.insert("members".into(), members);
        }
        Value::Object(entry)
    };
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let entries = api.engine.index().views().into_iter().filter(listed).take(limit).map(shown);
    Ok(listing::reply(head, "services", entries))
}

/// `GET /v1/services/{service}`
pub async fn read(
    State(api): State<Api>,
    Segments(service): Segments<String>,
    mut params: Params,
) -> Result<Response, Problem> {
    let service = ServiceName::parse(&service).map_err(|reason| Invalid::at("service", reason))?;
    let status = params.one("status", wanted_status)?.flatten();
    let tags = params.all("tag")?;
    let version = params.one("version", |text| Ok(text.to_owned()))?;
    let metadata = params.beginning_with("meta.")?;
    params.finish()?;
    let view = api
        .engine
        .index()
        .service(service.as_str())
        .ok_or_else(|| Problem::new(StatusCode::NOT_FOUND, format!("there is no service {service}")))?;
    let wanted = move |instance: &Instance| {
        let registration = &instance.registration;
        status.is_none_or(|status| instance.status() == status)
            && tags.iter().all(|tag| has_tag(instance, tag))
            && version.as_ref().is_none_or(|version| registration.version.as_deref() == Some(version))
            && metadata.iter().all(|(key, value)| registration.metadata.text(key).as_ref() == Some(value))
    };
    let head = Map::from_iter([
        ("service".to_owned(), service.as_str().into()),
        ("revision".to_owned(), view.revision().0.into()),
        ("settings".to_owned(), Map::new().into()),
    ]);
    let now = api.engine.clock().now();
    let instances = (0..view.instances().len()).map(move |at| Arc::clone(&view.instances()[at]));
    let entries =
        instances.filter(move |instance| wanted(instance)).map(move |instance| render::instance(&instance, now));
    Ok(listing::reply(head, "instances", entries))
}

fn wanted_status(text: &str) -> Result<Option<Status>, Reason> {
    const STATUSES: &[&str] = &["all", "draining", "lapsed", "unhealthy", "starting", "healthy"];
    match text {
        "all" => Ok(None),
        other => Status::parse(other).map(Some).ok_or(Reason::Choice { choices: STATUSES }),
    }
}

fn has_tag(instance: &Instance, tag: &str) -> bool {
    instance.registration.tags.iter().any(|own| own.as_str() == tag)
}

fn summary(view: &ServiceView) -> Map<String, Value> {
    let instances = view.instances();
    let count = |status| instances.iter().filter(|instance| instance.status() == status).count();
    let healthy = count(Status::Healthy);
    let health = match healthy {
        0 => "down",
        all if all == instances.len() => "healthy",
        _ => "degraded",
    };
    let mut counts = Map::from_iter([("total".to_owned(), Value::from(instances.len()))]);
    counts.extend(Status::ALL.map(|status| (status.as_str().to_owned(), count(status).into())));
    let tags: BTreeSet<&str> =
        instances.iter().flat_map(|instance| &instance.registration.tags).map(|tag| tag.as_str()).collect();
    Map::from_iter([
        ("service".to_owned(), Value::from(view.name().as_str())),
        ("health".to_owned(), health.into()),
        ("instances".to_owned(), counts.into()),
        ("tags".to_owned(), tags.into_iter().collect()),
        ("revision".to_owned(), view.revision().0.into()),
    ])
}
