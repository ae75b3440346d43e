//! How an instance is spelled in a store: a JSON object that a person can read. What it holds is part of the store's
//! format version.
//!
//! ```json
//! {"registration": {…}, "draining": false, "lapsed": false, "said": "healthy", "verdicts": ["passing"],
//!  "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z", "revision": 7}
//! ```

use std::net::{IpAddr, Ipv4Addr};

use serde_json::{Value, json};

use crate::model::json::{self as read, Members};
use crate::model::{
    CheckDefaults, Condition, Defaults, Instance, Invalid, Key, Reason, Registration, Revision, SelfReport, Span,
    Verdict,
};
use crate::registry::Stored;

/// The stored form of an instance.
pub fn encode(instance: &Instance) -> Vec<u8> {
    let Condition { draining, lapsed, said, checks } = &instance.condition;
    let value = json!({
        "registration": instance.registration.to_json(),
        "draining": draining,
        "lapsed": lapsed,
        "said": said.as_str(),
        "verdicts": checks.iter().map(|verdict| verdict.as_str()).collect::<Vec<_>>(),
        "created_at": instance.created_at.to_string(),
        "changed_at": instance.changed_at.to_string(),
        "revision": instance.revision.0,
    });
    value.to_string().into_bytes()
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// What does not read, as text for the person who will look at the store.
pub fn decode(key: Key, stored: &[u8]) -> Result<Stored, String> {
    let value = serde_json::from_slice(stored).map_err(|error| format!("{key}: {error}"))?;
    instance(key.clone(), &value).map_err(|fault| format!("{key}: {fault}"))
}

fn instance(key: Key, value: &Value) -> Result<Stored, Invalid> {
    const MEMBERS: &[&str] =
        &["registration", "draining", "lapsed", "said", "verdicts", "created_at", "changed_at", "revision"];
    let members = Members::of(value, MEMBERS, &[])?;
    let registration =
        members.required("registration", |value| Registration::from_json(value, &defaults(), NOWHERE))?;
    let verdicts = members.required("verdicts", |value| read::list(value, usize::MAX, verdict))?;
    let mut condition = Condition {
        draining: members.required("draining", read::boolean)?,
        lapsed: members.required("lapsed", read::boolean)?,
        said: members.required("said", said)?,
        checks: verdicts.into(),
    };
    condition.checks.resize(registration.checks.len(), Verdict::Unknown);
    let stored = Stored {
        key,
        registration,
        condition,
        created_at: members.required("created_at", time)?,
        changed_at: members.required("changed_at", time)?,
        revision: members.required("revision", |value| read::integer(value, 0..=u64::MAX).map(Revision))?,
    };
    Ok(stored)
}

/// Never used: a stored registration has everything spelled out.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn defaults() -> Defaults {
    let check = CheckDefaults { interval: Span::from_secs(10), timeout: Span::from_secs(5), rise: 2, fall: 3 };
    Defaults { ttl: Span::from_secs(30), check, checks: Vec::new() }
}

fn said(value: &Value) -> Result<SelfReport, Reason> {
    SelfReport::parse(read::string(value)?).ok_or(Reason::Choice { choices: &["starting", "healthy", "unhealthy"] })
}

fn verdict(value: &Value) -> Result<Verdict, Reason> {
    Verdict::parse(read::string(value)?).ok_or(Reason::Choice { choices: &["unknown", "passing", "failing"] })
}

fn time(value: &Value) -> Result<jiff::Timestamp, Reason> {
    read::string(value)?.parse().map_err(|_| Reason::Type { expected: "a time in RFC 3339" })
}
