//! The life of an instance: what is known of it, and the status that follows.
//!
//! ```text
//!   registered ─► what it says and its checks make of it: starting, healthy or unhealthy
//!
//!          operator sets it                       operator lifts it
//!   any ───────────────────► maintenance ───────────────────────────► what the rest says
//!                            (a mark on the name: registering, deregistering and restarts leave it)
//!
//!          operator, or heartbeat says so         operator takes it back
//!   any ───────────────────► draining ──────────────────────────────► what the rest says
//!                                └── deregistered, reaped: ends with the registration
//!
//!          lease runs out                         late heartbeat, registered again
//!   any ───────────────────► lapsed ────────────────────────────────► what the rest says
//!                                └── reap_after: reaped
//!
//!   starting ──first result, own word──► healthy ◄──rise, own word──┐
//!       │                                   │ fall, own word        │
//!       └──────first result, own word──► unhealthy ─────────────────┘
//! ```
//!
//! Nothing here is remembered as a status: the facts are kept, and the first line of [`Condition::status`] that applies
//! is the status. So no order of events can leave a status that the facts do not carry.

use std::sync::Arc;

use super::{Capacity, Maintenance, Pressure, Verdicts};

/// What srvd makes of an instance; in the order in which the first that applies wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Maintenance,
    Draining,
    Lapsed,
    Unhealthy,
    Starting,
    Healthy,
}

impl Status {
    pub const ALL: [Self; 6] =
        [Self::Maintenance, Self::Draining, Self::Lapsed, Self::Unhealthy, Self::Starting, Self::Healthy];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Draining => "draining",
            Self::Lapsed => "lapsed",
            Self::Unhealthy => "unhealthy",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What an instance says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelfReport {
    Starting,
    #[default]
    Healthy,
    Unhealthy,
}

impl SelfReport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Starting, Self::Healthy, Self::Unhealthy].into_iter().find(|report| report.as_str() == text)
    }
}

/// Who took a draining instance out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainedBy {
    /// It said that it is about to leave.
    Itself,
    Operator,
}

impl DrainedBy {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Operator => "operator",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Itself, Self::Operator].into_iter().find(|by| by.as_str() == text)
    }
}

/// What the results of one check amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// No result yet.
    #[default]
    Unknown,
    Passing,
    Failing,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passing => "passing",
            Self::Failing => "failing",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Unknown, Self::Passing, Self::Failing].into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// The facts about an instance from which its status follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// The mark that an operator set on its name.
    pub maintenance: Option<Arc<Maintenance>>,
    /// Taken out; ends with the registration.
    pub draining: Option<DrainedBy>,
    /// The lease ran out and no heartbeat has come since.
    pub lapsed: bool,
    pub said: SelfReport,
    /// It reports more load than the configuration lets be healthy.
    pub overloaded: bool,
    /// What the load that it reports leaves of its weight.
    pub capacity: Capacity,
    /// How far its slow start has come.
    pub ramp: Capacity,
    /// One verdict for each check of the registration, in its order.
    pub checks: Verdicts,
}

impl Condition {
    /// Whether it takes a change of the instance to take in how hard it is pressed.
    pub fn is_changed_by(&self, pressure: Pressure) -> bool {
        self.overloaded != pressure.overloaded || self.capacity.is_far_from(pressure.capacity)
    }

    pub fn status(&self) -> Status {
        if self.maintenance.is_some() {
            Status::Maintenance
        } else if self.draining.is_some() {
            Status::Draining
        } else if self.lapsed {
            Status::Lapsed
        } else if self.said == SelfReport::Unhealthy || self.overloaded || self.checks.contains(Verdict::Failing) {
            Status::Unhealthy
        } else if self.said == SelfReport::Starting || self.checks.contains(Verdict::Unknown) {
            Status::Starting
        } else {
            Status::Healthy
        }
    }
}

#[cfg(test)]
mod tests;
