//! Keys and values in etcd: version 1 of the layout.
//!
//! Every key begins with the configured prefix (`/srvd` by default) and the version of the layout, `/v1`:
//!
//! | key, after `/srvd/v1` | value |
//! |---|---|
//! | `/instances/<service>/<id>` | a registration and the facts about it, in JSON |
//! | `/settings/<service>` | the settings of a service, in JSON |
//! | `/maintenance/<service>/<id>` | the mark on a name, in JSON |
//! | `/subscriptions/<id>` | a subscription, in JSON |
//! | `/labels/<service>` | empty; written whenever a registration brings its service another id or tag |
//! | `/servers/<server>` | the version of srvd that runs there; bound to an etcd lease of five seconds, the only one that a server has |
//!
//! ```json
//! {"registration": {…}, "brings_checks": true, "lapsed": false, "said": "healthy", "overloaded": false, "verdicts": ["passing"],
//!  "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z", "revision": 0, "owner": "00f1c2d3e4a5b697"}
//! {"record_ttl": 1, "description": "the front"}
//! {"since": "2026-01-01T00:00:00Z", "reason": "new disk"}
//! {"service": "web", "callback": "http://10.0.0.1/changed"}
//! ```
//!
//! `owner` is the server that took the instance last; it keeps the lease as long as it is live. The revision of an
//! instance is that in which its key was last written, unless `revision` says another: then the instance was only taken
//! over since. Names are as in the API: lower case, so that equal ones are equal keys. A server of a later layout writes
//! under another version, and so beside this one, never into it.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::messages::KeyValue;
use crate::archive::{self, Restored};
use crate::cluster::ServerId;
use crate::engine::shared::{Encoded, Fact, Found, Place, State};
use crate::model::{Instance, Revision, ServiceName};
use crate::registry::{Kind, Record, RecordName};

/// The version of the layout.
const VERSION: &str = "v1";
const LABELS: &str = "labels";
const SERVERS: &str = "servers";

/// The names of all keys under one prefix.
#[derive(Debug, Clone)]
pub struct Layout {
    /// With the version and a slash at its end.
    root: String,
}

/// Keys from the first to the last but one.
#[derive(Debug, Clone)]
pub struct Range {
    pub first: Vec<u8>,
    pub end: Vec<u8>,
}

impl Layout {
    /// The layout under a prefix, which may end with a slash or not.
    pub fn under(prefix: &str) -> Self {
        Self { root: format!("{}/{VERSION}/", prefix.trim_end_matches('/')) }
    }

    /// All keys.
    pub fn range(&self) -> Range {
        let first = self.root.clone().into_bytes();
        let mut end = first.clone();
        // The root ends with a slash, which has a successor.
        if let Some(last) = end.last_mut() {
            *last += 1;
        }
        Range { first, end }
    }

    pub fn key(&self, place: &Place) -> Vec<u8> {
        let (kind, name) = match place {
            Place::Record(name) => (name.kind().plural(), name.to_string()),
            Place::Labels(service) => (LABELS, service.to_string()),
            Place::Server(id) => (SERVERS, id.to_string()),
        };
        format!("{}{kind}/{name}", self.root).into_bytes()
    }

    /// The place that a key names; `None` for keys that nobody writes.
    pub fn place(&self, key: &[u8]) -> Option<Place> {
        let (kind, name) = std::str::from_utf8(key).ok()?.strip_prefix(&self.root)?.split_once('/')?;
        let place = match kind {
            LABELS => ServiceName::parse(name).ok().map(Place::Labels),
            SERVERS => ServerId::parse(name).map(Place::Server),
            _ => {
                let kind = Kind::ALL.into_iter().find(|of| of.plural() == kind)?;
                RecordName::parse(kind, name).map(Place::Record)
            }
        };
        // One place has one key: names in upper case are nobody's.
        place.filter(|place| self.key(place) == key)
    }

    /// Reads what is under a key; `None` for keys that nobody writes.
    ///
    /// # Errors
    /// What does not read, with the key.
    pub fn read(&self, kv: &KeyValue) -> Result<Option<Found>, String> {
        let Some(place) = self.place(&kv.key) else { return Ok(None) };
        let revision = Revision(kv.mod_revision.unsigned_abs());
        let fact = match place {
            Place::Record(name) => {
                let fact = fact(name, &kv.value, revision);
                fact.map_err(|fault| format!("{}: {fault}", String::from_utf8_lossy(&kv.key)))?
            }
            other => Fact::There(other),
        };
        Ok(Some(Found { revision, fact }))
    }
}

/// The value of a record.
pub fn encode(state: &State) -> Encoded {
    let mut text = archive::text::encode(&written(state));
    if let (Record::Instance(_), Some(owner)) = (&state.record, state.owner) {
        // The form is a JSON object that has members already.
        text.pop();
        text.extend_from_slice(format!(",\"owner\":\"{owner}\"}}").as_bytes());
    }
    Encoded(Bytes::from(text))
}

/// The record with the revision that is written.
fn written(state: &State) -> Record {
    match &state.record {
        Record::Instance(instance) => {
            let revision = state.since.unwrap_or_default();
            Record::Instance(Arc::new(Instance { revision, ..Instance::clone(instance) }))
        }
        other => other.clone(),
    }
}

fn fact(name: RecordName, text: &[u8], written: Revision) -> Result<Fact, String> {
    let mut value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let owner = value.as_object_mut().and_then(|members| members.remove("owner"));
    let owner = owner.as_ref().and_then(Value::as_str).and_then(ServerId::parse);
    match archive::text::read(name, &value)? {
        Restored::Instance(mut stored) => {
            if stored.revision == Revision::ZERO {
                stored.revision = written;
            }
            Ok(Fact::Instance { stored: Box::new(stored), owner })
        }
        Restored::Record(record) => Ok(Fact::Record(record)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, Key, SubscriptionId};

    fn places() -> Vec<(&'static str, Place)> {
        let service = ServiceName::parse("web").unwrap();
        let key = Key { service: service.clone(), id: InstanceId::parse("a").unwrap() };
        vec![
            ("instances/web/a", Place::Record(RecordName::Instance(key.clone()))),
            ("settings/web", Place::Record(RecordName::Settings(service.clone()))),
            ("maintenance/web/a", Place::Record(RecordName::Maintenance(key))),
            ("subscriptions/s", Place::Record(RecordName::Subscription(SubscriptionId::parse("s").unwrap()))),
            ("labels/web", Place::Labels(service)),
            ("servers/00f1c2d3e4a5b697", Place::Server(ServerId(0x00f1_c2d3_e4a5_b697))),
        ]
    }

    #[test]
    fn every_place_has_a_key_below_the_prefix() {
        for prefix in ["/srvd", "/srvd/", "/a/b"] {
            let layout = Layout::under(prefix);
            let Range { first, end } = layout.range();
            for (name, place) in places() {
                let key = format!("{}/v1/{name}", prefix.trim_end_matches('/')).into_bytes();
                assert_eq!(layout.key(&place), key);
                assert_eq!(layout.place(&key), Some(place));
                assert!(first <= key && key < end, "{name}");
            }
        }
    }

    #[test]
    fn what_nobody_writes_is_nobody_s_place() {
        let layout = Layout::under("/srvd");
        for key in [
            "/srvd/v2/settings/web",
            "/srvd/v1/settings",
            "/srvd/v1/settings/Web",
            "/srvd/v1/instances/web",
            "/srvd/v1/others/web",
            "/srvd/v1/servers/x",
            "",
        ] {
            assert_eq!(layout.place(key.as_bytes()), None, "{key}");
        }
        assert_eq!(layout.place(&[0xff]), None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let layout = Layout::under("/srvd");
        let key = |name: &str| format!("/srvd/v1/{name}").into_bytes();
        let read = |name: &str, value: &'static str| {
            layout.read(&KeyValue { key: key(name), value: value.into(), mod_revision: 7, ..KeyValue::default() })
        };
        for (name, value) in [("settings/web", "{"), ("settings/web", "{\"bogus\": 1}"), ("instances/web/a", "{}")] {
            let fault = read(name, value).unwrap_err();
            assert!(fault.starts_with(&format!("/srvd/v1/{name}: ")), "{fault}");
        }
        assert!(read("others/x", "{").unwrap().is_none());
        let found = read("labels/web", "").unwrap().unwrap();
        assert_eq!((found.revision, found.fact.place()), (Revision(7), places().remove(4).1));
    }
}
