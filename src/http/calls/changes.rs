//! Calls of those who want to be told of changes.

use serde_json::json;

use super::Call;
use crate::http::openapi::{Content, Operation, reference, values};
use crate::http::{events, subscriptions, watch};
use crate::model::limits;

const SUBSCRIPTION: &str = "/v1/subscriptions/{id}";

pub fn calls() -> Vec<Call> {
    vec![
        Call::get("/v1/watch", watch::watch, watch_changes()),
        Call::get("/v1/events", events::recent, recent()),
        Call::get("/v1/subscriptions", subscriptions::list, list()),
        Call::get(SUBSCRIPTION, subscriptions::read, read()),
        Call::put(SUBSCRIPTION, subscriptions::replace, subscribe()),
        Call::delete(SUBSCRIPTION, subscriptions::remove, unsubscribe()),
    ]
}

fn about(id: &'static str, summary: &'static str) -> Operation {
    Operation::new("changes", id, summary)
}

fn watch_changes() -> Operation {
    about("watch", "Changes as server-sent events")
        .about(
            "`put` and `remove` carry a `Change`, and their ids are revisions. `reset` means to forget what is known: every \
             instance follows as a `put`. Comments keep the stream open.",
        )
        .query("service", "Only changes of this service.", reference("ServiceName"))
        .query("since", "Begins after this revision; from now on unless given.", reference("Revision"))
        .header("Last-Event-ID", "Id of the last event that was seen; outranks `since`.", json!({"type": "string"}))
        .replies(200, "The stream, which does not end by itself.", Content::Text("text/event-stream"))
}

fn recent() -> Operation {
    about("recentChanges", "The latest changes, newest first")
        .about("As far back as they are kept in memory: thousands of changes, none from before a restart. Those of a weight alone \
             are left out.")
        .query("service", "Only changes of this service.", reference("ServiceName"))
        .query("id", "Only changes of this instance of the service.", reference("InstanceId"))
        .query("limit", "At most so many; 50 unless given.", values::integer(limits::EVENTS, "A number of changes."))
        .replies(200, "The changes.", Content::Json("ChangeList"))
}

fn list() -> Operation {
    about("listSubscriptions", "All subscriptions").replies(
        200,
        "The subscriptions.",
        Content::Json("SubscriptionList"),
    )
}

fn read() -> Operation {
    about("readSubscription", "One subscription, and how its deliveries go").of_subscription().replies(
        200,
        "The subscription.",
        Content::Json("Subscription"),
    )
}

fn subscribe() -> Operation {
    about("subscribe", "Has the changes of a service posted to a callback")
        .about("Every change is posted until it is taken (any 2xx); of more than 256 that wait, what was overtaken is left out.")
        .of_subscription()
        .takes("SubscriptionRequest")
        .replies(200, "The subscription.", Content::Json("Subscription"))
        .refuses(&[409])
}

fn unsubscribe() -> Operation {
    about("unsubscribe", "Ends a subscription").of_subscription().replies(204, "It is gone.", Content::None)
}
