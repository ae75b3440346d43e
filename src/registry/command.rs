//! What can be asked of the registry, and what it says.

use std::net::IpAddr;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Rules;
use crate::model::{CheckSpec, Instance, Invalid, Key, Pulse, Registration, Revision, SelfReport, Verdict};

/// A request for a change.
#[derive(Debug, Clone)]
pub enum Command {
    /// Registers an instance, or replaces its whole registration; with `only_new` never replaces.
    Register {
        key: Key,
        registration: Arc<Registration>,
        only_new: bool,
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
    },
    /// The verdict of a check turned.
    Observe(Observation),
    /// Other rules from now on. With `answers_change` something changed that is answered beside the registry: no
    /// instance did, but the revision moves on.
    Reconfigure {
        rules: Box<Rules>,
        answers_change: bool,
    },
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
    /// Heartbeats, verdicts and rules.
    Noted,
}

/// Why a command was not carried out. Nothing has changed then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("there is no instance {0}")]
    Unknown(Key),
    #[error("{0} is registered already")]
    Exists(Key),
    #[error("`{label}` would name both an instance and a tag of service {service}; choose another id or tag")]
    Clash { service: crate::model::ServiceName, label: SmolStr },
    #[error(transparent)]
    Invalid(#[from] Invalid),
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
    Deregistered,
    /// Removed by itself: long after its lease lapsed, or unhealthy for too long.
    Reaped,
}
