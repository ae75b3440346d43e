//! Calls with which an operator takes an instance out of DNS and puts it back.
//!
//! Each replies with `safe_at`: when no cache can hold the instance any more, so that it may be stopped; and with `safe`,
//! whether that has come. With `wait` the reply is held until then. While it is held nothing is: no body, no place in a queue.

use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value};
use tokio::time::sleep_until;

use super::body::JsonBody;
use super::params::{Params, Segments};
use super::problem::Problem;
use super::{Api, instances, render};
use crate::model::json::Members;
use crate::model::{Invalid, Key, Pulse, Reason, Span, Tick, limits, pulse};
use crate::registry::{Command, Done, Refusal};

type Reply = Result<Json<Value>, Problem>;

/// `PUT /v1/services/{service}/instances/{id}/drain`
pub async fn drain(State(api): State<Api>, Segments(path): Segments<(String, String)>, params: Params) -> Reply {
    let (key, wait) = (instances::key(&path)?, wait(params)?);
    carry_out(&api, Command::Drain { key: key.clone() }, key, wait).await
}

/// `DELETE /v1/services/{service}/instances/{id}/drain`
pub async fn end_drain(State(api): State<Api>, Segments(path): Segments<(String, String)>, params: Params) -> Reply {
    let (key, wait) = (instances::key(&path)?, wait(params)?);
    let command = Command::Resume { key: key.clone(), maintenance: false, drain: true };
    carry_out(&api, command, key, wait).await
}

/// `PUT /v1/services/{service}/instances/{id}/maintenance`
pub async fn maintain(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
    body: JsonBody,
) -> Reply {
    let (key, wait) = (instances::key(&path)?, wait(params)?);
    let reason = match body.into_value() {
        Some(body) => Members::of(&body, &["reason"], &["service", "id"])?.optional("reason", pulse::message)?,
        None => None,
    };
    carry_out(&api, Command::Maintain { key: key.clone(), reason }, key, wait).await
}

/// `DELETE /v1/services/{service}/instances/{id}/maintenance`
pub async fn end_maintenance(
    State(api): State<Api>,
    Segments(path): Segments<(String, String)>,
    params: Params,
) -> Reply {
    let (key, wait) = (instances::key(&path)?, wait(params)?);
    let command = Command::Resume { key: key.clone(), maintenance: true, drain: false };
    carry_out(&api, command, key, wait).await
}

/// `PUT /v1/services/{service}/instances/{id}/resume`
pub async fn resume(State(api): State<Api>, Segments(path): Segments<(String, String)>, params: Params) -> Reply {
    let (key, wait) = (instances::key(&path)?, wait(params)?);
    let command = Command::Resume { key: key.clone(), maintenance: true, drain: true };
    carry_out(&api, command, key, wait).await
}

/// How long the reply may be held: `true` and nothing mean as long as it takes, and that is never longer than any span
/// that may be given.
fn wait(mut params: Params) -> Result<Span, Invalid> {
    let longest = Span::from_millis(*limits::WAIT.end());
    let read = |text: &str| match text {
        "" | "true" => Ok(longest),
        "false" => Ok(Span::from_millis(0)),
        span => Span::parse(span).ok_or(Reason::Span)?.within(limits::WAIT),
    };
    let wait = params.one("wait", read)?;
    params.finish()?;
    Ok(wait.unwrap_or(Span::from_millis(0)))
}

async fn carry_out(api: &Api, command: Command, key: Key, wait: Span) -> Reply {
    let until = api.engine.clock().tick().after(wait);
    let done = api.engine.write(command).await?;
    // What was asked for is done. When too many wait already, the reply says that it is not safe yet.
    let place = (wait > Span::from_millis(0)).then(|| api.watchers.enter().ok()).flatten();
    match done {
        Done::Stands(instance) => {
            if let Some(_place) = place {
                until_clear(api, &instance.pulse, until).await;
            }
            let current = api.engine.index().instance(&key);
            let clear_at = api.engine.clear_at(current.as_ref().unwrap_or(&instance));
            let now = api.engine.clock().now();
            Ok(reply(api, clear_at, current.map(|current| render::instance(&current, now))))
        }
        Done::Marked(mark) => {
            let clear_at = api.engine.clear_since(&key, &mark);
            if let Some(_place) = place {
                pause(api, clear_at.min(until)).await;
            }
            Ok(reply(api, clear_at, None))
        }
        // No other outcome of these commands is about an instance.
        _ => Err(Refusal::Unknown(key).into()),
    }
}

/// Waits until caches have forgotten the instance, or `until` comes, or the server stops. When DNS serves it, waiting
/// makes nothing safe.
async fn until_clear(api: &Api, pulse: &Pulse, until: Tick) {
    while let Some(clear_at) = pulse.clear_at() {
        let next = clear_at.min(until);
        if !pause(api, next).await || api.engine.clock().tick() >= until || pulse.clear_at() == Some(clear_at) {
            return;
        }
    }
}

/// Waits for `tick`; `false` when the server stops before.
async fn pause(api: &Api, tick: Tick) -> bool {
    tokio::select! {
        () = api.stopping.cancelled() => false,
        () = sleep_until(api.engine.clock().instant(tick)) => true,
    }
}

fn reply(api: &Api, clear_at: Tick, instance: Option<Value>) -> Json<Value> {
    let now = api.engine.clock().now();
    let safe_at = render::time(now.wall_at(clear_at));
    let mut members =
        Map::from_iter([("safe_at".to_owned(), safe_at), ("safe".to_owned(), (clear_at <= now.tick).into())]);
    members.extend(instance.map(|instance| ("instance".to_owned(), instance)));
    Json(Value::Object(members))
}

#[cfg(test)]
mod tests;
