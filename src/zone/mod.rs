//! Static zones: what master files say, checked and ready to be asked.
//!
//! A [`Zone`] is immutable. Every name from its apex to each owner is a node, empty non-terminals included (RFC 4592
//! §2.2.2), so that a look-up need only ask whether a node is there. Nodes are in canonical order and found by the wire
//! form of their name in lower case, whose tails are the names above: a walk to the apex copies nothing. What a zone
//! means for a question is in `answer::authoritative`.

use std::sync::Arc;

use foldhash::{HashMap, HashMapExt};

use crate::wire::record::Soa;
use crate::wire::{Name, RecordType, RrSet};

mod assemble;
mod caution;
mod encodings;
mod error;
mod fields;
mod forms;
pub mod master;
pub mod presentation;
mod rdata;
mod scan;
mod svcb;
mod ttl;

pub use error::{Caution, Located, Reason, ZoneError, ZoneWarning};
pub use forms::{mnemonic, record_type};
pub use rdata::RdataError;
pub use scan::ScanError;
pub use svcb::{ParameterError, ParameterKey};
pub use ttl::{MAX_TTL, TtlError};

/// One name of a zone and its RRsets, by type.
#[derive(Debug)]
pub struct Node {
    owner: Name,
    rrsets: Box<[RrSet]>,
}

impl Node {
    /// The name, in the case of its first record.
    pub fn owner(&self) -> &Name {
        &self.owner
    }

    /// The RRset of a type.
    pub fn rrset(&self, rtype: RecordType) -> Option<&RrSet> {
        let at = self.rrsets.binary_search_by_key(&rtype, |rrset| rrset.rtype).ok()?;
        Some(&self.rrsets[at])
    }

    /// All RRsets in order of their types; none for an empty non-terminal.
    pub fn rrsets(&self) -> &[RrSet] {
        &self.rrsets
    }
}

/// The content of one zone.
#[derive(Debug)]
pub struct Zone {
    apex: Name,
    nodes: Vec<Node>,
    /// Lower-cased wire names to positions in `nodes`.
    index: HashMap<Box<[u8]>, usize>,
}

impl Zone {
    /// Takes RRsets at or below `apex`, each owner and type once, and adds the empty non-terminals.
    pub fn new(apex: Name, rrsets: impl IntoIterator<Item = RrSet>) -> Self {
        let mut at_name: HashMap<Box<[u8]>, (Name, Vec<RrSet>)> = HashMap::new();
        let node = |owner: &Name| (owner.clone(), Vec::new());
        at_name.insert(key(&apex), node(&apex));
        for rrset in rrsets {
            let mut above = rrset.owner.parent();
            while let Some(name) = above.filter(|name| *name != apex && !at_name.contains_key(&key(name))) {
                at_name.insert(key(&name), node(&name));
                above = name.parent();
            }
            at_name.entry(key(&rrset.owner)).or_insert_with(|| node(&rrset.owner)).1.push(rrset);
        }
        let mut nodes: Vec<Node> = at_name.into_values().map(|(owner, rrsets)| ordered(owner, rrsets)).collect();
        nodes.sort_by_cached_key(|node| canonical(&node.owner));
        let index = nodes.iter().enumerate().map(|(at, node)| (key(&node.owner), at)).collect();
        Self { apex, nodes, index }
    }

    /// The name of the zone.
    pub fn apex(&self) -> &Name {
        &self.apex
    }

    /// The SOA RRset; only an addition to the live zone can be without.
    pub fn soa(&self) -> Option<&RrSet> {
        self.node(&self.apex)?.rrset(RecordType::SOA)
    }

    /// The serial of the zone, if it has an SOA.
    pub fn serial(&self) -> Option<u32> {
        Soa::serial_of(self.soa()?.rdata.first()?)
    }

    /// The NS RRset of the apex; only an addition to the live zone can be without.
    pub fn ns(&self) -> Option<&RrSet> {
        self.node(&self.apex)?.rrset(RecordType::NS)
    }

    /// The node of a name, in any case.
    pub fn node(&self, name: &Name) -> Option<&Node> {
        self.node_at(&key(name))
    }

    /// The node of a name in lower-case wire form.
    pub(crate) fn node_at(&self, wire: &[u8]) -> Option<&Node> {
        self.index.get(wire).map(|at| &self.nodes[*at])
    }

    /// All nodes in canonical order (RFC 4034 §6.1), the apex first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All RRsets, by owner in canonical order and then by type.
    pub fn rrsets(&self) -> impl Iterator<Item = &RrSet> {
        self.nodes.iter().flat_map(|node| node.rrsets.iter())
    }
}

/// The key under which a name is found: its wire form in lower case.
fn key(name: &Name) -> Box<[u8]> {
    name.wire().to_ascii_lowercase().into()
}

fn ordered(owner: Name, mut rrsets: Vec<RrSet>) -> Node {
    rrsets.sort_by_key(|rrset| rrset.rtype);
    Node { owner, rrsets: rrsets.into() }
}

/// What sorts a name canonically, worked out once for each.
fn canonical(name: &Name) -> Vec<Vec<u8>> {
    let mut labels: Vec<Vec<u8>> = name.labels().map(<[u8]>::to_ascii_lowercase).collect();
    labels.reverse();
    labels
}

/// Two zones have the same apex.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there are two zones {0}")]
pub struct DuplicateZone(pub Name);

/// All static zones that are served by themselves, each at a place of its own.
#[derive(Debug, Default)]
pub struct Zones {
    zones: Vec<Arc<Zone>>,
    places: HashMap<Box<[u8]>, usize>,
}

impl Zones {
    /// Takes zones, each with an apex of its own. Their places count from 0 in this order.
    pub fn new(zones: impl IntoIterator<Item = Arc<Zone>>) -> Result<Self, DuplicateZone> {
        let zones: Vec<_> = zones.into_iter().collect();
        let mut places = HashMap::new();
        for (place, zone) in zones.iter().enumerate() {
            if let Some(first) = places.insert(key(zone.apex()), place) {
                return Err(DuplicateZone(zones[first].apex().clone()));
            }
        }
        Ok(Self { zones, places })
    }

    /// The zone with the longest apex at or above `name`.
    pub fn find(&self, name: &Name) -> Option<&Arc<Zone>> {
        Some(&self.zones[self.place_from(name, 0)?])
    }

    /// The zone to ask for a name and type, with its place: as [`Zones::find`], but DS at an apex is data of the zone above where that
    /// is served here too (RFC 4035 §3.1.4.1).
    pub fn find_for(&self, name: &Name, rtype: RecordType) -> Option<(usize, &Arc<Zone>)> {
        let own = self.place_from(name, 0)?;
        let above = || self.place_from(name, usize::from(name.wire()[0]) + 1);
        let place = if rtype == RecordType::DS && self.zones[own].apex() == name && !name.is_root() {
            above().unwrap_or(own)
        } else {
            own
        };
        Some((place, &self.zones[place]))
    }

    fn place_from(&self, name: &Name, mut at: usize) -> Option<usize> {
        let name = key(name);
        loop {
            if let Some(place) = self.places.get(&name[at..]) {
                return Some(*place);
            }
            match name[at] {
                0 => return None,
                length => at += usize::from(length) + 1,
            }
        }
    }

    /// All zones, in the order of their places.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Zone>> {
        self.zones.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn zone(apex: &str, owners: &[&str]) -> Zone {
        let rrset =
            |owner: &&str| RrSet { owner: name(owner), rtype: RecordType::A, ttl: 1, rdata: vec![[1; 4].into()] };
        Zone::new(name(apex), owners.iter().map(rrset))
    }

    #[test]
    fn empty_non_terminals_are_nodes() {
        let zone = zone("e.test", &["a.b.C.e.test", "z.e.test", "c.e.test"]);
        let nodes: Vec<_> = zone.nodes().iter().map(|node| (node.owner().to_string(), node.rrsets().len())).collect();
        let expected = [("e.test.", 0), ("c.e.test.", 1), ("b.C.e.test.", 0), ("a.b.C.e.test.", 1), ("z.e.test.", 1)];
        for ((owner, count), (expected_owner, expected_count)) in nodes.iter().zip(expected) {
            assert_eq!(name(owner), name(expected_owner));
            assert_eq!(*count, expected_count);
        }
        assert_eq!(nodes.len(), expected.len());
        assert!(zone.node(&name("B.c.E.test")).is_some());
        assert!(zone.node(&name("test")).is_none());
        assert!(zone.node(&name("x.e.test")).is_none());
    }

    #[test]
    fn the_longest_apex_is_found() {
        let zones = ["test", "a.test", "b.a.test"].map(|apex| Arc::new(zone(apex, &[])));
        let zones = Zones::new(zones).unwrap();
        let found = |found: Option<(usize, &Arc<Zone>)>| {
            found.map(|(place, zone)| {
                assert!(Arc::ptr_eq(zone, zones.iter().nth(place).unwrap()));
                zone.apex().to_string()
            })
        };
        for (question, rtype, expected) in [
            ("test", RecordType::A, Some("test.")),
            ("x.TEST", RecordType::A, Some("test.")),
            ("x.A.test", RecordType::A, Some("a.test.")),
            ("b.a.test", RecordType::A, Some("b.a.test.")),
            ("b.a.test", RecordType::DS, Some("a.test.")),
            ("x.b.a.test", RecordType::DS, Some("b.a.test.")),
            ("test", RecordType::DS, Some("test.")),
            ("aa.test", RecordType::A, Some("test.")),
            ("example", RecordType::A, None),
            (".", RecordType::DS, None),
        ] {
            assert_eq!(found(zones.find_for(&name(question), rtype)).as_deref(), expected, "{question}");
        }
        let twice = Zones::new([zone("a.test", &[]), zone("A.test", &[])].map(Arc::new));
        assert_eq!(twice.unwrap_err(), DuplicateZone(name("a.test")));
    }
}
