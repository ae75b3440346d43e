//! The live zone: names that the registry brings into being, and the records behind them.
//!
//! ```text
//! web.Z                          A AAAA SRV        _web._tcp.Z                SRV
//! i-7f3a.web.Z                   A AAAA SRV TXT    _http._tcp.web.Z           SRV
//! canary.web.Z                   A AAAA SRV        _http._tcp.canary.web.Z    SRV
//! ```
//!
//! A name exists while a registered instance, of whatever status, stands behind it; its records are those of the
//! instances that are served. So a service whose instances are all down is NODATA, and one that is gone is NXDOMAIN.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::order::{self, Candidate, Draw};
use super::view::{Filter, ServiceView, is_served};
use crate::model::{Address, Instance, PortName, Protocol, Revision};
use crate::wire::record::{self, Soa};
use crate::wire::{Name, Rdata, RecordType, RrSet};

/// The present state of the registry, as look-ups need it.
pub trait Live {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>>;
    /// Whether any service has an instance of this protocol.
    fn has_protocol(&self, protocol: Protocol) -> bool;
    fn revision(&self) -> Revision;
}

/// What the configuration says about the live zone. TTLs are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveZone {
    pub apex: Name,
    pub record_ttl: u32,
    pub negative_ttl: u32,
    pub srv_weight_scale: u16,
    /// The addresses of this server, for the name server's own name.
    pub addresses: Vec<IpAddr>,
}

/// What a name in the live zone stands for.
#[derive(Debug)]
pub enum Node {
    /// A service, or those of its instances that carry a tag: `host` says whether the name has addresses too, or is one
    /// that begins with an underscore and has SRV records only.
    Set {
        service: Arc<ServiceView>,
        tag: Option<String>,
        protocol: Option<Protocol>,
        port: Option<PortName>,
        host: bool,
    },
    Instance(Arc<Instance>),
    /// Nothing itself, but there are names below.
    EmptyNonTerminal,
}

impl Node {
    /// Whether the name is the registry's, with all its types.
    pub fn is_registered(&self) -> bool {
        !matches!(self, Self::EmptyNonTerminal)
    }
}

impl LiveZone {
    /// What stands behind the labels in front of the apex, most specific first; `None` when nothing does.
    pub fn find(&self, live: &dyn Live, labels: &[&[u8]]) -> Option<Node> {
        // No name of the registry is deeper, and none holds anything but ASCII.
        if labels.len() > 4 {
            return None;
        }
        let lowered: Option<Vec<String>> =
            labels.iter().map(|label| std::str::from_utf8(label).ok().map(str::to_ascii_lowercase)).collect();
        let lowered = lowered?;
        let labels: Vec<&str> = lowered.iter().map(String::as_str).collect();
        match labels[..] {
            [one] => match transport(one) {
                Some(protocol) => live.has_protocol(protocol).then_some(Node::EmptyNonTerminal),
                None => live.service(one).map(|service| set(service, None, None, None, true)),
            },
            [first, second] => match transport(second) {
                Some(protocol) => {
                    let service = live.service(first.strip_prefix('_')?)?;
                    service.has_protocol(protocol).then(|| set(service, None, Some(protocol), None, false))
                }
                None => below_service(live.service(second)?, first),
            },
            [first, second, third] => match (transport(first), transport(second)) {
                // A port may be called `tcp`, a tag never `_tcp`.
                (_, Some(protocol)) => named_port(live.service(third)?, None, first, protocol),
                (Some(protocol), None) => ports_below(&*live.service(third)?, Some(second), protocol),
                (None, None) => None,
            },
            [first, second, third, fourth] => named_port(live.service(fourth)?, Some(third), first, transport(second)?),
            _ => None,
        }
    }

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

    /// The SOA record at the apex: its serial is the revision (RFC 1982), its TTL that of negative answers.
    pub fn soa(&self, revision: Revision) -> RrSet {
        let below = |label: &str| self.apex.prepend(label.as_bytes()).unwrap_or_else(|_| self.apex.clone());
        let soa = Soa {
            mname: below(NAME_SERVER),
            rname: below("hostmaster"),
            serial: revision.serial(),
            refresh: 3600,
            retry: 600,
            expire: 86_400,
            minimum: self.negative_ttl,
        };
        let ttl = self.negative_ttl;
        RrSet { owner: self.apex.clone(), rtype: RecordType::SOA, ttl, rdata: vec![soa.to_rdata()] }
    }

    /// What the server says of itself below the apex: that it is the zone's name server, and its addresses.
    pub fn own_records(&self) -> Vec<RrSet> {
        let Ok(server) = self.apex.prepend(NAME_SERVER.as_bytes()) else { return Vec::new() };
        let ttl = self.record_ttl;
        let ns = RrSet { owner: self.apex.clone(), rtype: RecordType::NS, ttl, rdata: vec![server.wire().into()] };
        let addresses = [RecordType::A, RecordType::AAAA].map(|rtype| {
            let rdata = self.addresses.iter().filter_map(|ip| address_rdata(*ip, rtype)).collect();
            RrSet { owner: server.clone(), rtype, ttl, rdata }
        });
        std::iter::once(ns).chain(addresses).filter(|set| !set.rdata.is_empty()).collect()
    }
}

/// The label of the server's own name below the apex, unless a service is called so.
const NAME_SERVER: &str = "ns";

fn set(
    service: Arc<ServiceView>,
    tag: Option<&str>,
    protocol: Option<Protocol>,
    port: Option<PortName>,
    host: bool,
) -> Node {
    Node::Set { service, tag: tag.map(str::to_owned), protocol, port, host }
}

/// The protocol of a label such as `_tcp`.
fn transport(label: &str) -> Option<Protocol> {
    match label {
        "_tcp" => Some(Protocol::Tcp),
        "_udp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// `<instance>.<service>`, `<tag>.<service>` or `_<proto>.<service>`.
fn below_service(service: Arc<ServiceView>, label: &str) -> Option<Node> {
    if let Some(protocol) = transport(label) {
        return ports_below(&service, None, protocol);
    }
    if let Some(instance) = service.instance(label) {
        return Some(Node::Instance(Arc::clone(instance)));
    }
    service.has_tag(label).then(|| set(service, Some(label), None, None, true))
}

/// `_<port>._<proto>` below a service or below a tag of it.
fn named_port(service: Arc<ServiceView>, tag: Option<&str>, label: &str, protocol: Protocol) -> Option<Node> {
    let port = PortName::parse(label.strip_prefix('_')?).ok()?;
    let filter = Filter { tag, protocol: Some(protocol), port: Some(&port) };
    let exists = service.select(&filter).next().is_some();
    exists.then(|| set(service, tag, Some(protocol), Some(port), false))
}

/// `_<proto>` below a service or below a tag of it: there are names under it while an instance has a named port.
fn ports_below(service: &ServiceView, tag: Option<&str>, protocol: Protocol) -> Option<Node> {
    let filter = Filter { tag, protocol: Some(protocol), port: None };
    let named = service.select(&filter).any(|instance| !instance.registration.ports.is_empty());
    named.then_some(Node::EmptyNonTerminal)
}

/// Address records of one family, from the lowest priority that has any: each address once, with the weights of all who
/// share it.
fn addresses<'a>(instances: impl Iterator<Item = &'a Arc<Instance>>, rtype: RecordType, draw: &Draw) -> Vec<Rdata> {
    let mut lowest = None;
    let mut found: Vec<(IpAddr, u64)> = Vec::new();
    for instance in instances {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == (rtype == RecordType::A);
        let mut own = instance.registration.address.ips().iter().filter(of_family).peekable();
        let priority = instance.registration.priority;
        if own.peek().is_none() || lowest.is_some_and(|lowest| lowest < priority) {
            continue;
        }
        if lowest != Some(priority) {
            lowest = Some(priority);
            found.clear();
        }
        found.extend(own.map(|ip| (*ip, u64::from(instance.effective_weight().0))));
    }
    found.sort_unstable_by_key(|(ip, _)| *ip);
    found.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    let candidates =
        found.into_iter().map(|(ip, weight)| Candidate { priority: 0, identity: stands_for(ip), weight, item: ip });
    draw.take(candidates).filter_map(|ip| address_rdata(ip, rtype)).collect()
}

fn stands_for(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}

fn address_rdata(ip: IpAddr, rtype: RecordType) -> Option<Rdata> {
    match (ip, rtype) {
        (IpAddr::V4(ip), RecordType::A) => Some(ip.octets().into()),
        (IpAddr::V6(ip), RecordType::AAAA) => Some(ip.octets().into()),
        _ => None,
    }
}

fn text(instance: &Instance) -> Vec<Rdata> {
    let strings = instance.registration.txt_strings();
    if strings.is_empty() { Vec::new() } else { vec![record::txt(strings.iter().map(String::as_bytes))] }
}
