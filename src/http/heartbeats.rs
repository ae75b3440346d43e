//! Many heartbeats in one call.
//!
//! A lease that is renewed costs a look-up and a deadline, here and nowhere else. Only leases that have run out reach the
//! engine, some at a time.

use std::fmt;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value, json};
use smol_str::SmolStr;

use super::body::LargeBody;
use super::items::List;
use super::params::Params;
use super::problem::Problem;
use super::{Api, listing};
use crate::answer::{Live, ServiceView};
use crate::engine::WriteError;
use crate::model::json::{self as read_json, Members};
use crate::model::{Instance, InstanceId, Invalid, Key, ServiceName};
use crate::registry::Refusal;

/// Heartbeats after which others get their turn.
const PART: usize = 1024;

/// `POST /v1/heartbeats`: names that are not registered are in the reply. An entry that names nothing is refused, after
/// all others were dealt with.
pub async fn renew(State(api): State<Api>, params: Params, body: LargeBody) -> Result<Response, Problem> {
    params.finish()?;
    let LargeBody { octets, room } = body;
    let list = List::of(octets, "heartbeats", usize::MAX).await?;
    let mut items = list.items();
    let mut round = Round { api: &api, renewed: 0, unknown: Vec::new(), lapsed: Vec::new() };
    let (mut at, mut fault) = (0, None);
    loop {
        let begun = at;
        let mut last = None;
        while at < begun + PART {
            let Some(item) = items.next_as::<Named<'_>>() else { break };
            match item {
                Ok(named) => round.beat(&mut last, named.service, named.id),
                Err(text) => match spelled(text) {
                    Ok((service, id)) => round.beat(&mut last, &service, &id),
                    Err(invalid) => drop(fault.get_or_insert_with(|| invalid.under(&format!("heartbeats[{at}]")))),
                },
            }
            at += 1;
        }
        round.revive().await?;
        if at < begun + PART {
            break;
        }
        tokio::task::yield_now().await;
    }
    api.engine.metrics().heartbeats.add(round.renewed);
    match fault {
        Some(invalid) => Err(invalid.into()),
        None => {
            let head = Map::from_iter([("renewed".to_owned(), round.renewed.into())]);
            let unknown = round.unknown.into_iter().map(move |(service, id)| {
                let _kept_until_read = &room;
                json!({"service": service.as_str(), "id": id.as_str()})
            });
            Ok(listing::reply(head, "unknown", unknown))
        }
    }
}

/// What the heartbeats of one call have come to.
struct Round<'a> {
    api: &'a Api,
    renewed: u64,
    /// Names that nothing is registered under, as they were written.
    unknown: Vec<(SmolStr, SmolStr)>,
    /// Instances whose leases have run out.
    lapsed: Vec<Key>,
}

impl Round<'_> {
    /// Renews the lease of an instance; `last` is the service that was looked up last.
    fn beat(&mut self, last: &mut Option<Arc<ServiceView>>, service: &str, id: &str) {
        let Some(instance) = self.find(last, service, id) else {
            return self.unknown.push((service.into(), id.into()));
        };
        if self.api.engine.touch(&instance) {
            self.renewed += 1;
        } else {
            self.lapsed.push(instance.key.clone());
        }
    }

    fn find(&self, last: &mut Option<Arc<ServiceView>>, service: &str, id: &str) -> Option<Arc<Instance>> {
        if last.as_ref().is_none_or(|view| view.name().as_str() != service) {
            let name = ServiceName::parse(service).ok()?;
            *last = self.api.engine.index().service(name.as_str());
        }
        let view = last.as_ref()?;
        // Names are nearly always written as they are kept.
        let instance = view.instance(id).or_else(|| view.instance(InstanceId::parse(id).ok()?.as_str()));
        instance.cloned()
    }

    /// Brings back the instances whose leases have run out.
    async fn revive(&mut self) -> Result<(), WriteError> {
        if self.lapsed.is_empty() {
            return Ok(());
        }
        let keys = std::mem::take(&mut self.lapsed);
        for (result, key) in self.api.engine.revive_all(keys.clone()).await?.results().await?.zip(keys) {
            match result {
                Ok(_) => self.renewed += 1,
                Err(WriteError::Refused(Refusal::Unknown(_))) => {
                    self.unknown.push((key.service.as_str().into(), key.id.as_str().into()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// The name of an instance, read without a copy.
#[derive(Debug)]
pub struct Named<'a> {
    pub service: &'a str,
    pub id: &'a str,
}

impl<'de> Deserialize<'de> for Named<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;

        impl<'de> Visitor<'de> for Both {
            type Value = Named<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object with `service` and `id`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Named<'de>, A::Error> {
                let (mut service, mut id) = (None, None);
                while let Some(name) = map.next_key::<&str>()? {
                    match name {
                        "service" => service = Some(map.next_value()?),
                        "id" => id = Some(map.next_value()?),
                        other => return Err(de::Error::unknown_field(other, &["service", "id"])),
                    }
                }
                let missing = |name| move || de::Error::missing_field(name);
                Ok(Named { service: service.ok_or_else(missing("service"))?, id: id.ok_or_else(missing("id"))? })
            }
        }

        deserializer.deserialize_map(Both)
    }
}

/// The same for what is written in an unusual way, or wrong.
fn spelled(text: &str) -> Result<(String, String), Invalid> {
    // The text is JSON: the body was read as a whole before.
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let members = Members::of(&value, &["service", "id"], &[])?;
    let name = |value| read_json::string(value).map(str::to_owned);
    Ok((members.required("service", name)?, members.required("id", name)?))
}
