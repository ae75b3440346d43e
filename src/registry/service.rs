//! The instances of one service, and which of their ids and tags are taken.

use std::sync::Arc;

use smol_str::SmolStr;

use super::Rules;
use super::deadline::Place;
use super::slow_start::Ramp;
use crate::model::{
    Capacity, Condition, Instance, InstanceId, LeaseTtl, Registration, Revision, Span, Status, Tag, Tick,
};

/// Deadlines are carried out together this often, in milliseconds: leases that run out together are judged together,
/// and nobody is served longer than promised.
pub(super) const SLOT: u64 = 250;
/// Weights that wait for others grow or shrink together this often, in milliseconds.
const WEIGHT_SLOT: u64 = 1_000;
/// A service that grows gets room for one more for each so many that it has: none to spare while it is small, and a large
/// one is not copied each time.
const SPARE: usize = 8;

/// One service; it exists while it has an instance.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub revision: Revision,
    /// In the order of their ids. Most services are small, and a vector is the smallest that keeps an order.
    entries: Vec<Entry>,
    /// How many instances carry each tag that could be an id, in the order of those.
    tags: Vec<(SmolStr, u32)>,
    /// How many have a lease that has not lapsed.
    leases: u32,
    healthy: u32,
    unhealthy: u32,
    /// Whether so few are healthy that the unhealthy are served too.
    pub panicking: bool,
}

/// An instance with its place in time.
#[derive(Debug)]
pub(super) struct Entry {
    pub instance: Arc<Instance>,
    /// Where it is among the deadlines.
    pub place: Place,
    /// Its lease ran out, and protection keeps it from lapsing.
    pub held: bool,
    /// Whether it has a lease here that has not lapsed.
    leased: bool,
    /// Since when it is in the state that [`Lasting`] names; nothing else says so for an instance in none.
    since: Tick,
    /// `None` while its weight stays as it is.
    course: Option<Box<Course>>,
}

/// The states of an instance of which it matters how long they last. It is in one at a time: who has lapsed is not
/// unhealthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lasting {
    Lapsed,
    Unhealthy,
    Neither,
}

/// Where the weight of an instance is going by itself.
#[derive(Debug, Default)]
struct Course {
    ramp: Option<Ramp>,
    /// What its load leaves of its weight, from so late on.
    awaited: Option<(Tick, Capacity)>,
}

impl Lasting {
    fn of(instance: &Instance) -> Self {
        match instance.status() {
            _ if instance.condition.lapsed => Self::Lapsed,
            Status::Unhealthy => Self::Unhealthy,
            _ => Self::Neither,
        }
    }
}

impl Course {
    /// `None` when it leads nowhere.
    fn boxed(self) -> Option<Box<Self>> {
        (self.ramp.is_some() || self.awaited.is_some()).then(|| Box::new(self))
    }
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
    /// An instance at its place among the deadlines.
    pub fn new(instance: Arc<Instance>, place: Place, slow_start: Option<Span>, now: Tick) -> Self {
        let leased = has_lease(&instance);
        let mut entry = Self { instance, place, held: false, leased, since: now, course: None };
        entry.course = entry.ramping(None, slow_start, now).boxed();
        entry
    }

    /// Lets a later revision take the place of the instance. What already held has held since then, unless it is another
    /// life.
    pub fn follow(&mut self, instance: Arc<Instance>, slow_start: Option<Span>, now: Tick) {
        let before = std::mem::replace(&mut self.instance, instance);
        let same_life = Arc::ptr_eq(&before.pulse, &self.instance.pulse);
        let course = self.course.take().filter(|_| same_life);
        if !same_life || Lasting::of(&before) != Lasting::of(&self.instance) {
            self.since = now;
        }
        self.held &= same_life && !self.instance.condition.lapsed;
        self.leased = has_lease(&self.instance);
        self.course = self.ramping(course.as_deref(), slow_start, now).boxed();
    }

    /// Where the weight is going from here, after it was on `course`.
    fn ramping(&self, course: Option<&Course>, slow_start: Option<Span>, now: Tick) -> Course {
        let Condition { ramp, capacity, .. } = self.instance.condition;
        let begun = || course.and_then(|course| course.ramp).or_else(|| Ramp::begin(now, slow_start));
        Course {
            ramp: (ramp != Capacity::FULL).then(begun).flatten(),
            awaited: course.and_then(|course| course.awaited).filter(|(_, awaited)| *awaited != capacity),
        }
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
            let awaited = self.awaited().filter(|(due, _)| *due <= now).map(|(_, capacity)| capacity);
            Due::Weight {
                ramp: self.ramp().map_or(ramp, |ramp| ramp.capacity(now)),
                capacity: awaited.unwrap_or(capacity),
            }
        } else {
            Due::Nothing
        }
    }

    /// Lets what the load leaves of the weight count together with that of others.
    pub fn await_capacity(&mut self, capacity: Capacity, now: Tick) {
        let due = self.awaited().map_or(Tick((now.0 + 1).next_multiple_of(WEIGHT_SLOT)), |(due, _)| due);
        let awaited = (capacity != self.instance.condition.capacity).then_some((due, capacity));
        self.course = Course { ramp: self.ramp(), awaited }.boxed();
    }

    /// Whether the lease has run out and has not lapsed.
    pub fn is_overdue(&self, now: Tick) -> bool {
        self.instance.pulse.deadline().is_some_and(|deadline| deadline <= now)
    }

    fn lease_due(&self) -> Option<Tick> {
        let deadline = self.instance.pulse.deadline().filter(|_| !self.held && !self.instance.condition.lapsed)?;
        Some(Tick(deadline.0.next_multiple_of(SLOT)))
    }

    fn weight_due(&self) -> Option<Tick> {
        let step = self.ramp().and_then(|ramp| ramp.next_step(self.instance.condition.ramp));
        let step = step.map(|due| Tick(due.0.next_multiple_of(SLOT)));
        step.into_iter().chain(self.awaited().map(|(due, _)| due)).min()
    }

    fn removal_due(&self, rules: &Rules) -> Option<Tick> {
        match Lasting::of(&self.instance) {
            // Another server keeps it, and removes it.
            _ if self.instance.pulse.is_kept_elsewhere() => None,
            Lasting::Lapsed => Some(self.since.after(rules.reap_after)),
            Lasting::Unhealthy => Some(self.since.after(self.instance.registration.deregister_after()?)),
            Lasting::Neither => None,
        }
    }

    fn ramp(&self) -> Option<Ramp> {
        self.course.as_ref()?.ramp
    }

    fn awaited(&self) -> Option<(Tick, Capacity)> {
        self.course.as_ref()?.awaited
    }
}

/// By how much the healthy share must exceed the threshold for a panic to end: an instance that comes and goes does not
/// turn it on and off.
const RECOVERED: f64 = 1.1;

impl Service {
    /// The entries in the order of their ids.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub fn entry(&self, id: &InstanceId) -> Option<&Entry> {
        self.find(id.as_str()).ok().map(|at| &self.entries[at])
    }

    pub fn entry_mut(&mut self, id: &InstanceId) -> Option<&mut Entry> {
        self.find(id.as_str()).ok().map(|at| &mut self.entries[at])
    }

    /// Makes an instance the current one of its id. One that was not there gets the place that `enter` gives.
    pub fn put(
        &mut self,
        instance: &Arc<Instance>,
        enter: impl FnOnce() -> Place,
        slow_start: Option<Span>,
        now: Tick,
    ) -> &Entry {
        let at = match self.find(instance.key.id.as_str()) {
            Ok(at) => {
                let (before, leased) = (Arc::clone(&self.entries[at].instance), self.entries[at].leased);
                self.discount(&before, leased);
                self.entries[at].follow(Arc::clone(instance), slow_start, now);
                if before.registration.tags() != instance.registration.tags() {
                    self.discount_tags(before.registration.tags());
                    self.count_tags(instance.registration.tags());
                }
                at
            }
            Err(at) => {
                insert(&mut self.entries, at, Entry::new(Arc::clone(instance), enter(), slow_start, now));
                self.count_tags(instance.registration.tags());
                at
            }
        };
        self.count(instance, self.entries[at].leased);
        &self.entries[at]
    }

    pub fn remove(&mut self, id: &InstanceId) -> Option<Entry> {
        let entry = self.entries.remove(self.find(id.as_str()).ok()?);
        self.discount(&entry.instance, entry.leased);
        self.discount_tags(entry.instance.registration.tags());
        Some(entry)
    }

    fn find(&self, id: &str) -> Result<usize, usize> {
        self.entries.binary_search_by(|entry| entry.instance.key.id.as_str().cmp(id))
    }

    fn count_tags(&mut self, tags: &[Tag]) {
        for tag in tags.iter().filter_map(Tag::as_id) {
            match self.find_tag(&tag) {
                Ok(at) => self.tags[at].1 += 1,
                Err(at) => insert(&mut self.tags, at, (tag, 1)),
            }
        }
    }

    fn discount_tags(&mut self, tags: &[Tag]) {
        for tag in tags.iter().filter_map(Tag::as_id) {
            let Ok(at) = self.find_tag(&tag) else { continue };
            self.tags[at].1 -= 1;
            if self.tags[at].1 == 0 {
                self.tags.remove(at);
            }
        }
    }

    fn count(&mut self, instance: &Instance, leased: bool) {
        if let Some(count) = self.count_of(instance.status()) {
            *count += 1;
        }
        self.leases += u32::from(leased);
    }

    fn discount(&mut self, instance: &Instance, leased: bool) {
        if let Some(count) = self.count_of(instance.status()) {
            *count -= 1;
        }
        self.leases -= u32::from(leased);
    }

    fn find_tag(&self, tag: &str) -> Result<usize, usize> {
        self.tags.binary_search_by(|(own, _)| own.as_str().cmp(tag))
    }

    /// How many instances have a lease that has not lapsed.
    pub fn leases(&self) -> usize {
        self.leases as usize
    }

    /// Looks whether so small a share is healthy, of those that are healthy or unhealthy, that the unhealthy have to
    /// help.
    pub fn reconsider_panic(&mut self, threshold: f64) {
        let judged = self.healthy + self.unhealthy;
        let share = f64::from(self.healthy) / f64::from(judged.max(1));
        let bound = if self.panicking { (threshold * RECOVERED).min(1.0) } else { threshold };
        self.panicking = judged > 0 && threshold > 0.0 && share < bound;
    }

    /// The number of instances of a status, if it counts for a panic.
    fn count_of(&mut self, status: Status) -> Option<&mut u32> {
        match status {
            Status::Healthy => Some(&mut self.healthy),
            Status::Unhealthy => Some(&mut self.unhealthy),
            Status::Maintenance | Status::Draining | Status::Lapsed | Status::Starting => None,
        }
    }

    /// The label that would name both an instance and a tag if `id` were registered with these tags.
    pub fn clash(&self, id: &InstanceId, registration: &Registration) -> Option<SmolStr> {
        let own = |label: &SmolStr| label == id.as_str();
        let before = self.entry(id).map(|entry| entry.instance.registration.tags());
        if before == Some(registration.tags()) {
            // With these it is registered.
            return None;
        }
        let mine = before.unwrap_or_default().iter().filter_map(Tag::as_id).filter(own).count();
        if self.find_tag(id.as_str()).is_ok_and(|at| self.tags[at].1 as usize > mine) {
            return Some(SmolStr::new(id.as_str()));
        }
        let labels = registration.tags().iter().filter_map(Tag::as_id);
        labels.into_iter().find(|label| own(label) || self.find(label).is_ok())
    }
}

/// Inserts into a vector that has little room to spare.
fn insert<T>(list: &mut Vec<T>, at: usize, value: T) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / SPARE + 1);
    }
    list.insert(at, value);
}

fn has_lease(instance: &Instance) -> bool {
    let is_ours = !instance.pulse.is_kept_elsewhere();
    is_ours && instance.registration.ttl() != LeaseTtl::Permanent && !instance.condition.lapsed
}
