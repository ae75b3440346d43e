//! What readers see of the sharing: who is live, which duties this server has, and whether the store is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwapOption;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::cluster::Members;
use crate::engine::Clock;
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
    /// Tick until which the others take this server for live, or [`NEVER`] where nobody else may do what it does.
    on_duty_until: Arc<AtomicU64>,
    turned: watch::Sender<()>,
}

/// Tells for how long a server is live to the others. What it keeps by itself it keeps until then and no longer, even if it
/// stood still meanwhile and has not noticed that it is over.
#[derive(Debug)]
pub struct Duty {
    until: Arc<AtomicU64>,
    clock: Clock,
}

impl Duty {
    /// The duty of a server that only reads and writes, and keeps nothing.
    pub fn of_nobody(clock: Clock) -> Self {
        Self { until: Arc::default(), clock }
    }

    /// The others take this server for live until then at least.
    pub fn lasts_until(&self, instant: Instant) {
        self.until.store(self.clock.moment(instant).tick.0, Ordering::Release);
    }
}

impl Default for Sharing {
    fn default() -> Self {
        Self {
            members: ArcSwapOption::empty(),
            away_since: AtomicU64::new(NEVER),
            on_duty_until: Arc::new(AtomicU64::new(NEVER)),
            turned: watch::Sender::new(()),
        }
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

    /// Whether what this server keeps is surely its own at `now`.
    pub fn is_on_duty(&self, now: Tick) -> bool {
        now.0 < self.on_duty_until.load(Ordering::Acquire)
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

    /// For the store to tell for how long the duties of this server are its own.
    pub(super) fn duty(&self, clock: Clock) -> Duty {
        Duty { until: Arc::clone(&self.on_duty_until), clock }
    }

    pub(super) fn set_members(&self, members: Members) {
        self.members.store(Some(Arc::new(members)));
        self.turned.send_replace(());
    }

    pub(super) fn set_away(&self, since: Option<Tick>) {
        self.away_since.store(since.map_or(NEVER, |since| since.0), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_duty_is_over_when_its_time_is_whether_told_or_not() {
        let (sharing, clock) = (Sharing::default(), Clock::start());
        assert!(sharing.is_on_duty(Tick(u64::MAX - 1)), "where nothing is shared, for ever");
        let duty = sharing.duty(clock.clone());
        duty.lasts_until(Instant::now() + Duration::from_secs(5));
        assert!(sharing.is_on_duty(clock.tick()));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert!(!sharing.is_on_duty(clock.tick()));
        duty.lasts_until(Instant::now() + Duration::from_secs(5));
        assert!(sharing.is_on_duty(clock.tick()));
    }
}
