//! Trying out what is to be written: what commands, and what has become due, would change, as units for the store.
//!
//! It is applied to the registry, read off and taken back at once. The registry changes when the store says that it
//! happened.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tokio::time::Instant;

use super::following::Following;
use super::port::{Place, State, Write, Writer};
use super::unit::{Unit, Waiting};
use crate::cluster::ServerId;
use crate::model::{Capacity, Instance, Key, Moment, Revision, ServiceName};
use crate::registry::{Change, Changes, Command, Event, Record, RecordName, Refusal};

/// Instances that are written together because something became due for them: with the largest that there may be, they
/// still go into one transaction.
const DUE: usize = 32;

/// What trying out commands came to.
#[derive(Debug, Default)]
pub(super) struct Tried {
    pub unit: Unit,
    pub refused: Vec<(Waiting, Refusal)>,
}

impl Following {
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
