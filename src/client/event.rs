//! What happens to instances, as a server tells it.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::Instance;
use crate::model::{InstanceId, ServiceName, Status};

/// Something that a server told those who watch.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// An instance is there, or is another than before.
    Put(Change, Arc<Instance>),
    /// An instance is gone.
    Remove(Change),
    /// Changes were missed. What is known does not count any more; every instance that there is comes next.
    Reset,
}

/// What happened to which instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    pub service: ServiceName,
    pub id: InstanceId,
    pub kind: ChangeKind,
    pub previous_status: Option<Status>,
    /// When it happened.
    pub at: Option<Timestamp>,
    /// The registry's revision with it.
    pub revision: u64,
}

/// What kind of change it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Registered,
    /// The registration is another.
    Updated,
    /// What srvd finds out about the instance: its status, or its effective weight.
    Status,
    Deregistered,
    /// Removed by the server after its lease ran out.
    Reaped,
    /// A word that this version does not know.
    Other,
}

impl Event {
    /// Reads the data of an event; `None` when it is none that is known.
    pub(super) fn read(data: &str) -> Option<Self> {
        let document: Value = serde_json::from_str(data).ok()?;
        // The data of a reset has a revision and no more.
        if document["change"].is_null() {
            return document["revision"].is_u64().then_some(Self::Reset);
        }
        let change = Change {
            service: ServiceName::parse(document["service"].as_str()?).ok()?,
            id: InstanceId::parse(document["id"].as_str()?).ok()?,
            kind: ChangeKind::of(document["change"].as_str()?),
            previous_status: document["previous_status"].as_str().and_then(Status::parse),
            at: document["at"].as_str().and_then(|at| at.parse().ok()),
            revision: document["revision"].as_u64()?,
        };
        match &document["instance"] {
            Value::Null => Some(Self::Remove(change)),
            instance => Some(Self::Put(change, Arc::new(Instance::from_json(instance)?))),
        }
    }
}

impl ChangeKind {
    fn of(word: &str) -> Self {
        match word {
            "registered" => Self::Registered,
            "updated" => Self::Updated,
            "status" => Self::Status,
            "deregistered" => Self::Deregistered,
            "reaped" => Self::Reaped,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn events_are_typed() {
        let instance = json!({"service": "web", "id": "a", "address": "10.0.0.7", "port": 1, "status": "unhealthy"});
        let put = json!({
            "revision": 7, "service": "web", "id": "a", "change": "status", "previous_status": "healthy",
            "at": "2026-07-01T10:00:00.000Z", "instance": instance,
        });
        let Some(Event::Put(change, instance)) = Event::read(&put.to_string()) else { panic!("a put") };
        assert_eq!(
            (change.kind, change.previous_status, change.revision),
            (ChangeKind::Status, Some(Status::Healthy), 7)
        );
        assert_eq!((instance.status, change.at.is_some()), (Status::Unhealthy, true));
        for (word, kind) in [
            ("registered", ChangeKind::Registered),
            ("updated", ChangeKind::Updated),
            ("deregistered", ChangeKind::Deregistered),
            ("reaped", ChangeKind::Reaped),
            ("vanished", ChangeKind::Other),
        ] {
            let gone = json!({"revision": 8, "service": "web", "id": "a", "change": word});
            assert!(matches!(Event::read(&gone.to_string()), Some(Event::Remove(change)) if change.kind == kind));
        }
        assert_eq!(Event::read(r#"{"revision":42}"#), Some(Event::Reset));
        for nothing in
            ["", "{}", "[]", r#"{"change":"status"}"#, r#"{"change":"status","service":"a b","id":"a","revision":1}"#]
        {
            assert_eq!(Event::read(nothing), None, "{nothing}");
        }
    }
}
