//! `GET /v1/events`: what has changed lately, for who was not watching.

use axum::extract::State;
use axum::response::Response;
use serde_json::Map;

use super::params::{self, Params};
use super::problem::Problem;
use super::{Api, listing, render, stamped};
use crate::engine::Published;
use crate::model::{InstanceId, Invalid, Reason, ServiceName, limits};
use crate::registry::Change;

/// Changes in a reply that does not ask for another number.
const USUAL: u64 = 50;

/// The latest changes, newest first: of `service=`, of its instance `id=`, or of all.
pub async fn recent(State(api): State<Api>, mut params: Params) -> Result<Response, Problem> {
    let service = params.one("service", ServiceName::parse)?;
    let id = params.one("id", InstanceId::parse)?;
    let limit = params.one("limit", |text| params::integer(text, limits::EVENTS))?.unwrap_or(USUAL);
    params.finish()?;
    if id.is_some() && service.is_none() {
        return Err(Invalid::at("service", Reason::Missing).into());
    }
    let revision = api.engine.revision();
    // Weights breathe with load and slow starts, and would crowd out everything else.
    let is_news = |change: &Published| change.change != Change::Weight;
    let wanted = |change: &Published| is_news(change) && id.as_ref().is_none_or(|id| change.key.id == *id);
    let events = api.engine.recent(service.as_ref(), limit as usize, wanted);
    let now = api.engine.clock().now();
    let head = Map::from_iter([("revision".to_owned(), revision.0.into())]);
    let entries = events.into_iter().map(move |change| render::change(&change, now));
    Ok(stamped(listing::reply(head, "events", entries), revision))
}
