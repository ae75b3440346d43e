//! The deadlines of all instances in order: one for each at most.
//!
//! ```text
//!  ticks, in order      links, one for each instance
//!   30 000 ─ first, last ─► a ⇄ f ⇄ c
//!   30 250 ─ first, last ─► b
//! ```
//!
//! Instances that are due together are a list, and each of its links knows its neighbours. So a deadline is moved without
//! being looked for, and what is not due is never passed by. Many leases end at few different ticks; where each has its
//! own, finding the tick costs the logarithm of their number.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::hint::black_box;
use std::sync::Arc;

use super::chunks::Chunks;
use crate::model::{Instance, Key, Tick};

/// The place of an instance among the deadlines, from its coming to its going.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(u32);

/// No link.
const NONE: u32 = u32::MAX;
/// No deadline.
const NEVER: Tick = Tick(u64::MAX);

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    ticks: BTreeMap<Tick, Ends>,
    links: Chunks<Link>,
    /// Links that nobody has at the moment.
    free: Vec<u32>,
}

/// The first and the last of those that are due at one tick.
#[derive(Debug, Clone, Copy)]
struct Ends {
    first: u32,
    last: u32,
}

#[derive(Debug)]
struct Link {
    due: Tick,
    before: u32,
    after: u32,
    /// `None` while it is free.
    instance: Option<Arc<Instance>>,
}

impl Deadlines {
    /// Takes an instance in, without a deadline.
    pub fn enter(&mut self, instance: Arc<Instance>) -> Place {
        let link = Link { due: NEVER, before: NONE, after: NONE, instance: Some(instance) };
        let at = match self.free.pop() {
            Some(at) => {
                self.links[at] = link;
                at
            }
            None => self.links.push(link),
        };
        Place(at)
    }

    /// Lets a later revision take the place of an instance.
    pub fn follow(&mut self, place: Place, instance: Arc<Instance>) {
        self.links[place.0].instance = Some(instance);
    }

    /// Gives an instance another deadline, or none.
    pub fn arm(&mut self, place: Place, due: Option<Tick>) {
        let due = due.unwrap_or(NEVER);
        if self.links[place.0].due != due {
            self.unlink(place.0);
            self.link(place.0, due);
        }
    }

    /// Has read from memory what giving an instance another deadline looks at.
    pub fn touch(&self, place: Place) {
        let Link { before, after, .. } = self.links[place.0];
        for neighbour in [before, after].into_iter().filter(|at| *at != NONE) {
            black_box(self.links[neighbour].due);
        }
    }

    /// Forgets an instance.
    pub fn leave(&mut self, place: Place) {
        self.unlink(place.0);
        self.links[place.0].instance = None;
        self.free.push(place.0);
    }

    pub fn first(&self) -> Option<Tick> {
        self.ticks.first_key_value().map(|(due, _)| *due)
    }

    /// The first instance whose deadline has come; it has none any more.
    pub fn pop(&mut self, now: Tick) -> Option<Key> {
        let (_, ends) = self.ticks.first_key_value().filter(|(due, _)| **due <= now)?;
        let first = ends.first;
        self.unlink(first);
        self.links[first].instance.as_ref().map(|instance| instance.key.clone())
    }

    /// The instances that have a deadline, the earliest first.
    pub fn iter(&self) -> impl Iterator<Item = (Tick, &Arc<Instance>)> {
        let linked = |at: u32| (at != NONE).then_some(at);
        let due_together =
            move |ends: &Ends| std::iter::successors(linked(ends.first), move |at| linked(self.links[*at].after));
        let all = self.ticks.iter().flat_map(move |(due, ends)| due_together(ends).map(move |at| (*due, at)));
        all.filter_map(|(due, at)| Some((due, self.links[at].instance.as_ref()?)))
    }

    fn link(&mut self, at: u32, due: Tick) {
        if due == NEVER {
            return;
        }
        let before = match self.ticks.entry(due) {
            Entry::Vacant(vacant) => {
                vacant.insert(Ends { first: at, last: at });
                NONE
            }
            Entry::Occupied(mut ends) => std::mem::replace(&mut ends.get_mut().last, at),
        };
        if before != NONE {
            self.links[before].after = at;
        }
        let link = &mut self.links[at];
        (link.due, link.before, link.after) = (due, before, NONE);
    }

    fn unlink(&mut self, at: u32) {
        let Link { due, before, after, .. } = self.links[at];
        if due == NEVER {
            return;
        }
        if before != NONE {
            self.links[before].after = after;
        }
        if after != NONE {
            self.links[after].before = before;
        }
        match (before, after) {
            (NONE, NONE) => drop(self.ticks.remove(&due)),
            (NONE, _) => drop(self.ticks.get_mut(&due).map(|ends| ends.first = after)),
            (_, NONE) => drop(self.ticks.get_mut(&due).map(|ends| ends.last = before)),
            _ => {}
        }
        self.links[at].due = NEVER;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::model::{Condition, LeaseTtl, Pulse, Revision, WallTime};
    use crate::registry::tests::{key, registration};

    fn instance(id: u8) -> Arc<Instance> {
        Arc::new(Instance {
            key: key("web", &format!("i{id}")),
            registration: registration(json!({})),
            condition: Condition::default(),
            created_at: WallTime::default(),
            changed_at: WallTime::default(),
            revision: Revision(1),
            pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
        })
    }

    #[derive(Debug, Clone)]
    enum Step {
        /// An instance comes with a deadline, or gets another one.
        Arm(u8, Option<u64>),
        Leave(u8),
        /// All that are due by then are taken.
        Pop(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let due = proptest::option::of(0..6u64);
        prop_oneof![
            (0..8u8, due).prop_map(|(id, due)| Step::Arm(id, due)),
            (0..8u8).prop_map(Step::Leave),
            (0..6u64).prop_map(Step::Pop),
        ]
    }

    proptest! {
        /// Against a map that is looked through.
        #[test]
        fn what_is_due_comes_in_order_and_nothing_else(steps in proptest::collection::vec(step(), 1..200)) {
            let (mut deadlines, mut places) = (Deadlines::default(), BTreeMap::new());
            let mut plain: BTreeMap<u8, Option<u64>> = BTreeMap::new();
            for step in steps {
                match step {
                    Step::Arm(id, due) => {
                        let place = *places.entry(id).or_insert_with(|| deadlines.enter(instance(id)));
                        deadlines.arm(place, due.map(Tick));
                        plain.insert(id, due);
                    }
                    Step::Leave(id) => {
                        if let Some(place) = places.remove(&id) {
                            deadlines.leave(place);
                            plain.remove(&id);
                        }
                    }
                    Step::Pop(now) => {
                        let mut last = Tick(0);
                        while let Some(first) = deadlines.first().filter(|first| *first <= Tick(now)) {
                            prop_assert!(first >= last);
                            last = first;
                            let key = deadlines.pop(Tick(now)).unwrap();
                            let id = key.id.as_str()[1..].parse::<u8>().unwrap();
                            prop_assert_eq!(plain.insert(id, None), Some(Some(first.0)), "{}", key);
                        }
                        prop_assert_eq!(deadlines.pop(Tick(now)), None);
                    }
                }
                let first = plain.values().flatten().min();
                prop_assert_eq!(deadlines.first(), first.map(|due| Tick(*due)));
                let all: Vec<Tick> = deadlines.iter().map(|(due, _)| due).collect();
                prop_assert!(all.is_sorted());
                prop_assert_eq!(all.len(), plain.values().flatten().count());
                for (due, instance) in deadlines.iter() {
                    let id = instance.key.id.as_str()[1..].parse::<u8>().unwrap();
                    prop_assert_eq!(plain.get(&id), Some(&Some(due.0)));
                }
            }
        }
    }

    #[test]
    fn places_are_used_again() {
        let mut deadlines = Deadlines::default();
        let first = deadlines.enter(instance(1));
        deadlines.arm(first, Some(Tick(5)));
        deadlines.leave(first);
        assert_eq!((deadlines.enter(instance(2)), deadlines.first()), (first, None));
        deadlines.arm(first, Some(Tick(5)));
        deadlines.follow(first, instance(3));
        assert_eq!(deadlines.pop(Tick(5)), Some(key("web", "i3")));
    }
}
