//! From a name in the live zone to what stands behind it.
//!
//! No name has two meanings, whatever services, instances, tags and ports are called, because their labels have no
//! underscore. The last label in front of the apex decides first:
//!
//! 1. `_tcp` or `_udp`: the names of RFC 2782 and RFC 6763 for whole services. The label before it is a service with an
//!    underscore; before that stand an instance, `_sub`, or a tag with an underscore and `_sub`. `_services._dns-sd._udp`
//!    is the list of all service types, also when a service is called `dns-sd`.
//! 2. Anything else: a service. Before it stand an instance or a tag, which registration keeps apart; or `_tcp` and
//!    `_udp` with a port before them, also when the port is called `tcp` or `sub`; or a tag and then these.
//!
//! What is not found here is left to the static records beside the registry: `b._dns-sd._udp` and `lb._dns-sd._udp` are
//! the server's own, until somebody registers an instance `b` of a service `dns-sd` over UDP.

use std::sync::Arc;

use super::super::crowd::Crowd;
use super::super::outcome::{Outcome, Remark};
use super::super::view::{Filter, ServiceView};
use super::{Live, LiveZone};
use crate::model::{Instance, PortName, Protocol, Status};

/// What a name in the live zone stands for.
#[derive(Debug)]
pub enum Node {
    /// Instances of a service.
    Set(Set),
    /// `<instance>.<service>`: one instance by its host name.
    Host { view: Arc<ServiceView>, instance: Arc<Instance> },
    /// `<instance>._<service>._<proto>`: one instance by its name in DNS-SD (RFC 6763 §4.1).
    ServiceInstance { view: Arc<ServiceView>, instance: Arc<Instance> },
    /// `_services._dns-sd._udp`: the list of all service types (RFC 6763 §9).
    ServiceTypes,
    /// Nothing itself, but there are names below.
    EmptyNonTerminal,
}

/// Those instances of a service that a name stands for.
#[derive(Debug)]
pub struct Set {
    pub view: Arc<ServiceView>,
    pub form: Form,
    pub tag: Option<String>,
    pub protocol: Option<Protocol>,
    pub port: Option<PortName>,
}

/// The form of a name for several instances, which decides the types it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `web`, `canary.web`: A, AAAA, SRV.
    Host,
    /// `_http._tcp.web`, `_http._tcp.canary.web`: SRV.
    Port,
    /// `_web._tcp`: SRV (RFC 2782) and PTR (RFC 6763 §4).
    ServiceType,
    /// `_canary._sub._web._tcp`: PTR (RFC 6763 §7.1).
    Subtype,
}

impl Node {
    /// Whether the name is the registry's, with all its types.
    pub fn is_registered(&self) -> bool {
        !matches!(self, Self::EmptyNonTerminal)
    }

    /// The service behind the name, where there is one.
    pub fn view(&self) -> Option<&Arc<ServiceView>> {
        match self {
            Self::Set(Set { view, .. }) | Self::Host { view, .. } | Self::ServiceInstance { view, .. } => Some(view),
            Self::ServiceTypes | Self::EmptyNonTerminal => None,
        }
    }

    /// What people should know about this outcome of the name.
    pub fn remark(&self, outcome: &Outcome) -> Option<Remark> {
        let (serves, serves_unhealthy) = match self {
            Self::Set(set) => (set.view.served(&set.filter()).next().is_some(), set.view.is_panicking()),
            Self::Host { view, instance } | Self::ServiceInstance { view, instance } => {
                (view.serves(instance), instance.status() == Status::Unhealthy)
            }
            Self::ServiceTypes | Self::EmptyNonTerminal => return None,
        };
        match outcome {
            Outcome::Answer { .. } if serves_unhealthy => Some(Remark::Panic),
            Outcome::NoData { .. } if !serves => Some(Remark::NoneServed),
            _ => None,
        }
    }
}

impl Set {
    /// Which instances of the service these are.
    pub fn filter(&self) -> Filter<'_> {
        Filter { tag: self.tag.as_deref(), protocol: self.protocol, port: self.port.as_ref() }
    }

    /// What is served of it, if it is all of a large service.
    pub fn crowd(&self) -> Option<&Crowd> {
        self.view.crowd(&self.filter())
    }

    /// The set, if any instance belongs to it, whatever its status.
    fn if_any(self) -> Option<Node> {
        let exists = self.view.select(&self.filter()).next().is_some();
        exists.then_some(Node::Set(self))
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
        let (last, rest) = labels.split_last()?;
        match transport(last) {
            Some(protocol) => below_protocol(live, rest, protocol),
            None => below_service(live.service(last)?, rest),
        }
    }
}

/// The protocol of a label such as `_tcp`.
fn transport(label: &str) -> Option<Protocol> {
    match label {
        "_tcp" => Some(Protocol::Tcp),
        "_udp" => Some(Protocol::Udp),
        _ => None,
    }
}

/// Names in front of `_<proto>`.
fn below_protocol(live: &dyn Live, labels: &[&str], protocol: Protocol) -> Option<Node> {
    let Some((service, rest)) = labels.split_last() else {
        return live.has_protocol(protocol).then_some(Node::EmptyNonTerminal);
    };
    if (rest, *service, protocol) == (&["_services"], "_dns-sd", Protocol::Udp) {
        return Some(Node::ServiceTypes);
    }
    let view = live.service(service.strip_prefix('_')?)?;
    let set = |view, form, tag| Set { view, form, tag, protocol: Some(protocol), port: None };
    match rest {
        [] => set(view, Form::ServiceType, None).if_any(),
        ["_sub"] => view.has_tags(protocol).then_some(Node::EmptyNonTerminal),
        [instance] => {
            let instance = Arc::clone(view.instance(instance)?);
            (instance.registration.protocol == protocol).then_some(Node::ServiceInstance { view, instance })
        }
        [tag, "_sub"] => set(view, Form::Subtype, Some(tag.strip_prefix('_')?.to_owned())).if_any(),
        _ => None,
    }
}

/// Names in front of `<service>`.
fn below_service(view: Arc<ServiceView>, labels: &[&str]) -> Option<Node> {
    match *labels {
        [] => Some(host_set(view, None)),
        [label] => match transport(label) {
            Some(protocol) => ports_below(&view, None, protocol),
            None => match view.instance(label).cloned() {
                Some(instance) => Some(Node::Host { view, instance }),
                None => view.has_tag(label).then(|| host_set(view, Some(label))),
            },
        },
        // A port may be called `tcp`, a tag never `_tcp`.
        [first, second] => match (transport(first), transport(second)) {
            (_, Some(protocol)) => named_port(view, None, first, protocol),
            (Some(protocol), None) => ports_below(&view, Some(second), protocol),
            (None, None) => None,
        },
        [first, second, tag] => named_port(view, Some(tag), first, transport(second)?),
        _ => None,
    }
}

fn host_set(view: Arc<ServiceView>, tag: Option<&str>) -> Node {
    Node::Set(Set { view, form: Form::Host, tag: tag.map(str::to_owned), protocol: None, port: None })
}

/// `_<port>._<proto>` below a service or below a tag of it.
fn named_port(view: Arc<ServiceView>, tag: Option<&str>, label: &str, protocol: Protocol) -> Option<Node> {
    let port = PortName::parse(label.strip_prefix('_')?).ok()?;
    let tag = tag.map(str::to_owned);
    Set { view, form: Form::Port, tag, protocol: Some(protocol), port: Some(port) }.if_any()
}

/// `_<proto>` below a service or below a tag of it: there are names under it while an instance has a named port.
fn ports_below(view: &ServiceView, tag: Option<&str>, protocol: Protocol) -> Option<Node> {
    let filter = Filter { tag, protocol: Some(protocol), port: None };
    let named = view.select(&filter).any(|instance| !instance.registration.ports().is_empty());
    named.then_some(Node::EmptyNonTerminal)
}
