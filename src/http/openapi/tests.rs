//! The description and what it describes are one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{calls, document};
use crate::model::{CheckDefaults, CheckSpec, Reason, Registration, Settings, Span};

fn described() -> Value {
    document(calls::all())
}

/// Every `$ref` in a document.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            found.extend(object.get("$ref").and_then(Value::as_str).map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    let document = described();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
    for (name, _) in document["components"]["schemas"].as_object().unwrap() {
        assert!(found.contains(&format!("#/components/schemas/{name}")), "nothing refers to {name}");
    }
}

#[test]
fn every_variable_segment_is_a_parameter_and_every_id_is_its_own() {
    let mut ids = BTreeSet::new();
    for call in calls::all() {
        let segments: Vec<&str> =
            call.path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}')).collect();
        assert_eq!(call.operation.path_parameters(), segments, "{} {}", call.method, call.path);
        assert!(ids.insert(call.operation.id()), "{}", call.operation.id());
    }
}

#[test]
fn every_operation_has_a_success_and_says_what_it_is() {
    for (path, methods) in described()["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let replies = operation["responses"].as_object().unwrap();
            assert!(replies.keys().any(|status| status.starts_with('2')), "{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}");
            assert!(operation["tags"][0].is_string(), "{method} {path}");
        }
    }
}

/// Whether a reader knows a member: whatever else it finds wrong with a body of that member alone.
fn is_known(fault: Option<crate::model::Invalid>, member: &str) -> bool {
    !fault.is_some_and(|fault| fault.field == member && matches!(fault.reason, Reason::Unknown { .. }))
}

#[test]
fn schemas_name_the_members_that_are_read() {
    let check = CheckDefaults { interval: Span::from_secs(1), timeout: Span::from_secs(1), rise: 1, fall: 1 };
    let defaults = crate::model::Defaults { ttl: Span::from_secs(1), check, checks: Vec::new() };
    let from = std::net::Ipv4Addr::LOCALHOST.into();
    let schemas = described()["components"]["schemas"].clone();
    let members = |name: &str| {
        let properties = schemas[name]["properties"].as_object().unwrap().clone();
        properties.into_iter().map(|(name, _)| name)
    };
    for member in members("Registration") {
        let body = json!({ member.as_str(): null });
        assert!(is_known(Registration::from_json(&body, &defaults, from).err(), &member), "{member}");
    }
    for member in members("Settings") {
        assert!(is_known(Settings::from_json(&json!({ member.as_str(): null }), &check).err(), &member), "{member}");
    }
    for (schema, kind) in [("HttpCheck", "http"), ("TcpCheck", "tcp"), ("GrpcCheck", "grpc")] {
        for member in members(schema).filter(|member| member != "kind") {
            let body = json!({ "kind": kind, member.as_str(): null });
            assert!(is_known(CheckSpec::from_json(&body, &check).err(), &member), "{kind} {member}");
        }
    }
    // The other way round: a registration that has every member has no other.
    let full = json!({
        "address": "10.0.0.1", "port": 1, "version": "1", "deregister_after": "1m", "slow_start": "1s",
        "checks": [{"kind": "http", "scheme": "https", "port": 1, "headers": {"a": "b"}}, {"kind": "grpc", "service": "a"}],
    });
    let written = Registration::from_json(&full, &defaults, from).unwrap().to_json();
    for member in written.keys() {
        assert!(members("Registration").any(|known| known == *member), "{member}");
    }
    for (at, schema) in [(0, "HttpCheck"), (1, "GrpcCheck")] {
        for member in written["checks"][at].as_object().unwrap().keys() {
            assert!(members(schema).any(|known| known == *member), "{schema} {member}");
        }
    }
}
