//! All zones that the server answers for, and the way from a question to its outcome.

use super::authoritative::{self, Beyond, Context, alias_end};
use super::live::Node;
use super::order::Draw;
use super::{Live, LiveZone, Outcome};
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType, RrSet};
use crate::zone::{Zone, Zones};

/// The live zone with its static records, and the static zones of their own.
#[derive(Debug)]
pub struct Catalog {
    live: LiveZone,
    /// The live zone's names that the registry does not own: those of its master file, and the server's own.
    beside: Zone,
    zones: Zones,
}

/// The types that stand in for ANY, best first: one RRset is answered (RFC 8482 §4.1).
const FOR_ANY: [RecordType; 4] = [RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::TXT];

/// How often an alias may lead from static records into the live zone and back.
const MAX_HOPS: usize = 8;

impl Catalog {
    /// `additions` are the records of a master file for the live zone. Where it has NS records or addresses for the
    /// server's own name, they count instead of the server's.
    pub fn new(live: LiveZone, additions: Option<&Zone>, zones: Zones) -> Self {
        let given = |name: &Name| additions.is_some_and(|zone| zone.node(name).is_some());
        let has_ns = additions.is_some_and(|zone| zone.ns().is_some());
        let own = live.own_records().into_iter().filter(|set| match set.rtype {
            RecordType::NS => !has_ns,
            _ => !has_ns && !given(&set.owner),
        });
        let added = additions.into_iter().flat_map(Zone::rrsets).cloned();
        let beside = Zone::new(live.apex.clone(), added.chain(own));
        Self { live, beside, zones }
    }

    /// The outcome for a name and type, with live records as they are drawn.
    pub fn resolve(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Outcome {
        let is_live = qname.is_at_or_below(&self.live.apex);
        let deeper = |zone: &Zone| zone.apex().label_count() > self.live.apex.label_count();
        match self.zones.find_for(qname, qtype) {
            Some(zone) if !is_live || (deeper(zone) && !self.is_registered(registry, qname)) => {
                match Context::of(zone) {
                    Some(context) => authoritative::resolve(&context, qname, qtype),
                    // A zone of its own always has an SOA: its file is refused otherwise.
                    None => Outcome::ServFail,
                }
            }
            _ if is_live => self.resolve_live(registry, qname, qtype, draw),
            _ => Outcome::Refused,
        }
    }

    /// Follows aliases among the names of the live zone, static and registered ones alike.
    fn resolve_live(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Outcome {
        let mut chain: Vec<RrSet> = Vec::new();
        let mut name = qname.clone();
        for _ in 0..MAX_HOPS {
            let outcome = self.resolve_once(registry, &name, qtype, draw);
            match outcome {
                Outcome::NoData { aliases, soa } => {
                    let next = alias_end(&aliases).filter(|next| self.is_registered(registry, next));
                    let Some(next) = next else { return Outcome::NoData { aliases, soa }.behind(chain) };
                    chain.extend(aliases);
                    name = next;
                }
                end => return end.behind(chain),
            }
        }
        Outcome::ServFail
    }

    fn resolve_once(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Outcome {
        let soa = self.negative_soa(registry);
        if let Some(node) = self.node(registry, qname).filter(Node::is_registered) {
            return self.registered(&node, qname, qtype, draw, soa);
        }
        let beyond = |name: &Name| match self.node(registry, name) {
            None => Beyond::Nothing,
            Some(node) if node.is_registered() => Beyond::Owned,
            Some(_) => Beyond::Exists,
        };
        authoritative::resolve(&Context { zone: &self.beside, soa: &soa, beyond: &beyond }, qname, qtype)
    }

    /// The outcome for a name that the registry owns, with all its types.
    fn registered(&self, node: &Node, qname: &Name, qtype: RecordType, draw: &Draw, soa: RrSet) -> Outcome {
        let types = if qtype == RecordType::ANY { FOR_ANY.as_slice() } else { &[qtype] };
        for &rtype in types {
            let (rdata, additional) = self.live.records(node, rtype, draw);
            if !rdata.is_empty() {
                let answer = RrSet { owner: qname.clone(), rtype, ttl: self.live.record_ttl, rdata };
                return Outcome::Answer { answer: vec![answer], additional };
            }
        }
        Outcome::NoData { aliases: Vec::new(), soa }
    }

    fn node(&self, registry: &dyn Live, name: &Name) -> Option<Node> {
        self.live.find(registry, &name.strip(&self.live.apex)?)
    }

    fn is_registered(&self, registry: &dyn Live, name: &Name) -> bool {
        self.node(registry, name).is_some_and(|node| node.is_registered())
    }

    /// The SOA record for negative answers: that of the master file if it has one, never with a TTL above the
    /// configured one (RFC 2308 §5).
    fn negative_soa(&self, registry: &dyn Live) -> RrSet {
        let mut soa = match self.beside.soa() {
            Some(soa) => soa.clone(),
            None => self.live.soa(registry.revision()),
        };
        let minimum = soa.rdata.first().and_then(|rdata| Soa::minimum_of(rdata));
        soa.ttl = soa.ttl.min(minimum.unwrap_or(0)).min(self.live.negative_ttl);
        soa
    }
}

#[cfg(test)]
mod tests;
