//! The thread that hears of changes as they happen, and comes back when the stream breaks.

use std::sync::mpsc::{SendError, SyncSender};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::Method;
use serde_json::Value;

use super::state::News;
use crate::cli::client::{Call, Client};
use crate::cli::connection::ServerUrl;
use crate::cli::show::text;
use crate::cli::sse::{Parser, TooLong};
use crate::cli::target::Target;

/// Between two attempts to connect.
const RETRY: Duration = Duration::from_secs(1);
/// A server that is there says something four times as often.
const SILENCE: Duration = Duration::from_secs(60);

/// Nobody listens any more, or the stream cannot be read.
enum Ended {
    Unheard,
    Broken,
}

impl From<TooLong> for Ended {
    fn from(_: TooLong) -> Self {
        Self::Broken
    }
}

impl From<SendError<News>> for Ended {
    fn from(_: SendError<News>) -> Self {
        Self::Unheard
    }
}

/// Follows the changes until nobody listens any more.
pub(super) fn run(server: &ServerUrl, news: &SyncSender<News>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let client = Client::new(server.clone());
        while !matches!(follow(&client, news).await, Ended::Unheard) {
            tokio::time::sleep(RETRY).await;
        }
    });
}

/// What changed while the stream was away is in the next look; it is not told one by one.
async fn follow(client: &Client, news: &SyncSender<News>) -> Ended {
    let call = Call::new("", Method::GET, Target::v1(&["watch"]));
    let Ok(response) = client.open(call, None).await else { return Ended::Broken };
    if !response.status().is_success() {
        return Ended::Broken;
    }
    let (mut body, mut parser) = (response.into_body(), Parser::default());
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, body.frame()).await {
        let Some(octets) = frame.data_ref() else { continue };
        let told = parser.push(octets, |data| {
            let change = serde_json::from_str(data).unwrap_or(Value::Null);
            news.send(News::Change(line(&change))).map_err(Ended::from)
        });
        if let Err(ended) = told {
            return ended;
        }
    }
    Ended::Broken
}

/// A change in one short line: the time of day, which instance, what, and how it is now.
fn line(change: &Value) -> String {
    let at = text(&change["at"]);
    let time = at.split_once('T').map_or("", |(_, time)| time.get(..8).unwrap_or(time));
    if change["id"].is_null() {
        return format!("the server starts over at revision {}", text(&change["revision"]));
    }
    let instance = &change["instance"];
    let what = match text(&change["change"]).as_str() {
        "status" => format!("{} -> {}", text(&change["previous_status"]), text(&instance["status"])),
        other => other.to_owned(),
    };
    let parts = [
        time.to_owned(),
        format!("{}/{}", text(&change["service"]), text(&change["id"])),
        what,
        text(&instance["reason"]),
    ];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines() {
        let change = |what: &str, instance: Value| {
            json!({"revision": 9, "service": "web", "id": "a", "change": what, "previous_status": "healthy",
                "at": "2026-07-01T10:00:05.123Z", "instance": instance})
        };
        for (change, told) in [
            (change("registered", json!({"status": "healthy"})), "10:00:05  web/a  registered"),
            (
                change("status", json!({"status": "lapsed", "reason": "no\nword"})),
                "10:00:05  web/a  healthy -> lapsed  no\\nword",
            ),
            (change("reaped", Value::Null), "10:00:05  web/a  reaped"),
            (json!({"revision": 7, "id": null}), "the server starts over at revision 7"),
            (json!({"id": "a", "at": "soon"}), "/a"),
        ] {
            assert_eq!(line(&change), told);
        }
    }
}
