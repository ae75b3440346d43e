//! Schemas of checks: what is asked for, and what came of it.

use serde_json::{Map, Value, json};

use super::values::{boolean, count, integer, printable, span, string};
use super::{Named, ignored, list_of, reference, reply, request};
use crate::model::limits;

pub fn schemas() -> Vec<Named> {
    let kinds = |own: &str| {
        let kinds = ["Http", "Tcp", "Grpc"].map(|kind| reference(&format!("{kind}{own}")));
        json!({"anyOf": kinds})
    };
    let mut all = vec![
        ("Check", kinds("Check")),
        ("CheckState", kinds("CheckState")),
        ("CheckResult", result()),
        ("CheckResults", reply(json!({"results": list_of(reference("CheckOutcome"))}), &[])),
        ("CheckOutcome", outcome()),
        ("Verdict", json!({"enum": ["passing", "failing", "unknown"]})),
    ];
    let named = [
        ("HttpCheck", "HttpCheckState", http()),
        ("TcpCheck", "TcpCheckState", kind("tcp")),
        ("GrpcCheck", "GrpcCheckState", grpc()),
    ];
    for (asked, shown, own) in named {
        all.extend([(asked, asked_for(own.clone())), (shown, state(own))]);
    }
    all
}

fn kind(name: &str) -> Map<String, Value> {
    Map::from_iter([("kind".to_owned(), json!({"const": name}))])
}

fn http() -> Map<String, Value> {
    let mut members = kind("http");
    let status = json!({"anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
    ]});
    let own = json!({
        "scheme": {"enum": ["http", "https"], "default": "http"},
        "verify": boolean("Whether the certificate must be valid; true unless given."),
        "path": printable(limits::CHECK_PATH, "^/[!-\"$-~]*$", "Path that is asked for; `/health` unless given."),
        "method": {"enum": ["GET", "HEAD"], "default": "GET"},
        "headers": {
            "type": "object", "maxProperties": limits::CHECK_HEADERS,
            "propertyNames": {"pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
            "additionalProperties": {"type": "string", "maxLength": limits::CHECK_HEADER - 1, "pattern": "^[\\t -~]*$"},
            "description": "Header fields to send, but for those that frame the message.",
        },
        "expect": {
            "anyOf": [status, {"type": "array", "minItems": 1, "maxItems": 16, "items": status}],
            "description": "Statuses that pass: 200, \"200-299\", or a list of these; 200 to 299 unless given.",
        },
    });
    if let Value::Object(own) = own {
        members.extend(own);
    }
    members
}

fn grpc() -> Map<String, Value> {
    let mut members = kind("grpc");
    let about = "Service that is asked about; the whole server unless given.";
    members.insert("service".to_owned(), printable(0..=limits::GRPC_SERVICE, "^[!-~]*$", about));
    members
}

/// The members that all kinds have.
fn common() -> Map<String, Value> {
    let members = json!({
        "port": reference("Port"),
        "interval": span(limits::CHECK_INTERVAL, "From the start of one check to the start of the next."),
        "timeout": span(limits::CHECK_TIMEOUT, "Time after which a check has failed."),
        "rise": integer(limits::STREAK, "Passes in a row that end a failing verdict."),
        "fall": integer(limits::STREAK, "Failures in a row that end a passing verdict."),
    });
    let Value::Object(members) = members else { return Map::new() };
    members
}

fn asked_for(mut own: Map<String, Value>) -> Value {
    own.extend(common());
    own.extend(ignored(&["last_result", "next_check", "verdict"]));
    request(Value::Object(own), &["kind"])
}

fn state(mut own: Map<String, Value>) -> Value {
    own.extend(common());
    own.insert("verdict".to_owned(), reference("Verdict"));
    own.insert("last_result".to_owned(), reference("CheckResult"));
    own.insert("next_check".to_owned(), reference("Time"));
    reply(Value::Object(own), &["port", "verify", "headers", "last_result", "next_check"])
}

fn result_members() -> Value {
    json!({
        "at": reference("Time"),
        "passing": boolean("Whether it passed."),
        "took_ms": count("Milliseconds that it took."),
        "detail": string("One line on what was found."),
    })
}

fn result() -> Value {
    reply(result_members(), &[])
}

/// A check that was run on demand: what was asked for and what was found, in one object.
fn outcome() -> Value {
    let mut members = http();
    members.extend(grpc());
    members.insert("kind".to_owned(), json!({"enum": ["http", "tcp", "grpc"]}));
    members.extend(common());
    if let Value::Object(found) = result_members() {
        members.extend(found);
    }
    members.insert("verdict".to_owned(), reference("Verdict"));
    members.insert("next_check".to_owned(), reference("Time"));
    let optional = ["port", "scheme", "verify", "path", "method", "headers", "expect", "service"];
    reply(Value::Object(members), &optional)
}
