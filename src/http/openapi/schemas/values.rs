//! Schemas of single values, with their bounds.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use super::Named;
use crate::model::{Span, Status, Strategy, limits};

/// A DNS label (RFC 1123 §2.1).
const LABEL: &str = "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?$";
/// Numbers with units, from the largest down.
const SPAN: &str = "^([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?([0-9]{1,9}s)?([0-9]{1,9}ms)?$";

pub fn schemas() -> Vec<Named> {
    let statuses = Status::ALL.map(Status::as_str);
    vec![
        ("ServiceName", label(limits::SERVICE_NAME, "Name of a service: one DNS label, kept in lower case.")),
        ("InstanceId", label(limits::INSTANCE_ID, "Id: one DNS label, kept in lower case.")),
        (
            "PortName",
            label(limits::PORT_NAME, "Name of a port (RFC 6335): at least one letter, no two hyphens together."),
        ),
        ("Port", integer(1..=65_535, "A port.")),
        ("Revision", integer(0..=u64::MAX, "Position of a change in the one order of all; it never goes back.")),
        ("Time", json!({"type": "string", "format": "date-time", "description": "RFC 3339, in UTC."})),
        (
            "Status",
            json!({"enum": statuses, "description": "What srvd makes of an instance; `healthy` ones are in DNS."}),
        ),
        ("Strategy", json!({"enum": Strategy::NAMES, "description": "How one instance is picked."})),
        (
            "Health",
            json!({"enum": ["healthy", "degraded", "down"], "description": "All, some or no instances are healthy."}),
        ),
    ]
}

/// A whole number within bounds.
pub fn integer(range: RangeInclusive<u64>, about: &str) -> Value {
    let (min, max) = range.into_inner();
    let mut schema = json!({"type": "integer", "minimum": min, "description": about});
    // What is above is no number that every JSON reader keeps.
    if max < u64::MAX {
        schema["maximum"] = max.into();
    }
    schema
}

/// Text of so many characters at most. The bound is in octets, which are never fewer.
pub fn text(length: RangeInclusive<usize>, about: &str) -> Value {
    let (min, max) = length.into_inner();
    json!({"type": "string", "minLength": min, "maxLength": max, "description": format!("{about} At most {max} octets.")})
}

/// A span of so many milliseconds.
pub fn span(range: RangeInclusive<u64>, about: &str) -> Value {
    let [min, max] = [range.start(), range.end()].map(|millis| Span::from_millis(*millis));
    let about = format!("{about} {min} to {max}.");
    json!({"type": "string", "minLength": 2, "pattern": SPAN, "description": about, "examples": [max.to_string()]})
}

pub fn boolean(about: &str) -> Value {
    json!({"type": "boolean", "description": about})
}

/// A share, 0 to 1.
pub fn share(about: &str) -> Value {
    json!({"type": "number", "minimum": 0, "maximum": 1, "description": about})
}

/// A count that is not negative.
pub fn count(about: &str) -> Value {
    json!({"type": "integer", "minimum": 0, "description": about})
}

pub fn string(about: &str) -> Value {
    json!({"type": "string", "description": about})
}

/// Text of printable ASCII.
pub fn printable(length: RangeInclusive<usize>, pattern: &str, about: &str) -> Value {
    let mut schema = text(length, about);
    schema["pattern"] = pattern.into();
    schema
}

fn label(length: RangeInclusive<usize>, about: &str) -> Value {
    let (min, max) = length.into_inner();
    json!({"type": "string", "minLength": min, "maxLength": max, "pattern": LABEL, "description": about})
}
