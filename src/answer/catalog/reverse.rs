//! Questions to reverse zones: which instances an address belongs to.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::super::live::Live;
use super::super::order::Draw;
use super::super::outcome::Outcome;
use super::super::reverse::Place;
use super::super::view::ServiceView;
use super::Catalog;
use crate::wire::{Name, Rdata, RecordType, RrSet};

impl Catalog {
    /// The outcome for a name at its place in a reverse zone. The name of an address exists while an instance has the
    /// address, and that of a prefix while one has an address in it, or where another zone is below.
    pub(super) fn resolve_reverse(
        &self,
        registry: &dyn Live,
        place: &Place,
        qname: &Name,
        qtype: RecordType,
        draw: &Draw,
    ) -> Outcome {
        let soa = || self.soa_at(registry.revision(), place.apex.clone());
        let at_apex = *qname == place.apex;
        if let Some((answer, additional)) = self.reverse_apex(registry, place, qtype, draw).filter(|_| at_apex) {
            return Outcome::Answer { answer: vec![RrSet { owner: qname.clone(), ..answer }], additional };
        }
        let Some(covers) = place.covers else { return Outcome::NxDomain { aliases: Vec::new(), soa: soa() } };
        let is_address = covers.prefix_len() == covers.max_prefix_len();
        if is_address && matches!(qtype, RecordType::PTR | RecordType::ANY) {
            let (ttl, rdata) = self.instances_at(registry, covers.addr(), draw);
            if !rdata.is_empty() {
                let answer = RrSet { owner: qname.clone(), rtype: RecordType::PTR, ttl, rdata };
                return Outcome::Answer { answer: vec![answer], additional: Vec::new() };
            }
        }
        let zones_below = || self.reverse.any_within(covers) || self.above.contains(qname);
        if at_apex || registry.has_address(first_and_last(covers)) || zones_below() {
            Outcome::NoData { aliases: Vec::new(), soa: soa() }
        } else {
            Outcome::NxDomain { aliases: Vec::new(), soa: soa() }
        }
    }

    /// The records that only an apex has: its SOA, and the name servers of the live zone.
    fn reverse_apex(
        &self,
        registry: &dyn Live,
        place: &Place,
        qtype: RecordType,
        draw: &Draw,
    ) -> Option<(RrSet, Vec<RrSet>)> {
        match qtype {
            // RFC 8482 §4.1: one RRset of those there are.
            RecordType::SOA | RecordType::ANY => {
                Some((self.soa_at(registry.revision(), place.apex.clone()), Vec::new()))
            }
            RecordType::NS => {
                let ns = self.beside.ns()?.clone();
                let addresses = self.host_records(registry, ns.targets().collect(), draw);
                Some((ns, addresses))
            }
            _ => None,
        }
    }

    /// The host names of the instances that DNS serves at an address, and the shortest of their TTLs.
    fn instances_at(&self, registry: &dyn Live, ip: IpAddr, draw: &Draw) -> (u32, Vec<Rdata>) {
        let mut view: Option<Arc<ServiceView>> = None;
        let (mut ttl, mut rdata): (u32, Vec<Rdata>) = (u32::MAX, Vec::new());
        for key in registry.served_at(ip, draw.at_most) {
            // Keys of one service follow each other, and all are held against one view of it.
            if view.as_ref().is_none_or(|view| *view.name() != key.service) {
                view = registry.service(key.service.as_str());
            }
            let Some(view) = &view else { continue };
            let Some(instance) = view.instance(key.id.as_str()) else { continue };
            let has = instance.registration.address.ips().contains(&ip);
            if let Some(name) = self.live.host_name(&key).filter(|_| has && view.serves(instance)) {
                ttl = ttl.min(self.live.record_ttl(view));
                rdata.push(name.wire().into());
            }
        }
        (ttl, rdata)
    }
}

fn first_and_last(prefix: IpNet) -> std::ops::RangeInclusive<IpAddr> {
    prefix.network()..=prefix.broadcast()
}
