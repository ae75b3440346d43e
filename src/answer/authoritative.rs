//! The authoritative look-up in a zone: RFC 1034 §4.3.2 as RFC 2308, 4592, 6672 and 8482 have it.
//!
//! `locate` walks from the apex down to a name and says what stops it: a zone cut, a DNAME, a wildcard, nothing. The
//! rest turns that into an [`Outcome`], following aliases while they stay in the zone. Cuts and DNAMEs stop the walk
//! before anything below them is seen, so occluded data never answers.
//!
//! The zone may be one half of a name space whose other half is live: [`Context`] says which further names exist and
//! whose SOA negative answers carry. Aliases that end on such a name end here as NODATA; [`alias_end`] names it.

use foldhash::{HashSet, HashSetExt};

use super::{Outcome, Resolved};
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType, RrSet};
use crate::zone::{Node, Zone};

/// How many aliases a look-up follows before it answers with those it has (RFC 1034 §3.6.2 wants loops to end).
pub const MAX_ALIASES: usize = 16;

/// A zone, and what must be known beyond it.
pub struct Context<'a> {
    pub zone: &'a Zone,
    /// The SOA RRset of the zone, with its own TTL.
    pub soa: &'a RrSet,
    /// What a name is outside of the zone's static data. Asked only of names in the zone.
    pub beyond: &'a dyn Fn(&Name) -> Beyond,
    /// Records that one answer has room for: hosts are looked up for no more.
    pub at_most: usize,
}

/// What a name is beside the static data of a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beyond {
    Nothing,
    /// There are names below it.
    Exists,
    /// It has data there, and with them all its types: what the zone has at it does not count.
    Owned,
}

impl<'a> Context<'a> {
    /// A zone that stands alone; `None` when it has no SOA.
    pub fn of(zone: &'a Zone, at_most: usize) -> Option<Self> {
        Some(Self { zone, soa: zone.soa()?, beyond: &|_| Beyond::Nothing, at_most })
    }
}

/// Where the walk down to a name ends.
enum Place<'a> {
    /// At a node, that of the name itself or of a wildcard that stands for it.
    Node(&'a Node),
    /// At a name that exists, but not in the static data.
    Elsewhere,
    /// At or below a zone cut: the NS RRset there.
    Cut(&'a RrSet),
    /// Below a DNAME.
    Dname(&'a RrSet),
    /// Nowhere: neither the name nor a wildcard for it exists.
    Nothing,
}

impl<'a> Place<'a> {
    /// The owner of the records here that stand in for those of `name`.
    fn stands_in_for(&self, name: &Name) -> Option<&'a Name> {
        match self {
            Self::Node(node) => node.rrsets().first().map(|rrset| &rrset.owner).filter(|owner| *owner != name),
            Self::Dname(dname) => Some(&dname.owner),
            Self::Elsewhere | Self::Cut(_) | Self::Nothing => None,
        }
    }
}

/// What one name gives.
enum Step {
    /// An alias: the records to put in the answer, and where they lead. Without that the answer ends with them.
    Alias(Vec<RrSet>, Name),
    /// A DNAME whose substitution makes no name (RFC 6672 §2.2).
    TooLong(RrSet),
    Found(RrSet),
    NoData,
    NxDomain,
    Referral(RrSet),
}

/// Answers one question from the zone. A name outside of it is refused.
pub fn resolve(context: &Context<'_>, qname: &Name, qtype: RecordType) -> Resolved {
    if !qname.is_at_or_below(context.zone.apex()) {
        return Resolved::of_itself(Outcome::Refused);
    }
    let mut stand_in = None;
    let outcome = follow(context, qname, qtype, &mut stand_in);
    Resolved { stand_in, ..Resolved::of_itself(finish(outcome, qname)) }
}

/// The outcome at the end of the aliases, and who stood in first.
fn follow(context: &Context<'_>, qname: &Name, qtype: RecordType, stand_in: &mut Option<Name>) -> Outcome {
    let mut aliases = Vec::new();
    let mut seen = vec![qname.clone()];
    loop {
        let name = &seen[seen.len() - 1];
        let place = locate(context, name, qtype);
        if stand_in.is_none() {
            *stand_in = place.stands_in_for(name).cloned();
        }
        match step(context, place, name, qtype) {
            Step::Alias(records, next) if is_followed(context, qtype, &seen, &next) => {
                add(&mut aliases, records);
                seen.push(next);
            }
            end => return outcome(context, aliases, end),
        }
    }
}

/// Whether the look-up goes on at the end of an alias. It does not when the CNAME record is what was asked for, as it
/// can be below a DNAME.
fn is_followed(context: &Context<'_>, qtype: RecordType, seen: &[Name], next: &Name) -> bool {
    qtype != RecordType::CNAME
        && next.is_at_or_below(context.zone.apex())
        && !seen.contains(next)
        && seen.len() < MAX_ALIASES
}

/// Adds records to a chain of aliases. A chain can pass one DNAME several times, or end on it, and it is still one RRset.
fn add(aliases: &mut Vec<RrSet>, records: Vec<RrSet>) {
    let is_there = |new: &RrSet| aliases.iter().any(|old| old.rtype == new.rtype && old.owner == new.owner);
    let new: Vec<RrSet> = records.into_iter().filter(|new| !is_there(new)).collect();
    aliases.extend(new);
}

/// The name that a chain of aliases leads to.
pub fn alias_end(aliases: &[RrSet]) -> Option<Name> {
    let last = aliases.last().filter(|rrset| rrset.rtype == RecordType::CNAME)?;
    Name::from_wire(last.rdata.first()?).ok()
}

fn outcome(context: &Context<'_>, mut aliases: Vec<RrSet>, end: Step) -> Outcome {
    match end {
        Step::Alias(records, _) => {
            add(&mut aliases, records);
            Outcome::Answer { answer: aliases, additional: Vec::new() }
        }
        Step::Found(rrset) => {
            let additional = addresses(context, rrset.targets(), &rrset);
            add(&mut aliases, vec![rrset]);
            Outcome::Answer { answer: aliases, additional }
        }
        Step::NoData => Outcome::NoData { aliases, soa: negative_soa(context.soa) },
        Step::NxDomain => Outcome::NxDomain { aliases, soa: negative_soa(context.soa) },
        Step::Referral(ns) => {
            let glue = glue(context, &ns);
            Outcome::Referral { aliases, ns, glue }
        }
        Step::TooLong(dname) => {
            add(&mut aliases, vec![dname]);
            Outcome::YxDomain { aliases }
        }
    }
}

/// RFC 1034 §4.3.2 step 3, for one name and its place.
fn step(context: &Context<'_>, place: Place<'_>, name: &Name, qtype: RecordType) -> Step {
    match place {
        // Of a live zone without an SOA of its own, the one that is given.
        Place::Node(_) if qtype == RecordType::SOA && name == context.zone.apex() && context.zone.soa().is_none() => {
            Step::Found(owned_by(context.soa, name))
        }
        Place::Node(node) => at_node(node, name, qtype),
        Place::Elsewhere => Step::NoData,
        Place::Cut(ns) => Step::Referral(ns.clone()),
        Place::Dname(dname) => substitute(dname, name),
        Place::Nothing => Step::NxDomain,
    }
}

/// Walks down from the apex, label by label. Names are tails of one lower-cased wire form.
fn locate<'a>(context: &Context<'a>, name: &Name, qtype: RecordType) -> Place<'a> {
    let wire = name.to_lowercase();
    let tails = tails(wire.wire(), context.zone.apex());
    let mut encloser = None;
    for (depth, tail) in tails.iter().rev().enumerate() {
        let (at_apex, at_name) = (depth == 0, tail.len() == wire.wire().len());
        let beyond = Name::from_wire(tail).map_or(Beyond::Nothing, |name| (context.beyond)(&name));
        let Some(node) = context.zone.node_at(tail).filter(|_| beyond != Beyond::Owned) else {
            if beyond == Beyond::Nothing {
                return encloser.and_then(|tail| wildcard(context.zone, tail)).map_or(Place::Nothing, Place::Node);
            }
            if at_name {
                return Place::Elsewhere;
            }
            encloser = Some(*tail);
            continue;
        };
        let ns = node.rrset(RecordType::NS).filter(|_| !(at_apex || (at_name && qtype == RecordType::DS)));
        match (ns, node.rrset(RecordType::DNAME)) {
            (Some(ns), _) => return Place::Cut(ns),
            (None, Some(dname)) if !at_name => return Place::Dname(dname),
            _ if at_name => return Place::Node(node),
            _ => encloser = Some(*tail),
        }
    }
    Place::Nothing
}

/// The name and the names above it up to the apex, as tails of its wire form.
fn tails<'w>(wire: &'w [u8], apex: &Name) -> Vec<&'w [u8]> {
    let mut tails = vec![wire];
    let mut tail = wire;
    while tail.len() > apex.wire().len() {
        tail = &tail[usize::from(tail[0]) + 1..];
        tails.push(tail);
    }
    tails
}

/// The wildcard right below the closest encloser (RFC 4592 §3.3.1).
fn wildcard<'a>(zone: &'a Zone, encloser: &[u8]) -> Option<&'a Node> {
    zone.node_at(&[b"\x01*", encloser].concat())
}

/// The records of one node, under the name that was asked for.
fn at_node(node: &Node, name: &Name, qtype: RecordType) -> Step {
    let found = match qtype {
        // RFC 8482 §4.1: one RRset of those there are, always the same
        RecordType::ANY => node.rrsets().first(),
        _ => node.rrset(qtype),
    };
    if let Some(rrset) = found {
        return Step::Found(owned_by(rrset, name));
    }
    let Some(cname) = node.rrset(RecordType::CNAME) else { return Step::NoData };
    match cname.rdata.first().map(|rdata| Name::from_wire(rdata)) {
        Some(Ok(target)) => Step::Alias(vec![owned_by(cname, name)], target),
        _ => Step::NoData,
    }
}

/// The DNAME and the CNAME that it makes for a name below it (RFC 6672 §3.1).
fn substitute(dname: &RrSet, name: &Name) -> Step {
    let target = dname.rdata.first().and_then(|rdata| Name::from_wire(rdata).ok());
    let (Some(front), Some(target)) = (name.strip(&dname.owner), target) else { return Step::NoData };
    let Ok(next) = Name::from_labels(front.into_iter().chain(target.labels())) else {
        return Step::TooLong(dname.clone());
    };
    let rdata = vec![next.wire().into()];
    let cname = RrSet { owner: name.clone(), rtype: RecordType::CNAME, ttl: dname.ttl, rdata };
    Step::Alias(vec![dname.clone(), cname], next)
}

fn owned_by(rrset: &RrSet, owner: &Name) -> RrSet {
    RrSet { owner: owner.clone(), ..rrset.clone() }
}

/// The SOA as negative answers carry it: its TTL is how long they hold (RFC 2308 §3).
fn negative_soa(soa: &RrSet) -> RrSet {
    let minimum = soa.rdata.first().and_then(|rdata| Soa::minimum_of(rdata));
    RrSet { ttl: soa.ttl.min(minimum.unwrap_or(soa.ttl)), ..soa.clone() }
}

/// The addresses that the zone has for hosts that the records of a `set` point at, each host once. Ends with the host that
/// makes them more than there can be room for.
///
/// Those below a cut are glue, which is for finding name servers and for nothing else (RFC 9499 §7). Service bindings
/// lead to others of their type (RFC 9460 §4.1).
fn addresses(context: &Context<'_>, hosts: impl Iterator<Item = Name>, set: &RrSet) -> Vec<RrSet> {
    let mut seen = HashSet::new();
    let (mut found, mut records) = (Vec::new(), 0);
    for host in hosts {
        if records > context.at_most {
            break;
        }
        if !host.is_at_or_below(context.zone.apex()) || !seen.insert(host.clone()) {
            continue;
        }
        let node = match locate(context, &host, RecordType::A) {
            Place::Node(node) => Some(node),
            Place::Cut(_) if set.rtype == RecordType::NS => context.zone.node(&host),
            Place::Cut(_) | Place::Elsewhere | Place::Dname(_) | Place::Nothing => None,
        };
        let binding = Some(set.rtype).filter(|rtype| rtype.is_service_binding() && host != set.owner);
        let types = binding.into_iter().chain([RecordType::A, RecordType::AAAA]);
        let sets = types.filter_map(|rtype| node?.rrset(rtype));
        found.extend(sets.map(|rrset| owned_by(rrset, &host)).inspect(|rrset| records += rrset.rdata.len()));
    }
    found
}

/// Addresses for the name servers of a delegation: first of those inside the delegated name, which nobody can find
/// without (RFC 9471 §2.1), then of others that the zone knows.
fn glue(context: &Context<'_>, ns: &RrSet) -> Vec<RrSet> {
    let (inside, outside): (Vec<Name>, Vec<Name>) = ns.targets().partition(|host| host.is_at_or_below(&ns.owner));
    addresses(context, inside.into_iter().chain(outside), ns)
}

/// Lends the question's case to every owner name that equals it, so that a pointer to the question can stand for them.
fn finish(mut outcome: Outcome, qname: &Name) -> Outcome {
    let sets: Vec<&mut RrSet> = match &mut outcome {
        Outcome::Answer { answer, additional } => answer.iter_mut().chain(additional).collect(),
        Outcome::NoData { aliases, soa } | Outcome::NxDomain { aliases, soa } => {
            aliases.iter_mut().chain([soa]).collect()
        }
        Outcome::YxDomain { aliases } => aliases.iter_mut().collect(),
        Outcome::Referral { aliases, ns, glue } => aliases.iter_mut().chain([ns]).chain(glue).collect(),
        Outcome::Refused | Outcome::ServFail => Vec::new(),
    };
    for rrset in sets.into_iter().filter(|rrset| rrset.owner == *qname) {
        rrset.owner = qname.clone();
    }
    outcome
}

#[cfg(test)]
mod tests;
