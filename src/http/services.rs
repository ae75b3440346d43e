//! Calls about services.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value};

use super::params::{self, Params, Segments};
use super::problem::Problem;
use super::wait::Wait;
use super::{Api, listing, render, selection, stamped};
use crate::answer::{Live, ServiceView};
use crate::model::{Instance, ServiceName, Status, limits};
use crate::select::Selector;

/// `GET /v1/services`
pub async fn list(State(api): State<Api>, mut params: Params) -> Result<Response, Problem> {
    let tags = params.all("tag")?;
    let prefix = params.one("prefix", |text| Ok(text.to_ascii_lowercase()))?.unwrap_or_default();
    let status = params.one("status", selection::one_status)?;
    let limit = params.one("limit", |text| params::integer(text, limits::PAGE))?;
    let after = params.one("after", |text| Ok(text.to_ascii_lowercase()))?.unwrap_or_default();
    let with_instances = params.one("instances", params::boolean)?.unwrap_or(false);
    params.finish()?;
    let mut head = Map::from_iter([("revision".to_owned(), api.engine.revision().0.into())]);
    let listed = |view: &Arc<ServiceView>| {
        let tagged = |tag: &String| view.instances().iter().any(|instance| has_tag(instance, tag));
        status.is_none_or(|status| view.count(status) > 0) && tags.iter().all(tagged)
    };
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let index = api.engine.index();
    let start = if after < prefix { Bound::Included(prefix.as_str()) } else { Bound::Excluded(after.as_str()) };
    let begun = index.views_from(start).take_while(|view| view.name().as_str().starts_with(&prefix));
    let mut views = begun.filter(listed);
    let page: Vec<_> = views.by_ref().take(limit).collect();
    // Where the next page begins, if there is one: what to give as `after`.
    if let (Some(last), Some(_)) = (page.last(), views.next()) {
        head.insert("next".to_owned(), last.name().as_str().into());
    }
    let now = api.engine.clock().now();
    let shown = move |view: Arc<ServiceView>| {
        let mut entry = summary(&view);
        if with_instances {
            let members = view.instances().iter().map(|instance| render::instance(instance, now)).collect();
            entry.insert("members".into(), members);
        }
        Value::Object(entry)
    };
    Ok(listing::reply(head, "services", page.into_iter().map(shown)))
}

/// `GET /v1/services/{service}`, at once or after a change.
pub async fn read(
    State(api): State<Api>,
    Segments(service): Segments<String>,
    mut params: Params,
) -> Result<Response, Problem> {
    let service = selection::service_name(&service)?;
    let selector = selection::selector(&mut params)?;
    let wait = Wait::from_params(&mut params)?;
    params.finish()?;
    if let Some(wait) = wait {
        wait.for_change(&api, &service).await?;
    }
    let revision = api.engine.revision();
    let view = view(&api, &service).ok_or_else(|| selection::unknown(&service))?;
    Ok(stamped(reply(&api, view, selector), revision))
}

/// The view of a service. One that has settings and no instances is no service in DNS, and here one without instances.
fn view(api: &Api, service: &ServiceName) -> Option<Arc<ServiceView>> {
    let without_instances = || {
        let (revision, settings) = api.engine.records().settings(service)?;
        Some(Arc::new(ServiceView::new(None, service.clone(), revision, Some(settings), false, [].iter())))
    };
    api.engine.index().service(service.as_str()).or_else(without_instances)
}

/// The reply to a change of a service that may be gone with it.
pub(super) fn whole(api: &Api, service: &ServiceName) -> Response {
    let gone = || Arc::new(ServiceView::new(None, service.clone(), api.engine.revision(), None, false, [].iter()));
    reply(api, view(api, service).unwrap_or_else(gone), Selector::default())
}

fn reply(api: &Api, view: Arc<ServiceView>, selector: Selector) -> Response {
    let head = Map::from_iter([
        ("service".to_owned(), view.name().as_str().into()),
        ("revision".to_owned(), view.revision().0.into()),
        ("settings".to_owned(), view.settings().to_json().into()),
    ]);
    let now = api.engine.clock().now();
    let instances = (0..view.instances().len()).map(move |at| Arc::clone(&view.instances()[at]));
    let entries = instances
        .filter(move |instance| selector.admits(instance))
        .map(move |instance| render::instance_text(&instance, now));
    listing::reply(head, "instances", entries)
}

fn has_tag(instance: &Instance, tag: &str) -> bool {
    instance.registration.tags().iter().any(|own| own.as_str() == tag)
}

fn summary(view: &ServiceView) -> Map<String, Value> {
    let instances = view.instances();
    let healthy = view.count(Status::Healthy);
    let health = match healthy {
        0 => "down",
        all if all == instances.len() => "healthy",
        _ => "degraded",
    };
    let mut counts = Map::from_iter([("total".to_owned(), Value::from(instances.len()))]);
    counts.extend(Status::ALL.map(|status| (status.as_str().to_owned(), view.count(status).into())));
    let tags: BTreeSet<&str> =
        instances.iter().flat_map(|instance| instance.registration.tags()).map(|tag| tag.as_str()).collect();
    Map::from_iter([
        ("service".to_owned(), Value::from(view.name().as_str())),
        ("health".to_owned(), health.into()),
        ("instances".to_owned(), counts.into()),
        ("tags".to_owned(), tags.into_iter().collect()),
        ("revision".to_owned(), view.revision().0.into()),
    ])
}
