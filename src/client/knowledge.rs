//! What is known of a service, how fresh it is, and when to ask again. No clock and no I/O.

use std::sync::Arc;

use super::instance::{Instance, Instances};
use crate::model::{InstanceId, Span, Tick};

/// How much an answer can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is followed as it changes, or was asked for lately.
    Fresh,
    /// No server could be asked; this is what was known so long ago.
    Stale { age: Span },
}

/// What is known of one service.
#[derive(Debug, Default)]
pub struct Knowledge {
    instances: Option<Arc<Instances>>,
    /// Changes come in by themselves.
    live: bool,
    /// When it was last known to be right; while it is live, it is.
    confirmed: Tick,
    /// Until when it counts as fresh.
    fresh_until: Tick,
    /// After a failure, until then nobody is asked.
    asks_again: Tick,
}

/// What can be done about a question.
#[derive(Debug)]
pub enum Known {
    /// Answer with that.
    Answer(Arc<Instances>, Freshness),
    /// Ask a server.
    Ask,
    /// Nothing is known, and the last attempt to ask failed just now.
    Nothing,
}

impl Knowledge {
    pub fn at(&self, now: Tick) -> Known {
        match &self.instances {
            Some(instances) if self.live || now < self.fresh_until => {
                Known::Answer(Arc::clone(instances), Freshness::Fresh)
            }
            _ if now >= self.asks_again => Known::Ask,
            Some(instances) => {
                Known::Answer(Arc::clone(instances), Freshness::Stale { age: now.since(self.confirmed) })
            }
            None => Known::Nothing,
        }
    }

    /// What is known, whatever its age.
    pub fn stale(&self, now: Tick) -> Option<(Arc<Instances>, Freshness)> {
        let instances = Arc::clone(self.instances.as_ref()?);
        Some((instances, Freshness::Stale { age: now.since(self.confirmed) }))
    }

    /// A server told all of it, and it may be relied on for `valid`.
    pub fn told(&mut self, instances: Arc<Instances>, valid: Span, now: Tick) {
        self.instances = Some(instances);
        (self.confirmed, self.fresh_until, self.asks_again) = (now, now.after(valid), now);
    }

    /// No server could be asked; the next attempt comes after `pause`.
    pub fn failed(&mut self, pause: Span, now: Tick) {
        self.asks_again = now.after(pause);
    }

    /// Changes come in by themselves from now on.
    pub fn followed(&mut self) {
        self.live = true;
    }

    /// They do not any more; what is known may be relied on for `valid`.
    pub fn lost(&mut self, valid: Span, now: Tick) {
        if std::mem::take(&mut self.live) {
            (self.confirmed, self.fresh_until) = (now, now.after(valid));
        }
    }

    /// An instance was put or removed at `revision`. What is older than what is known changes nothing.
    pub fn changed(&mut self, id: &InstanceId, revision: u64, instance: Option<Arc<Instance>>) {
        let Some(known) = &self.instances else { return };
        if revision <= known.revision {
            return;
        }
        self.instances = Some(Arc::new(match instance {
            Some(instance) => known.with(instance, revision),
            None => known.without(id, revision),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::super::instance::tests::{instance, instances};
    use super::*;

    const VALID: Span = Span::from_secs(30);

    /// `None`: ask; else the number of instances and, when they are stale, their age in milliseconds.
    fn seen(knowledge: &Knowledge, now: u64) -> Option<(usize, Option<u64>)> {
        match knowledge.at(Tick(now)) {
            Known::Answer(instances, Freshness::Fresh) => Some((instances.all().len(), None)),
            Known::Answer(instances, Freshness::Stale { age }) => Some((instances.all().len(), Some(age.as_millis()))),
            Known::Ask => None,
            Known::Nothing => Some((usize::MAX, None)),
        }
    }

    #[test]
    fn answers_grow_old_and_are_kept() {
        let mut knowledge = Knowledge::default();
        assert_eq!(seen(&knowledge, 0), None, "nothing is known");
        knowledge.failed(Span::from_secs(1), Tick(0));
        assert_eq!((seen(&knowledge, 999), seen(&knowledge, 1_000)), (Some((usize::MAX, None)), None));
        knowledge.told(Arc::new(instances(&[("a", 0, 1)])), VALID, Tick(5_000));
        assert_eq!((seen(&knowledge, 34_999), seen(&knowledge, 35_000)), (Some((1, None)), None));
        knowledge.failed(Span::from_secs(1), Tick(35_000));
        assert_eq!(seen(&knowledge, 35_500), Some((1, Some(30_500))), "stale, and says so");
        assert_eq!(seen(&knowledge, 36_000), None, "and asks again");
    }

    #[test]
    fn what_is_followed_is_fresh() {
        let mut knowledge = Knowledge::default();
        knowledge.told(Arc::new(instances(&[("a", 0, 1)])), VALID, Tick(0));
        knowledge.followed();
        assert_eq!(seen(&knowledge, 1_000_000), Some((1, None)));
        knowledge.lost(VALID, Tick(1_000_000));
        assert_eq!((seen(&knowledge, 1_029_999), seen(&knowledge, 1_030_000)), (Some((1, None)), None));
        knowledge.lost(VALID, Tick(1_030_000));
        assert_eq!(seen(&knowledge, 1_030_000), None, "it was lost before");
    }

    #[test]
    fn changes_are_taken_in_once_and_in_order() {
        let mut knowledge = Knowledge::default();
        let (a, b) = (InstanceId::parse("a").unwrap(), InstanceId::parse("b").unwrap());
        knowledge.changed(&b, 9, Some(instance("b", 0, 1)));
        assert_eq!(seen(&knowledge, 0), None, "without the rest, a change is nothing");
        knowledge.told(Arc::new(instances(&[("a", 0, 1)])), VALID, Tick(0));
        for (id, revision, put, count) in [
            (&b, 1, true, 1), // The revision of what was told already.
            (&b, 2, true, 2),
            (&a, 2, false, 2),
            (&a, 3, false, 1),
            (&a, 4, false, 1),
        ] {
            knowledge.changed(id, revision, put.then(|| instance(id.as_str(), 0, 1)));
            assert_eq!(seen(&knowledge, 0), Some((count, None)), "{id} at {revision}");
        }
    }
}
