//! Schemas of the explanation of an answer.

use serde_json::{Value, json};

use super::values::{boolean, count, integer, share, string};
use super::{Named, list_of, nullable, reference, reply};

pub fn schemas() -> Vec<Named> {
    vec![
        ("Explanation", explanation()),
        ("ExplainedInstance", instance()),
        ("ExplainedMessage", message()),
        ("ExplainedService", service()),
        ("ExplainedZone", zone()),
    ]
}

fn explanation() -> Value {
    let records = |about: &str| list_of(string(about));
    let message = reference("ExplainedMessage");
    reply(
        json!({
            "name": string("The name that was asked for."),
            "type": string("The type that was asked for."),
            "client": string("Who asks."),
            "revision": reference("Revision"),
            "rcode": string("The response code, such as NOERROR."),
            "why": string("What the name is, or why it cannot be answered."),
            "notes": list_of(string("What people should know.")),
            "zone": nullable(reference("ExplainedZone")),
            "stand_in": string("The wildcard or DNAME that answers in place of the name."),
            "service": reference("ExplainedService"),
            "records": records("A record of the answer section, as in a zone file."),
            "authority": records("A record of the authority section."),
            "additional": records("A record of the additional section."),
            "messages": reply(json!({"udp": message, "edns": message, "tcp": message}), &[]),
            "instances": list_of(reference("ExplainedInstance")),
        }),
        &["zone", "stand_in", "service"],
    )
}

fn zone() -> Value {
    reply(
        json!({
            "kind": string("Which kind of zone."),
            "apex": string("Its name."),
            "file": string("The file of a static zone."),
        }),
        &["file"],
    )
}

fn service() -> Value {
    reply(
        json!({
            "service": reference("ServiceName"),
            "revision": reference("Revision"),
            "panicking": boolean("Whether unhealthy instances are served too."),
            "record_ttl": count("TTL of the records, in seconds."),
            "record_ttl_is_own": boolean("Whether the service has set it."),
            "srv_weight_scale": count("Factor from weights to SRV weights."),
        }),
        &[],
    )
}

fn message() -> Value {
    reply(
        json!({
            "limit": count("Octets that fit."),
            "octets": count("Octets of the message."),
            "truncated": boolean("Whether TC is set."),
            "answers": count("Records in the answer section."),
            "additional": count("Records in the additional section."),
        }),
        &[],
    )
}

fn instance() -> Value {
    reply(
        json!({
            "service": reference("ServiceName"),
            "id": reference("InstanceId"),
            "status": reference("Status"),
            "in": boolean("Whether it is in the answer."),
            "why": string("Why it is, or is not."),
            "priority": integer(0..=65_535, "SRV priority."),
            "effective_weight": integer(0..=65_535, "The weight that counts."),
            "share": share("Share of first places."),
        }),
        &["share"],
    )
}
