//! A service as readers see it: all of its instances at one revision, and which of them DNS serves.
//!
//! A view never changes. The engine makes a new one when something about the service does, at a cost that depends on
//! that service alone. Whether an instance is served is the view's to say, and nobody else's: [`ServiceView::serves`].

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use smol_str::SmolStr;

use super::Block;
use super::block::MAX;
use super::crowd::Crowd;
use crate::model::{Instance, PortName, Protocol, Revision, ServiceName, Settings, Status, Tag};

/// One service at one revision.
#[derive(Debug)]
pub struct ServiceView {
    name: ServiceName,
    revision: Revision,
    settings: Option<Arc<Settings>>,
    panicking: bool,
    /// In the order of their ids.
    instances: Box<[Arc<Instance>]>,
    /// How many have each status, in the order of [`Status::ALL`].
    counts: [u32; Status::ALL.len()],
    /// Which instances carry each tag that is a label, in the order of the labels.
    tags: Box<[(SmolStr, Box<[u32]>)]>,
    /// For each of [`PROTOCOLS`], whether an instance has it, and whether one that is served does.
    protocols: [bool; 2],
    served_protocols: [bool; 2],
    block: Option<Block>,
    crowd: OnceLock<Box<Crowd>>,
}

/// Every protocol, in the order in which a view keeps what it knows of each.
pub const PROTOCOLS: [Protocol; 2] = [Protocol::Tcp, Protocol::Udp];

impl ServiceView {
    /// A view of `instances`, which come in the order of their ids.
    pub fn new<'a>(
        name: ServiceName,
        revision: Revision,
        settings: Option<Arc<Settings>>,
        panicking: bool,
        instances: impl Iterator<Item = &'a Arc<Instance>> + Clone,
    ) -> Self {
        let mut counts = [0; Status::ALL.len()];
        let (mut protocols, mut served_protocols) = ([false; 2], [false; 2]);
        // Where instances are far apart in memory, reads of several overlap, and counting who holds them does not.
        for instance in instances.clone() {
            let (status, protocol) = (instance.status(), instance.registration.protocol);
            counts[status as usize] += 1;
            protocols[protocol as usize] = true;
            served_protocols[protocol as usize] |= serves(status, panicking);
        }
        let instances: Box<[_]> = instances.cloned().collect();
        let mut tags: BTreeMap<SmolStr, Vec<u32>> = BTreeMap::new();
        for (at, instance) in instances.iter().enumerate() {
            for tag in instance.registration.tags().iter().filter_map(Tag::label) {
                let carriers = tags.entry(tag).or_default();
                // Two tags of one instance may be one label.
                if carriers.last() != Some(&(at as u32)) {
                    carriers.push(at as u32);
                }
            }
        }
        let tags = tags.into_iter().map(|(tag, carriers)| (tag, carriers.into())).collect();
        let mut view = Self {
            name,
            revision,
            settings,
            panicking,
            instances,
            counts,
            tags,
            protocols,
            served_protocols,
            block: None,
            crowd: OnceLock::new(),
        };
        view.block = Block::new(&view);
        view
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
        self.counts[status as usize] as usize
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

    /// The instances that are not in the view `before` of this service as they are here: all, without one.
    pub fn others_than<'a>(&'a self, before: Option<&'a Self>) -> impl Iterator<Item = &'a Arc<Instance>> {
        let mut before = before.map_or(&[][..], Self::instances).iter().peekable();
        self.instances.iter().filter(move |instance| {
            // Names are looked at only where something changed.
            let is_past = |old: &&Arc<Instance>| !Arc::ptr_eq(old, instance) && old.key.id <= instance.key.id;
            while before.next_if(is_past).is_some() {}
            before.next_if(|old| Arc::ptr_eq(old, instance)).is_none()
        })
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
        self.protocols[protocol as usize]
    }

    /// Whether an instance that is served has this protocol.
    pub fn serves_protocol(&self, protocol: Protocol) -> bool {
        self.served_protocols[protocol as usize]
    }

    pub fn has_tag(&self, tag: &str) -> bool {
        self.carriers(tag).is_some()
    }

    /// Whether an instance of this protocol carries a tag that is a label.
    pub fn has_tags(&self, protocol: Protocol) -> bool {
        let has = |&at: &u32| self.instances[at as usize].registration.protocol == protocol;
        self.tags.iter().any(|(_, carriers)| carriers.iter().any(has))
    }

    /// Which instances carry a tag that is a label; `None` when none does.
    fn carriers(&self, tag: &str) -> Option<&[u32]> {
        let found = self.tags.binary_search_by(|(own, _)| own.as_str().cmp(tag));
        found.ok().map(|at| &*self.tags[at].1)
    }

    /// The instances that `filter` lets through, whatever their status.
    pub fn select<'a>(&'a self, filter: &Filter<'a>) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        let filter = filter.clone();
        let carriers = filter.tag.map(|tag| self.carriers(tag).unwrap_or_default());
        let all = if carriers.is_none() { &self.instances[..] } else { &[] };
        let tagged = carriers.unwrap_or_default().iter().map(|&at| &self.instances[at as usize]);
        all.iter().chain(tagged).filter(move |instance| filter.admits(instance))
    }
}

/// Whether DNS serves instances of this status.
fn serves(status: Status, panicking: bool) -> bool {
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
        ServiceView::new(name, Revision(1), None, false, letters.chars().map(of).collect::<Vec<_>>().iter())
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
