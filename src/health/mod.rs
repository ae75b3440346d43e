//! Health checks: srvd connects to the instances itself and tells the engine which of them pass.
//!
//! ```text
//!   engine events ──► schedule ──due──► probe (one task each, at most `in_flight`)
//!                        ▲                │
//!                        └──── streak ◄───┘ result ──► pulse (every one) · engine (a verdict that turned) · whoever asked
//! ```
//!
//! One task owns the [`Schedule`], which is pure; the sockets are in the tasks of [`probe`]. What always holds:
//!
//! * A check never runs twice at once, and unless someone asks for it no sooner than its interval, moved by the jitter,
//!   after the start of its run before.
//! * A target can hold one slot for the timeout of its check and no longer, whatever it does or leaves undone.
//! * A result counts only for the life, the target and the check that it is about. What is removed or changed while its
//!   check runs takes the run with it.
//! * What fails on srvd's own side (no sockets left, the process stood still) is no result: it turns no verdict.
//! * When the engine is slow to take verdicts, checks wait for it; nothing piles up.
//!
//! What a verdict means for the status of an instance is the registry's affair.

mod asks;
mod lateness;
mod notice;
pub mod probe;
mod runner;
pub mod schedule;
#[cfg(test)]
mod tests;

use ipnet::IpNet;

pub use probe::{Outcome, Prober};
pub use schedule::Schedule;

use crate::config::Setting;
use crate::engine::{CheckRequests, Engine};
use crate::outbound::Roots;

/// What the configuration says about all checks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Checks that may run at the same time. Those that find no slot wait in the order in which they fell due.
    pub in_flight: usize,
    /// Prefixes that checks may connect to although they are link-local or hold a metadata service.
    pub allow: Setting<Vec<IpNet>>,
    /// Whom `https` checks believe.
    pub roots: Roots,
}

impl Default for Settings {
    fn default() -> Self {
        Self { in_flight: 512, allow: Setting::default(), roots: Roots::none() }
    }
}

/// Checks every registered instance, and those that `requests` ask for, until `stop` comes; then every run under way is
/// dropped at once.
///
/// It begins from the published index, so the engine's state has to be loaded before.
pub async fn run(engine: Engine, settings: Settings, requests: CheckRequests, stop: impl Future<Output = ()>) {
    tokio::select! {
        biased;
        () = stop => {}
        () = runner::Runner::new(engine, settings, requests).run() => {}
    }
}
