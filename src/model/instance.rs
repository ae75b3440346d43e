//! A registered instance at one revision.

use std::fmt;
use std::sync::Arc;

use super::{Condition, InstanceId, Pulse, Registration, Revision, ServiceName, Status, WallTime, Weight};

/// The name of an instance: its service, and its id there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    pub service: ServiceName,
    pub id: InstanceId,
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.id)
    }
}

/// An instance as of its last change. It never changes itself: a change makes another one, so that whoever holds one
/// sees a single revision. What moves without being a change is in its [`Pulse`].
#[derive(Debug, Clone)]
pub struct Instance {
    pub key: Key,
    pub registration: Arc<Registration>,
    pub condition: Condition,
    pub created_at: WallTime,
    pub changed_at: WallTime,
    pub revision: Revision,
    /// Shared by all revisions of one registration's life, from registering to removal; its address tells lives apart.
    pub pulse: Arc<Pulse>,
}

impl Instance {
    pub fn status(&self) -> Status {
        self.condition.status()
    }

    /// The weight that answers are ordered by, before scaling: what load and slow start leave of the registered one.
    pub fn effective_weight(&self) -> Weight {
        self.condition.capacity.times(self.condition.ramp).of(self.registration.weight)
    }
}
