//! Instances and their changes as JSON: in replies, in streams, and in what callbacks get.

use serde_json::{Map, Value, json};

use crate::engine::Published;
use crate::model::json::{Object, Shown, Text};
use crate::model::{CheckResult, DrainedBy, Instance, Moment, Revision, SelfReport, ServiceName, Status, Verdict};
use crate::registry::Change;

/// The registration, and what srvd knows beside it. `now` turns ticks into times of day.
pub fn instance(instance: &Instance, now: Moment) -> Value {
    let mut object = Map::new();
    each_member(instance, now, |name, value| drop(object.insert(name.to_owned(), value.into_value())));
    Value::Object(object)
}

/// The same as text, for long lists.
pub fn instance_text(instance: &Instance, now: Moment) -> Text {
    let mut text = Vec::with_capacity(USUAL);
    write_instance(&mut text, instance, now);
    text.into()
}

/// The same at the end of a text.
pub fn write_instance(to: &mut Vec<u8>, instance: &Instance, now: Moment) {
    let mut object = Object::begin(to);
    each_member(instance, now, |name, value| object.add(name, &value));
    object.end();
}

/// Octets that few instances exceed.
const USUAL: usize = 1024;

fn each_member(instance: &Instance, now: Moment, mut set: impl FnMut(&'static str, Shown<'_>)) {
    let registration = &instance.registration;
    let words = instance.pulse.words(|words| words.clone());
    set("service", Shown::Text(instance.key.service.as_str()));
    set("id", Shown::Text(instance.key.id.as_str()));
    registration.each_member(|name, value| match name {
        "checks" => set(name, Shown::Tree(checks(instance, &words, now))),
        "status" => set(name, Shown::Text(instance.status().as_str())),
        _ => set(name, value),
    });
    if let Some(reason) = reason(instance, &words) {
        set("reason", Shown::Text(&reason));
    }
    if let Some(message) = words.message {
        set("message", Shown::Text(&message));
    }
    if let Some(load) = words.load {
        set("load", Shown::Tree(load.to_json()));
    }
    set("effective_weight", Shown::Number(instance.effective_weight().0.into()));
    let (address, port, scheme) = (&registration.address, registration.port, registration.scheme());
    set("url", Shown::Plain(&format_args!("{scheme}://{address}:{port}")));
    set("endpoint", Shown::Plain(&format_args!("{address}:{port}")));
    set("revision", Shown::Number(instance.revision.0));
    set("created_at", Shown::Time(instance.created_at.timestamp()));
    set("changed_at", Shown::Time(instance.changed_at.timestamp()));
    let times = [("last_heartbeat", instance.pulse.last_heartbeat()), ("expires_at", instance.pulse.deadline())];
    for (name, tick) in times {
        if let Some(tick) = tick {
            set(name, Shown::Time(now.wall_at(tick)));
        }
    }
    // Its lease ran out, and the lapse is held.
    if instance.pulse.deadline().is_some_and(|deadline| deadline <= now.tick) {
        set("overdue", Shown::Truth(true));
    }
}

/// A change as those who watch are told of it.
pub fn change(change: &Published, now: Moment) -> Value {
    let mut object = json!({
        "revision": change.revision.0,
        "service": change.key.service.as_str(),
        "id": change.key.id.as_str(),
        "change": change_word(change.change),
        "previous_status": change.previous.map(Status::as_str),
        "at": time(change.at),
    });
    if let Some(after) = &change.after {
        object["instance"] = instance(after, now);
    }
    object
}

/// An instance that was there before, told as a change to whoever knows of nothing yet.
pub fn present(present: &Instance, now: Moment) -> Value {
    json!({
        "revision": present.revision.0,
        "service": present.key.service.as_str(),
        "id": present.key.id.as_str(),
        "change": change_word(Change::Registered),
        "previous_status": null,
        "at": time(present.changed_at.timestamp()),
        "instance": instance(present, now),
    })
}

/// Whoever is told of the changes of a service missed some: what it knows does not count any more, and every instance
/// that there is at `revision` is told next. It has the members of a change, so that nobody trips over it.
pub fn reset(service: &ServiceName, revision: Revision, now: Moment) -> Value {
    json!({
        "revision": revision.0,
        "service": service.as_str(),
        "id": null,
        "change": "reset",
        "previous_status": null,
        "at": time(now.wall),
    })
}

fn change_word(change: Change) -> &'static str {
    match change {
        Change::Registered => "registered",
        Change::Updated => "updated",
        // What srvd found out about the instance, whether or not the status is another.
        Change::Status | Change::Weight => "status",
        Change::Deregistered => "deregistered",
        Change::Reaped => "reaped",
    }
}

/// A time of day as replies show it: RFC 3339 in UTC, to the millisecond.
pub fn time(time: jiff::Timestamp) -> Value {
    Shown::Time(time).into_value()
}

/// What a check found.
pub fn result(result: &CheckResult) -> Map<String, Value> {
    let members: [(&str, Value); 4] = [
        ("at", time(result.at)),
        ("passing", result.passed.into()),
        ("took_ms", result.took_ms.into()),
        ("detail", result.detail.as_str().into()),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn checks(instance: &Instance, words: &crate::model::pulse::Words, now: Moment) -> Value {
    let specs = instance.registration.checks().iter().zip(instance.condition.checks.iter());
    let check = |(spec, verdict): (&crate::model::CheckSpec, Verdict)| {
        let mut object = match spec.to_json() {
            Value::Object(object) => object,
            _ => Map::new(),
        };
        object.insert("verdict".into(), verdict.as_str().into());
        if let Some(last) = words.result(spec) {
            object.insert("last_result".into(), result(last).into());
            object.insert("next_check".into(), time(now.wall_at(last.next)));
        }
        Value::Object(object)
    };
    specs.map(check).collect()
}

/// Why an instance is not healthy.
pub fn reason_of(of: &Instance) -> Option<String> {
    reason(of, &of.pulse.words(|words| words.clone()))
}

fn reason(instance: &Instance, words: &crate::model::pulse::Words) -> Option<String> {
    let said = |word: &str| match &words.message {
        Some(message) => format!("it says that it is {word}: {message}"),
        None => format!("it says that it is {word}"),
    };
    let check = |verdict: Verdict| {
        let at = instance.condition.checks.iter().position(|found| found == verdict)?;
        Some((at, instance.registration.checks().get(at)?))
    };
    let overloaded = || "it reports more load than is healthy".to_owned();
    match instance.status() {
        Status::Healthy => None,
        Status::Maintenance => {
            let words = instance.condition.maintenance.as_ref().and_then(|mark| mark.reason.as_deref());
            Some(words.map_or("in maintenance".to_owned(), |words| format!("in maintenance: {words}")))
        }
        Status::Draining => Some(match instance.condition.draining {
            Some(DrainedBy::Operator) => "taken out by an operator".to_owned(),
            Some(DrainedBy::Itself) | None => said("leaving"),
        }),
        Status::Lapsed => Some("its lease ran out without a heartbeat".to_owned()),
        Status::Unhealthy if instance.condition.said == SelfReport::Unhealthy => Some(said("unhealthy")),
        Status::Unhealthy => Some(check(Verdict::Failing).map_or_else(overloaded, |(at, spec)| {
            let kind = spec.kind.as_str();
            match words.result(spec) {
                Some(CheckResult { passed: false, detail, .. }) => format!("check {at} ({kind}) is failing: {detail}"),
                Some(CheckResult { damped: Some(left), .. }) => format!(
                    "check {at} ({kind}) passes again, but has turned often: passes in a row that it still needs: {left}"
                ),
                _ => format!("check {at} ({kind}) is failing"),
            }
        })),
        Status::Starting if instance.condition.said == SelfReport::Starting => Some(said("starting")),
        Status::Starting => {
            check(Verdict::Unknown).map(|(at, spec)| format!("check {at} ({}) has no result yet", spec.kind.as_str()))
        }
    }
}
