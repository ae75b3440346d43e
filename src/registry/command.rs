//! What can be asked of the registry, and what it says.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Rules;
use super::record::{RecordChange, RecordName};
use crate::model::{
    CheckSpec, Instance, Invalid, Key, Maintenance, Pressure, Pulse, Registration, Revision, SelfReport, ServiceName,
    Settings, Subscription, SubscriptionId, Verdict,
};

/// What is there before a registration, or else it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    Any,
    /// No instance of that name: nothing is replaced.
    Absent,
    /// One: nothing is registered anew.
    Present,
}

/// A request for a change.
#[derive(Debug, Clone)]
pub enum Command {
    /// Registers an instance or replaces its whole registration, unless something else is `expected`.
    Register {
        key: Key,
        registration: Arc<Registration>,
        expected: Expected,
    },
    /// Merges a JSON patch (RFC 7396) into a registration. `from` is the address that `auto` means.
    Patch {
        key: Key,
        patch: serde_json::Value,
        from: IpAddr,
    },
    Deregister {
        key: Key,
    },
    /// A heartbeat that may change something: it revives a lapsed lease, or the instance reports on itself.
    Heartbeat {
        key: Key,
        report: Option<Report>,
        pressure: Option<Pressure>,
    },
    /// The verdict of a check turned.
    Observe(Observation),
    /// An operator takes an instance out, until it is put back or its registration ends.
    Drain {
        key: Key,
    },
    /// An operator marks the name of an instance, until the mark is lifted. The instance need not be there any more when
    /// it was marked before.
    Maintain {
        key: Key,
        reason: Option<SmolStr>,
    },
    /// An operator puts an instance back: lifts the mark, or ends the draining whoever asked for it, or both.
    Resume {
        key: Key,
        maintenance: bool,
        drain: bool,
    },
    /// Replaces the settings of a service; `None`, or settings without any, removes them.
    Set {
        service: ServiceName,
        settings: Option<Arc<Settings>>,
    },
    /// Other rules from now on. With `answers_change` something changed that is answered beside the registry: no
    /// instance did, but the revision moves on.
    Reconfigure {
        rules: Box<Rules>,
        answers_change: bool,
    },
    /// Stores a subscription in place of the one of the same id; `None` removes it.
    Subscribe {
        id: SubscriptionId,
        subscription: Option<Arc<Subscription>>,
    },
}

/// What a command is about.
#[derive(Debug, Clone, Copy)]
pub enum About<'c> {
    Instance(&'c Key),
    Service(&'c ServiceName),
    Subscription(&'c SubscriptionId),
    Server,
}

impl Command {
    pub fn about(&self) -> About<'_> {
        match self {
            Self::Register { key, .. }
            | Self::Patch { key, .. }
            | Self::Deregister { key }
            | Self::Heartbeat { key, .. }
            | Self::Observe(Observation { key, .. })
            | Self::Drain { key }
            | Self::Maintain { key, .. }
            | Self::Resume { key, .. } => About::Instance(key),
            Self::Set { service, .. } => About::Service(service),
            Self::Subscribe { id, .. } => About::Subscription(id),
            Self::Reconfigure { .. } => About::Server,
        }
    }
}

/// The verdict of a check on an instance. It counts while the instance is of the same `life`, has the check, and is
/// where the `registration` that was checked says.
#[derive(Debug, Clone)]
pub struct Observation {
    pub key: Key,
    pub life: Arc<Pulse>,
    pub registration: Arc<Registration>,
    pub check: CheckSpec,
    pub verdict: Verdict,
}

/// What an instance reports of itself in a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Is(SelfReport),
    /// It is about to leave.
    Draining,
}

/// What a command came to.
#[derive(Debug, Clone)]
pub enum Done {
    Registered(Arc<Instance>),
    Replaced(Arc<Instance>),
    /// The registration was equal to what is there; at most its lease was renewed.
    Unchanged(Arc<Instance>),
    Deregistered,
    /// An operator's word holds for this instance.
    Stands(Arc<Instance>),
    /// The mark was set or lifted on a name that nothing is registered under.
    Marked(Arc<Maintenance>),
    /// Heartbeats, verdicts, settings, subscriptions and rules.
    Noted,
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no instance {0}")]
    Unknown(Key),
    #[error("there is no service {0}, and there are no settings for it")]
    UnknownService(ServiceName),
    #[error("there is no subscription {0}")]
    UnknownSubscription(SubscriptionId),
    #[error("there are {max} subscriptions already, and no more may be")]
    TooManySubscriptions { max: usize },
    #[error("{0} is registered already")]
    Exists(Key),
    #[error("there is no instance {0} to replace")]
    Absent(Key),
    #[error("`{label}` would name both an instance and a tag of service {service}; choose another id or tag")]
    Clash { service: ServiceName, label: SmolStr },
    #[error(transparent)]
    Invalid(#[from] Invalid),
}

/// Everything that commands changed: instances, and records of other kinds, each in the order of their revisions.
#[derive(Debug, Default)]
pub struct Changes {
    pub events: Vec<Event>,
    pub records: Vec<RecordChange>,
    /// Services of which other instances are served although nothing about one of them has changed.
    pub turned: Vec<ServiceName>,
}

impl Changes {
    pub fn is_empty(&self) -> bool {
        self.events.is_empty() && self.records.is_empty() && self.turned.is_empty()
    }

    /// The records that have to be kept anew, in no order.
    pub fn names(&self) -> impl Iterator<Item = RecordName> {
        let kept = self.events.iter().filter(|event| event.change != Change::Weight);
        let instances = kept.map(|event| RecordName::Instance(event.key.clone()));
        instances.chain(self.records.iter().map(|change| change.name.clone()))
    }

    /// The services of which readers see something else now.
    pub fn services(&self) -> BTreeSet<ServiceName> {
        // What comes together is often of the same service.
        let runs = self.events.chunk_by(|a, b| a.key.service == b.key.service);
        let of_instances = runs.filter_map(<[Event]>::first).map(|event| event.key.service.clone());
        let of_settings = self.records.iter().filter_map(|change| match &change.name {
            RecordName::Settings(service) => Some(service.clone()),
            _ => None,
        });
        of_instances.chain(of_settings).chain(self.turned.iter().cloned()).collect()
    }
}

/// One change of one instance.
#[derive(Debug, Clone)]
pub struct Event {
    pub revision: Revision,
    pub key: Key,
    pub change: Change,
    /// The instance before the change, if it was there.
    pub before: Option<Arc<Instance>>,
    /// The instance after the change, if it is still there.
    pub after: Option<Arc<Instance>>,
}

/// What kind of change an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Registered,
    Updated,
    /// The facts about the instance changed, not its registration.
    Status,
    /// Its effective weight changed, and nothing else. This is not worth keeping: a restart begins with full weights.
    Weight,
    Deregistered,
    /// Removed by itself: long after its lease lapsed, or unhealthy for too long.
    Reaped,
}
