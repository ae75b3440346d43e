//! `GET /v1/watch`: changes as server-sent events (WHATWG HTML, section 9.2).
//!
//! ```text
//! event: put            event: remove         event: reset
//! id: 41                id: 42                id: 17
//! data: {…}             data: {…}             data: {"revision":42}
//! ```
//!
//! The id of an event stands for everything that was sent up to it: whoever comes back with it misses nothing. After a
//! `reset` a client forgets what it knows, and is told of every instance that there is by a `put`, in the order of their
//! last changes; then the changes go on. So the id of a `reset` lies before the first of these, and its data has the
//! revision that they lead to.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, header};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::params::{self, Params};
use super::problem::Problem;
use super::{Api, render};
use crate::engine::{Clock, Published, Snapshot, Subscription, Told};
use crate::model::{Invalid, Reason, Revision, ServiceName};

/// Silence after which a comment is sent, for proxies that close what is silent and to notice who is gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// What a browser waits before it comes back, in milliseconds. It is a line of the first event.
const GREETING: &[u8] = b"retry: 1000\n";
const COMMENT: &[u8] = b":\n\n";
/// Octets of a snapshot that are handed over at once.
const PART: usize = 16 * 1024;

/// Opens a stream of the changes of `service=`, or of all services, after `Last-Event-ID`, else `since=`, else from now.
pub async fn watch(State(api): State<Api>, headers: HeaderMap, mut params: Params) -> Result<Response, Problem> {
    let service = params.one("service", ServiceName::parse)?;
    let since = params.one("since", params::revision)?;
    params.finish()?;
    let since = last_event_id(&headers)?.or(since);
    let watcher = Watcher {
        place: api.watchers.enter()?,
        subscription: api.engine.watch(service, since),
        snapshot: None,
        greeted: false,
        clock: api.engine.clock().clone(),
        stopping: api.stopping.clone(),
    };
    let parts = stream::unfold(watcher, |mut watcher| async move {
        let part = watcher.next().await?;
        Some((Ok::<_, Infallible>(part), watcher))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        // nginx holds replies back unless told otherwise.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(parts.fuse())).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<Revision>, Invalid> {
    const NAME: &str = "Last-Event-ID";
    let Some(value) = headers.get(NAME) else { return Ok(None) };
    let text = value.to_str().map_err(|_| Invalid::at(NAME, Reason::Printable))?;
    // Browsers send none when they have none; others may send an empty one.
    let read = |text| params::revision(text).map_err(|reason| Invalid::at(NAME, reason));
    Some(text).filter(|text| !text.is_empty()).map(read).transpose()
}

/// One stream.
struct Watcher {
    subscription: Subscription,
    /// What is being told after a reset, and how many instances of it already were.
    snapshot: Option<(Arc<Snapshot>, usize)>,
    greeted: bool,
    clock: Clock,
    stopping: CancellationToken,
    #[expect(dead_code, reason = "held as long as the stream")]
    place: OwnedSemaphorePermit,
}

impl Watcher {
    /// The next part of the stream; `None` when it ends.
    async fn next(&mut self) -> Option<Bytes> {
        if !std::mem::replace(&mut self.greeted, true) {
            return Some(Bytes::from_static(GREETING));
        }
        if self.snapshot.is_some() && !self.stopping.is_cancelled() {
            return self.part_of_snapshot();
        }
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => None,
            told = self.subscription.next() => Some(match told {
                Told::Change(change) => change.text(|change| self.change(change)),
                Told::Reset => self.reset(),
            }),
            () = sleep(KEEP_ALIVE) => Some(Bytes::from_static(COMMENT)),
        }
    }

    fn change(&self, change: &Published) -> Bytes {
        let name = if change.after.is_some() { "put" } else { "remove" };
        event(name, change.resume_after(), &render::change(change, self.clock.now())).into()
    }

    fn reset(&mut self) -> Bytes {
        let snapshot = self.subscription.snapshot();
        let text = event("reset", snapshot.reached(0), &json!({"revision": snapshot.revision().0}));
        self.snapshot = (!snapshot.instances().is_empty()).then_some((snapshot, 0));
        text.into()
    }

    fn part_of_snapshot(&mut self) -> Option<Bytes> {
        let (snapshot, told) = self.snapshot.as_mut()?;
        let (now, mut text) = (self.clock.now(), String::with_capacity(PART + PART / 4));
        while text.len() < PART
            && let Some(instance) = snapshot.instances().get(*told)
        {
            *told += 1;
            text += &event("put", snapshot.reached(*told), &render::present(instance, now));
        }
        if *told == snapshot.instances().len() {
            self.snapshot = None;
        }
        Some(text.into())
    }
}

/// An event on the wire. JSON has no line breaks, so the data is one line.
fn event(name: &str, id: Revision, data: &Value) -> String {
    format!("event: {name}\nid: {id}\ndata: {data}\n\n")
}
