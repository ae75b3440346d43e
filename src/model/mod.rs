//! The values that srvd speaks of: names, addresses, numbers with a meaning, registrations and their status.
//!
//! Each type is built by one fallible constructor and is right from then on. What a client wrote is read here from JSON
//! with the path of whatever is wrong; nothing here does I/O, reads a clock or knows who asks.

mod address;
mod check;
mod condition;
mod instance;
mod invalid;
pub mod json;
mod lease;
pub mod limits;
mod load;
mod maintenance;
mod metadata;
mod name;
mod number;
pub mod pulse;
pub mod reach;
mod registration;
mod settings;
mod span;
mod strategy;
mod streak;
mod subscription;
mod time;
mod verdicts;

pub use address::{Address, HostName};
pub use check::{CheckDefaults, CheckKind, CheckSpec, Method, StatusRanges, Trust};
pub use condition::{Condition, DrainedBy, SelfReport, Status, Verdict};
pub use instance::{Instance, Key};
pub use invalid::{Invalid, Reason};
pub use lease::LeaseTtl;
pub use load::{Capacity, Load, LoadRules, Pressure};
pub use maintenance::Maintenance;
pub use metadata::Metadata;
pub use name::{InstanceId, PortName, ServiceName, SubscriptionId, Tag};
pub use number::{Fraction, Port, Priority, Revision, Weight};
pub use pulse::{CheckResult, Keeping, Pulse, Renewal};
pub use registration::{Defaults, Parts, Protocol, REPLY_MEMBERS, Registration, Written};
pub use settings::{Settings, SlowStart};
pub use span::Span;
pub use strategy::Strategy;
pub use streak::Streak;
pub use subscription::{Callback, Host, Subscription};
pub use time::{Moment, Tick, WallTime};
pub use verdicts::Verdicts;
