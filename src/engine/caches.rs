//! How long caches outside may still hold what DNS answered.
//!
//! An answer is forgotten when its TTL is over, so what was answered last is forgotten one TTL later. A TTL that was
//! lowered a moment ago does not bring forward the end of answers that went out with the longer one: those ends are kept
//! as horizons, and nothing is clear before them. One second more is for caches that count whole seconds.

use std::collections::HashMap;

use parking_lot::Mutex;

use crate::model::{ServiceName, Span, Tick};

/// What caches may count a record longer than its TTL says.
const WHOLE_SECONDS: Span = Span::from_secs(1);

/// The TTLs in force and those that were before.
#[derive(Debug)]
pub(super) struct Caches(Mutex<Horizons>);

#[derive(Debug)]
struct Horizons {
    /// Seconds, for services that have no TTL of their own.
    record_ttl: u32,
    /// When answers of any service are over that went out before `record_ttl` was lowered.
    all: Tick,
    /// The same for services whose own TTL was lowered.
    services: HashMap<ServiceName, Tick>,
}

impl Caches {
    pub fn new(record_ttl: u32) -> Self {
        Self(Mutex::new(Horizons { record_ttl, all: Tick(0), services: HashMap::new() }))
    }

    /// Another TTL, in seconds, for services that have none of their own.
    pub fn set_record_ttl(&self, record_ttl: u32, now: Tick) {
        let mut horizons = self.0.lock();
        if record_ttl < horizons.record_ttl {
            horizons.all = horizons.all.max(now.after(seconds(horizons.record_ttl)));
        }
        horizons.record_ttl = record_ttl;
    }

    /// The own TTL of a service, in seconds, went from `before` to `after`; `None` is the one for all.
    pub fn turned(&self, service: &ServiceName, before: Option<u32>, after: Option<u32>, now: Tick) {
        let mut horizons = self.0.lock();
        let [before, after] = [before, after].map(|own| own.unwrap_or(horizons.record_ttl));
        if after < before {
            horizons.services.retain(|_, horizon| *horizon > now);
            let end = now.after(seconds(before));
            let horizon = horizons.services.entry(service.clone()).or_insert(end);
            *horizon = end.max(*horizon);
        }
    }

    /// When the last cache forgets what was last answered for a service at `last`, with `own` as its own TTL in seconds.
    pub fn clear_at(&self, service: &ServiceName, own: Option<u32>, last: Tick) -> Tick {
        let horizons = self.0.lock();
        let end = last.after(seconds(own.unwrap_or(horizons.record_ttl)));
        let lowered = horizons.services.get(service).copied().unwrap_or_default();
        end.max(lowered).max(horizons.all).after(WHOLE_SECONDS)
    }
}

fn seconds(ttl: u32) -> Span {
    Span::from_secs(u64::from(ttl))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_clear_before_the_longest_answer_is_over() {
        let [web, db] = ["web", "db"].map(|name| ServiceName::parse(name).unwrap());
        let caches = Caches::new(5);
        let clear = |service: &ServiceName, own, last| caches.clear_at(service, own, Tick(last)).0;
        assert_eq!((clear(&web, None, 0), clear(&web, Some(60), 0), clear(&web, Some(0), 0)), (6_000, 61_000, 1_000));
        caches.turned(&web, None, Some(60), Tick(1_000));
        assert_eq!(clear(&web, Some(60), 2_000), 63_000, "a longer TTL holds for what comes");
        caches.turned(&web, Some(60), Some(1), Tick(3_000));
        assert_eq!(clear(&web, Some(1), 4_000), 64_000, "answers with the longer one are still about");
        assert_eq!(clear(&db, None, 4_000), 10_000);
        caches.turned(&web, Some(1), None, Tick(5_000));
        caches.turned(&web, None, Some(1), Tick(6_000));
        assert_eq!(clear(&web, Some(1), 6_000), 64_000, "the later horizon counts");
        caches.turned(&db, Some(1), Some(0), Tick(63_000));
        assert_eq!(clear(&web, Some(1), 63_000), 65_000, "horizons pass");
        caches.set_record_ttl(1, Tick(70_000));
        assert_eq!((clear(&db, None, 70_000), clear(&db, Some(0), 70_000)), (76_000, 76_000));
        caches.set_record_ttl(2, Tick(80_000));
        assert_eq!(clear(&db, None, 80_000), 83_000);
    }
}
