//! Registrations, and operations of a batch, as most are written: read without a tree.
//!
//! What is read here is right; nothing that is not read here is wrong for that (see [`Written`]).

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

use super::heartbeats::Named;
use crate::model::{Defaults, InstanceId, Key, Registration, ServiceName, Written};
use crate::registry::{Command, Expected};

/// The registration of `key` that a body is, when all of it is right.
pub fn registration(body: &[u8], key: &Key, defaults: &Defaults, from: IpAddr) -> Option<Arc<Registration>> {
    let written: Written<'_> = serde_json::from_slice(body).ok()?;
    if !written.agrees_with(key) {
        return None;
    }
    written.registration(defaults, from).map(Arc::new)
}

/// An operation that is written without anything unusual.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time, and nearly all are the large one")]
pub enum Plain<'a> {
    Register(Written<'a>),
    Deregister(Named<'a>),
}

impl Plain<'_> {
    /// What it asks for, when all of it is right.
    pub fn command(self, defaults: &Defaults, from: IpAddr) -> Option<Command> {
        match self {
            Self::Register(written) => {
                let key = written.key()?;
                let registration = Arc::new(written.registration(defaults, from)?);
                Some(Command::Register { key, registration, expected: Expected::Any })
            }
            Self::Deregister(Named { service, id }) => {
                let service = ServiceName::parse(service).ok()?;
                Some(Command::Deregister { key: Key { service, id: InstanceId::parse(id).ok()? } })
            }
        }
    }
}

impl<'de> Deserialize<'de> for Plain<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct One;

        impl<'de> Visitor<'de> for One {
            type Value = Plain<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an operation")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Plain<'de>, A::Error> {
                let plain = match map.next_key()? {
                    Some("register") => Plain::Register(map.next_value()?),
                    Some("deregister") => Plain::Deregister(map.next_value()?),
                    _ => return Err(A::Error::custom("not taken")),
                };
                match map.next_key::<&str>()? {
                    None => Ok(plain),
                    Some(_) => Err(A::Error::custom("not taken")),
                }
            }
        }

        deserializer.deserialize_map(One)
    }
}
