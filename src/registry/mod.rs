//! The registry: every instance there is, as a pure state machine.
//!
//! [`Registry::apply`] takes one [`Command`] and the present moment, and gives the outcome together with the [`Changes`]
//! that the command caused, each with the next revision. [`Registry::expire`] does the same for deadlines that have
//! come. There is no clock, no randomness and no I/O here; what the same commands at the same moments lead to is always
//! the same. Instances are immutable and shared, so an [`Event`] carries the one before and the one after, and
//! [`Registry::undo`] puts back what could not be made durable.
//!
//! Beside the instances there are [`Record`]s that do not need one: settings of a service are there before its first
//! instance and after its last, and a maintenance mark stays on a name whose instance went.

mod ahead;
mod apply;
mod chunks;
mod command;
mod deadline;
mod expiry;
mod follow;
mod operator;
mod protection;
mod record;
mod records;
mod service;
mod slow_start;
mod weight;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

pub use command::{About, Change, Changes, Command, Done, Event, Expected, Observation, Refusal, Report};
pub use protection::{Hold, ProtectionRules, Scope};
pub use record::{Kind, Record, RecordChange, RecordName};

use crate::model::{
    CheckSpec, Condition, Defaults, Instance, Key, LoadRules, Moment, Pulse, Registration, Revision, ServiceName, Span,
    Verdicts,
};
use deadline::Deadlines;
use expiry::Expiring;
use protection::Protection;
use service::Service;

/// What the configuration says about all registrations.
#[derive(Debug, Clone)]
pub struct Rules {
    /// For registrations that a patch makes.
    pub defaults: Defaults,
    /// From the lapse of a lease to the removal of its instance.
    pub reap_after: Span,
    /// Octets of the zone apex in wire form.
    pub apex_octets: usize,
    /// TTL, in seconds, of the records of services that have none of their own.
    pub record_ttl: u32,
    pub protection: ProtectionRules,
    /// The healthy share, 0 to 1, below which unhealthy instances are served too; 0: never.
    pub panic_threshold: f64,
    pub load: LoadRules,
}

impl Rules {
    /// The rules of a configuration that says nothing beyond this.
    pub fn new(defaults: Defaults, apex_octets: usize) -> Self {
        Self {
            defaults,
            reap_after: Self::REAP_AFTER,
            apex_octets,
            record_ttl: Self::RECORD_TTL,
            protection: ProtectionRules::default(),
            panic_threshold: 0.0,
            load: LoadRules::default(),
        }
    }

    pub const REAP_AFTER: Span = Span::from_secs(60);
    pub const RECORD_TTL: u32 = 5;
}

/// All services and their instances at one revision.
#[derive(Debug)]
pub struct Registry {
    rules: Rules,
    services: HashMap<ServiceName, Service, foldhash::fast::RandomState>,
    /// What is kept beside the instances.
    records: BTreeMap<RecordName, Record>,
    deadlines: Deadlines,
    protection: Protection,
    expiring: Expiring,
    /// How many instances have a lease that has not lapsed.
    leases: usize,
    revision: Revision,
    /// Whether revisions are given from outside; see [`Self::following`].
    follows: bool,
}

/// An instance as a store gives it back at the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    pub key: Key,
    pub registration: Registration,
    pub condition: Condition,
    pub created_at: jiff::Timestamp,
    pub changed_at: jiff::Timestamp,
    pub revision: Revision,
}

impl Registry {
    /// An empty registry that goes on from `revision`.
    pub fn new(rules: Rules, revision: Revision) -> Self {
        Self {
            rules,
            services: HashMap::default(),
            records: BTreeMap::new(),
            deadlines: Deadlines::default(),
            protection: Protection::default(),
            expiring: Expiring::default(),
            leases: 0,
            revision,
            follows: false,
        }
    }

    /// Puts an instance back as it was before a restart: with its last status, and its lease or its time until removal
    /// beginning anew. The records beside the instances come first.
    pub fn restore(&mut self, stored: Stored, now: Moment) {
        let pulse = Pulse::begin(now.tick, stored.registration.ttl());
        if stored.condition.lapsed {
            pulse.lapse();
        }
        self.revision = self.revision.max(stored.revision);
        let mut condition = stored.condition;
        let before = Arc::new(stored.registration);
        let registration = self.as_kept(&stored.key.service, Arc::clone(&before), None);
        condition.maintenance = self.mark(&stored.key).cloned();
        condition.checks = kept_verdicts(&before, condition.checks, &registration);
        let instance = Instance {
            key: stored.key,
            registration,
            condition,
            created_at: stored.created_at.into(),
            changed_at: stored.changed_at.into(),
            revision: stored.revision,
            pulse: Arc::new(pulse),
        };
        self.put(Arc::new(instance), now);
    }

    /// The revision of the last change.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The revision of the next change.
    fn next_revision(&self) -> Revision {
        if self.follows { self.revision } else { self.revision.next() }
    }

    pub fn instance(&self, key: &Key) -> Option<&Arc<Instance>> {
        Some(&self.services.get(&key.service)?.entry(&key.id)?.instance)
    }

    /// The names of all services, in no order.
    pub fn services(&self) -> impl Iterator<Item = &ServiceName> {
        self.services.keys()
    }

    /// The revision of a service's last change and its instances in the order of their ids; `None` when it has none.
    pub fn service(
        &self,
        name: &ServiceName,
    ) -> Option<(Revision, impl ExactSizeIterator<Item = &Arc<Instance>> + Clone)> {
        let service = self.services.get(name)?;
        Some((service.revision, service.entries().iter().map(|entry| &entry.instance)))
    }

    /// Takes back the newest changes, newest first: everything is again as it was before, with those leases beginning
    /// anew that were changed. Revisions are not reused.
    pub fn undo(&mut self, changes: &Changes, now: Moment) {
        for change in changes.records.iter().rev() {
            self.keep(&change.name, change.before.clone());
            if let RecordName::Settings(service) = &change.name {
                self.follow_panic_threshold(service);
            }
        }
        for event in changes.events.iter().rev() {
            match &event.before {
                Some(before) => {
                    let same_lease = |after: &Arc<Instance>| {
                        Arc::ptr_eq(&after.registration, &before.registration)
                            && after.condition.lapsed == before.condition.lapsed
                    };
                    if !event.after.as_ref().is_some_and(same_lease) {
                        before.pulse.restart(now.tick, before.registration.ttl());
                        if before.condition.lapsed {
                            before.pulse.lapse();
                        }
                    }
                    self.put(Arc::clone(before), now);
                }
                None => self.take(&event.key),
            }
        }
    }

    /// Other rules from now on: those that have lapsed already are removed when the new ones say so, instances that bring
    /// no checks get the new default ones, and the healthy share of each service is judged anew.
    fn set_rules(&mut self, rules: Rules, now: Moment, changes: &mut Changes) {
        let rearm = self.rules.reap_after != rules.reap_after;
        let other_checks = self.rules.defaults.checks != rules.defaults.checks;
        let other_threshold = self.rules.panic_threshold != rules.panic_threshold;
        self.rules = rules;
        let entries = self.services.values().flat_map(Service::entries);
        for entry in entries.filter(|entry| rearm && entry.instance.condition.lapsed) {
            self.deadlines.arm(entry.place, entry.next_due(&self.rules));
        }
        if !other_checks && !other_threshold {
            return;
        }
        let mut services: Vec<ServiceName> = self.services.keys().cloned().collect();
        services.sort_unstable();
        for service in services {
            if other_checks {
                self.follow_default_checks(&service, now, changes);
            }
            if self.follow_panic_threshold(&service) {
                changes.turned.push(service);
            }
        }
    }

    /// Whether so few instances of a service are healthy that its unhealthy ones are served too.
    pub fn is_panicking(&self, name: &ServiceName) -> bool {
        self.services.get(name).is_some_and(|service| service.panicking)
    }

    /// Makes `instance` the current one under its key and arms its deadline.
    fn put(&mut self, instance: Arc<Instance>, now: Moment) {
        let slow_start = self.slow_start(&instance.key.service, &instance.registration);
        let threshold = self.panic_threshold(&instance.key.service);
        let service = self.services.entry(instance.key.service.clone()).or_default();
        service.revision = service.revision.max(instance.revision);
        self.leases -= service.leases();
        let deadlines = &mut self.deadlines;
        let enter = || deadlines.enter(Arc::clone(&instance));
        let entry = service.put(&instance, enter, slow_start, now.tick);
        let (place, due) = (entry.place, entry.next_due(&self.rules));
        self.deadlines.follow(place, instance);
        self.deadlines.arm(place, due);
        self.leases += service.leases();
        service.reconsider_panic(threshold);
    }

    /// Removes the instance under `key`, and its service with the last one.
    fn take(&mut self, key: &Key) {
        let threshold = self.panic_threshold(&key.service);
        let Some(service) = self.services.get_mut(&key.service) else { return };
        self.leases -= service.leases();
        if let Some(entry) = service.remove(&key.id) {
            self.deadlines.leave(entry.place);
        }
        self.leases += service.leases();
        service.reconsider_panic(threshold);
        if service.entries().is_empty() {
            self.services.remove(&key.service);
        }
    }
}

/// The verdicts of the checks of `registration`: those that were reached on equal checks of the registration `before`,
/// against the same target.
fn kept_verdicts(before: &Registration, verdicts: Verdicts, registration: &Registration) -> Verdicts {
    let same_target = before.same_target(registration);
    let kept = |check: &CheckSpec| {
        let at = before.checks().iter().position(|old| old == check).filter(|_| same_target);
        at.and_then(|at| verdicts.get(at)).unwrap_or_default()
    };
    registration.checks().iter().map(kept).collect()
}

#[cfg(test)]
mod tests;
