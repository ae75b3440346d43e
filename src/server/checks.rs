//! What the health checks are told: how many at once, where to, and whom to believe.

use ipnet::IpNet;

use crate::config::{Health, Setting};
use crate::health::Settings;
use crate::outbound::Roots;

/// Checks at one time, at most. A target that hangs holds a slot for its timeout, so with the usual timeout of 5 s this
/// many keep up with 3,000 hanging targets a second; each costs a socket and some kilobytes.
const IN_FLIGHT: usize = 16_384;
/// The least that is of use, however few descriptors there are.
const FEWEST: usize = 64;
/// Descriptors that are left to everything else, of those that a process may have.
const RESERVED: u64 = 256;

/// The settings that the configuration, the system and the process leave; `allow` is where else checks may connect to.
///
/// # Errors
/// When `health.ca_file` cannot be used.
pub fn settings(config: &Health, allow: &Setting<Vec<IpNet>>) -> anyhow::Result<Settings> {
    let roots = match &config.ca_file {
        None => of_system(),
        Some(file) => Roots::of_file(file)
            .map_err(|error| anyhow::Error::msg(format!("health.ca_file: {}: {error}", file.display())))?,
    };
    Ok(Settings { in_flight: in_flight(), allow: allow.clone(), roots })
}

fn of_system() -> Roots {
    let (roots, unusable) = Roots::of_system();
    if unusable > 0 {
        tracing::debug!(unusable, "certificates of the system that https checks do not believe");
    }
    roots
}

/// A quarter of the descriptors: connections of clients take half.
fn in_flight() -> usize {
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
    usize::try_from(descriptors.saturating_sub(RESERVED) / 4).unwrap_or(IN_FLIGHT).clamp(FEWEST, IN_FLIGHT)
}
