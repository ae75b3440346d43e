//! What looks wrong in a zone that can be served.
//!
//! Most of it breaks nothing here, and fails elsewhere: a name server without an address, an alias where none may be.
//! Where the RFCs forbid, and every server refuses, there is an error instead.

use foldhash::HashSet;

use super::assemble::{Doubt, Draft, Nodes, Place};
use super::error::Caution;
use super::forms::ANAME;
use super::{Zone, key};
use crate::wire::record::target;
use crate::wire::{Name, RecordType};

/// A record that points at a host of the same zone.
pub(super) struct Pointer {
    place: Place,
    rtype: RecordType,
    owner: Name,
    target: Name,
}

impl Pointer {
    /// Those of an RRset.
    pub(super) fn of(draft: &Draft) -> impl Iterator<Item = Self> + '_ {
        // The target of a service binding may be an alias, and need not be there (RFC 9460 §2.4).
        let records = draft.records.iter().filter(|_| !draft.rtype.is_service_binding());
        records.filter_map(|(place, rdata)| {
            let target = target(draft.rtype, rdata).filter(|target| !target.is_root())?;
            Some(Self { place: *place, rtype: draft.rtype, owner: draft.owner.clone(), target })
        })
    }
}

/// What each RRset shows by itself and by those above it.
pub(super) fn of_sets(apex: &Name, nodes: &Nodes) -> Vec<Doubt> {
    let apex = key(apex);
    let is_cut = |name: &[u8], drafts: &[Draft]| name != &*apex && has(drafts, RecordType::NS);
    let cuts: HashSet<&[u8]> =
        nodes.iter().filter(|(name, drafts)| is_cut(name, drafts)).map(|(name, _)| &**name).collect();
    let mut doubts = Vec::new();
    for (name, drafts) in nodes {
        for draft in drafts {
            doubts.extend(of_set(draft, name == &apex, cuts.contains(&**name)));
        }
        let occluded = drafts.iter().filter(|draft| !is_address(draft.rtype)).map(Draft::first).min();
        if let (Some(place), Some(cut)) = (occluded, above(name).find(|tail| cuts.contains(tail))) {
            let cut = nodes[cut][0].owner.clone();
            doubts.push((place, Caution::Occluded { owner: drafts[0].owner.clone(), cut }));
        }
    }
    doubts
}

fn of_set(draft: &Draft, at_apex: bool, at_cut: bool) -> Vec<Doubt> {
    let (owner, rtype) = (draft.owner.clone(), draft.rtype);
    let mut doubts = Vec::new();
    if let Some(place) = draft.other_ttl {
        doubts.push((place, Caution::TtlsDiffer { rtype, owner: owner.clone(), ttl: draft.ttl }));
    }
    let caution = match rtype {
        RecordType::NS if owner.labels().next() == Some(b"*") => Caution::WildcardCut(owner),
        RecordType::DS if at_apex => Caution::DsAtApex(owner),
        RecordType::DS if !at_cut => Caution::DsWithoutNs(owner),
        ANAME => Caution::AnameIsData(owner),
        _ => return doubts,
    };
    doubts.push((draft.first(), caution));
    doubts
}

/// What hosts that are pointed at lack. Without `complete`, a host may be registered.
pub(super) fn of_pointers(zone: &Zone, pointers: Vec<Pointer>, complete: bool) -> Vec<Doubt> {
    let doubt = |Pointer { place, rtype, owner, target }: Pointer| {
        let caution = match host(zone, &target, &owner, rtype) {
            Host::Addressed | Host::Elsewhere => return None,
            Host::Alias => Caution::TargetIsAlias { rtype, owner, target },
            Host::Bare if complete => Caution::NoAddress { rtype, owner, target },
            Host::Bare => return None,
        };
        Some((place, caution))
    };
    pointers.into_iter().filter_map(doubt).collect()
}

/// What a zone knows of a host.
enum Host {
    /// It has addresses.
    Addressed,
    /// It is, or is below, a CNAME or DNAME.
    Alias,
    /// It should have addresses and does not.
    Bare,
    /// It is another zone's affair.
    Elsewhere,
}

fn host(zone: &Zone, target: &Name, owner: &Name, rtype: RecordType) -> Host {
    if !target.is_at_or_below(zone.apex()) {
        return Host::Elsewhere;
    }
    let name = key(target);
    let has = |name: &[u8], rtype| zone.node_at(name).is_some_and(|node| node.rrset(rtype).is_some());
    let in_zone = |tail: &&[u8]| tail.len() >= zone.apex().wire().len();
    if above(&name).take_while(in_zone).any(|tail| has(tail, RecordType::DNAME)) {
        return Host::Alias;
    }
    let below_apex = |tail: &&[u8]| tail.len() > zone.apex().wire().len();
    let is_cut =
        std::iter::once(&*name).chain(above(&name)).take_while(below_apex).any(|tail| has(tail, RecordType::NS));
    let needs_glue = rtype == RecordType::NS && target.is_at_or_below(owner) && owner != zone.apex();
    let source = zone.node_at(&name).map_or_else(|| wildcard(zone, &name), |_| Some(name.clone()));
    match source {
        Some(source) if has(&source, RecordType::A) || has(&source, RecordType::AAAA) => Host::Addressed,
        _ if is_cut && !needs_glue => Host::Elsewhere,
        Some(source) if has(&source, RecordType::CNAME) => Host::Alias,
        _ => Host::Bare,
    }
}

/// The wildcard that a name without a node is answered from.
fn wildcard(zone: &Zone, name: &[u8]) -> Option<Box<[u8]>> {
    let encloser = above(name).find(|tail| zone.node_at(tail).is_some())?;
    let wildcard = [b"\x01*", encloser].concat();
    zone.node_at(&wildcard).map(|_| wildcard.into())
}

/// The names above a name, nearest first, as tails of its wire form.
fn above(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::successors(parent(name), |tail| parent(tail))
}

fn parent(name: &[u8]) -> Option<&[u8]> {
    let (length, rest) = name.split_first().filter(|(length, _)| **length != 0)?;
    rest.get(usize::from(*length)..)
}

fn has(drafts: &[Draft], rtype: RecordType) -> bool {
    drafts.iter().any(|draft| draft.rtype == rtype)
}

fn is_address(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::A | RecordType::AAAA)
}
