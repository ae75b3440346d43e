//! Schemas of changes, and of those who are told of them.

use serde_json::{Value, json};

use super::services::nullable_string;
use super::values::{count, printable};
use super::{Named, ignored, list_of, nullable, reference, reply, request};
use crate::model::{Subscription, limits};

pub fn schemas() -> Vec<Named> {
    vec![
        ("Change", change()),
        ("ChangeList", reply(json!({"revision": reference("Revision"), "events": list_of(reference("Change"))}), &[])),
        ("SubscriptionRequest", subscription_request()),
        ("Subscription", subscription()),
        ("SubscriptionList", subscriptions()),
    ]
}

fn change() -> Value {
    reply(
        json!({
            "revision": reference("Revision"),
            "service": reference("ServiceName"),
            "id": nullable(reference("InstanceId")),
            "change": {"enum": ["registered", "updated", "status", "deregistered", "reaped", "reset"]},
            "previous_status": nullable(reference("Status")),
            "at": reference("Time"),
            "instance": reference("Instance"),
        }),
        &["instance"],
    )
}

fn callback() -> Value {
    let about = "URL that changes are posted to: http or https, with a host, without credentials and fragment.";
    printable(limits::CALLBACK, "^https?://[!-\"$-~]+$", about)
}

fn subscription_request() -> Value {
    let mut members = json!({"service": reference("ServiceName"), "callback": callback()});
    ignored(Subscription::REPLY_MEMBERS).for_each(|(name, schema)| members[name] = schema);
    request(members, &["service", "callback"])
}

fn subscription() -> Value {
    reply(
        json!({
            "id": reference("InstanceId"),
            "service": reference("ServiceName"),
            "callback": callback(),
            "last_notified": nullable(reference("Time")),
            "last_error": nullable_string("Why the last attempt failed."),
            "retries": count("Attempts in a row that failed."),
            "pending": count("Changes that wait."),
        }),
        &[],
    )
}

fn subscriptions() -> Value {
    reply(json!({"revision": reference("Revision"), "subscriptions": list_of(reference("Subscription"))}), &[])
}
