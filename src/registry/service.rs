//! The instances of one service, and which of their ids and tags are taken.

use std::collections::BTreeMap;
use std::sync::Arc;

use smol_str::SmolStr;

use super::Rules;
use crate::model::{Instance, InstanceId, Registration, Revision, Status, Tag, Tick};

/// One service; it exists while it has an instance.
#[derive(Debug, Default)]
pub(super) struct Service {
    pub revision: Revision,
    pub instances: BTreeMap<InstanceId, Entry>,
    /// How many instances carry each tag that is a DNS label.
    tags: BTreeMap<SmolStr, usize>,
}

/// An instance with its place in time.
#[derive(Debug)]
pub(super) struct Entry {
    pub instance: Arc<Instance>,
    lapsed_since: Option<Tick>,
    unhealthy_since: Option<Tick>,
    /// The deadline that is armed for it.
    pub due: Option<Tick>,
}

impl Entry {
    /// Takes the place of `old`; what already held for that one has held since then.
    pub fn new(instance: Arc<Instance>, old: Option<&Self>, now: Tick, rules: &Rules) -> Self {
        let old = old.filter(|old| Arc::ptr_eq(&old.instance.pulse, &instance.pulse));
        let since = |holds: bool, held: Option<Tick>| holds.then(|| held.unwrap_or(now));
        let mut entry = Self {
            lapsed_since: since(instance.condition.lapsed, old.and_then(|old| old.lapsed_since)),
            unhealthy_since: since(instance.status() == Status::Unhealthy, old.and_then(|old| old.unhealthy_since)),
            due: None,
            instance,
        };
        entry.due = entry.next_due(rules);
        entry
    }

    /// When something next happens to the instance by itself: its lease runs out, or it is removed after lapsing or
    /// after being unhealthy for too long.
    pub fn next_due(&self, rules: &Rules) -> Option<Tick> {
        let lease = match self.lapsed_since {
            Some(since) => Some(since.after(rules.reap_after)),
            None => self.instance.pulse.deadline(),
        };
        let patience = self.unhealthy_since.zip(self.instance.registration.deregister_after);
        lease.into_iter().chain(patience.map(|(since, span)| since.after(span))).min()
    }
}

impl Service {
    pub fn insert(&mut self, entry: Entry) {
        for tag in entry.instance.registration.tags.iter().filter_map(Tag::label) {
            *self.tags.entry(tag).or_default() += 1;
        }
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
        Some(entry)
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
