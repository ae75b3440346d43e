//! The instances of one service, and which of their ids and tags are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Rules;
use super::slow_start::Ramp;
use crate::model::{
    Capacity, Condition, Instance, InstanceId, LeaseTtl, Registration, Revision, Span, Status, Tag, Tick,
};

/// Deadlines are carried out together this often, in milliseconds: leases that run out together are judged together,
/// and nobody is served longer than promised.
const SLOT: u64 = 250;
/// Weights that wait for others grow or shrink together this often, in milliseconds.
const WEIGHT_SLOT: u64 = 1_000;

/// One service; it exists while it has an instance.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub revision: Revision,
    pub instances: BTreeMap<InstanceId, Entry>,
    /// How many instances carry each tag that is a DNS label.
    tags: BTreeMap<SmolStr, usize>,
    /// How many have a lease that has not lapsed.
    leases: usize,
    healthy: usize,
    unhealthy: usize,
    others: usize,
    /// Whether so few are healthy that the unhealthy are served too.
    pub panicking: bool,
}

/// An instance with its place in time.
#[derive(Debug)]
pub(super) struct Entry {
    pub instance: Arc<Instance>,
    lapsed_since: Option<Tick>,
    unhealthy_since: Option<Tick>,
    ramp: Option<Ramp>,
    /// What its load leaves of its weight, from so late on.
    awaited: Option<(Tick, Capacity)>,
    /// Its lease ran out, and protection keeps it from lapsing.
    pub held: bool,
    /// Whether another server keeps it: its lease, and its removal.
    elsewhere: bool,
    /// Whether it has a lease here that has not lapsed.
    leased: bool,
    /// The deadline that is armed for it.
    pub due: Option<Tick>,
}

/// What has come due for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    /// Its lease ran out.
    Lease,
    /// Another share of its weight counts: of its slow start, and what its load leaves.
    Weight {
        ramp: Capacity,
        capacity: Capacity,
    },
    /// It lapsed long ago, or was unhealthy for too long.
    Removal,
}

impl Entry {
    /// Takes the place of `old`; what already held for that one has held since then.
    pub fn new(
        instance: Arc<Instance>,
        old: Option<&Self>,
        slow_start: Option<Span>,
        now: Tick,
        rules: &Rules,
    ) -> Self {
        let old = old.filter(|old| Arc::ptr_eq(&old.instance.pulse, &instance.pulse));
        let since = |holds: bool, held: Option<Tick>| holds.then(|| held.unwrap_or(now));
        let ramping = instance.condition.ramp != Capacity::FULL;
        let ramp = || old.and_then(|old| old.ramp).or_else(|| Ramp::begin(now, slow_start));
        let mut entry = Self {
            lapsed_since: since(instance.condition.lapsed, old.and_then(|old| old.lapsed_since)),
            unhealthy_since: since(instance.status() == Status::Unhealthy, old.and_then(|old| old.unhealthy_since)),
            ramp: ramping.then(ramp).flatten(),
            awaited: old.and_then(|old| old.awaited).filter(|(_, awaited)| *awaited != instance.condition.capacity),
            held: old.is_some_and(|old| old.held) && !instance.condition.lapsed,
            elsewhere: instance.pulse.is_kept_elsewhere(),
            leased: has_lease(&instance),
            due: None,
            instance,
        };
        entry.due = entry.next_due(rules);
        entry
    }

    /// When something next happens to the instance by itself: its lease runs out, another share of its weight counts, or
    /// it is removed after lapsing or after being unhealthy for too long.
    pub fn next_due(&self, rules: &Rules) -> Option<Tick> {
        self.lease_due().into_iter().chain(self.weight_due()).chain(self.removal_due(rules)).min()
    }

    pub fn what_is_due(&self, rules: &Rules, now: Tick) -> Due {
        let has_come = |due: Option<Tick>| due.is_some_and(|due| due <= now);
        if has_come(self.removal_due(rules)) {
            Due::Removal
        } else if has_come(self.lease_due()) {
            Due::Lease
        } else if has_come(self.weight_due()) {
            let Condition { ramp, capacity, .. } = self.instance.condition;
            let awaited = self.awaited.filter(|(due, _)| *due <= now).map(|(_, capacity)| capacity);
            Due::Weight {
                ramp: self.ramp.map_or(ramp, |ramp| ramp.capacity(now)),
                capacity: awaited.unwrap_or(capacity),
            }
        } else {
            Due::Nothing
        }
    }

    /// Lets what the load leaves of the weight count together with that of others.
    pub fn await_capacity(&mut self, capacity: Capacity, now: Tick) {
        let due = self.awaited.map_or(Tick((now.0 + 1).next_multiple_of(WEIGHT_SLOT)), |(due, _)| due);
        self.awaited = (capacity != self.instance.condition.capacity).then_some((due, capacity));
    }

    /// Whether the lease has run out and has not lapsed.
    pub fn is_overdue(&self, now: Tick) -> bool {
        self.instance.pulse.deadline().is_some_and(|deadline| deadline <= now)
    }

    fn lease_due(&self) -> Option<Tick> {
        let deadline = self.instance.pulse.deadline().filter(|_| !self.held && self.lapsed_since.is_none())?;
        Some(Tick(deadline.0.next_multiple_of(SLOT)))
    }

    fn weight_due(&self) -> Option<Tick> {
        let step = self.ramp.and_then(|ramp| ramp.next_step(self.instance.condition.ramp));
        let step = step.map(|due| Tick(due.0.next_multiple_of(SLOT)));
        step.into_iter().chain(self.awaited.map(|(due, _)| due)).min()
    }

    fn removal_due(&self, rules: &Rules) -> Option<Tick> {
        if self.elsewhere {
            return None;
        }
        let reaping = self.lapsed_since.map(|since| since.after(rules.reap_after));
        let patience = self.unhealthy_since.zip(self.instance.registration.deregister_after);
        reaping.into_iter().chain(patience.map(|(since, span)| since.after(span))).min()
    }
}

/// By how much the healthy share must exceed the threshold for a panic to end: an instance that comes and goes does not
/// turn it on and off.
const RECOVERED: f64 = 1.1;

impl Service {
    pub fn insert(&mut self, entry: Entry) {
        for tag in entry.instance.registration.tags.iter().filter_map(Tag::label) {
            *self.tags.entry(tag).or_default() += 1;
        }
        *self.count_of(entry.instance.status()) += 1;
        self.leases += usize::from(entry.leased);
        self.instances.insert(entry.instance.key.id.clone(), entry);
    }

    pub fn remove(&mut self, id: &InstanceId) -> Option<Entry> {
        let entry = self.instances.remove(id)?;
        for tag in entry.instance.registration.tags.iter().filter_map(Tag::label) {
            let left = self.tags.get_mut(&tag).map_or(0, |count| {
                *count -= 1;
                *count
            });
            if left == 0 {
                self.tags.remove(&tag);
            }
        }
        *self.count_of(entry.instance.status()) -= 1;
        self.leases -= usize::from(entry.leased);
        Some(entry)
    }

    /// How many instances have a lease that has not lapsed.
    pub fn leases(&self) -> usize {
        self.leases
    }

    /// Looks whether so small a share is healthy, of those that are healthy or unhealthy, that the unhealthy have to
    /// help.
    pub fn reconsider_panic(&mut self, threshold: f64) {
        let judged = self.healthy + self.unhealthy;
        let share = self.healthy as f64 / judged.max(1) as f64;
        let bound = if self.panicking { (threshold * RECOVERED).min(1.0) } else { threshold };
        self.panicking = judged > 0 && threshold > 0.0 && share < bound;
    }

    fn count_of(&mut self, status: Status) -> &mut usize {
        match status {
            Status::Healthy => &mut self.healthy,
            Status::Unhealthy => &mut self.unhealthy,
            _ => &mut self.others,
        }
    }

    /// The label that would name both an instance and a tag if `id` were registered with these tags.
    pub fn clash(&self, id: &InstanceId, registration: &Registration) -> Option<SmolStr> {
        let own = |label: &SmolStr| label == id.as_str();
        let mine = self
            .instances
            .get(id)
            .map_or(0, |entry| entry.instance.registration.tags.iter().filter_map(Tag::label).filter(own).count());
        if self.tags.get(id.as_str()).is_some_and(|&count| count > mine) {
            return Some(SmolStr::new(id.as_str()));
        }
        registration
            .tags
            .iter()
            .filter_map(Tag::label)
            .find(|label| own(label) || self.instances.contains_key(label.as_str()))
    }
}

fn has_lease(instance: &Instance) -> bool {
    let is_ours = !instance.pulse.is_kept_elsewhere();
    is_ours && instance.registration.ttl != LeaseTtl::Permanent && !instance.condition.lapsed
}
