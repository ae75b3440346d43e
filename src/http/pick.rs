//! `GET /v1/services/{service}/pick`: one instance for whoever wants to choose none itself.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, render, selection};
use crate::model::{Invalid, Reason, Strategy, limits};
use crate::select::{Pick, eligible};

/// Picks among the instances that DNS serves and the filters admit, of the lowest priority.
pub async fn pick(
    State(api): State<Api>,
    Segments(service): Segments<String>,
    mut params: Params,
) -> Result<Json<Value>, Problem> {
    let service = selection::service_name(&service)?;
    let selector = selection::selector(&mut params)?;
    let strategy = params.one("strategy", Strategy::parse)?;
    let key = params.one("key", key)?;
    params.finish()?;
    let view = selection::view(&api, &service)?;
    let strategy = strategy.or(view.settings().strategy).unwrap_or_default();
    if strategy == Strategy::ConsistentHash && key.is_none() {
        return Err(Invalid::at("key", Reason::Missing).into());
    }
    let key = key.unwrap_or_default();
    let pick = Pick { strategy, key: &key, selector: &selector, rules: api.engine.load_rules() };
    let picked = pick.from(eligible(&view, &selector), &api.rotations, &mut rand::random);
    let instance = picked.ok_or_else(|| {
        let detail = format!("no instance of {service} that was asked for is served");
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    })?;
    Ok(Json(render::instance(instance, api.engine.clock().now())))
}

fn key(text: &str) -> Result<String, Reason> {
    match limits::PICK_KEY.contains(&text.len()) {
        true => Ok(text.to_owned()),
        false => Err(Reason::Length { min: *limits::PICK_KEY.start(), max: *limits::PICK_KEY.end() }),
    }
}
