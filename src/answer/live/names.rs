//! From a name in the live zone to what stands behind it.

use std::sync::Arc;

use super::super::view::{Filter, ServiceView};
use super::{Live, LiveZone};
use crate::model::{Instance, PortName, Protocol};

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
}

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
