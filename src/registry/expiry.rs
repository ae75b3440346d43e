//! What happens by itself: leases run out, holds end, weights ramp up, instances are removed.

use std::sync::Arc;

use super::protection::{Hold, Overdue, Scope, Standing};
use super::service::{Due, Entry, Service};
use super::{Change, Changes, Registry};
use crate::model::{Condition, Key, LeaseTtl, Moment, Tick};

impl Registry {
    /// The earliest deadline, to be given to [`Self::expire`] once it has come.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.deadlines.first().into_iter().chain(self.protection.review_at()).min()
    }

    /// Carries out every deadline that has come. One whose lease was renewed meanwhile is armed anew.
    pub fn expire(&mut self, now: Moment, changes: &mut Changes) {
        let mut overdue = Vec::new();
        while let Some(key) = self.deadlines.pop(now.tick) {
            let Some(entry) = self.entry_mut(&key) else { continue };
            let instance = Arc::clone(&entry.instance);
            match self.entry(&key).map_or(Due::Nothing, |entry| entry.what_is_due(&self.rules, now.tick)) {
                Due::Nothing => self.rearm(&key),
                Due::Lease => overdue.extend(self.overdue(key)),
                Due::Weight { ramp, capacity } => {
                    let condition = Condition { ramp, capacity, ..instance.condition.clone() };
                    self.revise(&instance, None, condition, Change::Weight, now, changes);
                }
                Due::Removal => drop(self.remove(key, Change::Reaped, changes)),
            }
        }
        if !overdue.is_empty() {
            self.judge(overdue, now, changes);
        }
        if self.protection.review_at().is_some_and(|due| due <= now.tick) {
            self.review(now, changes);
        }
    }

    /// Gives every lease its full ttl from `heard`, when a time ended in which nobody could be. One that has run out
    /// already stays so.
    pub fn grant_time(&mut self, heard: Tick) {
        for entry in self.services.values().flat_map(Service::entries) {
            entry.instance.pulse.extend(heard);
        }
    }

    /// The lapses that are held at the moment.
    pub fn holds(&self) -> Vec<Hold> {
        self.protection.holds()
    }

    fn overdue(&self, key: Key) -> Option<Overdue> {
        let instance = self.instance(&key)?;
        let LeaseTtl::For(ttl) = instance.registration.ttl() else { return None };
        let protected = self.is_protected(&key);
        Some(Overdue { key, ttl, protected })
    }

    fn is_protected(&self, key: &Key) -> bool {
        self.settings(&key.service).is_none_or(|settings| settings.protection != Some(false))
    }

    /// Lets leases lapse that ran out, or holds them.
    fn judge(&mut self, overdue: Vec<Overdue>, now: Moment, changes: &mut Changes) {
        let Self { protection, services, leases, rules, .. } = self;
        let count = |scope: &Scope| match scope {
            Scope::All => *leases,
            Scope::Service(name) => services.get(name).map_or(0, |service| service.leases()),
        };
        let judgement = protection.judge(overdue, &count, rules.protection, now.tick);
        for key in judgement.lapse {
            self.lapse(&key, now, changes);
        }
        for key in judgement.hold {
            self.hold(&key);
        }
        for key in judgement.restore {
            self.bring_back(&key, now, changes);
        }
    }

    fn review(&mut self, now: Moment, changes: &mut Changes) {
        let mut protection = std::mem::take(&mut self.protection);
        let count = |scope: &Scope| match scope {
            Scope::All => self.leases,
            Scope::Service(name) => self.services.get(name).map_or(0, |service| service.leases()),
        };
        let held: Vec<Key> = protection.held().cloned().collect();
        let standing = |key: &Key| match self.entry(key) {
            Some(entry) if entry.is_overdue(now.tick) && self.is_protected(key) => Standing::Overdue,
            Some(entry) if entry.is_overdue(now.tick) => Standing::Unprotected,
            _ => Standing::Free,
        };
        let over = protection.review(standing, &count, self.rules.protection, now.tick);
        self.protection = protection;
        for key in over {
            self.lapse(&key, now, changes);
        }
        // Those that were heard again have a deadline of their own once more.
        for key in &held {
            if self.protection.holds_back(key) {
                continue;
            }
            if let Some(entry) = self.entry_mut(key) {
                entry.held = false;
                self.rearm(key);
            }
        }
    }

    fn lapse(&mut self, key: &Key, now: Moment, changes: &mut Changes) {
        let Some(instance) = self.instance(key).cloned() else { return };
        // A heartbeat may have come in the last moment.
        if instance.condition.lapsed || instance.pulse.expire(now.tick).is_err() {
            return self.rearm(key);
        }
        let condition = Condition { lapsed: true, ..instance.condition.clone() };
        self.revise(&instance, None, condition, Change::Status, now, changes);
    }

    fn hold(&mut self, key: &Key) {
        if let Some(entry) = self.entry_mut(key) {
            entry.held = true;
            self.rearm(key);
        }
    }

    /// Takes back a lapse that is held from now on.
    fn bring_back(&mut self, key: &Key, now: Moment, changes: &mut Changes) {
        let Some(instance) = self.instance(key).filter(|instance| instance.condition.lapsed).cloned() else { return };
        instance.pulse.overdue_since(now.tick);
        let condition = Condition { lapsed: false, ..instance.condition.clone() };
        self.revise(&instance, None, condition, Change::Status, now, changes);
        self.hold(key);
    }

    pub(super) fn rearm(&mut self, key: &Key) {
        if let Some((place, due)) = self.entry(key).map(|entry| (entry.place, entry.next_due(&self.rules))) {
            self.deadlines.arm(place, due);
        }
    }

    fn entry(&self, key: &Key) -> Option<&Entry> {
        self.services.get(&key.service)?.entry(&key.id)
    }

    pub(super) fn entry_mut(&mut self, key: &Key) -> Option<&mut Entry> {
        self.services.get_mut(&key.service)?.entry_mut(&key.id)
    }
}
