//! The registry of a server that shares it: taking in news, and trying out what is to be written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use tokio::time::Instant;

use super::port::{Fact, Found, Place, Snapshot, State, Write, Writer};
use super::sharing::{Duty, Sharing};
use super::unit::{Unit, Waiting};
use crate::cluster::{Members, ServerId, UNHEARD};
use crate::engine::publish::Publisher;
use crate::engine::{Clock, Expiries};
use crate::model::{Capacity, Instance, Keeping, Key, Moment, Revision, ServiceName, Tick};
use crate::registry::{Change, Changes, Command, Done, Event, Record, RecordName, Refusal, Registry, Rules};

/// What is known of a place beside what the registry has.
#[derive(Debug, Clone, Copy)]
struct Held {
    /// When it was last written.
    written: Revision,
    /// The server that took an instance last.
    owner: Option<ServerId>,
}

/// Instances that are written together because something became due for them: with the largest that there may be, they
/// still go into one transaction.
const DUE: usize = 32;

/// The registry and where it is shown, as of one revision of the store.
#[derive(Debug)]
pub(super) struct Following {
    registry: Registry,
    rules: Rules,
    held: HashMap<Place, Held, foldhash::fast::RandomState>,
    members: Members,
    publisher: Publisher,
    sharing: Arc<Sharing>,
    clock: Clock,
    is_loaded: bool,
}

/// What trying out commands came to.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub unit: Unit,
    pub refused: Vec<(Waiting, Refusal)>,
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

    /// Tries out commands about one subject: what has to be written for them, and which are refused.
    pub fn try_out(&mut self, commands: Vec<Waiting>, writer: &impl Writer) -> Tried {
        let now = self.clock.now();
        let (mut tried, mut changes) = (Tried::default(), Changes::default());
        let mut touched = BTreeMap::<RecordName, bool>::new();
        for waiting in commands {
            let (events, records) = (changes.events.len(), changes.records.len());
            let command = waiting.command.clone();
            let is_heard = matches!(command, Command::Register { .. } | Command::Heartbeat { .. });
            // What follows for instances from settings follows on every server by itself.
            let follows = matches!(command, Command::Set { .. });
            match self.registry.apply(command, now, &mut changes) {
                Err(refusal) => tried.refused.push((waiting, refusal)),
                Ok(done) => {
                    let of_events = changes.events[events..].iter().filter(|_| !follows).filter_map(written);
                    let of_records = changes.records[records..].iter().map(|change| change.name.clone());
                    of_events.chain(of_records).for_each(|name| *touched.entry(name).or_default() |= is_heard);
                    tried.unit.commands.push((waiting, done));
                }
            }
        }
        let after = self.states(touched.keys());
        self.take_back(&changes, now);
        let me = self.members.me();
        let owner = |name: &RecordName| touched.get(name).copied().unwrap_or(false).then_some(me);
        self.write(&mut tried.unit, after, owner, writer);
        tried
    }

    /// What has become due, as units to write; each is of one service, and small enough for one transaction.
    pub fn expire(&mut self, writer: &impl Writer) -> Vec<(ServiceName, Unit)> {
        let now = self.clock.now();
        let mut changes = Changes::default();
        self.registry.expire(now, &mut changes);
        let mut units = BTreeMap::<(ServiceName, usize), (Unit, Vec<RecordName>)>::new();
        let mut numbers = HashMap::<ServiceName, usize>::new();
        for event in &changes.events {
            let Some(name) = written(event) else { continue };
            let number = numbers.entry(event.key.service.clone()).or_default();
            *number += 1;
            let (unit, names) = units.entry((event.key.service.clone(), *number / DUE)).or_default();
            names.push(name);
            let lapses = event.after.as_ref().is_some_and(|after| after.condition.lapsed);
            if lapses && event.before.as_ref().is_some_and(|before| !before.condition.lapsed) {
                unit.lapses.push(event.key.clone());
            }
        }
        let states: Vec<_> =
            units.into_iter().map(|((service, _), (unit, names))| (service, unit, self.states(names.iter()))).collect();
        self.take_back(&changes, now);
        self.publisher.holds(&self.registry);
        let write = |(service, mut unit, after): (ServiceName, Unit, BTreeMap<_, _>)| {
            for name in after.keys() {
                // Somebody else's that is not live: not if it has come back meanwhile.
                let owner = self.held.get(&Place::Record(RecordName::clone(name))).and_then(|held| held.owner);
                if let Some(owner) = owner.filter(|owner| *owner != self.members.me()) {
                    unit.requires.insert(Place::Server(owner), Revision::ZERO);
                }
            }
            self.write(&mut unit, after, |_| None, writer);
            (service, unit)
        };
        states.into_iter().map(write).collect()
    }

    /// Lapses that were tried out did not come about.
    pub fn take_back_lapses(&mut self, lapses: &[Key], unheard: bool) {
        let now = self.clock.now();
        lapses.iter().for_each(|key| self.registry.take_back_lapse(key, unheard, now));
    }

    fn states<'a>(&self, names: impl Iterator<Item = &'a RecordName>) -> BTreeMap<RecordName, Option<Record>> {
        names.map(|name| (name.clone(), self.registry.record(name))).collect()
    }

    /// Makes everything as it was before it was tried out, but for weights, which are this server's own.
    fn take_back(&mut self, changes: &Changes, now: Moment) {
        let since = Instant::now();
        let Self { registry, publisher, .. } = self;
        registry.take_back(changes, |service| publisher.revision_of(service), now);
        let mut own = Changes::default();
        for event in changes.events.iter().filter(|event| event.change == Change::Weight) {
            let Some(after) = &event.after else { continue };
            let (capacity, ramp): (Capacity, Capacity) = (after.condition.capacity, after.condition.ramp);
            registry.weigh(&event.key, capacity, ramp, now, &mut own);
        }
        if !own.is_empty() {
            publisher.changes(registry, own, since);
        }
    }

    /// Adds to a unit what has to be written for these states to come about.
    fn write(
        &self,
        unit: &mut Unit,
        after: BTreeMap<RecordName, Option<Record>>,
        taken_by: impl Fn(&RecordName) -> Option<ServerId>,
        writer: &impl Writer,
    ) {
        let mut labels = None;
        for (name, record) in after {
            let place = Place::Record(name.clone());
            let held = self.held.get(&place).copied();
            let owner = taken_by(&name).or(held.and_then(|held| held.owner));
            let write = match record {
                None if held.is_none() => continue,
                None => Write::Remove,
                Some(record) => {
                    let state = self.state(record, owner);
                    if state.since.is_some() && held.is_some_and(|held| held.owner == owner) {
                        continue;
                    }
                    if let Record::Instance(instance) = &state.record
                        && self.brings_labels(instance)
                    {
                        labels = Some(instance.key.service.clone());
                    }
                    Write::Put(writer.encode(&state))
                }
            };
            unit.requires.insert(place.clone(), held.map_or(Revision::ZERO, |held| held.written));
            unit.writes.push((place, write));
        }
        if let Some(service) = labels {
            self.mark(unit, Place::Labels(service), Write::Touch);
        } else if let Some(service) = self.emptied(unit) {
            self.mark(unit, Place::Labels(service), Write::Remove);
        }
    }

    fn mark(&self, unit: &mut Unit, labels: Place, write: Write) {
        unit.requires.insert(labels.clone(), self.held.get(&labels).map_or(Revision::ZERO, |held| held.written));
        unit.writes.push((labels, write));
    }

    /// The state to write for a record: of an instance that only changes hands, the one that it has.
    fn state(&self, record: Record, owner: Option<ServerId>) -> State {
        let Record::Instance(after) = &record else { return State { record, owner: None, since: None } };
        let same = |before: &&Arc<Instance>| {
            before.created_at == after.created_at
                && before.registration == after.registration
                && before.condition == after.condition
        };
        match self.registry.instance(&after.key).filter(same) {
            Some(before) => State { record: Record::Instance(Arc::clone(before)), owner, since: Some(before.revision) },
            None => State { record, owner, since: None },
        }
    }

    /// Whether an instance has an id or a tag that it does not have yet.
    fn brings_labels(&self, after: &Instance) -> bool {
        self.registry.instance(&after.key).is_none_or(|before| before.registration.tags() != after.registration.tags())
    }

    /// The service of which a unit removes the last instances.
    fn emptied(&self, unit: &Unit) -> Option<ServiceName> {
        let removed = |(place, write): &(Place, Write)| match (place, write) {
            (Place::Record(RecordName::Instance(key)), Write::Remove) => Some(key.clone()),
            _ => None,
        };
        let removed: Vec<Key> = unit.writes.iter().filter_map(removed).collect();
        let service = removed.first()?.service.clone();
        let is_marked = self.held.contains_key(&Place::Labels(service.clone()));
        let are_all = self.registry.service(&service)?.1.all(|instance| removed.contains(&instance.key));
        (is_marked && are_all).then_some(service)
    }
}

/// The record that an event is kept in; weights are not kept.
fn written(event: &Event) -> Option<RecordName> {
    (event.change != Change::Weight).then(|| RecordName::Instance(event.key.clone()))
}

/// What is found in the order in which it is taken in: what bears on instances before them.
fn in_order(mut found: Vec<Found>) -> Vec<Found> {
    found.sort_by_key(|found| (matches!(found.fact, Fact::Instance { .. }), found.revision));
    found
}
