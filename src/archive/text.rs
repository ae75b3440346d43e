//! Form 1: a record as a JSON object that a person can read. What an older version wrote is read too.
//!
//! ```json
//! {"registration": {…}, "brings_checks": true, "drained_by": "operator", "lapsed": false,
//!  "said": "healthy", "verdicts": ["passing"], "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z", "revision": 7}
//! {"record_ttl": 1, "description": "the front"}
//! {"since": "2026-01-01T00:00:00Z", "reason": "new disk"}
//! {"service": "web", "callback": "http://10.0.0.1/changed"}
//! ```

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::Restored;
use crate::model::json::{self, Members, Text};
use crate::model::{
    Condition, Defaults, DrainedBy, Instance, Invalid, Key, Maintenance, Moment, Reason, Registration, Revision,
    SelfReport, Settings, Subscription, Tick, Verdict, Verdicts, pulse,
};
use crate::registry::{Record, RecordName, Stored};

pub const FORM: u8 = 1;

/// The stored form of a record.
pub fn encode(record: &Record) -> Vec<u8> {
    let value = match record {
        Record::Instance(instance) => return instance_to_text(instance).into_bytes(),
        Record::Settings(_, settings) => Value::Object(settings.to_json()),
        Record::Maintenance(_, mark) => maintenance_to_json(mark),
        Record::Subscription(_, subscription) => Value::Object(subscription.to_json()),
    };
    value.to_string().into_bytes()
}

/// Reads what [`encode`] wrote under `name`.
///
/// # Errors
/// What does not read, as text for the person who will look at the store.
pub fn decode(name: RecordName, stored: &[u8]) -> Result<Restored, String> {
    let value = serde_json::from_slice(stored).map_err(|error| format!("{name}: {error}"))?;
    read(name, &value)
}

/// The same for a value that was read as JSON already.
///
/// # Errors
/// Those of [`decode`].
pub fn read(name: RecordName, value: &Value) -> Result<Restored, String> {
    let text = name.to_string();
    let read = match name {
        RecordName::Instance(key) => instance(key, value).map(Restored::Instance),
        RecordName::Settings(service) => Settings::from_json(value, &Defaults::default().check)
            .map(|settings| Restored::Record(Record::Settings(service, Arc::new(settings)))),
        RecordName::Maintenance(key) => {
            maintenance(value).map(|mark| Restored::Record(Record::Maintenance(key, Arc::new(mark))))
        }
        RecordName::Subscription(id) => Subscription::from_json(value)
            .map(|subscription| Restored::Record(Record::Subscription(id, Arc::new(subscription)))),
    };
    read.map_err(|fault| format!("{text}: {fault}"))
}

fn instance_to_text(instance: &Instance) -> Text {
    // The mark of maintenance is a record of its own; weights are not kept, as what bears on them is reported anew.
    let Condition { maintenance: _, draining, lapsed, said, overloaded, checks, capacity: _, ramp: _ } =
        &instance.condition;
    let (mut text, mut registration) = (Text::new(), Text::new());
    instance.registration.each_member(|name, value| registration.add(name, &value));
    text.set_text("registration", &registration);
    text.set("brings_checks", &instance.registration.brings_checks.into());
    text.set("lapsed", &(*lapsed).into());
    text.set("said", &said.as_str().into());
    text.set("overloaded", &(*overloaded).into());
    text.set("verdicts", &checks.iter().map(|verdict| verdict.as_str()).collect());
    text.set("created_at", &instance.created_at.to_string().into());
    text.set("changed_at", &instance.changed_at.to_string().into());
    text.set("revision", &instance.revision.0.into());
    if let Some(by) = draining {
        text.set("drained_by", &by.as_str().into());
    }
    text
}

fn instance(key: Key, value: &Value) -> Result<Stored, Invalid> {
    const MEMBERS: &[&str] = &[
        "registration",
        "brings_checks",
        "draining",
        "drained_by",
        "lapsed",
        "said",
        "overloaded",
        "verdicts",
        "created_at",
        "changed_at",
        "revision",
    ];
    let members = Members::of(value, MEMBERS, &[])?;
    let mut registration =
        members.required("registration", |value| Registration::from_json(value, &Defaults::default(), NOWHERE))?;
    // Version 1 does not say. Checks that are there stay; where there are none, defaults may come.
    let brings_checks = members.optional("brings_checks", json::boolean)?;
    registration.brings_checks = brings_checks.unwrap_or(!registration.checks().is_empty());
    let verdicts = members.required("verdicts", |value| json::list(value, usize::MAX, verdict))?;
    // Version 1 knew only instances that left by themselves.
    let left = members.optional("draining", json::boolean)?.unwrap_or(false).then_some(DrainedBy::Itself);
    let condition = Condition {
        maintenance: None,
        draining: members.optional("drained_by", drained_by)?.or(left),
        lapsed: members.required("lapsed", json::boolean)?,
        said: members.required("said", said)?,
        overloaded: members.optional("overloaded", json::boolean)?.unwrap_or(false),
        checks: Verdicts::of(registration.checks().len(), verdicts),
        ..Condition::default()
    };
    let stored = Stored {
        key,
        registration,
        condition,
        created_at: members.required("created_at", time)?,
        changed_at: members.required("changed_at", time)?,
        revision: members.required("revision", |value| json::integer(value, 0..=u64::MAX).map(Revision))?,
    };
    Ok(stored)
}

fn maintenance_to_json(mark: &Maintenance) -> Value {
    let mut members = Map::from_iter([("since".to_owned(), mark.since.wall.to_string().into())]);
    members.extend(mark.reason.as_deref().map(|reason| ("reason".to_owned(), reason.into())));
    Value::Object(members)
}

fn maintenance(value: &Value) -> Result<Maintenance, Invalid> {
    let members = Members::of(value, &["since", "reason"], &[])?;
    let reason = members.optional("reason", pulse::message)?;
    let since = Moment { tick: Tick(0), wall: members.required("since", time)? };
    Ok(Maintenance { reason, since })
}

/// Never used: a stored registration has everything spelled out.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

fn drained_by(value: &Value) -> Result<DrainedBy, Reason> {
    DrainedBy::parse(json::string(value)?).ok_or(Reason::Choice { choices: &["itself", "operator"] })
}

fn said(value: &Value) -> Result<SelfReport, Reason> {
    SelfReport::parse(json::string(value)?).ok_or(Reason::Choice { choices: &["starting", "healthy", "unhealthy"] })
}

fn verdict(value: &Value) -> Result<Verdict, Reason> {
    Verdict::parse(json::string(value)?).ok_or(Reason::Choice { choices: &["unknown", "passing", "failing"] })
}

fn time(value: &Value) -> Result<jiff::Timestamp, Reason> {
    json::string(value)?.parse().map_err(|_| Reason::Type { expected: "a time in RFC 3339" })
}
