//! Schemas of services, their settings, and what many instances are sent as at once.

use serde_json::{Map, Value, json};

use super::instances::counts;
use super::values::{boolean, count, integer, share, span, string, text};
use super::{Named, bounded_list_of, ignored, list_of, nullable, reference, reply, request};
use crate::model::limits;

pub fn schemas() -> Vec<Named> {
    vec![
        ("Settings", settings_object()),
        ("SettingsRequest", settings_request()),
        ("Service", service()),
        ("ServiceSummary", summary()),
        ("ServiceList", services()),
        ("BatchRequest", batch()),
        ("BatchReply", batch_reply()),
        ("HeartbeatsRequest", heartbeats()),
        ("HeartbeatsReply", heartbeats_reply()),
        ("InstanceName", names()),
        ("TargetGroups", list_of(reference("TargetGroup"))),
        ("TargetGroup", target_group()),
    ]
}

fn settings() -> Map<String, Value> {
    let members = json!({
        "panic_threshold": share("When a smaller share is healthy, unhealthy instances are answered too."),
        "slow_start": {"anyOf": [span(limits::SLOW_START, "Ramp of the weight of instances that do not say."), {"const": "none"}]},
        "default_checks": bounded_list_of(reference("Check"), limits::CHECKS),
        "strategy": reference("Strategy"),
        "protection": boolean("Whether mass expiry is held back."),
        "record_ttl": integer(limits::RECORD_TTL, "TTL of the service's records, in seconds."),
        "description": text(0..=limits::DESCRIPTION, "Words for people."),
    });
    let Value::Object(members) = members else { return Map::new() };
    members
}

fn settings_object() -> Value {
    json!({"type": "object", "properties": settings()})
}

/// The settings as they are, or as the member `settings` of a reply that is written back.
fn settings_request() -> Value {
    let mut bare = settings();
    bare.extend(ignored(&["service"]));
    let mut inside = settings();
    inside.extend(ignored(&["service"]));
    let mut written_back = json!({"settings": request(Value::Object(inside), &[])});
    ignored(&["service", "revision", "instances"]).for_each(|(name, schema)| written_back[name] = schema);
    json!({"anyOf": [request(Value::Object(bare), &[]), request(written_back, &["settings"])]})
}

fn service() -> Value {
    reply(
        json!({
            "service": reference("ServiceName"),
            "revision": reference("Revision"),
            "settings": reference("Settings"),
            "instances": list_of(reference("Instance")),
        }),
        &[],
    )
}

fn summary() -> Value {
    reply(
        json!({
            "service": reference("ServiceName"),
            "health": reference("Health"),
            "instances": counts(),
            "tags": list_of(string("A tag that an instance carries.")),
            "revision": reference("Revision"),
            "members": list_of(reference("Instance")),
        }),
        &["members"],
    )
}

fn services() -> Value {
    reply(
        json!({
            "revision": reference("Revision"),
            "next": string("What to give as `after` for the next page; not there on the last one."),
            "services": list_of(reference("ServiceSummary")),
        }),
        &["next"],
    )
}

fn batch() -> Value {
    let register = json!({"allOf": [
        {"type": "object", "required": ["service", "id"], "properties": {
            "service": reference("ServiceName"), "id": reference("InstanceId"),
        }},
        reference("Registration"),
    ]});
    let operation = json!({"oneOf": [
        request(json!({"register": register}), &["register"]),
        request(json!({"deregister": reference("InstanceName")}), &["deregister"]),
    ]});
    let operations = json!({
        "type": "array", "maxItems": limits::OPERATIONS, "items": operation,
        "description": "Each is carried out or refused by itself, in this order. What is wrong with one is in its result.",
    });
    request(json!({"operations": operations}), &["operations"])
}

fn batch_reply() -> Value {
    let result = reply(
        json!({
            "status": {"type": "integer", "minimum": 200, "maximum": 599, "description": "What the call by itself would reply."},
            "instance": reference("Instance"),
            "problem": reference("Problem"),
        }),
        &["instance", "problem"],
    );
    reply(json!({"results": list_of(result)}), &[])
}

fn heartbeats() -> Value {
    request(json!({"heartbeats": list_of(reference("InstanceName"))}), &["heartbeats"])
}

fn heartbeats_reply() -> Value {
    // Names that are not registered are repeated as they were written.
    let unknown = reply(json!({"service": string("As it was sent."), "id": string("As it was sent.")}), &[]);
    reply(json!({"renewed": count("Leases that were renewed."), "unknown": list_of(unknown)}), &[])
}

fn names() -> Value {
    request(json!({"service": reference("ServiceName"), "id": reference("InstanceId")}), &["service", "id"])
}

fn target_group() -> Value {
    let labels = json!({"type": "object", "additionalProperties": {"type": "string"}});
    reply(json!({"targets": list_of(string("Address and port.")), "labels": labels}), &[])
}

/// A string or null.
pub(super) fn nullable_string(about: &str) -> Value {
    nullable(string(about))
}
