//! The records behind a name, drawn from the instances that are served.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::order::{self, Candidate, Draw};
use super::super::view::{Filter, is_served};
use super::addresses::{address_rdata, addresses};
use super::{LiveZone, Node};
use crate::model::{Address, Instance, PortName};
use crate::wire::record;
use crate::wire::{Name, Rdata, RecordType, RrSet};

impl LiveZone {
    /// The records of one type behind a node as they are drawn, with the addresses of SRV targets. Empty when there are
    /// none.
    pub fn records(&self, node: &Node, rtype: RecordType, draw: &Draw) -> (Vec<Rdata>, Vec<RrSet>) {
        match node {
            Node::EmptyNonTerminal => (Vec::new(), Vec::new()),
            Node::Instance(instance) if !is_served(instance) => (Vec::new(), Vec::new()),
            Node::Instance(instance) => match rtype {
                RecordType::A | RecordType::AAAA => (addresses([instance].into_iter(), rtype, draw), Vec::new()),
                RecordType::SRV => self.services([instance].into_iter(), None, draw),
                RecordType::TXT => (text(instance), Vec::new()),
                _ => (Vec::new(), Vec::new()),
            },
            Node::Set { service, tag, protocol, port, host } => {
                let filter = Filter { tag: tag.as_deref(), protocol: *protocol, port: port.as_ref() };
                let served = service.select(&filter).filter(|instance| is_served(instance));
                match rtype {
                    RecordType::A | RecordType::AAAA if *host => (addresses(served, rtype, draw), Vec::new()),
                    RecordType::SRV => self.services(served, port.as_ref(), draw),
                    _ => (Vec::new(), Vec::new()),
                }
            }
        }
    }

    /// SRV records, lowest priority first, and the address records of their targets in the same order.
    fn services<'a>(
        &self,
        instances: impl Iterator<Item = &'a Arc<Instance>>,
        port: Option<&PortName>,
        draw: &Draw,
    ) -> (Vec<Rdata>, Vec<RrSet>) {
        let candidates = instances.map(|instance| Candidate {
            priority: instance.registration.priority.0,
            identity: order::identity(instance.key.id.as_str().as_bytes()),
            weight: u64::from(instance.effective_weight().0),
            item: instance,
        });
        let (mut records, mut additional) = (Vec::new(), Vec::new());
        // Only instances that share a host name can make equal records.
        let mut shared = HashSet::new();
        for instance in draw.take(candidates) {
            let Some(target) = self.target(instance) else { continue };
            let rdata = self.srv(instance, port, &target);
            if matches!(instance.registration.address, Address::Host(_)) && !shared.insert(rdata.clone()) {
                continue;
            }
            records.push(rdata);
            additional.extend(self.host_records(instance, target));
        }
        (records, additional)
    }

    /// The name that an SRV record of this instance points at. Registration saw to it that it fits.
    fn target(&self, instance: &Instance) -> Option<Name> {
        match &instance.registration.address {
            Address::Host(host) => Name::parse(host.as_str()).ok(),
            Address::One(_) | Address::Several(_) => {
                let service = self.apex.prepend(instance.key.service.as_str().as_bytes()).ok()?;
                service.prepend(instance.key.id.as_str().as_bytes()).ok()
            }
        }
    }

    fn srv(&self, instance: &Instance, port: Option<&PortName>, target: &Name) -> Rdata {
        let registration = &instance.registration;
        let scaled = u32::from(instance.effective_weight().0) * u32::from(self.srv_weight_scale);
        let weight = u16::try_from(scaled).unwrap_or(u16::MAX);
        let number = port.and_then(|port| registration.ports.get(port)).unwrap_or(&registration.port);
        record::srv(registration.priority.0, weight, number.number(), target)
    }

    fn host_records(&self, instance: &Instance, owner: Name) -> impl Iterator<Item = RrSet> {
        let ips = instance.registration.address.ips().to_vec();
        [RecordType::A, RecordType::AAAA].into_iter().filter_map(move |rtype| {
            let rdata: Vec<Rdata> = ips.iter().filter_map(|ip| address_rdata(*ip, rtype)).collect();
            (!rdata.is_empty()).then(|| RrSet { owner: owner.clone(), rtype, ttl: self.record_ttl, rdata })
        })
    }
}

fn text(instance: &Instance) -> Vec<Rdata> {
    let strings = instance.registration.txt_strings();
    if strings.is_empty() { Vec::new() } else { vec![record::txt(strings.iter().map(String::as_bytes))] }
}
