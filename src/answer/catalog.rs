//! All zones that the server answers for, and the way from a question to its outcome.

use std::sync::Arc;

use super::authoritative::{self, Context, alias_end};
use super::live::{NAME_SERVER, Node};
use super::{Live, LiveZone, Outcome};
use crate::wire::{Name, RecordType, RrSet};
use crate::zone::{Zone, Zones};

/// The live zone with its static additions, and the static zones of their own.
#[derive(Debug)]
pub struct Catalog {
    pub live: LiveZone,
    /// Records from a master file whose apex is the live zone's.
    pub additions: Option<Arc<Zone>>,
    pub zones: Zones,
}

/// The types that stand in for ANY, best first: one RRset is answered (RFC 8482 §4.1).
const FOR_ANY: [RecordType; 4] = [RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::TXT];

/// How often an alias may lead from static records into the live zone and back.
const MAX_HOPS: usize = 8;

impl Catalog {
    /// The outcome for a name and type. `seed` decides the order of live records: one seed, one order.
    pub fn resolve(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, seed: u64) -> Outcome {
        let own = self.zones.find_for(qname, qtype);
        let is_live = qname.is_at_or_below(&self.live.apex);
        match own {
            Some(zone) if !is_live || zone.apex().label_count() > self.live.apex.label_count() => {
                match Context::of(zone) {
                    Some(context) => authoritative::resolve(&context, qname, qtype),
                    // A zone of its own always has an SOA: its file is refused otherwise.
                    None => Outcome::ServFail,
                }
            }
            _ if is_live => self.resolve_live(registry, qname, qtype, seed),
            _ => Outcome::Refused,
        }
    }

    /// Follows aliases among the names of the live zone, static and registered ones alike.
    fn resolve_live(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, seed: u64) -> Outcome {
        let mut aliases: Vec<RrSet> = Vec::new();
        let mut name = qname.clone();
        for _ in 0..MAX_HOPS {
            let outcome = self.resolve_once(registry, &name, qtype, seed);
            let next = match &outcome {
                Outcome::NoData { aliases, .. } => alias_end(aliases),
                _ => None,
            };
            let Some(next) = next.filter(|next| self.node(registry, next).is_some()) else {
                return outcome.behind(aliases);
            };
            if let Outcome::NoData { aliases: more, .. } = outcome {
                aliases.extend(more);
            }
            name = next;
        }
        Outcome::ServFail
    }

    fn resolve_once(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, seed: u64) -> Outcome {
        match self.node(registry, qname) {
            Some(node @ (Node::Set { .. } | Node::Instance(_))) => self.registered(registry, &node, qname, qtype, seed),
            found => {
                let plain = self.unregistered(registry, qname, qtype);
                match (&plain, found) {
                    // The registry has names below this one, though the static records know nothing of it.
                    (Outcome::NxDomain { aliases, soa }, Some(_)) if aliases.is_empty() => {
                        Outcome::NoData { aliases: Vec::new(), soa: soa.clone() }
                    }
                    _ => plain,
                }
            }
        }
    }

    fn node(&self, registry: &dyn Live, name: &Name) -> Option<Node> {
        self.live.find(registry, &name.strip(&self.live.apex)?)
    }

    /// The outcome for a name that the registry owns, with all its types.
    fn registered(&self, registry: &dyn Live, node: &Node, qname: &Name, qtype: RecordType, seed: u64) -> Outcome {
        let types = if qtype == RecordType::ANY { FOR_ANY.as_slice() } else { &[qtype] };
        for &rtype in types {
            let (rdata, additional) = self.live.records(node, rtype, seed);
            if !rdata.is_empty() {
                let answer = RrSet { owner: qname.clone(), rtype, ttl: self.live.record_ttl, rdata };
                return Outcome::Answer { answer: vec![answer], additional };
            }
        }
        Outcome::NoData { aliases: Vec::new(), soa: self.negative_soa(registry) }
    }

    /// The outcome for a name of the live zone that the registry does not own: from the static additions, else from
    /// what the server says of itself.
    fn unregistered(&self, registry: &dyn Live, qname: &Name, qtype: RecordType) -> Outcome {
        let soa = self.negative_soa(registry);
        if let Some(built_in) = self.built_in(registry, qname, qtype, &soa) {
            return built_in;
        }
        let Some(additions) = &self.additions else {
            return Outcome::NxDomain { aliases: Vec::new(), soa };
        };
        let exists = |name: &Name| self.node(registry, name).is_some();
        authoritative::resolve(&Context { zone: additions, soa: &soa, exists: &exists }, qname, qtype)
    }

    /// The apex and the name server's own name, where the static additions do not say otherwise.
    fn built_in(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, soa: &RrSet) -> Option<Outcome> {
        let added = |rtype| self.additions.as_ref().and_then(|zone| zone.node(qname)?.rrset(rtype));
        let nodata = || Outcome::NoData { aliases: Vec::new(), soa: soa.clone() };
        let labels = qname.strip(&self.live.apex)?;
        match labels[..] {
            [] => match qtype {
                RecordType::SOA | RecordType::ANY if added(RecordType::SOA).is_none() => {
                    let soa = RrSet { owner: qname.clone(), ..self.live.soa(registry.revision()) };
                    Some(Outcome::Answer { answer: vec![soa], additional: Vec::new() })
                }
                RecordType::NS if added(RecordType::NS).is_none() => {
                    let ns = RrSet { owner: qname.clone(), ..self.live.ns() };
                    Some(Outcome::Answer { answer: vec![ns], additional: self.name_server_addresses() })
                }
                _ if self.additions.is_none() => Some(nodata()),
                _ => None,
            },
            [label] if label.eq_ignore_ascii_case(NAME_SERVER.as_bytes()) => {
                if self.additions.as_ref().is_some_and(|zone| zone.node(qname).is_some() || zone.ns().is_some()) {
                    return None;
                }
                let families = [RecordType::A, RecordType::AAAA].into_iter();
                let asked = families.filter(|rtype| *rtype == qtype || qtype == RecordType::ANY);
                let own = |rtype| self.live.name_server_addresses(qname.clone(), rtype);
                let found = asked.filter_map(own).next();
                Some(found.map_or_else(nodata, |own| Outcome::Answer { answer: vec![own], additional: Vec::new() }))
            }
            _ => None,
        }
    }

    fn name_server_addresses(&self) -> Vec<RrSet> {
        let Some(name) = self.live.name_server() else { return Vec::new() };
        let families = [RecordType::A, RecordType::AAAA].into_iter();
        families.filter_map(|rtype| self.live.name_server_addresses(name.clone(), rtype)).collect()
    }

    /// The SOA record for negative answers: that of the static additions if they have one, never with a TTL above the
    /// configured one (RFC 2308 §5).
    fn negative_soa(&self, registry: &dyn Live) -> RrSet {
        let mut soa = match self.additions.as_ref().and_then(|zone| zone.soa()) {
            Some(soa) => soa.clone(),
            None => self.live.soa(registry.revision()),
        };
        let minimum = soa.rdata.first().and_then(|rdata| crate::wire::record::Soa::minimum_of(rdata));
        soa.ttl = soa.ttl.min(minimum.unwrap_or(0)).min(self.live.negative_ttl);
        soa
    }
}
