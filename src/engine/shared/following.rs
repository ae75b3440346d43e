//! The registry of a server that shares it, and taking in news of it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::port::{Fact, Found, Place, Snapshot};
use super::sharing::{Duty, Sharing};
use crate::cluster::{Members, ServerId, UNHEARD};
use crate::engine::publish::Publisher;
use crate::engine::{Clock, Expiries};
use crate::model::{Instance, Keeping, Revision, Tick};
use crate::registry::{Changes, Command, Done, RecordName, Registry, Rules};

/// What is known of a place beside what the registry has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// When it was last written.
    pub written: Revision,
    /// The server that took an instance last.
    pub owner: Option<ServerId>,
}

/// The registry and where it is shown, as of one revision of the store.
#[derive(Debug)]
pub(super) struct Following {
    pub(super) registry: Registry,
    rules: Rules,
    pub(super) held: HashMap<Place, Held, foldhash::fast::RandomState>,
    pub(super) members: Members,
    pub(super) publisher: Publisher,
    sharing: Arc<Sharing>,
    pub(super) clock: Clock,
    is_loaded: bool,
}

impl Following {
    pub fn new(me: ServerId, rules: Rules, publisher: Publisher, sharing: Arc<Sharing>, clock: Clock) -> Self {
        let registry = Registry::following(rules.clone(), Revision::ZERO);
        let members = Members::new(me);
        Self { registry, rules, held: HashMap::default(), members, publisher, sharing, clock, is_loaded: false }
    }

    pub fn revision(&self) -> Revision {
        self.registry.revision()
    }

    /// For the store to tell for how long this server is live to the others.
    pub fn duty(&self) -> Duty {
        self.sharing.duty(self.clock.clone())
    }

    /// Whether this server is live to the others, so that what it keeps is its own.
    pub fn is_on_duty(&self) -> bool {
        self.sharing.is_on_duty(self.clock.tick())
    }

    /// Who this server is.
    pub fn me(&self) -> ServerId {
        self.members.me()
    }

    /// What a command came to that was tried out, as it is now that it has happened.
    pub fn present(&self, done: Done) -> Done {
        let now = |tried: Arc<Instance>| self.registry.instance(&tried.key).cloned().unwrap_or(tried);
        match done {
            Done::Registered(tried) => Done::Registered(now(tried)),
            Done::Replaced(tried) => Done::Replaced(now(tried)),
            Done::Unchanged(tried) => Done::Unchanged(now(tried)),
            Done::Stands(tried) => Done::Stands(now(tried)),
            other @ (Done::Deregistered | Done::Marked(_) | Done::Noted) => other,
        }
    }

    /// The leases that are kept here and run out next, at most so many.
    pub fn next_expiries(&self, at_most: usize) -> Expiries {
        self.registry.next_expiries(at_most)
    }

    /// When something next becomes due.
    pub fn next_deadline(&self) -> Option<Tick> {
        self.registry.next_deadline()
    }

    /// Takes in everything there is: as the first state, or as what has become of the one that was held. What is there
    /// now and was there before is never missing in between.
    pub fn take_everything(&mut self, snapshot: Snapshot) {
        let Snapshot { revision, found } = snapshot;
        let live = found.iter().filter_map(|found| match found.fact {
            Fact::There(Place::Server(id)) => Some(id),
            _ => None,
        });
        self.members.replace(live);
        match std::mem::replace(&mut self.is_loaded, true) {
            false => self.begin(revision, found),
            true => self.catch_up(revision, found),
        }
        self.members_turned();
    }

    fn begin(&mut self, revision: Revision, found: Vec<Found>) {
        let now = self.clock.now();
        self.registry = Registry::following(self.rules.clone(), revision);
        for Found { revision, fact } in in_order(found) {
            self.hold(revision, &fact);
            match fact {
                Fact::Instance { stored, .. } => {
                    let key = stored.key.clone();
                    self.registry.restore(*stored, now);
                    // Who keeps it is known once this server is heard by the others.
                    self.registry.set_keeping(&key, Keeping::Elsewhere, now);
                }
                Fact::Record(record) => self.registry.restore_record(record),
                Fact::There(_) => {}
            }
        }
        self.publisher.begin(&self.registry, revision);
    }

    fn catch_up(&mut self, revision: Revision, found: Vec<Found>) {
        let there: HashSet<Place> = found.iter().map(|found| found.fact.place()).collect();
        let gone = self.held.keys().filter(|place| !there.contains(place)).cloned().collect();
        let is_news =
            |found: &Found| self.held.get(&found.fact.place()).is_none_or(|held| held.written != found.revision);
        let put = found.into_iter().filter(is_news).collect();
        self.take(revision, put, gone);
    }

    /// Takes in what one revision changed.
    pub fn take_changes(&mut self, revision: Revision, put: Vec<Fact>, removed: Vec<Place>) {
        let servers = |place: &Place| matches!(place, Place::Server(_));
        let turned = removed.iter().any(servers) || put.iter().any(|fact| servers(&fact.place()));
        let before = self.members.clone();
        self.take(revision, put.into_iter().map(|fact| Found { revision, fact }).collect(), removed);
        if turned && before != self.members {
            self.members_turned();
        }
    }

    fn take(&mut self, revision: Revision, put: Vec<Found>, removed: Vec<Place>) {
        let (now, since) = (self.clock.now(), Instant::now());
        self.registry.move_on(revision);
        let mut changes = Changes::default();
        for place in removed {
            self.held.remove(&place);
            match place {
                Place::Record(RecordName::Instance(key)) => self.registry.adopt_removal(&key, &mut changes),
                Place::Record(name) => self.registry.adopt_record(&name, None, now, &mut changes),
                Place::Server(id) => self.members.set(id, false),
                Place::Labels(_) => {}
            }
        }
        for Found { revision, fact } in in_order(put) {
            let before = self.hold(revision, &fact);
            match fact {
                Fact::Instance { stored, owner } => {
                    let (key, keeping) = (stored.key.clone(), self.members.keeping(&stored.key, owner));
                    self.registry.adopt(*stored, keeping, now, &mut changes);
                    let had_other = before.is_some_and(|before| before.owner != owner);
                    if had_other && let (Keeping::Own, Some(taken)) = (keeping, self.registry.instance(&key)) {
                        // The one that had it may not know yet, and hear it.
                        taken.pulse.extend(Tick(now.tick.0 + UNHEARD.as_millis() as u64));
                    }
                }
                Fact::Record(record) => {
                    self.registry.adopt_record(&record.name(), Some(record), now, &mut changes);
                }
                Fact::There(Place::Server(id)) => self.members.set(id, true),
                Fact::There(_) => {}
            }
        }
        self.publish(changes, since);
    }

    fn publish(&self, changes: Changes, since: Instant) {
        match changes.is_empty() {
            true => self.publisher.reached(&self.registry),
            false => self.publisher.changes(&self.registry, changes, since),
        }
    }

    /// Notes what is known of a place beside what the registry has; what was known before.
    fn hold(&mut self, written: Revision, fact: &Fact) -> Option<Held> {
        let owner = if let Fact::Instance { owner, .. } = fact { *owner } else { None };
        self.held.insert(fact.place(), Held { written, owner })
    }

    /// Shows who is live now, and keeps the leases here that are this server's from now on, and no others.
    fn members_turned(&mut self) {
        self.sharing.set_members(self.members.clone());
        let now = self.clock.now();
        for (place, held) in &self.held {
            if let Place::Record(RecordName::Instance(key)) = place {
                self.registry.set_keeping(key, self.members.keeping(key, held.owner), now);
            }
        }
    }

    /// The store is away.
    pub fn away(&self) {
        self.sharing.set_away(Some(self.clock.tick()));
        self.publisher.stale(true);
    }

    /// The others may take this server for dead: what it kept is theirs.
    pub fn cut_off(&mut self) {
        self.members.set_cut_off(true);
        self.members_turned();
    }

    /// The store is there again, and all is known: every lease begins anew.
    pub fn back(&mut self) {
        self.members.set_cut_off(false);
        self.members_turned();
        self.registry.grant_time(self.clock.tick());
        self.sharing.set_away(None);
        self.publisher.stale(false);
    }

    /// Gives every lease its full time from `heard`.
    pub fn grant_time(&mut self, heard: Tick) {
        self.registry.grant_time(heard);
    }

    /// Takes in other rules, which are this server's own.
    pub fn reconfigure(&mut self, rules: &Rules) {
        let (now, since) = (self.clock.now(), Instant::now());
        self.rules = rules.clone();
        let mut changes = Changes::default();
        let command = Command::Reconfigure { rules: Box::new(rules.clone()), answers_change: false };
        // Rules are never refused.
        self.registry.apply(command, now, &mut changes).ok();
        self.publish(changes, since);
    }
}

/// What is found in the order in which it is taken in: what bears on instances before them.
fn in_order(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (matches!(found.fact, Fact::Instance { .. }), found.revision));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::{key, register, rules};
    use crate::engine::{Engine, Window};
    use crate::model::Moment;
    use crate::registry::Stored;

    const ME: ServerId = ServerId(1);
    const OTHER: ServerId = ServerId(2);

    /// A server that is live beside another one, and knows the instance `a`, with a ttl of 10 s, as the other one's.
    fn following() -> (Following, Fact) {
        let (engine, _) = Engine::unattached(&rules(), Clock::start(), Window::USUAL);
        let (publisher, sharing, clock) = (Publisher::new(&engine), Arc::clone(&engine.sharing), engine.clock.clone());
        let mut following = Following::new(ME, rules(), publisher, sharing, clock);
        let live = [ME, OTHER].map(|id| Found { revision: Revision(1), fact: Fact::There(Place::Server(id)) });
        following.take_everything(Snapshot { revision: Revision(1), found: live.into() });
        following.back();
        let mut registry = Registry::new(rules(), Revision(1));
        let now = Moment { tick: Tick(0), wall: jiff::Timestamp::UNIX_EPOCH };
        registry.apply(register("a", 1), now, &mut Changes::default()).unwrap();
        let registered = registry.instance(&key("a")).unwrap();
        let stored = Box::new(Stored {
            key: registered.key.clone(),
            registration: (*registered.registration).clone(),
            condition: registered.condition.clone(),
            created_at: registered.created_at.timestamp(),
            changed_at: registered.changed_at.timestamp(),
            revision: registered.revision,
        });
        let registered = |owner| Fact::Instance { stored: stored.clone(), owner: Some(owner) };
        following.take_changes(Revision(2), vec![registered(OTHER)], Vec::new());
        (following, registered(ME))
    }

    fn pulse(following: &Following) -> (Keeping, Option<Tick>) {
        let pulse = &following.registry.instance(&key("a")).unwrap().pulse;
        (pulse.keeping(), pulse.deadline())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_over_has_time_for_the_server_that_had_it() {
        let (mut following, mine) = following();
        assert_eq!(pulse(&following), (Keeping::Elsewhere, None));
        following.take_changes(Revision(3), vec![mine.clone()], Vec::new());
        assert_eq!(pulse(&following), (Keeping::Own, Some(Tick(15_000))), "5 s and the ttl");
        tokio::time::advance(std::time::Duration::from_secs(9)).await;
        following.take_changes(Revision(4), vec![mine], Vec::new());
        assert_eq!(pulse(&following), (Keeping::Own, Some(Tick(15_000))), "once");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_dead_server_had_is_kept_in_trust_until_it_is_back() {
        let (mut following, mine) = following();
        let gone = [OTHER, ServerId(3)].map(Place::Server);
        following.take_changes(Revision(3), Vec::new(), gone.into());
        assert_eq!(pulse(&following), (Keeping::InTrust, Some(Tick(10_000))), "its full ttl");
        following.take_changes(Revision(4), vec![Fact::There(Place::Server(OTHER))], Vec::new());
        assert_eq!(pulse(&following), (Keeping::Elsewhere, None));
        following.take_changes(Revision(5), vec![mine], vec![Place::Server(OTHER)]);
        assert_eq!(pulse(&following), (Keeping::Own, Some(Tick(15_000))), "heard here, it is this server's own");
        following.cut_off();
        assert_eq!(pulse(&following), (Keeping::Elsewhere, None));
    }
}
