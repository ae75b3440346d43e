//! Why the instances behind a name are in an answer, or are not.
//!
//! What an instance would bring is made by the functions that make records, and which instances are let through and
//! served is asked of the view, as for an answer; only the words for what was found are chosen here.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::super::explain::{Cause, Part};
use super::super::order::Draw;
use super::super::view::{Filter, ServiceView};
use super::addresses::of_lowest_priority;
use super::names::{Form, Set};
use super::{LiveZone, Node};
use crate::model::{Address, Instance, Priority, Status, Tag};
use crate::wire::{Rdata, RecordType};

/// Everything, in any order.
const ALL: Draw = Draw { order: 0, subset: 0, at_most: usize::MAX };

/// What is asked of each instance.
struct Question<'a> {
    rtype: RecordType,
    /// Whether the name is one of hosts, which have addresses.
    of_hosts: bool,
    /// The lowest priority, where no other counts.
    lowest: Option<Priority>,
    /// The records that were drawn.
    answer: HashSet<&'a Rdata>,
}

impl LiveZone {
    /// The part that each instance has in the records of one type behind a node, of which `answer` are those drawn.
    pub fn parts(&self, node: &Node, rtype: RecordType, answer: &[Rdata]) -> Vec<Part> {
        let of_hosts = match node {
            Node::Set(set) => set.form == Form::Host,
            Node::Host { .. } => true,
            Node::ServiceInstance { .. } | Node::ServiceTypes | Node::EmptyNonTerminal => false,
        };
        let mut question = Question { rtype, of_hosts, lowest: None, answer: answer.iter().collect() };
        let mut parts = match node {
            Node::Set(set) => {
                question.lowest = question.lowest_of(set);
                self.parts_of_set(set, &question)
            }
            Node::Host { view, instance } | Node::ServiceInstance { view, instance } => {
                vec![part(instance, question.cause(view, instance, &self.own(node, instance, rtype)))]
            }
            Node::ServiceTypes | Node::EmptyNonTerminal => Vec::new(),
        };
        share_out(&mut parts, rtype);
        parts
    }

    /// Whether any instance behind a node could have records of a type there.
    pub fn can_have(&self, node: &Node, rtype: RecordType) -> bool {
        match node {
            Node::Set(set) => set.view.select(&set.filter()).any(|one| !self.own(node, one, rtype).is_empty()),
            Node::Host { instance, .. } | Node::ServiceInstance { instance, .. } => {
                !self.own(node, instance, rtype).is_empty()
            }
            Node::ServiceTypes | Node::EmptyNonTerminal => false,
        }
    }

    fn parts_of_set(&self, set: &Set, question: &Question<'_>) -> Vec<Part> {
        let (view, filter) = (&set.view, set.filter());
        // In the order of ids, as all instances are.
        let mut admitted = view.select(&filter).peekable();
        let part_of = |instance: &Arc<Instance>| {
            if admitted.next_if(|next| Arc::ptr_eq(next, instance)).is_none() {
                return part(instance, miss(&filter, instance));
            }
            let own = self.of_set(set, [instance].into_iter(), question.rtype, &ALL).rdata;
            part(instance, question.cause(view, instance, &own))
        };
        view.instances().iter().map(part_of).collect()
    }

    /// The records that one instance would have behind a node if it were served.
    fn own(&self, node: &Node, instance: &Arc<Instance>, rtype: RecordType) -> Vec<Rdata> {
        match node {
            Node::Set(set) => self.of_set(set, [instance].into_iter(), rtype, &ALL).rdata,
            Node::Host { view, .. } => self.of_host(view, instance, rtype, &ALL).rdata,
            Node::ServiceInstance { view, .. } => self.of_service_instance(view, instance, rtype, &ALL).rdata,
            Node::ServiceTypes | Node::EmptyNonTerminal => Vec::new(),
        }
    }
}

impl Question<'_> {
    fn is_for_addresses(&self) -> bool {
        matches!(self.rtype, RecordType::A | RecordType::AAAA)
    }

    /// The priority of the addresses that a set answers with.
    fn lowest_of(&self, set: &Set) -> Option<Priority> {
        let served = set.view.served(&set.filter()).filter(|_| self.is_for_addresses());
        let found = of_lowest_priority(served, self.rtype, |instance| instance.registration.priority);
        found.first().map(|(_, priority)| *priority)
    }

    /// What became of the records that an instance could have.
    fn cause(&self, view: &ServiceView, instance: &Instance, own: &[Rdata]) -> Cause {
        let above = self.lowest.filter(|lowest| *lowest < instance.registration.priority);
        match (own, above) {
            ([], _) => self.without_records(instance),
            _ if !view.serves(instance) => Cause::Status,
            (_, Some(lowest)) => Cause::Priority(lowest),
            _ if !own.iter().any(|rdata| self.answer.contains(rdata)) => Cause::Room,
            _ if instance.status() == Status::Unhealthy => Cause::Panic,
            _ => Cause::Healthy,
        }
    }

    /// Why an instance has no records of the type at a name that stands for it.
    fn without_records(&self, instance: &Instance) -> Cause {
        match &instance.registration.address {
            _ if !self.of_hosts || !self.is_for_addresses() => Cause::Type,
            Address::Host(_) => Cause::HostName,
            Address::One(_) | Address::Several(_) => Cause::Family,
        }
    }
}

/// What an instance lacks that `filter` asks for.
fn miss(filter: &Filter<'_>, instance: &Instance) -> Cause {
    let registration = &instance.registration;
    let carries = |tag| registration.tags().iter().filter_map(Tag::label).any(|label| label == tag);
    if filter.tag.is_some_and(|tag| !carries(tag)) {
        Cause::Tag
    } else if filter.protocol.is_some_and(|protocol| protocol != registration.protocol) {
        Cause::Protocol
    } else {
        Cause::Port
    }
}

fn part(instance: &Arc<Instance>, cause: Cause) -> Part {
    Part { instance: Arc::clone(instance), cause, share: None }
}

/// Gives those that are in their shares of first places: of the lowest priority, by weight; equal ones where nobody has
/// any weight. Instances that share an address share its place.
fn share_out(parts: &mut [Part], rtype: RecordType) {
    let priority = |part: &Part| part.instance.registration.priority;
    let is_in = |part: &&Part| part.cause.is_in();
    let Some(lowest) = parts.iter().filter(is_in).map(priority).min() else { return };
    let mut places = Vec::new();
    for (at, part) in parts.iter().enumerate().filter(|(_, part)| part.cause.is_in() && priority(part) == lowest) {
        let weight = f64::from(part.instance.effective_weight().0);
        match rtype {
            RecordType::A | RecordType::AAAA => {
                let found = of_lowest_priority([&part.instance].into_iter(), rtype, |_| ());
                places.extend(found.into_iter().map(|(ip, ())| (Ok(ip), at, weight)));
            }
            _ => places.push((Err(at), at, weight)),
        }
    }
    let all: f64 = places.iter().map(|(_, _, weight)| weight).sum();
    let mut sharers: HashMap<_, f64> = HashMap::new();
    for (place, _, _) in &places {
        *sharers.entry(*place).or_default() += 1.0;
    }
    parts.iter_mut().filter(|part| part.cause.is_in()).for_each(|part| part.share = Some(0.0));
    for (place, at, weight) in &places {
        let share = if all > 0.0 { weight / all } else { 1.0 / sharers[place] / sharers.len() as f64 };
        *parts[*at].share.get_or_insert_default() += share;
    }
}
