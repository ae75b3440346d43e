//! Following a store that many servers share: what it says happened, in its order, is what happens here.
//!
//! A registry that follows gives out no revisions; [`Registry::move_on`] tells it which one is being taken in. A command
//! is only tried out: it is applied, what it would change is read off and written to the store, and everything is taken
//! back at once ([`Registry::take_back`]). Once the store says that it happened, [`Registry::adopt`] makes it so, here as
//! on every other server, and only then is it told to anybody. So all servers go through the same states in the same
//! order, whoever wrote first.
//!
//! An instance is kept by one server ([`Keeping`]): that one hears its heartbeats, and lets it lapse. Elsewhere it has no
//! deadline.
//! What only one server knows is not shared: reported load, last words, results of checks. Weights that follow from
//! these are changed here alone ([`Registry::weigh`]), and take no revision.

use std::sync::Arc;

use super::{Change, Changes, Record, RecordName, Registry, Rules, Stored, kept_verdicts};
use crate::model::{Capacity, Condition, Instance, Keeping, Key, Moment, Pulse, Revision, ServiceName};

impl Registry {
    /// An empty registry at `revision` that follows a store.
    pub fn following(rules: Rules, revision: Revision) -> Self {
        Self { follows: true, ..Self::new(rules, revision) }
    }

    /// What is taken in from now on is of this revision.
    pub fn move_on(&mut self, revision: Revision) {
        self.revision = self.revision.max(revision);
    }

    /// Takes in the state of an instance, and who keeps it. The same state again is no change.
    pub fn adopt(&mut self, stored: Stored, keeping: Keeping, now: Moment, changes: &mut Changes) {
        let current = self.instance(&stored.key).cloned();
        let same_life = current.as_ref().is_some_and(|current| current.created_at == stored.created_at.into());
        if current.is_some() && !same_life {
            self.adopt_removal(&stored.key, changes);
        }
        let before = current.filter(|_| same_life);
        let after = self.adopted(before.as_deref(), stored, now);
        settle(before.as_deref(), &after, keeping, now);
        let change = match &before {
            None => Change::Registered,
            Some(before) if before.registration != after.registration => Change::Updated,
            Some(before) if before.condition != after.condition => Change::Status,
            Some(_) => return self.put(Arc::new(after), now),
        };
        self.install(before, Arc::new(after), change, now, changes);
    }

    /// The instance that a stored state is here: with the mark and the default checks that hold, and the weight that it
    /// has on this server.
    fn adopted(&self, current: Option<&Instance>, stored: Stored, now: Moment) -> Instance {
        let Stored { key, registration, condition, created_at, changed_at, revision } = stored;
        let said = Arc::new(registration);
        let registration = self.as_kept(&key.service, Arc::clone(&said), current);
        let condition = Condition {
            maintenance: self.mark(&key).cloned(),
            checks: kept_verdicts(&said, condition.checks, &registration),
            capacity: current.map_or(Capacity::FULL, |current| current.condition.capacity),
            ramp: current.map_or(Capacity::FULL, |current| current.condition.ramp),
            ..condition
        };
        if let Some(current) = current.filter(|current| current.registration != registration) {
            super::apply::keep_words(current, &registration, condition.said);
        }
        let condition = self.ramped(current, &key.service, &registration, condition, now);
        let begin = || Arc::new(Pulse::begin(now.tick, registration.ttl()));
        let pulse = current.map_or_else(begin, |current| Arc::clone(&current.pulse));
        let (created_at, changed_at) = (created_at.into(), changed_at.into());
        Instance { key, registration, condition, created_at, changed_at, revision, pulse }
    }

    /// Takes in that an instance is gone. The store does not say why: one that had lapsed, or was unhealthy for longer
    /// than it wanted to be kept, counts as reaped.
    pub fn adopt_removal(&mut self, key: &Key, changes: &mut Changes) {
        let Some(instance) = self.instance(key) else { return };
        let gave_up =
            instance.status() == crate::model::Status::Unhealthy && instance.registration.deregister_after().is_some();
        let change = if instance.condition.lapsed || gave_up { Change::Reaped } else { Change::Deregistered };
        // It is there, so nothing is refused.
        self.remove(key.clone(), change, changes).ok();
    }

    /// Takes in the state of a record that is no instance; `None` when it is gone.
    pub fn adopt_record(&mut self, name: &RecordName, record: Option<Record>, now: Moment, changes: &mut Changes) {
        self.change(name.clone(), record, changes);
        match name {
            RecordName::Settings(service) => {
                if let Some(entry) = self.services.get_mut(service) {
                    entry.revision = self.revision;
                }
                self.follow_panic_threshold(service);
                self.follow_default_checks(service, now, changes);
            }
            RecordName::Maintenance(key) => {
                let Some(current) = self.instance(key).cloned() else { return };
                let condition = Condition { maintenance: self.mark(key).cloned(), ..current.condition.clone() };
                self.reconsider(&current, condition, now, changes);
            }
            RecordName::Instance(_) | RecordName::Subscription(_) => {}
        }
    }

    /// From now on an instance is kept so. What was not kept so before has its full ttl.
    pub fn set_keeping(&mut self, key: &Key, keeping: Keeping, now: Moment) {
        let Some(instance) = self.instance(key).filter(|instance| instance.pulse.keeping() != keeping).cloned() else {
            return;
        };
        settle(None, &instance, keeping, now);
        self.put(instance, now);
    }

    /// A lapse that was tried out did not come about: the lease has run out as before, or, when nobody could be heard
    /// (`unheard`), it begins anew.
    pub fn take_back_lapse(&mut self, key: &Key, unheard: bool, now: Moment) {
        let Some(instance) = self.instance(key).cloned() else { return };
        if !instance.pulse.has_lapsed() || instance.condition.lapsed {
            return;
        }
        match unheard {
            true => instance.pulse.restart(now.tick, instance.registration.ttl()),
            false => instance.pulse.overdue_since(now.tick),
        }
        self.rearm(key);
    }

    /// Takes back what commands and deadlines changed that were tried out: everything is again as it was. Leases that
    /// were renewed stay so, for they were heard; one that ran out stays so until it is known whether it lapsed.
    /// `revision` tells the last change of a service.
    pub fn take_back(&mut self, changes: &Changes, revision: impl Fn(&ServiceName) -> Revision, now: Moment) {
        for change in changes.records.iter().rev() {
            self.keep(&change.name, change.before.clone());
        }
        for event in changes.events.iter().rev() {
            let Some(before) = &event.before else {
                self.take(&event.key);
                continue;
            };
            let other_ttl = |after: &Arc<Instance>| after.registration.ttl() != before.registration.ttl();
            // Nothing is done to leases that others have.
            let is_here = before.pulse.keeping() != Keeping::Elsewhere;
            if is_here && before.condition.lapsed {
                before.pulse.lapse();
            } else if is_here && event.after.as_ref().is_some_and(other_ttl) {
                before.pulse.restart(now.tick, before.registration.ttl());
            }
            self.put(Arc::clone(before), now);
        }
        for name in changes.services() {
            if let Some(service) = self.services.get_mut(&name) {
                service.revision = revision(&name);
            }
            self.follow_panic_threshold(&name);
        }
    }

    /// Changes the weight of an instance on this server alone.
    pub fn weigh(&mut self, key: &Key, capacity: Capacity, ramp: Capacity, now: Moment, changes: &mut Changes) {
        let Some(current) = self.instance(key).cloned() else { return };
        let condition = Condition { capacity, ramp, ..current.condition.clone() };
        if condition != current.condition {
            self.revise(&current, None, condition, Change::Weight, now, changes);
        }
    }
}

/// Sets the lease as it is after a change: with others, run out, going on, or beginning.
fn settle(before: Option<&Instance>, after: &Instance, keeping: Keeping, now: Moment) {
    let pulse = &after.pulse;
    let is_other = pulse.keeping() != keeping;
    // Before anything here could be renewed.
    pulse.set_in_trust(keeping == Keeping::InTrust);
    let was_live = before.is_some_and(|before| !before.condition.lapsed);
    let same_ttl = before.is_some_and(|before| before.registration.ttl() == after.registration.ttl());
    if keeping == Keeping::Elsewhere {
        pulse.leave_to_others();
    } else if after.condition.lapsed {
        pulse.lapse();
    } else if was_live && pulse.has_lapsed() {
        // A lapse was on its way, and something else came first.
        pulse.overdue_since(now.tick);
    } else if !was_live || !same_ttl || is_other {
        pulse.restart(now.tick, after.registration.ttl());
    }
}
