//! Calls about subscriptions: whose changes are posted where, and how that goes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};

use super::body::JsonBody;
use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, instances, listing, render};
use crate::model::{Invalid, Reason, Subscription, SubscriptionId};
use crate::registry::{Command, Refusal};

/// `GET /v1/subscriptions`
pub async fn list(State(api): State<Api>, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let head = Map::from_iter([("revision".to_owned(), api.engine.revision().0.into())]);
    let all = api.engine.records().subscriptions().into_iter();
    Ok(listing::reply(head, "subscriptions", all.map(move |(id, _, subscription)| shown(&api, &id, &subscription))))
}

/// `GET /v1/subscriptions/{id}`
pub async fn read(
    State(api): State<Api>,
    Segments(id): Segments<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    let id = subscription_id(&id)?;
    params.finish()?;
    match api.engine.records().subscription(&id) {
        Some(subscription) => Ok(Json(shown(&api, &id, &subscription))),
        None => Err(Refusal::UnknownSubscription(id).into()),
    }
}

/// `PUT /v1/subscriptions/{id}`
pub async fn replace(
    State(api): State<Api>,
    Segments(id): Segments<String>,
    params: Params,
    body: JsonBody,
) -> Result<Json<Value>, Problem> {
    let id = subscription_id(&id)?;
    params.finish()?;
    let body = body.into_value().ok_or(Invalid::from(Reason::Missing))?;
    instances::agrees(&body, "id", id.as_str())?;
    let subscription = Arc::new(Subscription::from_json(&body)?);
    let command = Command::Subscribe { id: id.clone(), subscription: Some(Arc::clone(&subscription)) };
    api.engine.write(command).await?;
    Ok(Json(shown(&api, &id, &subscription)))
}

/// `DELETE /v1/subscriptions/{id}`
pub async fn remove(
    State(api): State<Api>,
    Segments(id): Segments<String>,
    params: Params,
) -> Result<StatusCode, Problem> {
    let id = subscription_id(&id)?;
    params.finish()?;
    api.engine.write(Command::Subscribe { id, subscription: None }).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn subscription_id(text: &str) -> Result<SubscriptionId, Invalid> {
    SubscriptionId::parse(text).map_err(|reason| Invalid::at("id", reason))
}

fn shown(api: &Api, id: &SubscriptionId, subscription: &Subscription) -> Value {
    let delivery = api.deliveries.of(id);
    let mut members = Map::from_iter([("id".to_owned(), id.as_str().into())]);
    members.extend(subscription.to_json());
    members.insert("last_notified".to_owned(), delivery.last_notified.map_or(Value::Null, render::time));
    members.insert("last_error".to_owned(), delivery.last_error.into());
    members.insert("retries".to_owned(), delivery.retries.into());
    members.insert("pending".to_owned(), delivery.pending.into());
    Value::Object(members)
}
