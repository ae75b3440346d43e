//! Schemas of what the server says of itself, and of refusals.

use serde_json::{Value, json};

use super::instances::counts;
use super::values::{boolean, count, string};
use super::{Named, list_of, nullable, reference, reply};

pub fn schemas() -> Vec<Named> {
    vec![
        ("Problem", problem()),
        (
            "Document",
            json!({"type": "object", "required": ["openapi", "paths"], "description": "An OpenAPI document."}),
        ),
        ("ServerStatus", status()),
        ("Hold", hold()),
        ("Upcoming", upcoming()),
        ("History", history()),
        ("HistorySample", sample()),
    ]
}

fn problem() -> Value {
    reply(
        json!({
            "type": {"type": "string", "format": "uri", "description": "Which kind of problem."},
            "title": string("The status in words."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": string("What is wrong, and what would be right."),
            "field": string("Path of the member or name of the parameter that is wrong."),
        }),
        &["field"],
    )
}

fn status() -> Value {
    let addresses = list_of(string("Address and port."));
    reply(
        json!({
            "version": string("Version of srvd."),
            "started_at": reference("Time"),
            "uptime_s": count("Seconds since then."),
            "loaded": boolean("Whether the state is loaded."),
            "ready": boolean("Whether it should be sent traffic."),
            "revision": reference("Revision"),
            "zone": string("Domain below which services are answered."),
            "services": count("Services that have instances."),
            "instances": counts(),
            "watchers": count("Clients that watch or wait."),
            "protection": reply(json!({"holds": list_of(reference("Hold"))}), &[]),
            "panicking": list_of(reference("ServiceName")),
            "store": {"type": "object", "required": ["kind"], "properties": {"kind": string("Where registrations are kept.")}},
            "listeners": reply(json!({"dns": addresses, "http": addresses}), &[]),
            "checks": reply(json!({
                "total": count("Checks of registered instances."),
                "in_flight": count("Those that run."),
                "late_ms": count("Milliseconds that the latest one began late."),
            }), &[]),
            "schedule": reply(json!({
                "next_expiry": nullable(reference("Time")),
                "next_check": nullable(reference("Time")),
                "expiries": list_of(reference("Upcoming")),
                "checks": list_of(reference("Upcoming")),
            }), &[]),
        }),
        &[],
    )
}

fn hold() -> Value {
    reply(
        json!({
            "held": count("Instances that are kept."),
            "since": reference("Time"),
            "until": reference("Time"),
            "service": reference("ServiceName"),
        }),
        &["service"],
    )
}

fn upcoming() -> Value {
    reply(
        json!({
            "at": reference("Time"),
            "service": reference("ServiceName"),
            "id": reference("InstanceId"),
            "kind": string("Which kind of check."),
        }),
        &["kind"],
    )
}

fn history() -> Value {
    reply(
        json!({
            "interval_s": count("Seconds from one sample to the next."),
            "samples": {
                "type": "array", "items": reference("HistorySample"),
                "description": "The last hour, oldest first; less after a start.",
            },
        }),
        &[],
    )
}

fn sample() -> Value {
    let counted = crate::telemetry::history::COUNTED;
    let mut members = json!({"at": reference("Time")});
    for (name, about) in counted {
        members[*name] = count(about);
    }
    reply(members, &[])
}
