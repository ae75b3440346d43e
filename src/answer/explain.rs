//! How an outcome came about, for people who ask why an instance is in an answer, or is not.
//!
//! [`super::Catalog::explain`] begins from the outcome that DNS answers with and looks up what led to it with the same
//! functions, so that what is explained is what is answered.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{Resolved, ServiceView};
use crate::model::{Instance, Key, Moment, PortName, Priority, Protocol, Revision, ServiceName};
use crate::wire::{Name, RecordType};

/// An outcome with what led to it.
#[derive(Debug)]
pub struct Explanation {
    pub resolved: Resolved,
    /// The zone that answered; `None` when none holds the name.
    pub zone: Option<(ZoneKind, Name)>,
    /// What the name stands for, or the name that its aliases lead to.
    pub subject: Subject,
    pub service: Option<Terms>,
    /// Every instance that could be in the answer, in the order of their ids; at an address, those that are served first.
    pub parts: Vec<Part>,
}

/// The kinds of zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ZoneKind {
    /// Filled by the registry, and by the master file of the same name.
    Live,
    /// Made of the addresses of instances.
    Reverse,
    /// Read from a master file.
    Static,
}

/// What a name stands for; shown as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// Those instances of a service that fit the name.
    Instances {
        service: ServiceName,
        tag: Option<String>,
        protocol: Option<Protocol>,
        port: Option<PortName>,
    },
    Instance(Key),
    /// The instances at an address.
    Address(IpAddr),
    ServiceTypes,
    /// Records that are not of the registry.
    Records,
    /// The name exists because of others.
    NamesBelow,
    /// At or below a zone cut.
    Delegation(Name),
    /// The aliases leave the zone; clients go on from there.
    LeadsOut(Name),
    /// No service is called so.
    NoService(String),
    /// The service is there, and nothing of it is called so.
    NothingOfService(ServiceName),
    NoName,
    NoZone,
}

/// What holds for all records of a service.
#[derive(Debug)]
pub struct Terms {
    pub view: Arc<ServiceView>,
    /// In seconds.
    pub record_ttl: u32,
    pub srv_weight_scale: u16,
}

/// One instance and its part in an answer.
#[derive(Debug)]
pub struct Part {
    pub instance: Arc<Instance>,
    pub cause: Cause,
    /// The probability, 0 to 1, that its record is the first of an answer; `None` where the order says nothing.
    pub share: Option<f64>,
}

/// Why an instance is in an answer, or is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// In: it is healthy.
    Healthy,
    /// In, although it is unhealthy: too few others are healthy.
    Panic,
    /// Out: its status keeps it from being served.
    Status,
    /// Out: it lacks the tag that the name asks for.
    Tag,
    /// Out: the name asks for another protocol.
    Protocol,
    /// Out: it lacks the port that the name asks for.
    Port,
    /// Out: it has no address of the family.
    Family,
    /// Out: it was registered by a host name, whose addresses are not known here.
    HostName,
    /// Out: such a name has no records of that type for it.
    Type,
    /// Out: others have this lower priority.
    Priority(Priority),
    /// Out: there are more records than any message holds.
    Room,
}

/// The longest message over one transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Octets that it may have.
    pub limit: usize,
    /// Octets that it has.
    pub octets: usize,
    pub truncated: bool,
    /// Records in the answer section.
    pub answers: u16,
    /// Records in the additional section, without OPT.
    pub additional: u16,
}

/// What a client is answered, and why.
#[derive(Debug)]
pub struct Explained {
    pub revision: Revision,
    /// The mnemonic of the response code.
    pub rcode: &'static str,
    /// `Err` when nothing was looked up, with the reason.
    pub explanation: Result<Explanation, &'static str>,
    /// Over UDP without EDNS.
    pub udp: Message,
    /// Over UDP to a client that takes in as much as this server sends.
    pub edns: Message,
    pub tcp: Message,
}

/// Whoever answers questions.
pub trait Explain: fmt::Debug + Send + Sync {
    /// Answers a question of `client`, and says why so. `draw` decides the order of records.
    fn explain(&self, qname: &Name, qtype: RecordType, client: IpAddr, now: Moment, draw: u64) -> Explained;
}

impl Cause {
    pub fn is_in(self) -> bool {
        matches!(self, Self::Healthy | Self::Panic)
    }
}

impl ZoneKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Reverse => "reverse",
            Self::Static => "static",
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instances { service, tag, protocol, port } => {
                write!(f, "it stands for the instances of service {service}")?;
                let tag = tag.as_ref().map(|tag| format!("carry the tag {tag}"));
                let protocol = protocol.map(|protocol| format!("are reached over {}", protocol.as_str()));
                let port = port.as_ref().map(|port| format!("have a port {port}"));
                let narrowed: Vec<String> = [tag, protocol, port].into_iter().flatten().collect();
                if narrowed.is_empty() { Ok(()) } else { write!(f, " that {}", narrowed.join(" and ")) }
            }
            Self::Instance(key) => write!(f, "it is the instance {key}"),
            Self::Address(ip) => write!(f, "it stands for the instances at {ip}"),
            Self::ServiceTypes => write!(f, "it lists every service type of which an instance is served"),
            Self::Records => write!(f, "it is a name of static records"),
            Self::NamesBelow => write!(f, "it has no records of its own, and there are names below it"),
            Self::Delegation(cut) => write!(f, "other servers answer for it: {cut} is delegated to them"),
            Self::LeadsOut(name) => write!(f, "it is an alias that leads out of the zone, to {name}"),
            Self::NoService(name) => write!(f, "there is no service {name}"),
            Self::NothingOfService(service) => {
                write!(f, "nothing of service {service} has the instance, tag, port or protocol that it names")
            }
            Self::NoName => write!(f, "the zone has no such name"),
            Self::NoZone => write!(f, "no zone of this server holds it"),
        }
    }
}
