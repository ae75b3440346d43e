//! A registration as most are written, read from JSON text at one go.
//!
//! [`Registration::from_json`] reads a tree of JSON values, and says of whatever is wrong where it is. For a good
//! registration the tree costs several times what is kept of it. This reader takes the members one by one as they come
//! and borrows their text; it knows what is right and nothing else. Whatever it does not take is not judged by that: a
//! fault, a member given twice, a string with escapes, a member that only replies have. The other one reads it then, and
//! has the last word. A property test holds the two together.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::particulars::{Particulars, SCHEME};
use super::{
    Defaults, Protocol, Registration, each_once, lease_ttl, named_ports, one_of, only_port, protocol, scheme,
    self_report, version,
};
use crate::model::json as read;
use crate::model::{
    Address, CheckSpec, InstanceId, Key, LeaseTtl, Metadata, Port, Priority, ServiceName, Tag, Weight, limits,
};

/// The members of a registration as they were written, none of them looked at yet.
#[derive(Debug, Default)]
pub struct Written<'a> {
    service: Option<&'a str>,
    id: Option<&'a str>,
    address: Option<&'a str>,
    addresses: Option<Box<Value>>,
    port: Option<u64>,
    ports: Option<Box<Value>>,
    protocol: Option<&'a str>,
    scheme: Option<&'a str>,
    version: Option<&'a str>,
    weight: Option<u64>,
    priority: Option<u64>,
    tags: Option<Tags<'a>>,
    metadata: Option<Metadata>,
    status: Option<&'a str>,
    ttl: Option<&'a str>,
    deregister_after: Option<&'a str>,
    slow_start: Option<&'a str>,
    checks: Option<Box<Value>>,
}

impl Written<'_> {
    /// The name that stands in the registration itself; `None` when there is none, or not a right one.
    pub fn key(&self) -> Option<Key> {
        let service = ServiceName::parse(self.service?).ok()?;
        Some(Key { service, id: InstanceId::parse(self.id?).ok()? })
    }

    /// Whether the names that stand in the registration itself, if any do, are those of `key`.
    pub fn agrees_with(&self, key: &Key) -> bool {
        let agrees = |own: Option<&str>, name: &str| own.is_none_or(|own| own.eq_ignore_ascii_case(name));
        agrees(self.service, key.service.as_str()) && agrees(self.id, key.id.as_str())
    }

    /// What [`Registration::from_json`] makes of the same; `None` when that refuses it.
    pub fn registration(self, defaults: &Defaults, from: IpAddr) -> Option<Registration> {
        let address = self.address.map(|text| Address::parse(text, from)).transpose().ok()?;
        let addresses = self.addresses.as_deref().map(Address::from_json_list).transpose().ok()?;
        let ports = self.ports.as_deref().map(named_ports).transpose().ok()?.unwrap_or_default();
        let port = match self.port {
            Some(number) => Some(Port::new(u16::try_from(number).ok()?)?),
            None => None,
        };
        let check = |check| CheckSpec::from_json(check, &defaults.check);
        let checks = self.checks.as_deref().map(|checks| read::list(checks, limits::CHECKS, check)).transpose().ok()?;
        let ttl = self.ttl.map(lease_ttl).transpose().ok()?.unwrap_or(LeaseTtl::For(defaults.ttl));
        let small = |number: Option<u64>| number.map(u16::try_from).transpose().ok();
        let span = |text: Option<&str>, range| text.map(|text| read::span_of(text, range)).transpose().ok();
        let tags =
            self.tags.map(|tags| tags.0.into_iter().map(Tag::parse).collect::<Result<_, _>>()).transpose().ok()?;
        let registration = Registration {
            address: one_of(address, addresses).ok()?,
            port: port.or_else(|| only_port(&ports))?,
            protocol: self.protocol.map(protocol).transpose().ok()?.unwrap_or(Protocol::Tcp),
            weight: small(self.weight)?.map(Weight).unwrap_or_default(),
            priority: small(self.priority)?.map(Priority).unwrap_or_default(),
            status: self.status.map(self_report).unwrap_or_default(),
            brings_checks: checks.is_some(),
            ttl: ttl.into(),
            metadata: self.metadata.filter(|metadata| !metadata.is_empty()).map(Arc::new),
            particulars: None,
        };
        let particulars = Particulars {
            ports,
            scheme: self.scheme.map(scheme).transpose().ok()?.unwrap_or(SmolStr::new_static(SCHEME)),
            version: self.version.map(version).transpose().ok()?,
            tags: tags.map(each_once).unwrap_or_default(),
            deregister_after: span(self.deregister_after, limits::DEREGISTER_AFTER)?,
            slow_start: span(self.slow_start, limits::SLOW_START)?,
            checks: checks.unwrap_or_else(|| defaults.checks.clone()).into(),
        };
        Some(Registration { particulars: particulars.if_any(), ..registration })
    }
}

impl<'de> Deserialize<'de> for Written<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Members)
    }
}

struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Written<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a registration")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written<'de>, A::Error> {
        let mut all = Written::default();
        while let Some(name) = map.next_key::<&str>()? {
            match name {
                "service" => take(&mut all.service, &mut map)?,
                "id" => take(&mut all.id, &mut map)?,
                "address" => take(&mut all.address, &mut map)?,
                "addresses" => take(&mut all.addresses, &mut map)?,
                "port" => take(&mut all.port, &mut map)?,
                "ports" => take(&mut all.ports, &mut map)?,
                "protocol" => take(&mut all.protocol, &mut map)?,
                "scheme" => take(&mut all.scheme, &mut map)?,
                "version" => take(&mut all.version, &mut map)?,
                "weight" => take(&mut all.weight, &mut map)?,
                "priority" => take(&mut all.priority, &mut map)?,
                "tags" => take(&mut all.tags, &mut map)?,
                "metadata" => take(&mut all.metadata, &mut map)?,
                "status" => take(&mut all.status, &mut map)?,
                "ttl" => take(&mut all.ttl, &mut map)?,
                "deregister_after" => take(&mut all.deregister_after, &mut map)?,
                "slow_start" => take(&mut all.slow_start, &mut map)?,
                "checks" => take(&mut all.checks, &mut map)?,
                _ => return Err(A::Error::custom("not taken")),
            }
        }
        Ok(all)
    }
}

/// Reads the value of a member that was not there yet.
fn take<'de, T: Deserialize<'de>, A: MapAccess<'de>>(place: &mut Option<T>, map: &mut A) -> Result<(), A::Error> {
    match place.replace(map.next_value()?) {
        None => Ok(()),
        Some(_) => Err(A::Error::custom("given twice")),
    }
}

/// A list of strings, no longer than that of tags may be.
#[derive(Debug, Default)]
struct Tags<'a>(SmallVec<[&'a str; 4]>);

impl<'de> Deserialize<'de> for Tags<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Texts;

        impl<'de> Visitor<'de> for Texts {
            type Value = Tags<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of strings")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tags<'de>, A::Error> {
                let mut tags = Tags::default();
                while let Some(text) = list.next_element()? {
                    if tags.0.len() == limits::TAGS {
                        return Err(A::Error::custom("too many"));
                    }
                    tags.0.push(text);
                }
                Ok(tags)
            }
        }

        deserializer.deserialize_seq(Texts)
    }
}

#[cfg(test)]
mod tests;
