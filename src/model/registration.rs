//! A registration: what a client says about an instance, read from JSON and written back.
//!
//! A million instances have one each. So what most of them leave out is set apart, takes no room while it is left out,
//! and can be shared by those that say the same ([`Registration::sharing`]).

mod particulars;
mod parts;
mod sharing;
mod written;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};

use serde_json::{Map, Value};
use smol_str::SmolStr;

use self::particulars::{Particulars, SCHEME};
pub use self::parts::Parts;
pub use self::written::Written;
use super::json::{self as read, Members, Shown};
use super::lease::PackedTtl;
use super::{
    Address, CheckDefaults, CheckSpec, Invalid, LeaseTtl, Metadata, Port, PortName, Priority, Reason, SelfReport,
    ServiceName, Span, Tag, Weight, limits,
};

/// What a client says about an instance. Two registrations that are equal here are the same to every reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    pub address: Address,
    /// The main port.
    pub port: Port,
    pub protocol: Protocol,
    pub weight: Weight,
    pub priority: Priority,
    /// What the instance says of itself until a heartbeat says otherwise.
    pub status: SelfReport,
    /// Whether the checks came with it. Otherwise they are those of its service or of the server, and follow them.
    pub brings_checks: bool,
    ttl: PackedTtl,
    /// `None` when there is none. Beside the particulars, because it is what most often tells instances apart.
    metadata: Option<Arc<Metadata>>,
    /// `None` when nothing is said in them.
    particulars: Option<Arc<Particulars>>,
}

/// The transport protocol of a service (RFC 2782).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    Tcp,
    Udp,
}

impl Protocol {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
        }
    }
}

/// What a registration gets that does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defaults {
    pub ttl: Span,
    pub check: CheckDefaults,
    pub checks: Vec<CheckSpec>,
}

impl Default for Defaults {
    /// What holds where nothing is configured.
    fn default() -> Self {
        Self { ttl: Span::from_secs(30), check: CheckDefaults::default(), checks: Vec::new() }
    }
}

const MEMBERS: &[&str] = &[
    "address",
    "addresses",
    "port",
    "ports",
    "protocol",
    "scheme",
    "version",
    "weight",
    "priority",
    "tags",
    "metadata",
    "status",
    "ttl",
    "deregister_after",
    "slow_start",
    "checks",
];

/// Members that only replies have, and the two that the path gives: accepted, and left to others.
pub const REPLY_MEMBERS: &[&str] = &[
    "service",
    "id",
    "endpoint",
    "url",
    "effective_weight",
    "reason",
    "message",
    "load",
    "created_at",
    "changed_at",
    "last_heartbeat",
    "expires_at",
    "overdue",
    "revision",
];

impl Registration {
    /// Reads a registration. `from` is the address the request came from, for `"address": "auto"`.
    ///
    /// # Errors
    /// The first member that is wrong, with its path.
    pub fn from_json(value: &Value, defaults: &Defaults, from: IpAddr) -> Result<Self, Invalid> {
        let members = Members::of(value, MEMBERS, REPLY_MEMBERS)?;
        let address = members.optional("address", |address| Address::from_json(address, from))?;
        let addresses = members.optional("addresses", Address::from_json_list)?;
        let ports = members.optional("ports", named_ports)?.unwrap_or_default();
        let port = members.optional("port", Port::from_json)?;
        let checks = members.optional("checks", |checks| {
            read::list(checks, limits::CHECKS, |check| CheckSpec::from_json(check, &defaults.check))
        })?;
        let registration = Self {
            address: one_of(address, addresses)?,
            port: port.or_else(|| only_port(&ports)).ok_or_else(|| Invalid::at("port", Reason::Missing))?,
            protocol: members.optional("protocol", |value| protocol(read::string(value)?))?.unwrap_or(Protocol::Tcp),
            weight: members.optional("weight", |weight| u16_from(weight).map(Weight))?.unwrap_or_default(),
            priority: members.optional("priority", |priority| u16_from(priority).map(Priority))?.unwrap_or_default(),
            status: members.optional("status", |value| read::string(value).map(self_report))?.unwrap_or_default(),
            brings_checks: checks.is_some(),
            ttl: members
                .optional("ttl", |value| lease_ttl(value.as_str().ok_or(Reason::Span)?))?
                .unwrap_or(LeaseTtl::For(defaults.ttl))
                .into(),
            metadata: None,
            particulars: None,
        };
        let particulars = Particulars {
            ports,
            scheme: members
                .optional("scheme", |value| scheme(read::string(value)?))?
                .unwrap_or(SmolStr::new_static(SCHEME)),
            version: members.optional("version", |value| version(read::string(value)?))?,
            tags: members.optional("tags", tags)?.unwrap_or_default(),
            deregister_after: members
                .optional("deregister_after", |span| read::span(span, limits::DEREGISTER_AFTER))?,
            slow_start: members.optional("slow_start", |span| read::span(span, limits::SLOW_START))?,
            checks: checks.unwrap_or_else(|| defaults.checks.clone()).into(),
        };
        let metadata = members.optional("metadata", Metadata::from_json)?.filter(|metadata| !metadata.is_empty());
        Ok(Self { metadata: metadata.map(Arc::new), particulars: particulars.if_any(), ..registration })
    }

    /// The ports that have a name, in the order of their names.
    pub fn ports(&self) -> &[(PortName, Port)] {
        self.particulars().map_or(&[], |particulars| &particulars.ports)
    }

    /// The port of this name.
    pub fn port_named(&self, name: &PortName) -> Option<Port> {
        let ports = self.ports();
        ports.binary_search_by(|(own, _)| own.cmp(name)).ok().map(|at| ports[at].1)
    }

    pub fn scheme(&self) -> &str {
        self.particulars().map_or(SCHEME, |particulars| &particulars.scheme)
    }

    pub fn version(&self) -> Option<&str> {
        self.particulars()?.version.as_deref()
    }

    pub fn tags(&self) -> &[Tag] {
        self.particulars().map_or(&[], |particulars| &particulars.tags)
    }

    pub fn metadata(&self) -> &Metadata {
        static NONE: LazyLock<Metadata> = LazyLock::new(Metadata::default);
        self.metadata.as_deref().unwrap_or(&NONE)
    }

    /// How long it lives without a heartbeat.
    pub fn ttl(&self) -> LeaseTtl {
        self.ttl.into()
    }

    /// Removed after being unhealthy for this long.
    pub fn deregister_after(&self) -> Option<Span> {
        self.particulars()?.deregister_after
    }

    /// How long the weight takes to ramp up after the instance turned healthy.
    pub fn slow_start(&self) -> Option<Span> {
        self.particulars()?.slow_start
    }

    pub fn checks(&self) -> &[CheckSpec] {
        self.particulars().map_or(&[], |particulars| &particulars.checks)
    }

    /// The same with other checks, that it did not bring.
    #[must_use]
    pub fn with_default_checks(self, checks: &[CheckSpec]) -> Self {
        let particulars = self.particulars().cloned().unwrap_or_default();
        Self {
            particulars: Particulars { checks: checks.into(), ..particulars }.if_any(),
            brings_checks: false,
            ..self
        }
    }

    fn particulars(&self) -> Option<&Particulars> {
        self.particulars.as_deref()
    }

    /// The registration as [`Self::from_json`] reads it, with every default spelled out.
    pub fn to_json(&self) -> Map<String, Value> {
        let mut object = Map::new();
        self.each_member(|name, value| drop(object.insert(name.to_owned(), value.into_value())));
        object
    }

    /// The same, one member after the other.
    pub fn each_member(&self, mut set: impl FnMut(&'static str, Shown<'_>)) {
        let (name, address) = self.address.shown();
        set(name, address);
        set("port", Shown::Number(self.port.number().into()));
        set("ports", Shown::Ports(self.ports()));
        set("protocol", Shown::Text(self.protocol.as_str()));
        set("scheme", Shown::Text(self.scheme()));
        if let Some(version) = self.version() {
            set("version", Shown::Text(version));
        }
        set("weight", Shown::Number(self.weight.0.into()));
        set("priority", Shown::Number(self.priority.0.into()));
        set("tags", Shown::Tags(self.tags()));
        set("metadata", Shown::Metadata(self.metadata()));
        set("status", Shown::Text(self.status.as_str()));
        match self.ttl() {
            LeaseTtl::For(span) => set("ttl", Shown::Plain(&span)),
            LeaseTtl::Permanent => set("ttl", Shown::Text("none")),
        }
        for (name, span) in [("deregister_after", self.deregister_after()), ("slow_start", self.slow_start())] {
            if let Some(span) = span {
                set(name, Shown::Plain(&span));
            }
        }
        set("checks", Shown::Tree(self.checks().iter().map(CheckSpec::to_json).collect()));
    }

    /// Whether checks of this registration reach the same place as those of another.
    pub fn same_target(&self, other: &Self) -> bool {
        self.address == other.address && self.port == other.port
    }

    /// The strings of the TXT record: `version` first, then the metadata (RFC 6763 §6.3).
    pub fn txt_strings(&self) -> Vec<String> {
        let version = self.version().into_iter().map(|version| format!("version={version}"));
        let versioned = self.version().is_some();
        let pairs = self.metadata().texts().filter(|(key, _)| !(versioned && key.eq_ignore_ascii_case("version")));
        version.chain(pairs.map(|(key, value)| format!("{key}={value}"))).collect()
    }

    /// Octets in wire form of the longest name that DNS derives from this registration, below a zone apex of
    /// `apex_octets`.
    pub fn longest_name(&self, service: &ServiceName, id_octets: usize, apex_octets: usize) -> usize {
        const PROTOCOL: usize = "_tcp".len() + 1;
        const SUB: usize = "_sub".len() + 1;
        let (plain, underscored) = (service.as_str().len() + 1, service.as_str().len() + 2);
        let tag = self.tags().iter().filter_map(Tag::label).map(|tag| tag.len()).max();
        let port = self.ports().iter().map(|(port, _)| port.as_str().len() + 2 + PROTOCOL).max().unwrap_or(0);
        let instance = id_octets + 1 + underscored + PROTOCOL;
        let tagged = tag.map_or(0, |tag| (port + tag + 1 + plain).max(tag + 2 + SUB + underscored + PROTOCOL));
        apex_octets + instance.max(tagged).max(port + plain)
    }
}

fn one_of(address: Option<Address>, addresses: Option<Address>) -> Result<Address, Invalid> {
    match (address, addresses) {
        (Some(_), Some(_)) => Err(Invalid::at("addresses", Reason::Both { other: "address" })),
        (one, other) => one.or(other).ok_or_else(|| Invalid::at("address", Reason::Missing)),
    }
}

fn only_port(ports: &[(PortName, Port)]) -> Option<Port> {
    if let [(_, only)] = ports { Some(*only) } else { None }
}

fn named_ports(value: &Value) -> Result<Box<[(PortName, Port)]>, Invalid> {
    let object = value.as_object().ok_or(Reason::Type { expected: "an object of port numbers" })?;
    if object.len() > limits::NAMED_PORTS {
        return Err(Reason::TooMany { max: limits::NAMED_PORTS }.into());
    }
    let mut ports = BTreeMap::new();
    for (name, port) in object {
        let at = |reason| Invalid::at(name, reason);
        let named = PortName::parse(name).map_err(at)?;
        // Names compare without case, and two that are one would hide each other.
        if ports.insert(named, Port::from_json(port).map_err(at)?).is_some() {
            return Err(at(Reason::Repeated));
        }
    }
    Ok(ports.into_iter().collect())
}

fn protocol(text: &str) -> Result<Protocol, Reason> {
    read::choice_of(text, &["tcp", "udp"], &[Protocol::Tcp, Protocol::Udp])
}

/// A URI scheme (RFC 3986 §3.1), in lower case.
fn scheme(text: &str) -> Result<SmolStr, Reason> {
    let inside = text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+-.".contains(&octet));
    let begins = text.starts_with(|first: char| first.is_ascii_alphabetic());
    if !inside || !begins || !limits::SCHEME.contains(&text.len()) {
        return Err(Reason::Scheme);
    }
    Ok(SmolStr::new(text.to_ascii_lowercase()))
}

fn version(text: &str) -> Result<SmolStr, Reason> {
    if !limits::VERSION.contains(&text.len()) {
        return Err(Reason::Length { min: *limits::VERSION.start(), max: *limits::VERSION.end() });
    }
    if text.bytes().all(|octet| (0x20..=0x7e).contains(&octet)) {
        Ok(SmolStr::new(text))
    } else {
        Err(Reason::Printable)
    }
}

fn u16_from(value: &Value) -> Result<u16, Reason> {
    read::integer(value, 0..=65_535).map(|number| number as u16)
}

fn tags(value: &Value) -> Result<Box<[Tag]>, Invalid> {
    Ok(each_once(read::list(value, limits::TAGS, |tag| Tag::parse(read::string(tag)?))?))
}

fn each_once(listed: Vec<Tag>) -> Box<[Tag]> {
    let mut tags: Vec<Tag> = Vec::with_capacity(listed.len());
    for tag in listed {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.into()
}

/// Statuses that only srvd gives are ignored, so that what was read can be written back.
fn self_report(text: &str) -> SelfReport {
    SelfReport::parse(text).unwrap_or_default()
}

fn lease_ttl(text: &str) -> Result<LeaseTtl, Reason> {
    if text == "none" {
        return Ok(LeaseTtl::Permanent);
    }
    read::span_of(text, limits::LEASE_TTL).map(LeaseTtl::For)
}

#[cfg(test)]
mod tests;
