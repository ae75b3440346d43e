//! What readers see of the sharing: who is live, which duties this server has, and whether the store is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;

use crate::cluster::Members;
use crate::model::{Key, SubscriptionId, Tick};

/// Never, or not any more.
const NEVER: u64 = u64::MAX;

/// The state of the sharing; of a server that shares nothing, that it does everything itself.
#[derive(Debug)]
pub struct Sharing {
    /// `None` where nothing is shared.
    members: ArcSwapOption<Members>,
    /// Tick since when the store is away, or [`NEVER`].
    away_since: AtomicU64,
    turned: watch::Sender<()>,
}

impl Default for Sharing {
    fn default() -> Self {
        Self { members: ArcSwapOption::empty(), away_since: AtomicU64::new(NEVER), turned: watch::Sender::new(()) }
    }
}

impl Sharing {
    /// Who shares the registry, as this server knows it; `None` where nobody else can.
    pub fn members(&self) -> Option<Arc<Members>> {
        self.members.load_full()
    }

    /// Whether this server checks an instance.
    pub fn checks(&self, key: &Key) -> bool {
        self.members.load().as_ref().is_none_or(|members| members.checks(key))
    }

    /// Whether this server posts to the callback of a subscription.
    pub fn posts(&self, id: &SubscriptionId) -> bool {
        self.members.load().as_ref().is_none_or(|members| members.posts(id))
    }

    /// Since when the store is away: what is read may be out of date. `None` while it is there.
    pub fn away_since(&self) -> Option<Tick> {
        let tick = self.away_since.load(Ordering::Acquire);
        (tick != NEVER).then_some(Tick(tick))
    }

    /// Tells when duties may be others'.
    pub fn turned(&self) -> watch::Receiver<()> {
        self.turned.subscribe()
    }

    pub(super) fn set_members(&self, members: Members) {
        self.members.store(Some(Arc::new(members)));
        self.turned.send_replace(());
    }

    pub(super) fn set_away(&self, since: Option<Tick>) {
        self.away_since.store(since.map_or(NEVER, |since| since.0), Ordering::Release);
    }
}
