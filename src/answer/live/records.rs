//! The records behind a name, drawn from the instances that are served.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::crowd::Crowd;
use super::super::order::{self, Candidate, Draw, Field};
use super::super::view::ServiceView;
use super::addresses::{address_rdata, addresses, drawn_addresses};
use super::names::{Form, Set};
use super::{Live, LiveZone, Node};
use crate::model::{Address, Instance, Key, PortName, Protocol};
use crate::wire::record;
use crate::wire::{Name, Rdata, RecordType, RrSet};

/// The records of one type at one name, in the order in which they were drawn.
#[derive(Debug, Default)]
pub struct Records {
    /// In seconds.
    pub ttl: u32,
    /// Empty when the name has no records of the type.
    pub rdata: Vec<Rdata>,
    /// What the client will ask for next, in the order of `rdata`.
    pub additional: Vec<RrSet>,
    /// Hosts that were registered by their names: their addresses are known to others, if to anyone here.
    pub hosts: Vec<Name>,
}

impl LiveZone {
    /// The records of one type behind a node as they are drawn.
    pub fn records(&self, live: &dyn Live, node: &Node, rtype: RecordType, draw: &Draw) -> Records {
        match node {
            Node::EmptyNonTerminal => Records::default(),
            Node::ServiceTypes if rtype == RecordType::PTR => self.service_types(live, draw),
            Node::ServiceTypes => Records::default(),
            Node::Host { view, instance } | Node::ServiceInstance { view, instance } if !view.serves(instance) => {
                Records::default()
            }
            Node::Host { view, instance } => self.of_host(view, instance, rtype, draw),
            Node::ServiceInstance { view, instance } => self.of_service_instance(view, instance, rtype, draw),
            Node::Set(set) => match set.crowd() {
                Some(crowd) => self.of_crowd(set, crowd, rtype, draw),
                None => self.of_set(set, set.view.served(&set.filter()), rtype, draw),
            },
        }
    }

    /// The records of an instance at its host name, served or not.
    pub(super) fn of_host(
        &self,
        view: &ServiceView,
        instance: &Arc<Instance>,
        rtype: RecordType,
        draw: &Draw,
    ) -> Records {
        match rtype {
            RecordType::A | RecordType::AAAA => self.plain(view, addresses([instance].into_iter(), rtype, draw)),
            RecordType::SRV => self.services(view, [instance].into_iter(), None, draw),
            RecordType::TXT if instance.registration.txt_strings().is_empty() => Records::default(),
            RecordType::TXT => self.plain(view, vec![text(instance)]),
            _ => Records::default(),
        }
    }

    /// The records of an instance at its name in DNS-SD, served or not.
    pub(super) fn of_service_instance(
        &self,
        view: &ServiceView,
        instance: &Arc<Instance>,
        rtype: RecordType,
        draw: &Draw,
    ) -> Records {
        match rtype {
            RecordType::SRV => self.services(view, [instance].into_iter(), None, draw),
            // Never without a TXT record (RFC 6763 §6.1).
            RecordType::TXT => self.plain(view, vec![text(instance)]),
            _ => Records::default(),
        }
    }

    /// The records that these instances of a set have at its name.
    pub(super) fn of_set<'a>(
        &self,
        set: &Set,
        instances: impl Iterator<Item = &'a Arc<Instance>>,
        rtype: RecordType,
        draw: &Draw,
    ) -> Records {
        match (rtype, set.form) {
            (RecordType::A | RecordType::AAAA, Form::Host) => self.plain(&set.view, addresses(instances, rtype, draw)),
            (RecordType::SRV, Form::Host | Form::Port | Form::ServiceType) => {
                self.services(&set.view, instances, set.port.as_ref(), draw)
            }
            (RecordType::PTR, Form::ServiceType | Form::Subtype) => match set.protocol {
                Some(protocol) => self.service_instances(&set.view, instances, protocol, draw),
                None => Records::default(),
            },
            _ => Records::default(),
        }
    }

    /// The same of a crowd.
    fn of_crowd(&self, set: &Set, crowd: &Crowd, rtype: RecordType, draw: &Draw) -> Records {
        match (rtype, set.form) {
            (RecordType::A | RecordType::AAAA, Form::Host) => {
                self.plain(&set.view, drawn_addresses(crowd.addresses(rtype), rtype, draw))
            }
            _ => {
                // Whoever is drawn already is all that there is.
                let drawn = draw.take(crowd.instances()).map(|at| &set.view.instances()[*at as usize]);
                self.of_set(set, drawn, rtype, draw)
            }
        }
    }

    /// Records that bring nothing with them.
    fn plain(&self, view: &ServiceView, rdata: Vec<Rdata>) -> Records {
        Records { ttl: self.record_ttl(view), rdata, ..Records::default() }
    }

    /// PTR records to service types, in the order of their services: as many as may be needed, of however many there
    /// are.
    fn service_types(&self, live: &dyn Live, draw: &Draw) -> Records {
        let types = live.served_types(draw.at_most);
        let names = types.iter().filter_map(|(service, protocol)| self.type_name(service.as_str(), *protocol));
        Records { ttl: self.record_ttl, rdata: names.map(|name| name.wire().into()).collect(), ..Records::default() }
    }

    /// PTR records to the names that instances have in DNS-SD, with all that a client asks of each (RFC 6763 §12.1).
    fn service_instances<'a>(
        &self,
        view: &ServiceView,
        instances: impl Iterator<Item = &'a Arc<Instance>>,
        protocol: Protocol,
        draw: &Draw,
    ) -> Records {
        let mut records = self.plain(view, Vec::new());
        let Some(parent) = self.type_name(view.name().as_str(), protocol) else { return records };
        let ttl = records.ttl;
        let field: Field<_> = instances.map(|instance| candidate(instance, instance)).collect();
        for &instance in draw.take(&field) {
            let Ok(owner) = parent.prepend(instance.key.id.as_str().as_bytes()) else { continue };
            records.rdata.push(owner.wire().into());
            let mut srv = self.services(view, [instance].into_iter(), None, draw);
            let of = |rtype, rdata| RrSet { owner: owner.clone(), rtype, ttl, rdata };
            records.additional.push(of(RecordType::SRV, srv.rdata));
            records.additional.push(of(RecordType::TXT, vec![text(instance)]));
            records.additional.append(&mut srv.additional);
            records.hosts.append(&mut srv.hosts);
        }
        records
    }

    /// SRV records, lowest priority first, and the address records of their targets in the same order.
    fn services<'a>(
        &self,
        view: &ServiceView,
        instances: impl Iterator<Item = &'a Arc<Instance>>,
        port: Option<&PortName>,
        draw: &Draw,
    ) -> Records {
        let mut records = self.plain(view, Vec::new());
        // Only instances that share a host name can make equal records.
        let mut shared = HashSet::new();
        let field: Field<_> = instances.map(|instance| candidate(instance, instance)).collect();
        for &instance in draw.take(&field) {
            let Some(target) = self.target(instance) else { continue };
            let rdata = self.srv(instance, port, &target);
            if matches!(instance.registration.address, Address::Host(_)) {
                if !shared.insert(rdata.clone()) {
                    continue;
                }
                records.hosts.push(target);
            } else {
                records.additional.extend(host_records(instance, target, records.ttl));
            }
            records.rdata.push(rdata);
        }
        records
    }

    /// The name that an SRV record of this instance points at. Registration saw to it that it fits.
    fn target(&self, instance: &Instance) -> Option<Name> {
        match &instance.registration.address {
            Address::Host(host) => Name::parse(host.as_str()).ok(),
            Address::One(_) | Address::Several(_) => self.host_name(&instance.key),
        }
    }

    /// `<instance>.<service>` below the apex.
    pub fn host_name(&self, key: &Key) -> Option<Name> {
        let service = self.apex.prepend(key.service.as_str().as_bytes()).ok()?;
        service.prepend(key.id.as_str().as_bytes()).ok()
    }

    /// `_<service>._<proto>` below the apex.
    fn type_name(&self, service: &str, protocol: Protocol) -> Option<Name> {
        let protocol = self.apex.prepend(format!("_{}", protocol.as_str()).as_bytes()).ok()?;
        protocol.prepend(format!("_{service}").as_bytes()).ok()
    }

    fn srv(&self, instance: &Instance, port: Option<&PortName>, target: &Name) -> Rdata {
        let registration = &instance.registration;
        let scaled = u32::from(instance.effective_weight().0) * u32::from(self.srv_weight_scale);
        let weight = u16::try_from(scaled).unwrap_or(u16::MAX);
        let number = port.and_then(|port| registration.port_named(port)).unwrap_or(registration.port);
        record::srv(registration.priority.0, weight, number.number(), target)
    }
}

/// An instance as it is drawn among others of its service, with what stands for it.
pub fn candidate<T>(instance: &Instance, item: T) -> Candidate<T> {
    Candidate {
        priority: instance.registration.priority.0,
        identity: order::identity(instance.key.id.as_str().as_bytes()),
        weight: u64::from(instance.effective_weight().0),
        item,
    }
}

fn host_records(instance: &Instance, owner: Name, ttl: u32) -> impl Iterator<Item = RrSet> {
    let ips = instance.registration.address.ips();
    [RecordType::A, RecordType::AAAA].into_iter().filter_map(move |rtype| {
        let rdata: Vec<Rdata> = ips.iter().filter_map(|ip| address_rdata(*ip, rtype)).collect();
        (!rdata.is_empty()).then(|| RrSet { owner: owner.clone(), rtype, ttl, rdata })
    })
}

/// The TXT record of an instance: a single empty string when it says nothing (RFC 6763 §6.1).
fn text(instance: &Instance) -> Rdata {
    record::txt(instance.registration.txt_strings().iter().map(String::as_bytes))
}
