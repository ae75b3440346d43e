//! Protection against mass expiry: when far more leases run out at once than loss explains, the lapses are held.
//!
//! So many instances seldom die together; a network that was cut, or a client library that hangs, is likelier, and
//! emptying a service for it would turn a fault into an outage. A lapse counts for as long as its lease was given, in
//! its service and among all. Where the count reaches both bounds, a hold begins: those that lapsed within the count
//! come back, those that run out while it lasts stay.
//!
//! ```text
//!             count reaches the bounds                    held ones are few again, and each had
//!   watching ──────────────────────────► holding ───────► a ttl to be heard; or `max` is over ──► watching
//! ```
//!
//! A hold always ends by itself. What it held and was not heard meanwhile lapses then, and is neither counted nor held
//! again; so scaling a service down without deregistering costs `max` once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;

use crate::model::{Key, ServiceName, Span, Tick};

/// How often a hold is looked at.
const REVIEW: Span = Span::from_millis(1_000);

/// From which point on lapses are held, and for how long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProtectionRules {
    /// So many leases must have run out within their ttl.
    pub instances: u32,
    /// And this share of the leases there were, 0 to 1.
    pub fraction: f64,
    /// The longest that a lapse is held; 0 holds none.
    pub max: Span,
}

impl Default for ProtectionRules {
    fn default() -> Self {
        Self { instances: 50, fraction: 0.3, max: Span::from_secs(600) }
    }
}

impl ProtectionRules {
    /// Whether lapses are ever held.
    pub fn holds_any(&self) -> bool {
        self.max.as_millis() > 0
    }

    fn exceeded(&self, lapses: usize, leases: usize) -> bool {
        self.holds_any() && lapses >= self.instances as usize && lapses as f64 >= self.fraction * leases as f64
    }
}

/// What a hold is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    All,
    Service(ServiceName),
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Service(service) => write!(f, "service {service}"),
        }
    }
}

impl Scope {
    fn covers(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Service(service) => key.service == *service,
        }
    }
}

/// A hold as others see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub scope: Scope,
    /// How many instances it held when it was last looked at.
    pub held: usize,
    pub since: Tick,
    /// When it ends at the latest.
    pub until: Tick,
}

/// A lease that has run out.
#[derive(Debug, Clone)]
pub(super) struct Overdue {
    pub key: Key,
    pub ttl: Span,
    /// Whether its service takes part.
    pub protected: bool,
}

/// What is to be done with leases that ran out.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Judgement {
    pub lapse: Vec<Key>,
    pub hold: Vec<Key>,
    /// Lapsed before, and held from now on.
    pub restore: Vec<Key>,
}

/// What has become of an instance that was held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Heard again, gone, or not of a kind that lapses any more.
    Free,
    Overdue,
    /// Still overdue, and its service takes no part any more.
    Unprotected,
}

/// The leases that take part and have not lapsed, in one scope.
pub(super) type Leases<'a> = &'a dyn Fn(&Scope) -> usize;

/// The lapses that count, and the holds.
#[derive(Debug, Default)]
pub(super) struct Protection {
    recent: Recent,
    holds: BTreeMap<Scope, State>,
    held: BTreeSet<Key>,
    review_at: Option<Tick>,
}

/// Lapses that still count, by the time until which they do: all of them, and those of each service once more.
#[derive(Debug, Default)]
struct Recent {
    all: BTreeSet<(Tick, Key)>,
    services: HashMap<ServiceName, BTreeSet<(Tick, Key)>, foldhash::fast::RandomState>,
}

impl Recent {
    fn count(&self, scope: &Scope) -> usize {
        match scope {
            Scope::All => self.all.len(),
            Scope::Service(service) => self.services.get(service).map_or(0, BTreeSet::len),
        }
    }

    fn add(&mut self, lapsed: &Overdue, now: Tick) {
        let entry = (now.after(lapsed.ttl), lapsed.key.clone());
        self.services.entry(lapsed.key.service.clone()).or_default().insert(entry.clone());
        self.all.insert(entry);
    }

    /// Takes out the lapses of a scope.
    fn take(&mut self, scope: &Scope) -> BTreeSet<(Tick, Key)> {
        match scope {
            Scope::All => {
                self.services.clear();
                std::mem::take(&mut self.all)
            }
            Scope::Service(service) => {
                let taken = self.services.remove(service).unwrap_or_default();
                taken.iter().for_each(|entry| {
                    self.all.remove(entry);
                });
                taken
            }
        }
    }

    /// Drops lapses that no longer count.
    fn forget(&mut self, now: Tick) {
        while let Some(entry) = self.all.first().filter(|(until, _)| *until <= now).cloned() {
            self.all.remove(&entry);
            if let Some(of_service) = self.services.get_mut(&entry.1.service) {
                of_service.remove(&entry);
                if of_service.is_empty() {
                    self.services.remove(&entry.1.service);
                }
            }
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct State {
    since: Tick,
    until: Tick,
    /// When every instance that is held has had its ttl to be heard in.
    settled: Tick,
    held: usize,
}

impl Protection {
    /// Decides about leases that have run out.
    pub fn judge(&mut self, overdue: Vec<Overdue>, leases: Leases<'_>, rules: ProtectionRules, now: Tick) -> Judgement {
        self.recent.forget(now);
        let (subject, free): (Vec<_>, Vec<_>) = overdue.into_iter().partition(|overdue| overdue.protected);
        let mut judgement = Judgement { lapse: free.into_iter().map(|it| it.key).collect(), ..Judgement::default() };
        let mut counts: BTreeMap<Scope, usize> = BTreeMap::new();
        for one in &subject {
            for scope in [Scope::All, Scope::Service(one.key.service.clone())] {
                *counts.entry(scope).or_default() += 1;
            }
        }
        for (scope, count) in counts {
            let before = self.recent.count(&scope);
            if !self.holds.contains_key(&scope) && rules.exceeded(before + count, before + leases(&scope)) {
                judgement.restore.extend(self.begin(scope, rules, now));
            }
        }
        for one in subject {
            match self.covering(&one.key) {
                true => {
                    self.keep(&one.key, one.ttl, now);
                    judgement.hold.push(one.key);
                }
                false => {
                    self.recent.add(&one, now);
                    judgement.lapse.push(one.key);
                }
            }
        }
        judgement
    }

    /// When [`Self::review`] is due.
    pub fn review_at(&self) -> Option<Tick> {
        self.review_at
    }

    /// Looks at what is held: ends the holds that are over and gives the instances that lapse with them.
    pub fn review(
        &mut self,
        standing: impl Fn(&Key) -> Standing,
        leases: Leases<'_>,
        rules: ProtectionRules,
        now: Tick,
    ) -> Vec<Key> {
        let mut lapse: Vec<Key> = Vec::new();
        self.held.retain(|key| match standing(key) {
            Standing::Overdue => true,
            Standing::Free => false,
            Standing::Unprotected => {
                lapse.push(key.clone());
                false
            }
        });
        let held = &self.held;
        self.holds.retain(|scope, state| {
            state.held = held.iter().filter(|key| scope.covers(key)).count();
            let few = now >= state.settled && !rules.exceeded(state.held, leases(scope));
            now < state.until && !few
        });
        let over: Vec<Key> = self.held.iter().filter(|key| !self.covering(key)).cloned().collect();
        for key in over {
            self.held.remove(&key);
            lapse.push(key);
        }
        self.review_at = self.next_review(now);
        lapse
    }

    /// The holds that there are.
    pub fn holds(&self) -> Vec<Hold> {
        let shown = |(scope, state): (&Scope, &State)| Hold {
            scope: scope.clone(),
            held: state.held,
            since: state.since,
            until: state.until,
        };
        self.holds.iter().map(shown).collect()
    }

    /// The instances that are held.
    pub fn held(&self) -> impl Iterator<Item = &Key> {
        self.held.iter()
    }

    pub fn holds_back(&self, key: &Key) -> bool {
        self.held.contains(key)
    }

    fn begin(&mut self, scope: Scope, rules: ProtectionRules, now: Tick) -> Vec<Key> {
        let recent = self.recent.take(&scope);
        self.holds.insert(scope, State { since: now, until: now.after(rules.max), settled: now, held: 0 });
        for (counts_until, key) in &recent {
            self.keep(key, counts_until.since(now), now);
        }
        self.review_at = self.next_review(now);
        recent.into_iter().map(|(_, key)| key).collect()
    }

    fn keep(&mut self, key: &Key, time_to_be_heard: Span, now: Tick) {
        if !self.held.insert(key.clone()) {
            return;
        }
        for (_, state) in self.holds.iter_mut().filter(|(scope, _)| scope.covers(key)) {
            state.held += 1;
            state.settled = state.settled.max(now.after(time_to_be_heard));
        }
    }

    fn covering(&self, key: &Key) -> bool {
        self.holds.contains_key(&Scope::All) || self.holds.contains_key(&Scope::Service(key.service.clone()))
    }

    fn next_review(&self, now: Tick) -> Option<Tick> {
        let first = self.holds.values().map(|state| state.until).min()?;
        Some(first.min(now.after(REVIEW)).max(now))
    }
}

#[cfg(test)]
mod tests;
