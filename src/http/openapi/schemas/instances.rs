//! Schemas of registrations, instances and what instances report.

use serde_json::{Map, Value, json};

use super::values::{boolean, count, integer, printable, share, span, string, text};
use super::{Named, bounded_list_of, ignored, list_of, nullable, reference, reply, request};
use crate::model::{REPLY_MEMBERS, limits};

pub fn schemas() -> Vec<Named> {
    vec![
        ("Registration", registration()),
        ("RegistrationPatch", patch()),
        ("Instance", instance()),
        ("Metadata", metadata()),
        ("Load", load()),
        ("Heartbeat", heartbeat()),
        ("MaintenanceRequest", maintenance()),
        ("CheckRequest", check_request()),
        ("Safety", safety()),
    ]
}

/// The members of a registration, as they are sent.
fn members() -> Map<String, Value> {
    let address = "One IP address, one host name, or `auto`, the address the request comes from.";
    let members = json!({
        "address": printable(limits::HOST_NAME, "^[A-Za-z0-9.:-]+$", address),
        "addresses": {
            "type": "array", "items": {"anyOf": [{"type": "string", "format": "ipv4"}, {"type": "string", "format": "ipv6"}]},
            "minItems": limits::ADDRESSES.start(), "maxItems": limits::ADDRESSES.end(),
            "description": "IP addresses of either family; in place of `address`.",
        },
        "port": reference("Port"),
        "ports": {
            "type": "object", "propertyNames": reference("PortName"), "additionalProperties": reference("Port"),
            "maxProperties": limits::NAMED_PORTS,
            "description": "Named ports; a single one may stand in for `port`.",
        },
        "protocol": {"enum": ["tcp", "udp"], "default": "tcp"},
        "scheme": printable(limits::SCHEME, "^[A-Za-z][A-Za-z0-9+.-]*$", "URI scheme of `url` in replies; `http` unless given."),
        "version": printable(limits::VERSION, "^[ -~]+$", "Version of the program."),
        "weight": weight("SRV weight and share of first places in A and AAAA answers; 0 is the last resort; 1 unless given."),
        "priority": weight("SRV priority: lower is asked first; 0 unless given."),
        "tags": bounded_list_of(text(limits::TAG, "A tag; those that are DNS labels can be asked for in DNS."), limits::TAGS),
        "metadata": reference("Metadata"),
        "status": string("What it says of itself until a heartbeat says otherwise: `starting`, `healthy` or `unhealthy`. Other words are ignored."),
        "ttl": {"anyOf": [span(limits::LEASE_TTL, "How long it lives without a heartbeat."), {"const": "none"}]},
        "deregister_after": span(limits::DEREGISTER_AFTER, "Removed after being unhealthy that long."),
        "slow_start": span(limits::SLOW_START, "How long the weight takes to come up after it turned healthy."),
        "checks": bounded_list_of(reference("Check"), limits::CHECKS),
    });
    let Value::Object(members) = members else { return Map::new() };
    members
}

fn registration() -> Value {
    let mut all = members();
    all.extend(ignored(REPLY_MEMBERS));
    let mut schema = request(Value::Object(all), &[]);
    schema["allOf"] = json!([
        {"oneOf": [{"required": ["address"]}, {"required": ["addresses"]}]},
        {"anyOf": [{"required": ["port"]}, {"required": ["ports"], "properties": {"ports": {"minProperties": 1, "maxProperties": 1}}}]},
    ]);
    schema
}

/// Any part of a registration; null takes a member away (RFC 7396).
fn patch() -> Value {
    let port = json!({"type": "object", "propertyNames": reference("PortName"), "additionalProperties": nullable(reference("Port"))});
    let pairs = json!({"type": "object", "description": "Pairs to set; null takes one away."});
    let schema = |(name, schema): (String, Value)| match name.as_str() {
        "ports" => (name, nullable(port.clone())),
        "metadata" => (name, nullable(pairs.clone())),
        _ => (name, nullable(schema)),
    };
    let mut all: Map<String, Value> = members().into_iter().map(schema).collect();
    all.extend(ignored(REPLY_MEMBERS));
    let mut schema = request(Value::Object(all), &[]);
    schema["not"] = json!({"required": ["address", "addresses"]});
    schema
}

fn instance() -> Value {
    let Value::Object(known) = json!({
        "service": reference("ServiceName"),
        "id": reference("InstanceId"),
        "status": reference("Status"),
        "checks": list_of(reference("CheckState")),
        "reason": string("Why it is not healthy."),
        "message": string("What it said with its last heartbeat."),
        "load": reference("Load"),
        "effective_weight": weight("The weight that counts at the moment, before scaling."),
        "endpoint": string("Address and port."),
        "url": string("Scheme, address and port."),
        "revision": reference("Revision"),
        "created_at": reference("Time"),
        "changed_at": reference("Time"),
        "last_heartbeat": reference("Time"),
        "expires_at": reference("Time"),
        "overdue": boolean("Its lease has run out, and the lapse is held."),
    }) else {
        return Value::Null;
    };
    let mut all = members();
    // What was read need not be what can be sent: a host name is one of its own, and spans are written anew.
    all.extend(known);
    let optional = [
        "address",
        "addresses",
        "version",
        "deregister_after",
        "slow_start",
        "reason",
        "message",
        "load",
        "last_heartbeat",
        "expires_at",
        "overdue",
    ];
    reply(Value::Object(all), &optional)
}

fn metadata() -> Value {
    let scalars = json!([{"type": "string", "maxLength": limits::TXT_STRING}, {"type": "number"}, {"type": "boolean"}]);
    let list = json!({"type": "array", "items": {"anyOf": scalars}});
    let mut values = scalars;
    if let Some(values) = values.as_array_mut() {
        values.push(list);
    }
    let max = limits::TXT_STRING;
    json!({
        "type": "object",
        "maxProperties": limits::METADATA_PAIRS,
        "propertyNames": {
            "type": "string", "minLength": limits::METADATA_KEY.start(), "maxLength": limits::METADATA_KEY.end(),
            "pattern": "^[ -<>-~]+$",
        },
        "additionalProperties": {"anyOf": values},
        "description": format!("Pairs for clients. `key=value` has {max} octets at most, lists joined by commas."),
    })
}

fn load() -> Value {
    let amount = |about: &str| json!({"type": "number", "minimum": 0, "description": about});
    request(
        json!({
            "cpu": share("CPU in use."),
            "memory": share("Memory in use."),
            "disk": share("Disk in use."),
            "latency_ms": amount("Milliseconds that a request takes."),
            "connections": amount("Open connections."),
            "requests": amount("Requests."),
            "errors": amount("Errors."),
        }),
        &[],
    )
}

fn heartbeat() -> Value {
    let mut members = json!({
        "status": {"enum": ["starting", "healthy", "unhealthy", "draining"], "description": "What it says of itself."},
        "message": text(0..=limits::MESSAGE, "Words for people."),
        "load": reference("Load"),
    });
    add_names(&mut members);
    request(members, &[])
}

fn maintenance() -> Value {
    let mut members = json!({"reason": text(0..=limits::MESSAGE, "Why.")});
    add_names(&mut members);
    request(members, &[])
}

fn check_request() -> Value {
    let mut members = json!({});
    add_names(&mut members);
    request(members, &[])
}

/// The names of an instance, which the path has.
fn add_names(members: &mut Value) {
    ignored(&["service", "id"]).for_each(|(name, schema)| members[name] = schema);
}

fn safety() -> Value {
    reply(
        json!({
            "safe_at": reference("Time"),
            "safe": boolean("Whether no cache can hold the instance any more."),
            "instance": reference("Instance"),
        }),
        &["instance"],
    )
}

fn weight(about: &str) -> Value {
    integer(0..=65_535, about)
}

/// How many instances there are of each status.
pub(super) fn counts() -> Value {
    let members =
        crate::model::Status::ALL.map(|status| (status.as_str().to_owned(), count("Instances of this status.")));
    let mut members = Map::from_iter(members);
    members.insert("total".to_owned(), count("All of them."));
    reply(Value::Object(members), &[])
}
