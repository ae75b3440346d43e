//! Reading request bodies: JSON, bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Api;
use super::problem::Problem;
use crate::model::limits;

/// From the head of a request to the end of its body.
const PATIENCE: Duration = Duration::from_secs(30);

/// A JSON body; without a value when there was none.
#[derive(Debug)]
pub struct JsonBody {
    pub value: Option<Value>,
    /// Its share of the memory for all bodies, until it is dealt with.
    _room: OwnedSemaphorePermit,
}

impl JsonBody {
    /// The value, giving back its share of the memory.
    pub fn into_value(self) -> Option<Value> {
        self.value
    }
}

/// The memory for all bodies that are held at one time; who finds no room waits.
#[derive(Debug, Clone)]
pub struct Room(Arc<Semaphore>);

impl Default for Room {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(limits::BODIES)))
    }
}

impl FromRequest<Api> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let announced = announced(&head.headers);
        if announced.is_some_and(|octets| octets > limits::BODY as u64) {
            return Err(too_large());
        }
        let bound = match announced {
            Some(octets) => octets as u32,
            None if axum::body::HttpBody::is_end_stream(&body) => 0,
            None => limits::BODY as u32,
        };
        let room = Arc::clone(&api.bodies.0).acquire_many_owned(bound).await;
        let room = room.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"))?;
        let octets = read(body).await?;
        if octets.is_empty() {
            return Ok(Self { value: None, _room: room });
        }
        if !is_json(&head.headers) {
            let detail = "the body must be JSON, and say so: `content-type: application/json`";
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        serde_json::from_slice(&octets)
            .map(|value| Self { value: Some(value), _room: room })
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}")))
    }
}

async fn read(body: Body) -> Result<bytes::Bytes, Problem> {
    match timeout(PATIENCE, to_bytes(body, limits::BODY)).await {
        Ok(Ok(octets)) => Ok(octets),
        Ok(Err(error)) if is_limit(&error) => Err(too_large()),
        Ok(Err(_)) => Err(Problem::new(StatusCode::BAD_REQUEST, "the body broke off")),
        Err(_) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    }
}

fn too_large() -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {} octets at most", limits::BODY))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn is_limit(error: &axum::Error) -> bool {
    let mut causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes.any(|cause| cause.is::<http_body_util::LengthLimitError>())
}

/// `application/json` and every type that is built on it (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_goes_by_several_names() {
        for (kind, json) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("application/merge-patch+json", true),
            ("text/plain", false),
            ("text/json", false),
            ("application/x-www-form-urlencoded", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
            assert_eq!(is_json(&headers), json, "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
