//! All zones that the server answers for, and the way from a question to its outcome.

mod across;
mod explain;
mod live;
mod reverse;

use std::sync::Arc;

use foldhash::HashSet;

use super::authoritative::{self, Context};
use super::live::Node;
use super::order::Draw;
use super::reverse::{Place, ReverseZones};
use super::{Live, LiveZone, Origin, Outcome, Resolved};
use crate::model::Revision;
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType, RrSet};
use crate::zone::{Zone, Zones};

/// The live zone with its static records, the reverse zones, and the static zones of their own.
#[derive(Debug)]
pub struct Catalog {
    live: LiveZone,
    /// The live zone's names that the registry does not own: those of its master file, and the server's own.
    beside: Zone,
    reverse: ReverseZones,
    zones: Zones,
    /// All names above the static zones' apexes: they exist, whether or not the zone that they are in knows them.
    above: HashSet<Name>,
}

/// The zone that answers a question.
enum Source<'a> {
    Live,
    Reverse(Place),
    Static(usize, &'a Arc<Zone>),
}

/// The hosts of one answer whose addresses are looked up elsewhere.
const HOSTS: usize = 64;

impl Catalog {
    /// `additions` are the records of a master file for the live zone. What it says of name servers and of domains to
    /// browse counts instead of what the server says.
    pub fn new(live: LiveZone, additions: Option<&Zone>, zones: Zones) -> Self {
        let given = |name: &Name| additions.is_some_and(|zone| zone.node(name).is_some());
        let has_ns = additions.is_some_and(|zone| zone.ns().is_some());
        let own = live.own_records().into_iter().filter(|set| match set.rtype {
            RecordType::NS => !has_ns,
            RecordType::PTR => !given(&set.owner),
            _ => !has_ns && !given(&set.owner),
        });
        let added = additions.into_iter().flat_map(Zone::rrsets).cloned();
        let beside = Zone::new(live.apex.clone(), added.chain(own));
        let ancestors = |zone: &Arc<Zone>| std::iter::successors(zone.apex().parent(), Name::parent);
        let above = zones.iter().flat_map(ancestors).collect();
        Self { live, beside, reverse: ReverseZones::default(), zones, above }
    }

    /// The same catalog with reverse zones. Where a static zone has the same apex or a longer one, it answers.
    #[must_use]
    pub fn with_reverse(self, reverse: ReverseZones) -> Self {
        Self { reverse, ..self }
    }

    /// The outcome for a name and type, with live records as they are drawn.
    pub fn resolve(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Resolved {
        self.follow(registry, self.resolve_in_zone(registry, qname, qtype, draw), qtype, draw)
    }

    /// The same as far as the zone goes that the name falls into.
    fn resolve_in_zone(&self, registry: &dyn Live, qname: &Name, qtype: RecordType, draw: &Draw) -> Resolved {
        let (origin, resolved) = match self.source(registry, qname, qtype) {
            Some(Source::Live) => (Origin::Live, self.resolve_live(registry, qname, qtype, draw)),
            Some(Source::Reverse(place)) => {
                let outcome = self.resolve_reverse(registry, &place, qname, qtype, draw);
                (Origin::Reverse, Resolved::of_itself(outcome))
            }
            Some(Source::Static(place, zone)) => {
                // A zone of its own always has an SOA: its file is refused otherwise.
                let resolved =
                    Context::of(zone, draw.at_most).map(|context| authoritative::resolve(&context, qname, qtype));
                (Origin::Static(place), resolved.unwrap_or_else(|| Resolved::of_itself(Outcome::ServFail)))
            }
            None => (Origin::Nowhere, Resolved::of_itself(Outcome::Refused)),
        };
        Resolved { origin, ..resolved }
    }

    /// What the configuration says about the live zone.
    pub fn live_zone(&self) -> &LiveZone {
        &self.live
    }

    /// The apex of the live zone.
    pub fn live_apex(&self) -> &Name {
        &self.live.apex
    }

    /// The labels right below the apex of the live zone, in lower case, that static data have a record at or below; `None`
    /// where these speak for every name there, by a wildcard.
    pub fn labels_below_apex(&self) -> Option<HashSet<Box<[u8]>>> {
        let apex = &self.live.apex;
        let names = self.beside.nodes().iter().map(|node| node.owner()).chain(self.static_apexes());
        let label = |name: &Name| Some(name.strip(apex)?.last()?.to_ascii_lowercase().into_boxed_slice());
        let labels: HashSet<Box<[u8]>> = names.filter_map(label).collect();
        (!labels.contains(&b"*"[..])).then_some(labels)
    }

    /// The apexes of the static zones, in the order of their places.
    pub fn static_apexes(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.zones.iter().map(|zone| zone.apex())
    }

    /// The zone with the longest apex at or above the name, but for registered names, which are live, and for DS at an
    /// apex, which is data of the zone above where that knows the name (RFC 4035 §3.1.4.1).
    fn source(&self, registry: &dyn Live, qname: &Name, qtype: RecordType) -> Option<Source<'_>> {
        let found = self.zones.find_for(qname, qtype);
        let file = found.map(|(_, zone)| zone);
        let depth = file.map_or(0, |zone| zone.apex().label_count());
        let parent_has = |apex: &Name| {
            qtype == RecordType::DS && qname == apex && file.is_some_and(|zone| zone.node(qname).is_some())
        };
        let ours = if qname.is_at_or_below(&self.live.apex) {
            let is_live = depth <= self.live.apex.label_count() || self.is_registered(registry, qname);
            Some(Source::Live).filter(|_| is_live && !parent_has(&self.live.apex))
        } else {
            let is_ours = |place: &Place| file.is_none() || depth < place.apex.label_count();
            self.reverse.find(qname).filter(|place| is_ours(place) && !parent_has(&place.apex)).map(Source::Reverse)
        };
        ours.or_else(|| found.map(|(place, zone)| Source::Static(place, zone)))
    }

    /// The addresses of hosts, as far as this server is an authority for them (RFC 2782, RFC 6763 §12.2). An alias is no
    /// host.
    fn host_records(&self, registry: &dyn Live, hosts: Vec<Name>, draw: &Draw) -> Vec<RrSet> {
        let mut found: Vec<RrSet> = Vec::new();
        for host in hosts.into_iter().take(HOSTS) {
            if found.iter().map(|set| set.rdata.len()).sum::<usize>() > draw.at_most {
                break;
            }
            for rtype in [RecordType::A, RecordType::AAAA] {
                if let Outcome::Answer { answer, .. } = self.resolve(registry, &host, rtype, draw).outcome {
                    found.extend(answer.into_iter().filter(|set| set.rtype == rtype && set.owner == host));
                }
            }
        }
        found
    }

    fn node(&self, registry: &dyn Live, name: &Name) -> Option<Node> {
        self.live.find(registry, &name.strip(&self.live.apex)?)
    }

    fn is_registered(&self, registry: &dyn Live, name: &Name) -> bool {
        self.node(registry, name).is_some_and(|node| node.is_registered())
    }

    /// The SOA record of a zone that the registry fills. Its primary is the first of the live zone's name servers, which a
    /// master file can give.
    fn soa_at(&self, revision: Revision, apex: Name) -> RrSet {
        let primary = self.beside.ns().and_then(|ns| ns.targets().next());
        self.live.soa(apex, primary.unwrap_or_else(|| self.live.apex.clone()), revision)
    }

    /// The SOA record for negative answers: that of the master file if it has one, never with a TTL above the
    /// configured one (RFC 2308 §5).
    fn negative_soa(&self, registry: &dyn Live) -> RrSet {
        self.negative_soa_at(registry.revision())
    }

    /// The same for a registry at `revision`.
    pub fn negative_soa_at(&self, revision: Revision) -> RrSet {
        let mut soa = match self.beside.soa() {
            Some(soa) => soa.clone(),
            None => self.soa_at(revision, self.live.apex.clone()),
        };
        let minimum = soa.rdata.first().and_then(|rdata| Soa::minimum_of(rdata));
        soa.ttl = soa.ttl.min(minimum.unwrap_or(0)).min(self.live.negative_ttl);
        soa
    }
}

#[cfg(test)]
mod tests;
