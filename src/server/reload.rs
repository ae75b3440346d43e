//! Taking in what SIGHUP makes the server read again: the configuration and the zone files.
//!
//! Reading happens beside the serving threads, and what was read takes effect by swaps, so that a query sees what was
//! before or what is now and waits for neither. A configuration with anything wrong in it changes nothing at all. A zone
//! file with anything wrong in it changes nothing about its own zone; zones do not depend on each other, so the others
//! are taken in. The log says what is wrong in the words that a start would refuse it with.

use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use ipnet::IpNet;
use tokio::signal::unix::Signal;
use tokio::task::spawn_blocking;

use super::changes::{self, Changes};
use super::manager::Manager;
use super::settings;
use super::zones::{self, StaticZones, ZonesError};
use crate::answer::Catalog;
use crate::config::{Config, Problems, Setting, Sources, Update};
use crate::dns::{self, Present, RateLimiter, Responder};
use crate::engine::Engine;
use crate::model::Defaults;
use crate::telemetry::LevelSwitch;

/// How often, and between which pauses, the freeing of what was replaced waits for queries under way.
const PATIENCE: (u32, Duration) = (1000, Duration::from_millis(1));

/// What the server runs by at present.
#[derive(Debug, Clone)]
pub struct Current {
    pub config: Config,
    pub zones: StaticZones,
    /// The addresses that the server is bound to.
    pub addresses: Vec<IpAddr>,
    /// The secret of cookies where none is configured: one for as long as the process lives, or clients would have to
    /// learn new cookies at every reload.
    pub cookie_secret: [u8; 16],
}

/// The parts of a running server that take in other settings.
#[derive(Debug, Clone)]
pub struct Parts {
    pub responder: Arc<Responder>,
    pub limiter: Arc<RateLimiter>,
    pub connections: Arc<dns::tcp::Connections>,
    pub defaults: Setting<Defaults>,
    /// Where checks and callbacks may connect to.
    pub allow: Setting<Vec<IpNet>>,
    pub level: LevelSwitch,
    pub engine: Engine,
}

/// Reads again on demand. Not `Debug`: the sources hold the environment.
pub struct Reloader {
    pub sources: Arc<Sources>,
    pub current: Arc<Current>,
    pub parts: Parts,
    /// Told when a reload begins and ends.
    pub manager: Arc<Manager>,
}

/// Everything that was read, ready to take effect.
struct Read {
    update: Update,
    warnings: Vec<String>,
    zones: StaticZones,
    faults: Vec<ZonesError>,
    changes: Changes,
    /// Whether the live zone answers otherwise than before, whatever the registry holds.
    answers_change: bool,
    catalog: Catalog,
}

impl Reloader {
    /// Reloads at every `hangup`, for ever. Those that come during a reload lead to one more.
    pub async fn run(mut self, mut hangup: Signal) -> std::convert::Infallible {
        loop {
            match hangup.recv().await {
                Some(()) => {
                    self.manager.reloading();
                    self.reload().await;
                    self.manager.ready();
                }
                // No more can come.
                None => std::future::pending().await,
            }
        }
    }

    async fn reload(&mut self) {
        let (sources, current) = (Arc::clone(&self.sources), Arc::clone(&self.current));
        match spawn_blocking(move || read(&sources, &current)).await {
            Ok(Ok(read)) => self.take(read).await,
            Ok(Err(problems)) => {
                problems.as_slice().iter().for_each(|problem| tracing::error!("{problem}"));
                tracing::error!("not reloaded: the configuration is wrong, so nothing has changed");
            }
            Err(error) => tracing::error!(%error, "not reloaded: reading failed, so nothing has changed"),
        }
    }

    async fn take(&mut self, read: Read) {
        let Read { update, warnings, zones, faults, changes, answers_change, catalog } = read;
        let config = &update.config;
        self.parts.level.set(config.log.level);
        self.parts.defaults.set(settings::defaults(config));
        self.parts.limiter.limit(dns::RateLimits::new(&config.dns));
        self.parts.connections.limit(dns::tcp::Limits::new(&config.dns));
        self.parts.allow.set(config.health.allow.clone());
        let cookie_secret = self.current.cookie_secret;
        let replaced = self.parts.responder.replace(catalog, dns::Settings::new(&config.dns, cookie_secret));
        // The revision comes last: who sees it sees what it stands for.
        if let Err(error) = self.parts.engine.reconfigure(settings::rules(config), answers_change).await {
            tracing::error!(%error, "the registry keeps its rules");
        }
        warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
        zones.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
        tell_zones(&faults, &changes);
        let revision = self.parts.engine.revision().0;
        tell(&update, &changes, revision);
        let addresses = self.current.addresses.clone();
        let next = Current { config: update.config, zones, addresses, cookie_secret };
        let old = std::mem::replace(&mut self.current, Arc::new(next));
        // The next reload begins after this, so that no more than two states are ever held.
        spawn_blocking(move || free(replaced, old)).await.ok();
    }
}

/// Reads everything. Nothing is changed by that.
fn read(sources: &Sources, current: &Current) -> Result<Read, Problems> {
    let loaded = Config::load(sources)?;
    let update = current.config.update(&loaded.config);
    let (old, new) = (&current.config, &update.config);
    let live = &new.dns.zone;
    let (zones, faults) = zones::reload(&new.dns.zones_dir, live, &current.zones);
    let addresses = &current.addresses;
    let same_additions = match (current.zones.additions(live), zones.additions(live)) {
        (Some(before), Some(after)) => changes::is_same(before, after),
        (before, after) => before.is_none() && after.is_none(),
    };
    Ok(Read {
        answers_change: !same_additions || settings::live_zone(old, addresses) != settings::live_zone(new, addresses),
        catalog: settings::catalog(new, &zones, addresses),
        changes: Changes::between(&current.zones, &zones),
        warnings: loaded.warnings,
        zones,
        faults,
        update,
    })
}

fn tell_zones(faults: &[ZonesError], changes: &Changes) {
    faults.iter().for_each(|fault| tracing::error!("{fault}"));
    if !faults.is_empty() {
        tracing::error!("zone files with mistakes are passed over: their zones stay as they are");
    }
    if let Some(zones) = listed(&changes.unnoticed) {
        tracing::warn!(zones, "changed without a higher serial, so secondaries will not notice");
    }
}

fn tell(update: &Update, changes: &Changes, revision: u64) {
    if let Some(keys) = listed(&update.kept) {
        tracing::warn!(keys, "changed in the configuration, but act at a start alone: the old values hold until then");
    }
    let (added, changed, removed) = (listed(&changes.added), listed(&changes.changed), listed(&changes.removed));
    let settings = listed(&update.changed);
    tracing::info!(added, changed, removed, settings, revision, "reloaded");
}

/// `None` for nothing, which is then left out of the line.
fn listed(items: &[impl AsRef<str>]) -> Option<String> {
    let items: Vec<&str> = items.iter().map(AsRef::as_ref).collect();
    (!items.is_empty()).then(|| items.join(", "))
}

/// Frees what was replaced. A large zone takes a while, which must not be that of a worker whose query happens to be the
/// last to use it.
fn free(replaced: Arc<Present>, old: Arc<Current>) {
    let (attempts, pause) = PATIENCE;
    for _ in 0..attempts {
        if Arc::strong_count(&replaced) == 1 {
            break;
        }
        thread::sleep(pause);
    }
    drop((replaced, old));
}
