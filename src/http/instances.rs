//! Calls about one instance.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::RngExt;
use serde_json::Value;

use super::body::{JsonBody, UsualBody};
use super::condition::{self, Condition};
use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, Peer, plain, render};
use crate::engine::{Heartbeat, WriteError};
use crate::model::json::{self as read_json, Members};
use crate::model::pulse;
use crate::model::{InstanceId, Invalid, Key, Load, Reason, Registration, SelfReport, ServiceName};
use crate::registry::{Command, Done, Expected, Refusal, Report};

/// Hexadecimal digits of an id made here, for each attempt to find a free one: short ids make short SRV targets.
const ID_DIGITS: [usize; 5] = [4, 4, 6, 8, 12];

/// `PUT /v1/services/{service}/instances/{id}`
pub async fn register(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    condition: Condition,
    body: UsualBody,
) -> Result<Response, Problem> {
    let key = key(&path)?;
    params.finish()?;
    let plain = plain::registration(&body.octets, &key, &api.defaults.get(), peer.0.ip());
    let registration = match plain {
        Some(registration) => registration,
        None => Arc::new(unusual(&api, &key, body.value()?, peer)?),
    };
    let expected = match condition {
        Condition::Any => Expected::Any,
        Condition::Absent => Expected::Absent,
        Condition::Present => Expected::Present,
        Condition::Never => return Err(condition::unmatched()),
    };
    Ok(reply(&api, api.engine.write(Command::Register { key, registration, expected }).await?))
}

/// The registration that a body is which is written in another way than most.
fn unusual(api: &Api, key: &Key, body: Option<Value>, peer: Peer) -> Result<Registration, Invalid> {
    let mut body = body.unwrap_or_else(|| Value::Object(Default::default()));
    agrees(&body, "service", key.service.as_str())?;
    agrees(&body, "id", key.id.as_str())?;
    give_own_status(api, key, &mut body);
    Registration::from_json(&body, &api.defaults.get(), peer.0.ip())
}

/// `POST /v1/services/{service}/instances`
pub async fn register_unnamed(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Segments(service): Segments<String>,
    params: Params,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, Problem> {
    let service = ServiceName::parse(&service).map_err(|reason| Invalid::at("service", reason))?;
    params.finish()?;
    let body = body.unwrap_or_else(|| Value::Object(Default::default()));
    agrees(&body, "service", service.as_str())?;
    if body.get("id").is_some() {
        let instead = "PUT the registration to the instance's own path to choose its id";
        return Err(Invalid::at("id", Reason::Elsewhere { instead }).into());
    }
    let registration = Arc::new(Registration::from_json(&body, &api.defaults.get(), peer.0.ip())?);
    let mut attempts = ID_DIGITS.into_iter();
    loop {
        let digits = attempts.next();
        let id =
            InstanceId::parse(&made_id(digits.unwrap_or(ID_DIGITS[4]))).map_err(|reason| Invalid::at("id", reason))?;
        let key = Key { service: service.clone(), id };
        let command = Command::Register { key, registration: Arc::clone(&registration), expected: Expected::Absent };
        match api.engine.write(command).await {
            Err(WriteError::Refused(Refusal::Exists(_) | Refusal::Clash { .. })) if digits.is_some() => {}
            done => return Ok(reply(&api, done?)),
        }
    }
}

/// `PATCH /v1/services/{service}/instances/{id}`
pub async fn patch(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    condition: Condition,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<Response, Problem> {
    let key = key(&path)?;
    params.finish()?;
    condition.allows_change(&api, &key)?;
    let patch = body.ok_or(Invalid::from(Reason::Missing))?;
    agrees(&patch, "service", key.service.as_str())?;
    agrees(&patch, "id", key.id.as_str())?;
    let done = api.engine.write(Command::Patch { key, patch, from: peer.0.ip() }).await?;
    Ok(reply(&api, done))
}

/// `DELETE /v1/services/{service}/instances/{id}`
pub async fn deregister(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    condition: Condition,
) -> Result<StatusCode, Problem> {
    let key = key(&path)?;
    params.finish()?;
    condition.allows_change(&api, &key)?;
    api.engine.write(Command::Deregister { key }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v1/services/{service}/instances/{id}/heartbeat`
pub async fn heartbeat(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    JsonBody { value: body, .. }: JsonBody,
) -> Result<StatusCode, Problem> {
    let key = key(&path)?;
    params.finish()?;
    let heartbeat = body.map(|body| words(&body)).transpose()?.unwrap_or_default();
    api.engine.heartbeat(key, heartbeat).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/services/{service}/instances/{id}`
pub async fn read(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    let key = key(&path)?;
    params.finish()?;
    let instance = api.engine.index().instance(&key).ok_or(Refusal::Unknown(key))?;
    Ok(Json(render::instance(&instance, api.engine.clock().now())))
}

/// The instance that a path names.
pub(super) fn key((service, id): &(String, String)) -> Result<Key, Invalid> {
    Ok(Key {
        service: ServiceName::parse(service).map_err(|reason| Invalid::at("service", reason))?,
        id: InstanceId::parse(id).map_err(|reason| Invalid::at("id", reason))?,
    })
}

/// A name that stands in the body too must be the one in the path.
pub(super) fn agrees(body: &Value, member: &'static str, path: &str) -> Result<(), Invalid> {
    match body.get(member) {
        None => Ok(()),
        Some(value) if value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(path)) => Ok(()),
        Some(_) => Err(Invalid::at(member, Reason::Disagrees { path: path.to_owned() })),
    }
}

/// In a reply `status` is what srvd makes of the instance. A reply that is written back, known by its `revision`, does not
/// turn that into something that the instance said: what it registered with stands.
pub(super) fn give_own_status(api: &Api, key: &Key, body: &mut Value) {
    let Some(members) = body.as_object_mut().filter(|members| members.contains_key("revision")) else { return };
    if members.get("status").is_some_and(Value::is_string) {
        members.remove("status");
        if let Some(current) = api.engine.index().instance(key) {
            members.insert("status".to_owned(), current.registration.status.as_str().into());
        }
    }
}

fn words(body: &Value) -> Result<Heartbeat, Invalid> {
    const REPORTS: &[&str] = &["starting", "healthy", "unhealthy", "draining"];
    const MEANINGS: &[Report] = &[
        Report::Is(SelfReport::Starting),
        Report::Is(SelfReport::Healthy),
        Report::Is(SelfReport::Unhealthy),
        Report::Draining,
    ];
    let members = Members::of(body, &["status", "message", "load"], &["service", "id"])?;
    Ok(Heartbeat {
        report: members.optional("status", |value| read_json::choice(value, REPORTS, MEANINGS))?,
        message: members.optional("message", pulse::message)?,
        load: members.optional("load", Load::from_json)?,
    })
}

fn made_id(digits: usize) -> String {
    let mut random = rand::rng();
    let digit = |_| char::from_digit(random.random_range(0..16), 16).unwrap_or('0');
    format!("i-{}", (0..digits).map(digit).collect::<String>())
}

/// The instance that a change left.
pub(super) fn reply(api: &Api, done: Done) -> Response {
    let (status, instance) = match done {
        Done::Registered(instance) => (StatusCode::CREATED, instance),
        Done::Replaced(instance) | Done::Unchanged(instance) | Done::Stands(instance) => (StatusCode::OK, instance),
        Done::Deregistered | Done::Marked(_) | Done::Noted => return StatusCode::NO_CONTENT.into_response(),
    };
    let body = render::instance_text(&instance, api.engine.clock().now()).into_bytes();
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::CREATED {
        let Key { service, id } = &instance.key;
        // Names are labels, which are good in a header.
        let location = HeaderValue::try_from(format!("/v1/services/{service}/instances/{id}"));
        location.into_iter().for_each(|location| drop(headers.insert(header::LOCATION, location)));
    }
    response
}
