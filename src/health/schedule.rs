//! Which check runs when: ordered deadlines, and for each check its streak of results.
//!
//! Pure: the present tick and the randomness are arguments. The life of a check:
//!
//! ```text
//!   put ──► Waiting { due } ──start──► Running { since } ──finish──► Waiting { max(since + interval ± 3 %, now) } ──► …
//!              │    ▲                    │
//!              hasten: due now           hasten: once more, as soon as it ends
//! ```
//!
//! Each run is moved by a few per cent, so that checks which once fell together (after a stall, a failure of the network, a
//! common start) part again by themselves.
//!
//! Where a new check begins:
//!
//! * One without a verdict is due at once if no other instance waits for a first check; otherwise at a random moment
//!   within a tenth of the interval for each first check that waits, and within the whole interval from ten on. So a
//!   single instance is checked as it comes, and a thousand never together.
//! * One whose verdict is known, as after a restart, is due at a random moment within its interval.
//!
//! Checks that are equal within one instance are one check here. Everything held is in proportion to the number of
//! checks of registered instances.

#[cfg(test)]
mod property;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use smallvec::SmallVec;

use crate::model::{CheckSpec, Instance, Key, Pulse, Registration, Revision, Span, Streak, Tick, Verdict};

/// The share of its interval by which a run may be moved, either way.
const JITTER: f64 = 0.03;
/// As many first checks waiting spread the next one over its whole interval.
const CROWD: usize = 10;

/// Tells checks apart for ever: a check that is replaced by another one gets another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CheckId(u64);

/// All checks of all instances, in the order of their deadlines.
#[derive(Debug, Default)]
pub struct Schedule {
    members: HashMap<Key, Member, foldhash::fast::RandomState>,
    checks: HashMap<CheckId, Check, foldhash::fast::RandomState>,
    /// Every check that does not run.
    waiting: BTreeSet<(Tick, CheckId)>,
    /// How many of them wait for their first run.
    firsts: usize,
    last_id: u64,
}

/// An instance that has checks.
#[derive(Debug)]
struct Member {
    revision: Revision,
    life: Arc<Pulse>,
    registration: Arc<Registration>,
    checks: SmallVec<[CheckId; 1]>,
}

#[derive(Debug)]
struct Check {
    key: Key,
    /// Its place in the registration.
    place: usize,
    streak: Streak,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Waiting { due: Tick, first: bool },
    Running { since: Tick, again: bool },
}

/// A check that is to run now.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: CheckId,
    pub key: Key,
    pub life: Arc<Pulse>,
    pub registration: Arc<Registration>,
    /// How long after it was due it starts.
    pub late: Span,
    place: usize,
}

impl Run {
    pub fn spec(&self) -> &CheckSpec {
        &self.registration.checks()[self.place]
    }
}

/// What a result came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observed {
    pub verdict: Verdict,
    /// Whether the result turned it.
    pub turned: bool,
    /// When the check runs next.
    pub next: Tick,
    /// See [`Streak::damped`].
    pub damped: Option<u32>,
}

impl Schedule {
    /// The number of checks.
    pub fn len(&self) -> usize {
        self.checks.len()
    }

    pub fn is_empty(&self) -> bool {
        self.checks.is_empty()
    }

    /// When the next check falls due; `None` when all of them run, or there are none.
    pub fn next_due(&self) -> Option<Tick> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// The checks that wait for their time and when each falls due, in that order.
    pub fn upcoming(&self) -> impl Iterator<Item = (Tick, &Key, &CheckSpec)> {
        self.waiting.iter().filter_map(|(due, id)| {
            let check = self.checks.get(id)?;
            let member = self.members.get(&check.key)?;
            Some((*due, &check.key, member.registration.checks().get(check.place)?))
        })
    }

    /// Takes the newest state of an instance in, `random` giving numbers in 0 ≤ x < 1. Checks that stay the same, in
    /// the same life and against the same target, keep their streak and deadline. One that is older than what is known
    /// changes nothing.
    ///
    /// Returns the checks that are no more.
    pub fn put(&mut self, instance: &Instance, now: Tick, random: &mut impl FnMut() -> f64) -> Vec<CheckId> {
        match self.members.get_mut(&instance.key) {
            Some(member) if member.revision >= instance.revision => return Vec::new(),
            Some(member) if member.stays(instance) => {
                member.revision = instance.revision;
                return Vec::new();
            }
            _ => {}
        }
        let old = self.members.remove(&instance.key);
        let (kept, gone) = self.sort_out(old, instance);
        self.release(&gone);
        self.enroll(instance, &kept, now, random);
        gone
    }

    /// Takes an instance out that was removed at `revision`. Returns its checks, which are no more.
    pub fn remove(&mut self, key: &Key, revision: Revision) -> Vec<CheckId> {
        if self.members.get(key).is_none_or(|member| member.revision > revision) {
            return Vec::new();
        }
        let gone = self.members.remove(key).map_or_else(Vec::new, |member| member.checks.to_vec());
        self.release(&gone);
        gone
    }

    /// Takes out every instance that is not `alive`. Returns their checks, which are no more.
    pub fn retain(&mut self, alive: impl Fn(&Key, &Arc<Pulse>) -> bool) -> Vec<CheckId> {
        let gone = self.members.extract_if(|key, member| !alive(key, &member.life));
        let gone: Vec<_> = gone.flat_map(|(_, member)| member.checks).collect();
        self.release(&gone);
        gone
    }

    /// Has every check of an instance run as soon as it can. Those that run already will run once more. Returns all of
    /// them, each with whether it runs.
    pub fn hasten(&mut self, key: &Key, now: Tick) -> Vec<(CheckId, bool)> {
        let checks = self.members.get(key).map(|member| member.checks.clone()).unwrap_or_default();
        checks.into_iter().map(|id| (id, self.hasten_one(id, now))).collect()
    }

    fn hasten_one(&mut self, id: CheckId, now: Tick) -> bool {
        let Some(check) = self.checks.get_mut(&id) else { return false };
        match &mut check.state {
            State::Running { again, .. } => {
                *again = true;
                true
            }
            State::Waiting { due, .. } => {
                if *due > now {
                    self.waiting.remove(&(*due, id));
                    self.waiting.insert((now, id));
                    *due = now;
                }
                false
            }
        }
    }

    /// The first check that is due, which runs from now on; `None` when none is.
    pub fn start(&mut self, now: Tick) -> Option<Run> {
        let &(due, id) = self.waiting.first().filter(|(due, _)| *due <= now)?;
        let check = self.checks.get_mut(&id)?;
        let member = self.members.get(&check.key)?;
        let (key, life, registration) = (check.key.clone(), Arc::clone(&member.life), Arc::clone(&member.registration));
        let run = Run { id, key, life, registration, late: now.since(due), place: check.place };
        let state = std::mem::replace(&mut check.state, State::Running { since: now, again: false });
        self.unqueue(id, state);
        Some(run)
    }

    /// Ends a run, with its result unless it came to none, and arms the next one, `random` giving numbers in 0 ≤ x < 1.
    /// `None` when the check is no more.
    pub fn finish(
        &mut self,
        id: CheckId,
        passed: Option<bool>,
        now: Tick,
        random: &mut impl FnMut() -> f64,
    ) -> Option<Observed> {
        let check = self.checks.get_mut(&id)?;
        let State::Running { since, again } = check.state else { return None };
        let spec = &self.members.get(&check.key)?.registration.checks()[check.place];
        let next = if again { now } else { since.after(moved(spec.interval, random())).max(now) };
        check.state = State::Waiting { due: next, first: false };
        self.waiting.insert((next, id));
        let turned = passed.is_some_and(|passed| check.streak.observe(passed, spec, now));
        Some(Observed { verdict: check.streak.verdict(), turned, next, damped: check.streak.damped(spec, now) })
    }

    /// Parts the checks of an old state into those that go on, each with its new place, and those that do not.
    fn sort_out(&self, old: Option<Member>, instance: &Instance) -> (Vec<(usize, CheckId)>, Vec<CheckId>) {
        let Some(old) = old else { return Default::default() };
        let comparable =
            Arc::ptr_eq(&old.life, &instance.pulse) && old.registration.same_target(&instance.registration);
        let place = |id: &CheckId| {
            let spec = &old.registration.checks()[self.checks.get(id)?.place];
            instance.registration.checks().iter().position(|new| new == spec).filter(|_| comparable)
        };
        let (mut kept, mut gone) = (Vec::new(), Vec::new());
        for id in &old.checks {
            match place(id) {
                Some(place) => kept.push((place, *id)),
                None => gone.push(*id),
            }
        }
        (kept, gone)
    }

    /// Makes an instance a member, with the checks that it `kept` and new ones for the rest.
    fn enroll(&mut self, instance: &Instance, kept: &[(usize, CheckId)], now: Tick, random: &mut impl FnMut() -> f64) {
        let specs = instance.registration.checks();
        if specs.is_empty() {
            return;
        }
        let own = kept.iter().filter(|(_, id)| self.awaits_first(*id)).count();
        let crowd = self.firsts - own;
        let mut checks = SmallVec::new();
        for (place, spec) in specs.iter().enumerate() {
            if let Some(&(_, id)) = kept.iter().find(|(at, _)| *at == place) {
                self.checks.entry(id).and_modify(|check| check.place = place);
                checks.push(id);
            } else if !specs[..place].contains(spec) {
                let verdict = instance.condition.checks.get(place).unwrap_or_default();
                let first = verdict == Verdict::Unknown;
                let within = if first { share(spec.interval, crowd) } else { spec.interval };
                let delay = (within.as_millis() as f64 * random()) as u64;
                let state = State::Waiting { due: now.after(Span::from_millis(delay)), first };
                let key = instance.key.clone();
                checks.push(self.add(Check { key, place, streak: Streak::from(verdict), state }));
            }
        }
        let (life, registration) = (Arc::clone(&instance.pulse), Arc::clone(&instance.registration));
        let member = Member { revision: instance.revision, life, registration, checks };
        self.members.insert(instance.key.clone(), member);
    }

    fn add(&mut self, check: Check) -> CheckId {
        self.last_id += 1;
        let id = CheckId(self.last_id);
        if let State::Waiting { due, first } = check.state {
            self.waiting.insert((due, id));
            self.firsts += usize::from(first);
        }
        self.checks.insert(id, check);
        id
    }

    /// Forgets checks.
    fn release(&mut self, gone: &[CheckId]) {
        for id in gone {
            if let Some(check) = self.checks.remove(id) {
                self.unqueue(*id, check.state);
            }
        }
    }

    fn unqueue(&mut self, id: CheckId, state: State) {
        if let State::Waiting { due, first } = state {
            self.waiting.remove(&(due, id));
            self.firsts -= usize::from(first);
        }
    }

    fn awaits_first(&self, id: CheckId) -> bool {
        self.checks.get(&id).is_some_and(|check| matches!(check.state, State::Waiting { first: true, .. }))
    }
}

impl Member {
    /// Whether `instance` is the same registration in the same life.
    fn stays(&self, instance: &Instance) -> bool {
        Arc::ptr_eq(&self.life, &instance.pulse) && Arc::ptr_eq(&self.registration, &instance.registration)
    }
}

/// An interval, moved by as much of [`JITTER`] as `random` says.
fn moved(interval: Span, random: f64) -> Span {
    let factor = 1.0 + JITTER * (2.0 * random - 1.0);
    Span::from_millis((interval.as_millis() as f64 * factor) as u64)
}

/// What a first check is spread over when `crowd` others wait.
fn share(interval: Span, crowd: usize) -> Span {
    Span::from_millis(interval.as_millis() * crowd.min(CROWD) as u64 / CROWD as u64)
}
