//! The registry: every instance there is, as a pure state machine.
//!
//! [`Registry::apply`] takes one [`Command`] and the present moment, and gives the outcome together with the [`Event`]s
//! that the command caused, each with the next revision. [`Registry::expire`] does the same for deadlines that have
//! come. There is no clock, no randomness and no I/O here; what the same commands at the same moments lead to is always
//! the same. Instances are immutable and shared, so an event carries the one before and the one after, and
//! [`Registry::undo`] puts back what could not be made durable.

mod apply;
mod command;
mod deadline;
mod service;

use std::collections::HashMap;
use std::sync::Arc;

pub use command::{Change, Command, Done, Event, Observation, Refusal, Report};

use crate::model::{Condition, Defaults, Instance, Key, Moment, Pulse, Revision, ServiceName, Span};
use deadline::Deadlines;
use service::{Entry, Service};

/// What the configuration says about all registrations.
#[derive(Debug, Clone)]
pub struct Rules {
    /// For registrations that a patch makes.
    pub defaults: Defaults,
    /// From the lapse of a lease to the removal of its instance.
    pub reap_after: Span,
    /// Octets of the zone apex in wire form.
    pub apex_octets: usize,
}

/// All services and their instances at one revision.
#[derive(Debug)]
pub struct Registry {
    rules: Rules,
    services: HashMap<ServiceName, Service, foldhash::fast::RandomState>,
    deadlines: Deadlines,
    revision: Revision,
}

/// An instance as a store gives it back at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub key: Key,
    pub registration: crate::model::Registration,
    pub condition: Condition,
    pub created_at: jiff::Timestamp,
    pub changed_at: jiff::Timestamp,
    pub revision: Revision,
}

impl Registry {
    /// An empty registry that goes on from `revision`.
    pub fn new(rules: Rules, revision: Revision) -> Self {
        Self { rules, services: HashMap::default(), deadlines: Deadlines::default(), revision }
    }

    /// Puts an instance back as it was before a restart: with its last status, and its lease or its time until removal
    /// beginning anew.
    pub fn restore(&mut self, stored: Stored, now: Moment) {
        let pulse = Pulse::begin(now.tick, stored.registration.ttl);
        if stored.condition.lapsed {
            pulse.lapse();
        }
        self.revision = self.revision.max(stored.revision);
        let instance = Instance {
            key: stored.key,
            registration: Arc::new(stored.registration),
            condition: stored.condition,
            created_at: stored.created_at,
            changed_at: stored.changed_at,
            revision: stored.revision,
            pulse: Arc::new(pulse),
        };
        self.put(Arc::new(instance), now);
    }

    /// The revision of the last change.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub fn instance(&self, key: &Key) -> Option<&Arc<Instance>> {
        Some(&self.services.get(&key.service)?.instances.get(&key.id)?.instance)
    }

    /// The names of all services, in no order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    /// The revision of a service's last change and its instances in the order of their ids; `None` when it has none.
    pub fn service(&self, name: &ServiceName) -> Option<(Revision, impl ExactSizeIterator<Item = &Arc<Instance>>)> {
        let service = self.services.get(name)?;
        Some((service.revision, service.instances.values().map(|entry| &entry.instance)))
    }

    /// Takes back the newest events, newest first: every instance is again as it was before, with its lease beginning
    /// anew. Revisions are not reused.
    pub fn undo(&mut self, events: &[Event], now: Moment) {
        for event in events.iter().rev() {
            match &event.before {
                Some(before) => {
                    before.pulse.restart(now.tick, before.registration.ttl);
                    if before.condition.lapsed {
                        before.pulse.lapse();
                    }
                    self.put(Arc::clone(before), now);
                }
                None => self.take(&event.key),
            }
        }
    }

    /// Other rules from now on: those that have lapsed already are removed when the new ones say so.
    fn set_rules(&mut self, rules: Rules) {
        let rearm = self.rules.reap_after != rules.reap_after;
        self.rules = rules;
        let entries = self.services.values_mut().flat_map(|service| service.instances.values_mut());
        for entry in entries.filter(|entry| rearm && entry.instance.condition.lapsed) {
            self.deadlines.disarm(&entry.instance.key, entry.due);
            entry.due = entry.next_due(&self.rules);
            self.deadlines.arm(&entry.instance.key, entry.due);
        }
    }

    /// Makes `instance` the current one under its key and arms its deadline.
    fn put(&mut self, instance: Arc<Instance>, now: Moment) {
        let service = self.services.entry(instance.key.service.clone()).or_default();
        service.revision = service.revision.max(instance.revision);
        let old = service.remove(&instance.key.id);
        if let Some(old) = &old {
            self.deadlines.disarm(&old.instance.key, old.due);
        }
        let entry = Entry::new(instance, old.as_ref(), now.tick, &self.rules);
        self.deadlines.arm(&entry.instance.key, entry.due);
        service.insert(entry);
    }

    /// Removes the instance under `key`, and its service with the last one.
    fn take(&mut self, key: &Key) {
        let Some(service) = self.services.get_mut(&key.service) else { return };
        if let Some(entry) = service.remove(&key.id) {
            self.deadlines.disarm(key, entry.due);
        }
        if service.instances.is_empty() {
            self.services.remove(&key.service);
        }
    }
}

#[cfg(test)]
mod tests;
