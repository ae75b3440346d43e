//! What is kept durably: instances, and what operators and subscribers said, each under a name of its own.
//!
//! All kinds have one shape, so that a store and whoever takes back a change treat them alike.

use std::fmt;
use std::sync::Arc;

use crate::model::{
    Instance, InstanceId, Key, Maintenance, Revision, ServiceName, Settings, Subscription, SubscriptionId,
};

/// The kinds of records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Instance,
    Settings,
    Maintenance,
    Subscription,
}

/// The name of a record: unique among all records of its kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordName {
    Instance(Key),
    Settings(ServiceName),
    Maintenance(Key),
    Subscription(SubscriptionId),
}

/// The state of a record, with its name.
#[derive(Debug, Clone)]
pub enum Record {
    Instance(Arc<Instance>),
    Settings(ServiceName, Arc<Settings>),
    Maintenance(Key, Arc<Maintenance>),
    Subscription(SubscriptionId, Arc<Subscription>),
}

/// One change of one record that is no instance.
#[derive(Debug, Clone)]
pub struct RecordChange {
    pub revision: Revision,
    pub name: RecordName,
    /// The record before the change, if it was there.
    pub before: Option<Record>,
    /// The record after the change, if it is still there.
    pub after: Option<Record>,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Instance, Self::Settings, Self::Maintenance, Self::Subscription];

    /// The word for records of this kind, as stores name the place where they are kept.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Instance => "instances",
            Self::Settings => "settings",
            Self::Maintenance => "maintenance",
            Self::Subscription => "subscriptions",
        }
    }
}

impl RecordName {
    /// Reads what [`fmt::Display`] writes of a name of this kind; `None` for what names nothing.
    pub fn parse(kind: Kind, text: &str) -> Option<Self> {
        match kind {
            Kind::Instance => key(text).map(Self::Instance),
            Kind::Settings => ServiceName::parse(text).ok().map(Self::Settings),
            Kind::Maintenance => key(text).map(Self::Maintenance),
            Kind::Subscription => SubscriptionId::parse(text).ok().map(Self::Subscription),
        }
    }

    pub fn kind(&self) -> Kind {
        match self {
            Self::Instance(_) => Kind::Instance,
            Self::Settings(_) => Kind::Settings,
            Self::Maintenance(_) => Kind::Maintenance,
            Self::Subscription(_) => Kind::Subscription,
        }
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(key) | Self::Maintenance(key) => key.fmt(f),
            Self::Settings(service) => service.fmt(f),
            Self::Subscription(id) => id.fmt(f),
        }
    }
}

impl Record {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Instance(_) => Kind::Instance,
            Self::Settings(..) => Kind::Settings,
            Self::Maintenance(..) => Kind::Maintenance,
            Self::Subscription(..) => Kind::Subscription,
        }
    }

    pub fn name(&self) -> RecordName {
        match self {
            Self::Instance(instance) => RecordName::Instance(instance.key.clone()),
            Self::Settings(service, _) => RecordName::Settings(service.clone()),
            Self::Maintenance(key, _) => RecordName::Maintenance(key.clone()),
            Self::Subscription(id, _) => RecordName::Subscription(id.clone()),
        }
    }
}

/// Reads `service/id`.
fn key(text: &str) -> Option<Key> {
    let (service, id) = text.split_once('/')?;
    Some(Key { service: ServiceName::parse(service).ok()?, id: InstanceId::parse(id).ok()? })
}
