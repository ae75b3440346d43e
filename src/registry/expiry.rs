//! What happens by itself: leases run out, holds end, weights ramp up, instances are removed.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;

use super::protection::{Hold, Overdue, Scope, Standing};
use super::service::{Due, Entry, SLOT, Service};
use super::{Change, Changes, Registry};
use crate::model::{Condition, Instance, Key, LeaseTtl, Moment, Tick};

/// Deadlines that are carried out in one go. A million leases may run out together, and whoever wants something else
/// waits for this a few times at most, a millisecond each.
const STEP: usize = 256;

/// Deadlines that are looked at for one who asks what runs out next.
const LOOK: usize = 1024;

/// Leases that have run out, on their way to what becomes of them.
#[derive(Debug, Default)]
pub(super) struct Expiring {
    /// Not judged yet: those that run out together are judged together, when all have been looked at.
    overdue: Vec<Overdue>,
    judged: VecDeque<(Key, Sentence)>,
}

impl Expiring {
    pub fn is_empty(&self) -> bool {
        self.overdue.is_empty() && self.judged.is_empty()
    }
}

#[derive(Debug, Clone, Copy)]
enum Sentence {
    Lapse,
    Hold,
    BringBack,
}

impl Registry {
    /// The earliest deadline, to be given to [`Self::expire`] once it has come.
    pub fn next_deadline(&self) -> Option<Tick> {
        let waiting = (!self.expiring.is_empty()).then_some(Tick(0));
        waiting.into_iter().chain(self.deadlines.first()).chain(self.protection.review_at()).min()
    }

    /// The leases that run out next, at most so many, the earliest first. A heartbeat moves its lease and not its deadline,
    /// so some deadlines are looked at before it is known which leases are near; when more than a thousand in a row were
    /// renewed, these are the earliest of so many.
    pub fn next_expiries(&self, at_most: usize) -> Vec<(Tick, Key)> {
        let mut next: BinaryHeap<(Tick, &Key)> = BinaryHeap::with_capacity(at_most + 1);
        for (due, instance) in self.deadlines.iter().take(LOOK) {
            let last = next.peek().filter(|_| next.len() == at_most).map(|(last, _)| *last);
            // No lease ends earlier than a slot before its deadline.
            if last.is_some_and(|last| last.0 + SLOT <= due.0) {
                break;
            }
            next.extend(instance.pulse.deadline().map(|ends| (ends, &instance.key)));
            if next.len() > at_most {
                next.pop();
            }
        }
        next.into_sorted_vec().into_iter().map(|(ends, key)| (ends, key.clone())).collect()
    }

    /// Carries out deadlines that have come, as many as take about a millisecond; [`Self::next_deadline`] tells when there
    /// are more. One whose lease was renewed meanwhile is armed anew.
    pub fn expire(&mut self, now: Moment, changes: &mut Changes) {
        let mut left = STEP;
        self.execute(&mut left, now, changes);
        while left > 0
            && let Some(key) = self.deadlines.pop(now.tick)
        {
            left -= 1;
            self.fall_due(key, now, changes);
        }
        if self.deadlines.first().is_some_and(|due| due <= now.tick) {
            return;
        }
        if !self.expiring.overdue.is_empty() {
            self.judge(now);
            self.execute(&mut left, now, changes);
        }
        if self.protection.review_at().is_some_and(|due| due <= now.tick) {
            self.review(now, changes);
        }
    }

    fn fall_due(&mut self, key: Key, now: Moment, changes: &mut Changes) {
        let Some(entry) = self.entry(&key) else { return };
        let instance = Arc::clone(&entry.instance);
        match entry.what_is_due(&self.rules, now.tick) {
            Due::Nothing => self.rearm(&key),
            // Where nothing is ever held, a million need not be kept until all have been counted.
            Due::Lease if self.rules.protection.holds_any() && self.is_protected(&key) => {
                self.expiring.overdue.extend(overdue(&instance));
            }
            Due::Lease => self.lapse(&key, now, changes),
            Due::Weight { ramp, capacity } => {
                let condition = Condition { ramp, capacity, ..instance.condition.clone() };
                self.revise(&instance, None, condition, Change::Weight, now, changes);
            }
            Due::Removal => drop(self.remove(key, Change::Reaped, changes)),
        }
    }

    /// Carries out what was judged, as far as there is work `left`.
    fn execute(&mut self, left: &mut usize, now: Moment, changes: &mut Changes) {
        while *left > 0
            && let Some((key, sentence)) = self.expiring.judged.pop_front()
        {
            *left -= 1;
            match sentence {
                Sentence::Lapse => self.lapse(&key, now, changes),
                Sentence::Hold => self.hold(&key),
                Sentence::BringBack => self.bring_back(&key, now, changes),
            }
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

    fn is_protected(&self, key: &Key) -> bool {
        self.settings(&key.service).is_none_or(|settings| settings.protection != Some(false))
    }

    /// Decides whether leases that ran out lapse or are held.
    fn judge(&mut self, now: Moment) {
        let Self { protection, services, leases, rules, expiring, .. } = self;
        let count = |scope: &Scope| match scope {
            Scope::All => *leases,
            Scope::Service(name) => services.get(name).map_or(0, |service| service.leases()),
        };
        let overdue = std::mem::take(&mut expiring.overdue);
        let judgement = protection.judge(overdue, &count, rules.protection, now.tick);
        let sentenced = |keys: Vec<Key>, to: Sentence| keys.into_iter().map(move |key| (key, to));
        expiring.judged.extend(sentenced(judgement.lapse, Sentence::Lapse));
        expiring.judged.extend(sentenced(judgement.hold, Sentence::Hold));
        expiring.judged.extend(sentenced(judgement.restore, Sentence::BringBack));
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
        self.expiring.judged.extend(over.into_iter().map(|key| (key, Sentence::Lapse)));
        let mut left = STEP;
        self.execute(&mut left, now, changes);
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

/// The lease of an instance that has run out; `None` when it has none.
fn overdue(instance: &Instance) -> Option<Overdue> {
    let LeaseTtl::For(ttl) = instance.registration.ttl() else { return None };
    Some(Overdue { key: instance.key.clone(), ttl, protected: true })
}
