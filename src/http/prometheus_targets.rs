//! `GET /v1/prometheus/targets`: what Prometheus is to scrape (its HTTP service discovery).
//!
//! Every instance whose lease lives is a target, healthy or not: one that is unhealthy is what one wants to look into, and
//! its status is a label. `status=` asks for others. An instance is one target, at its first address.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::{Map, Value, json};

use super::params::Params;
use super::problem::Problem;
use super::{Api, listing, selection};
use crate::answer::ServiceView;
use crate::model::{Instance, Invalid, PortName, Status};

/// What every label begins with that relabelling may look at, and that is gone afterwards.
const PREFIX: &str = "__meta_srvd_";

/// Lists targets. `service=` (may be repeated) names the services, `port=` a named port in place of the main one.
pub async fn targets(State(api): State<Api>, mut params: Params) -> Result<Response, Problem> {
    let names = params.all("service")?;
    let services = names.iter().map(|name| selection::service_name(name)).collect::<Result<Vec<_>, Invalid>>()?;
    let port = params.one("port", PortName::parse)?;
    let any_status = params.has("status");
    let selector = selection::selector(&mut params)?;
    params.finish()?;
    let wanted = move |instance: &Arc<Instance>| {
        selector.admits(instance) && (any_status || instance.status() != Status::Lapsed)
    };
    let views = match services.is_empty() {
        true => api.engine.index().views(),
        false => services.iter().filter_map(|service| selection::view(&api, service).ok()).collect(),
    };
    let groups = views
        .into_iter()
        .flat_map(instances)
        .filter(wanted)
        .filter_map(move |instance| group(&instance, port.as_ref()));
    Ok(listing::array(groups))
}

/// The instances of a view, one after the other.
fn instances(view: Arc<ServiceView>) -> impl Iterator<Item = Arc<Instance>> {
    (0..view.instances().len()).map(move |at| Arc::clone(&view.instances()[at]))
}

/// An instance as a group of one target; `None` when it does not have the port.
fn group(instance: &Instance, port: Option<&PortName>) -> Option<Value> {
    let registration = &instance.registration;
    let number = match port {
        Some(name) => registration.port_named(name)?,
        None => registration.port,
    };
    Some(json!({"targets": [format!("{}:{number}", registration.address)], "labels": labels(instance)}))
}

/// Lists are joined by commas, with one before and one behind, so that an expression can look for `,canary,`.
fn labels(instance: &Instance) -> Map<String, Value> {
    let registration = &instance.registration;
    let mut labels = Map::new();
    // Keys that differ only in what a label cannot hold are one label; the first has it.
    let mut set = |name: &str, value: String| {
        labels.entry(format!("{PREFIX}{name}")).or_insert_with(|| value.into());
    };
    set("service", instance.key.service.to_string());
    set("id", instance.key.id.to_string());
    set("status", instance.status().as_str().to_owned());
    set("address", registration.address.to_string());
    set("scheme", registration.scheme().to_owned());
    set("protocol", registration.protocol.as_str().to_owned());
    if let Some(version) = registration.version() {
        set("version", version.to_owned());
    }
    if !registration.tags().is_empty() {
        let tags: String = registration.tags().iter().map(|tag| format!("{},", tag.as_str())).collect();
        set("tags", format!(",{tags}"));
    }
    for (name, port) in registration.ports() {
        set(&format!("port_{}", label(name.as_str())), port.to_string());
    }
    for (key, value) in registration.metadata().texts() {
        set(&format!("metadata_{}", label(key)), value);
    }
    labels
}

/// A text as part of a label's name, which has letters, digits and underscores.
fn label(text: &str) -> String {
    text.chars().map(|character| if character.is_ascii_alphanumeric() { character } else { '_' }).collect()
}
