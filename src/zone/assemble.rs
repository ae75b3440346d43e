//! From the records of a file to a zone, or to what is wrong with them as a set.
//!
//! Records are gathered into RRsets: exact duplicates go (RFC 2181 §5), differing TTLs become the lowest, of which the
//! author is warned (§5.2; BIND and NSD take the first, which depends on the order of lines). Then each rule that spans
//! records is one small function over the gathered nodes. What is missing (SOA, NS) is reported only when the records
//! themselves were sound, since a record that could not be read is the likely cause.

use foldhash::{HashMap, HashMapExt, HashSet, HashSetExt};

use super::caution::{self, Pointer};
use super::error::{Caution, Reason};
use super::{Zone, key};
use crate::wire::record::Soa;
use crate::wire::{Name, Rdata, RecordType, RrSet};

const RRSIG: RecordType = RecordType(46);
const NSEC: RecordType = RecordType(47);

/// Where a record was read: how many came before it, then file and line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub order: usize,
    pub file: usize,
    pub line: u32,
}

/// A record as read.
#[derive(Debug)]
pub(super) struct Record {
    pub place: Place,
    pub owner: Name,
    pub rtype: RecordType,
    /// `None` when the file had said none so far.
    pub ttl: Option<u32>,
    pub rdata: Rdata,
}

/// Something wrong; `None` when it is the whole file's.
pub(super) type Flaw = (Option<Place>, Reason);

/// One RRset on the way.
pub(super) struct Draft {
    pub owner: Name,
    pub rtype: RecordType,
    /// The lowest of its records.
    pub ttl: u32,
    /// The first record with another TTL than the one before it.
    pub other_ttl: Option<Place>,
    pub records: Vec<(Place, Rdata)>,
}

impl Draft {
    pub(super) fn first(&self) -> Place {
        self.records[0].0
    }
}

/// RRsets by their owner names in lower-case wire form.
pub(super) type Nodes = HashMap<Box<[u8]>, Vec<Draft>>;

/// Something that looks wrong.
pub(super) type Doubt = (Place, Caution);

/// Builds the zone. `complete`: it must have its own SOA and NS. `sound`: no record was refused while reading.
pub(super) fn assemble(
    apex: &Name,
    records: Vec<Record>,
    complete: bool,
    sound: bool,
) -> Result<(Zone, Vec<Doubt>), Vec<Flaw>> {
    let mut flaws = Vec::new();
    let mut nodes = gather(apex, records, &mut flaws);
    // Of SOA not even the same may come twice (RFC 1035 §5.2).
    for draft in nodes.values_mut().flatten().filter(|draft| draft.rtype != RecordType::SOA) {
        drop_duplicates(draft);
    }
    check_soa(apex, &nodes, &mut flaws);
    for drafts in nodes.values() {
        check_node(apex, drafts, &mut flaws);
    }
    check_below_dname(&nodes, &mut flaws);
    if !complete {
        check_beside_the_registry(apex, &nodes, &mut flaws);
    }
    if complete && sound && flaws.is_empty() {
        check_complete(apex, &nodes, &mut flaws);
    }
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let mut doubts = caution::of_sets(apex, &nodes);
    let pointers: Vec<Pointer> = nodes.values().flatten().flat_map(Pointer::of).collect();
    let finished = |draft: Draft| {
        let rdata = draft.records.into_iter().map(|(_, rdata)| rdata).collect();
        RrSet { owner: draft.owner, rtype: draft.rtype, ttl: draft.ttl, rdata }
    };
    let zone = Zone::new(apex.clone(), nodes.into_values().flatten().map(finished));
    doubts.extend(caution::of_pointers(&zone, pointers, complete));
    Ok((zone, doubts))
}

fn gather(apex: &Name, records: Vec<Record>, flaws: &mut Vec<Flaw>) -> Nodes {
    let minimum = records
        .iter()
        .find(|record| record.rtype == RecordType::SOA && record.owner == *apex)
        .and_then(|soa| Soa::minimum_of(&soa.rdata));
    let mut nodes = Nodes::new();
    for Record { place, owner, rtype, ttl, rdata } in records {
        if !owner.is_at_or_below(apex) && rtype != RecordType::SOA {
            flaws.push((Some(place), Reason::OutOfZone { owner, apex: apex.clone() }));
            continue;
        }
        let Some(ttl) = ttl.or(minimum) else {
            flaws.push((Some(place), Reason::NoTtl));
            continue;
        };
        let drafts = nodes.entry(key(&owner)).or_default();
        match drafts.iter_mut().find(|draft| draft.rtype == rtype) {
            Some(draft) => {
                if draft.ttl != ttl {
                    draft.other_ttl.get_or_insert(place);
                }
                draft.ttl = draft.ttl.min(ttl);
                draft.records.push((place, rdata));
            }
            None => drafts.push(Draft { owner, rtype, ttl, other_ttl: None, records: vec![(place, rdata)] }),
        }
    }
    nodes
}

fn drop_duplicates(draft: &mut Draft) {
    if draft.records.len() > 1 {
        let mut seen = HashSet::with_capacity(draft.records.len());
        let fresh: Vec<bool> = draft.records.iter().map(|(_, rdata)| seen.insert(rdata)).collect();
        let mut fresh = fresh.into_iter();
        draft.records.retain(|_| fresh.next().unwrap_or(true));
    }
}

/// The SOA belongs to the apex (RFC 1035 §5.2).
fn check_soa(apex: &Name, nodes: &Nodes, flaws: &mut Vec<Flaw>) {
    for draft in nodes.values().flatten().filter(|draft| draft.rtype == RecordType::SOA && draft.owner != *apex) {
        let reason = Reason::SoaElsewhere { soa: draft.owner.clone(), apex: apex.clone() };
        flaws.push((Some(draft.first()), reason));
    }
}

/// What may not stand together at one name.
fn check_node(apex: &Name, drafts: &[Draft], flaws: &mut Vec<Flaw>) {
    let of = |rtype| drafts.iter().find(|draft| draft.rtype == rtype);
    for rtype in [RecordType::SOA, RecordType::CNAME, RecordType::DNAME] {
        if let Some(draft) = of(rtype).filter(|draft| draft.records.len() > 1) {
            let reason = Reason::Second { rtype, owner: draft.owner.clone() };
            flaws.push((Some(draft.records[1].0), reason));
        }
    }
    if let Some(cname) = of(RecordType::CNAME) {
        // RFC 1034 §3.6.2; RFC 4034 §3 and §4 let signatures and denials stand beside it
        let other =
            drafts.iter().filter(|draft| ![RecordType::CNAME, RRSIG, NSEC].contains(&draft.rtype)).map(Draft::first);
        let other = other.min().map(|first| first.max(cname.first()));
        // the apex always has the zone's SOA and NS, even when they come from elsewhere
        if let Some(place) = other.or((cname.owner == *apex).then(|| cname.first())) {
            flaws.push((Some(place), Reason::CnameAndOther(cname.owner.clone())));
        }
    }
    if let (Some(dname), Some(ns)) = (of(RecordType::DNAME), of(RecordType::NS))
        && dname.owner != *apex
    {
        // RFC 6672 §2.3
        flaws.push((Some(dname.first().max(ns.first())), Reason::DnameAndNs(dname.owner.clone())));
    }
}

/// A DNAME at the apex of the live zone would be above every registered name.
fn check_beside_the_registry(apex: &Name, nodes: &Nodes, flaws: &mut Vec<Flaw>) {
    let at_apex = nodes.get(&key(apex)).into_iter().flatten();
    let dnames = at_apex.filter(|draft| draft.rtype == RecordType::DNAME);
    flaws.extend(dnames.map(|dname| (Some(dname.first()), Reason::DnameAboveServices(apex.clone()))));
}

/// Nothing stands below a DNAME (RFC 6672 §2.4).
fn check_below_dname(nodes: &Nodes, flaws: &mut Vec<Flaw>) {
    let dname_at = |name: &[u8]| nodes.get(name)?.iter().find(|draft| draft.rtype == RecordType::DNAME);
    if !nodes.values().flatten().any(|draft| draft.rtype == RecordType::DNAME) {
        return;
    }
    for (name, drafts) in nodes {
        let mut at = 0;
        while name[at] != 0 {
            at += usize::from(name[at]) + 1;
            let Some(dname) = dname_at(&name[at..]) else { continue };
            let (owner, place) = (drafts[0].owner.clone(), drafts[0].first());
            flaws.push((Some(place), Reason::BelowDname { owner, dname: dname.owner.clone() }));
            break;
        }
    }
}

fn check_complete(apex: &Name, nodes: &Nodes, flaws: &mut Vec<Flaw>) {
    let has = |rtype| nodes.get(&key(apex)).is_some_and(|drafts| drafts.iter().any(|draft| draft.rtype == rtype));
    if !has(RecordType::SOA) {
        flaws.push((None, Reason::NoSoa(apex.clone())));
    }
    if !has(RecordType::NS) {
        flaws.push((None, Reason::NoNs(apex.clone())));
    }
}
