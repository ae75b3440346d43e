//! A service as readers see it: all of its instances at one revision, and which of them DNS serves.
//!
//! A view never changes. The engine makes a new one when something about the service does, at a cost that depends on
//! that service alone. Whether an instance is served is the view's to say, and nobody else's: [`ServiceView::serves`].

use std::hint::black_box;
use std::sync::{Arc, OnceLock};

use super::Block;
use super::block::MAX;
use super::crowd::Crowd;
use super::kept::{self, Kept};
use super::numbers::Numbers;
use super::tags::Tags;
use crate::model::{Instance, PortName, Protocol, Revision, ServiceName, Settings, Status};

/// One service at one revision.
#[derive(Debug)]
pub struct ServiceView {
    name: ServiceName,
    revision: Revision,
    settings: Option<Arc<Settings>>,
    panicking: bool,
    /// In the order of their ids.
    instances: Box<[Arc<Instance>]>,
    numbers: Numbers,
    tags: Tags,
    block: Option<Block>,
    crowd: OnceLock<Box<Crowd>>,
}

/// Every protocol, in the order of their numbers.
pub const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

impl ServiceView {
    /// A view of `instances`, which come in the order of their ids, after another view of the service, if there was one: what
    /// that knows of instances that are still as they were is not made anew, and what they say is not read, but for whether
    /// each is served where not all are.
    pub fn new<'a>(
        before: Option<&Self>,
        name: ServiceName,
        revision: Revision,
        settings: Option<Arc<Settings>>,
        panicking: bool,
        instances: impl Iterator<Item = &'a Arc<Instance>> + Clone,
    ) -> Self {
        // Where instances are far apart in memory, reads of several overlap, and counting who holds them does not.
        instances.clone().for_each(|instance| _ = black_box(Arc::strong_count(instance)));
        let instances: Box<[_]> = instances.cloned().collect();
        // Whether one is served was another question then.
        let before = before.filter(|before| before.panicking == panicking);
        let kept = Kept::of(before.map_or(&[], Self::instances), &instances);
        let mut numbers = before.map_or_else(Numbers::default, |before| before.numbers);
        kept.gone().for_each(|instance| numbers.take(instance, panicking));
        kept.come().for_each(|at| numbers.add(&instances[at], panicking));
        let tags = before.and_then(|before| before.tags_with(&kept, &instances));
        let tags = tags.unwrap_or_else(|| Tags::of(&instances));
        let (block, crowd) = (None, OnceLock::new());
        let mut view = Self { name, revision, settings, panicking, instances, numbers, tags, block, crowd };
        view.block = Block::new(&view, Self::records(before, &kept));
        view
    }

    /// The tags with others among the instances, if they are the same.
    fn tags_with(&self, kept: &Kept<'_>, instances: &[Arc<Instance>]) -> Option<Tags> {
        let (before, now) = (&self.instances, instances);
        let are_same = if self.tags.is_empty() {
            kept.come().all(|at| now[at].registration.tags().is_empty())
        } else {
            let is_same = |at: usize| now[at].registration.tags() == before[at].registration.tags();
            kept.nobody_moved() && kept.come().all(is_same)
        };
        are_same.then(|| self.tags.clone())
    }

    /// The records in the block of the view before, by the places of instances now. To be asked for in their order.
    fn records<'a>(before: Option<&'a Self>, kept: &'a Kept<'_>) -> impl FnMut(usize) -> Option<&'a [u8]> {
        let block = before.and_then(Self::block);
        let mut served = before.into_iter().flat_map(Self::served_places).peekable();
        let mut number = 0;
        move |at| {
            let (block, place) = (block?, kept.place_before(at)?);
            while served.next_if(|served| *served < place).is_some() {
                number += 1;
            }
            Some(block.record(number))
        }
    }

    /// Has read from memory what a view after this one is made of.
    pub fn touch(&self) {
        black_box((self.instances.first().map(Arc::as_ptr), self.block.as_ref().map(Block::touch)));
        self.tags.touch();
    }

    pub fn name(&self) -> &ServiceName {
        &self.name
    }

    /// The revision of the last change of this service.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What an operator set for the service; everything unset when nobody did.
    pub fn settings(&self) -> &Settings {
        self.settings.as_deref().unwrap_or(&Settings::UNSET)
    }

    /// All instances, whatever their status, in the order of their ids.
    pub fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    /// How many instances have a status.
    pub fn count(&self, status: Status) -> usize {
        self.numbers.of_status(status)
    }

    pub fn instance(&self, id: &str) -> Option<&Arc<Instance>> {
        let found = self.instances.binary_search_by(|instance| instance.key.id.as_str().cmp(id));
        found.ok().map(|at| &self.instances[at])
    }

    /// Whether so few instances are healthy that the unhealthy ones are served too.
    pub fn is_panicking(&self) -> bool {
        self.panicking
    }

    /// Whether DNS serves an instance of this view.
    pub fn serves(&self, instance: &Instance) -> bool {
        serves(instance.status(), self.panicking)
    }

    /// How many instances DNS serves.
    pub(super) fn count_served(&self) -> usize {
        self.numbers.served(self.panicking)
    }

    /// The places of those instances.
    pub(super) fn served_places(&self) -> impl Iterator<Item = usize> {
        let all = self.count_served() == self.instances.len();
        (0..self.instances.len()).filter(move |at| all || self.serves(&self.instances[*at]))
    }

    /// The instances that are not in the view `before` of this service as they are here: all, without one.
    pub fn others_than<'a>(&'a self, before: Option<&'a Self>) -> impl Iterator<Item = &'a Arc<Instance>> {
        let kept = kept::places(before.map_or(&[], Self::instances), &self.instances);
        self.instances.iter().zip(kept).filter(|(_, kept)| kept.is_none()).map(|(instance, _)| instance)
    }

    /// What is served in the form of answers; `None` when that is nothing, or too much for a block.
    pub fn block(&self) -> Option<&Block> {
        self.block.as_ref()
    }

    /// What is served of a large service, all of which `filter` lets through; `None` of any other.
    pub fn crowd(&self, filter: &Filter<'_>) -> Option<&Crowd> {
        let is_all = filter.tag.is_none()
            && filter.port.is_none()
            && filter.protocol.is_none_or(|own| PROTOCOLS.iter().all(|one| *one == own || !self.has_protocol(*one)));
        let is_large = self.instances.len() > MAX;
        (is_large && is_all).then(|| &**self.crowd.get_or_init(|| Box::new(Crowd::new(self))))
    }

    /// The instances that `filter` lets through and DNS serves.
    pub fn served<'a>(&'a self, filter: &Filter<'a>) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        self.select(filter).filter(|instance| self.serves(instance))
    }

    /// Whether an instance has this protocol, whatever its status.
    pub fn has_protocol(&self, protocol: Protocol) -> bool {
        self.numbers.of_protocol(protocol) > 0
    }

    /// Whether an instance that is served has this protocol.
    pub fn serves_protocol(&self, protocol: Protocol) -> bool {
        self.numbers.served_of_protocol(protocol, self.panicking) > 0
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        self.tags.carriers(tag).is_some()
    }

    /// Whether an instance of this protocol carries a tag that is a label.
    pub fn has_tags(&self, protocol: Protocol) -> bool {
        self.tags.all_carriers().any(|at| self.instances[at as usize].registration.protocol == protocol)
    }

    /// The instances that `filter` lets through, whatever their status.
    pub fn select<'a>(&'a self, filter: &Filter<'a>) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        let filter = filter.clone();
        let carriers = filter.tag.map(|tag| self.tags.carriers(tag).unwrap_or_default());
        let all = if carriers.is_none() { &self.instances[..] } else { &[] };
        let tagged = carriers.unwrap_or_default().iter().map(|&at| &self.instances[at as usize]);
        all.iter().chain(tagged).filter(move |instance| filter.admits(instance))
    }
}

/// Whether DNS serves instances of this status.
pub(super) fn serves(status: Status, panicking: bool) -> bool {
    match status {
        Status::Healthy => true,
        Status::Unhealthy => panicking,
        Status::Maintenance | Status::Draining | Status::Lapsed | Status::Starting => false,
    }
}

/// Which instances of a service a name stands for.
#[derive(Debug, Clone, Default)]
pub struct Filter<'a> {
    pub tag: Option<&'a str>,
    pub protocol: Option<Protocol>,
    pub port: Option<&'a PortName>,
}

impl Filter<'_> {
    fn admits(&self, instance: &Instance) -> bool {
        let registration = &instance.registration;
        self.protocol.is_none_or(|protocol| registration.protocol == protocol)
            && self.port.is_none_or(|port| registration.port_named(port).is_some())
    }
}

#[cfg(test)]
mod property;

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use serde_json::json;

    use super::*;
    use crate::model::{Condition, Defaults, InstanceId, Key, LeaseTtl, Pulse, Registration, Tick, WallTime};

    fn instance(id: char) -> Arc<Instance> {
        let defaults = Defaults::default();
        let body = json!({"address": "10.0.0.7", "port": 8080});
        let registration = Registration::from_json(&body, &defaults, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap();
        let id = InstanceId::parse(&id.to_string()).unwrap();
        Arc::new(Instance {
            key: Key { service: ServiceName::parse("web").unwrap(), id },
            registration: Arc::new(registration),
            condition: Condition::default(),
            created_at: WallTime::default(),
            changed_at: WallTime::default(),
            revision: Revision(1),
            pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
        })
    }

    /// Letters are ids; in upper case they are other instances of the same ids.
    fn view(all: &[(char, Arc<Instance>)], letters: &str) -> ServiceView {
        let of = |letter| Arc::clone(&all.iter().find(|(own, _)| *own == letter).unwrap().1);
        let name = ServiceName::parse("web").unwrap();
        ServiceView::new(None, name, Revision(1), None, false, letters.chars().map(of).collect::<Vec<_>>().iter())
    }

    #[test]
    fn what_is_other_is_new_or_replaced() {
        let all: Vec<_> = "abcdABCD".chars().map(|letter| (letter, instance(letter))).collect();
        for (before, after, others) in [
            ("abc", "abc", ""),
            ("abc", "aBc", "b"),
            ("abc", "ABC", "abc"),
            ("abc", "bc", ""),
            ("abc", "ab", ""),
            ("bd", "abcd", "ac"),
            ("acd", "bcD", "bd"),
            ("abc", "d", "d"),
            ("d", "abc", "abc"),
        ] {
            let (before, after) = (view(&all, before), view(&all, after));
            let found: String = after.others_than(Some(&before)).map(|other| other.key.id.as_str()).collect();
            assert_eq!(found, others, "{:?} after {:?}", after.instances(), before.instances());
            assert_eq!(after.others_than(None).count(), after.instances().len());
        }
    }
}
