//! Calls about the settings of a service.
//!
//! Settings make no names and no service: they may be there before the first instance and after the last. What is set can
//! be read at the path of the service all the same.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde_json::Value;

use super::body::JsonBody;
use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, selection, services};
use crate::model::json::Members;
use crate::model::{Invalid, Reason, ServiceName, Settings};
use crate::registry::Command;

/// Members that replies have beside the settings.
const REPLY_MEMBERS: &[&str] = &["service", "revision", "instances"];

/// `PUT /v1/services/{service}`
pub async fn replace(
    State(api): State<Api>,
    Segments(service): Segments<String>,
    params: Params,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, Problem> {
    let service = selection::service_name(&service)?;
    params.finish()?;
    let settings = read(&body.ok_or(Invalid::from(Reason::Missing))?, &service, &api)?;
    api.engine.write(Command::Set { service: service.clone(), settings: Some(Arc::new(settings)) }).await?;
    Ok(services::whole(&api, &service))
}

/// `DELETE /v1/services/{service}/settings`
pub async fn remove(
    State(api): State<Api>,
    Segments(service): Segments<String>,
    params: Params,
) -> Result<Response, Problem> {
    let service = selection::service_name(&service)?;
    params.finish()?;
    api.engine.write(Command::Set { service: service.clone(), settings: None }).await?;
    Ok(services::whole(&api, &service))
}

/// The settings as they are, or as the member `settings` of a reply that is written back.
fn read(body: &Value, service: &ServiceName, api: &Api) -> Result<Settings, Invalid> {
    super::instances::agrees(body, "service", service.as_str())?;
    let defaults = &api.defaults.get().check;
    if body.get("settings").is_some() {
        let members = Members::of(body, &["settings"], REPLY_MEMBERS)?;
        return members.required("settings", |settings| Settings::from_json(settings, defaults));
    }
    Settings::from_json(body, defaults)
}
