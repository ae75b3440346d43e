//! Reading request bodies: JSON, bounded in size and time.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Api;
use super::problem::Problem;
use crate::model::limits;

/// A JSON body; without a value when there was none.
#[derive(Debug)]
pub struct JsonBody {
    pub value: Option<Value>,
    /// Its share of the memory for all bodies, until it is dealt with.
    _room: OwnedSemaphorePermit,
}

/// The same as it came: nobody has read it yet.
#[derive(Debug)]
pub struct UsualBody {
    pub octets: Bytes,
    /// Its share of the memory for all bodies, until it is dealt with.
    room: OwnedSemaphorePermit,
}

/// The body of a batch call, as it came: JSON, but nobody has read it yet.
#[derive(Debug)]
pub struct LargeBody {
    pub octets: Bytes,
    /// Its share of the memory for all such bodies, to be kept as long as anything that is made of it.
    pub room: OwnedSemaphorePermit,
}

/// The memory for all bodies that are held at one time; who finds no room waits. Those of batch calls have a place of
/// their own, so that they never keep an instance from registering.
#[derive(Debug, Clone)]
pub struct Room {
    usual: Arc<Semaphore>,
    large: Arc<Semaphore>,
    turns: Arc<Semaphore>,
}

/// Parts of batches that may be with the engine at one time: one that it is at, and one that is ready when that is done.
/// Another write has no more than these before it.
const TURNS: usize = 2;

impl Default for Room {
    fn default() -> Self {
        let [usual, large] = [limits::BODIES, limits::LARGE_BODIES].map(|octets| Arc::new(Semaphore::new(octets)));
        Self { usual, large, turns: Arc::new(Semaphore::new(TURNS)) }
    }
}

impl Room {
    /// Waits until a part of a batch may be given to the engine; it is with the engine until the turn is dropped.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        // The semaphore is never closed.
        Arc::clone(&self.turns).acquire_owned().await.ok()
    }
}

impl LargeBody {
    /// Takes `octets` in all, for what is made of the body.
    ///
    /// # Errors
    /// When there is no room left: who holds some must not wait for more.
    pub fn grow(&mut self, octets: usize) -> Result<(), Problem> {
        let more = u32::try_from(octets.saturating_sub(self.room.num_permits())).unwrap_or(u32::MAX);
        let room = Arc::clone(self.room.semaphore()).try_acquire_many_owned(more);
        let full = |_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "too many batch calls are in the works");
        self.room.merge(room.map_err(full)?);
        Ok(())
    }
}

/// What one kind of body may take.
struct Bounds {
    octets: usize,
    /// From the head of a request to the end of its body.
    patience: Duration,
}

/// Octets of a refused body that are thrown away at most, and for how long.
const DISCARDED: u64 = 2 * limits::LARGE_BODY as u64;
const DISCARDING: Duration = Duration::from_secs(10);

const USUAL: Bounds = Bounds { octets: limits::BODY, patience: Duration::from_secs(30) };
const LARGE: Bounds = Bounds { octets: limits::LARGE_BODY, patience: Duration::from_secs(120) };

impl UsualBody {
    /// Takes in the body of a request with these headers.
    ///
    /// # Errors
    /// What is wrong with it, as far as that can be told without reading it.
    pub async fn take(headers: &HeaderMap, body: Body, room: &Room) -> Result<Self, Problem> {
        let (octets, room) = take(headers, body, &room.usual, &USUAL).await?;
        Ok(Self { octets, room })
    }

    /// The value that it is; none when there was no body.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn value(&self) -> Result<Option<Value>, Problem> {
        if self.octets.is_empty() {
            return Ok(None);
        }
        serde_json::from_slice(&self.octets).map(Some).map_err(not_json)
    }
}

impl FromRequest<Api> for UsualBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        Self::take(&head.headers, body, &api.bodies).await
    }
}

impl FromRequest<Api> for JsonBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let body = UsualBody::from_request(request, api).await?;
        Ok(Self { value: body.value()?, _room: body.room })
    }
}

impl FromRequest<Api> for LargeBody {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        let (octets, room) = take(&head.headers, body, &api.bodies.large, &LARGE).await?;
        Ok(Self { octets, room })
    }
}

/// Takes a body in, with its share of the memory.
async fn take(
    headers: &HeaderMap,
    mut body: Body,
    room: &Arc<Semaphore>,
    bounds: &Bounds,
) -> Result<(Bytes, OwnedSemaphorePermit), Problem> {
    let announced = announced(headers);
    if let Some(octets) = announced.filter(|octets| *octets > bounds.octets as u64) {
        // Who asks first is told before a single octet of it comes, and who means far more is not waited for.
        if octets <= DISCARDED && !headers.contains_key(header::EXPECT) {
            tokio::spawn(discard(body));
        }
        return Err(too_large(bounds));
    }
    let expected = match announced {
        Some(octets) => octets as u32,
        None if body.is_end_stream() => 0,
        None => bounds.octets as u32,
    };
    let room = Arc::clone(room).acquire_many_owned(expected).await;
    let room = room.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping"))?;
    let octets = match timeout(bounds.patience, read(&mut body, bounds)).await {
        Ok(Ok(octets)) => octets,
        Ok(Err(problem)) => {
            tokio::spawn(discard(body));
            return Err(problem);
        }
        Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")),
    };
    if octets.is_empty() {
        return Ok((octets, room));
    }
    let unsupported = |detail| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    if !is_json(headers) {
        return Err(unsupported("the body must be JSON, and say so: `content-type: application/json`"));
    }
    if is_encoded(headers) {
        return Err(unsupported("the body must be JSON as it is, without a content-encoding"));
    }
    Ok((octets, room))
}

/// The whole body in one piece; one that comes in one piece is not copied.
async fn read(body: &mut Body, bounds: &Bounds) -> Result<Bytes, Problem> {
    let (mut first, mut whole) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(part) = frame.into_data() else { continue };
        if first.len() + whole.len() + part.len() > bounds.octets {
            return Err(too_large(bounds));
        }
        if first.is_empty() && whole.is_empty() {
            first = part;
        } else {
            whole.extend_from_slice(&std::mem::take(&mut first));
            whole.extend_from_slice(&part);
        }
    }
    Ok(if whole.is_empty() { first } else { whole.into() })
}

/// Takes in the rest of a body that is refused already, and throws it away. A connection that is closed while the client
/// still sends is reset, and the reply is lost with it (RFC 9112 §9.6).
async fn discard(mut body: Body) {
    let mut left = DISCARDED;
    let rest = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, |data| data.len() as u64));
            if left == 0 {
                break;
            }
        }
    };
    // What has not come by then is not waited for.
    timeout(DISCARDING, rest).await.ok();
}

/// What does not read as JSON.
pub fn not_json(error: serde_json::Error) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))
}

impl JsonBody {
    /// The value, giving back its share of the memory.
    pub fn into_value(self) -> Option<Value> {
        self.value
    }
}

fn too_large(bounds: &Bounds) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("a body may have {} octets at most", bounds.octets))
}

fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the body comes in a coding; none is undone here (RFC 9110 §8.4).
fn is_encoded(headers: &HeaderMap) -> bool {
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity") || value.is_empty();
    !headers.get_all(header::CONTENT_ENCODING).iter().all(is_plain)
}

/// `application/json` and every type that is built on it (RFC 6839 §3.1).
pub fn is_json(headers: &HeaderMap) -> bool {
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
