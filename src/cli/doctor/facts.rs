//! What was found out about a host, a server and its zone.

use std::net::{IpAddr, SocketAddr};

use super::files::{Hosts, ResolvConf};
use crate::wire::Name;

/// Everything that is judged.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    pub(super) zone: Name,
    /// The server's URL.
    pub(super) url: String,
    /// Where the server says that it answers DNS, or why it said nothing.
    pub(super) server: Result<Vec<SocketAddr>, String>,
    /// Where this host reaches srvd's DNS, and what it answered there; empty when nobody knows where.
    pub(super) srvd: Vec<(SocketAddr, Asked)>,
    pub(super) host: Host,
    /// The name servers that the host is configured with, and what each answered about the zone.
    pub(super) name_servers: Vec<(SocketAddr, Asked)>,
    pub(super) lookup: Option<Lookup>,
}

/// The files of the host that say how names are resolved; none where there is no such file.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) is_macos: bool,
    pub(super) resolv_conf: Option<ResolvConf>,
    /// The line `hosts:` of nsswitch.conf.
    pub(super) hosts: Option<Hosts>,
    /// Whether /etc/mdns.allow is there: nss-mdns then takes all names that it lists.
    pub(super) mdns_allow: bool,
    /// Whether systemd-resolved runs.
    pub(super) resolved: bool,
    /// What macOS is told about the zone in /etc/resolver.
    pub(super) macos_resolver: Option<ResolvConf>,
}

impl Host {
    /// Whether programs ask systemd-resolved: by its own source of names, or by the address that it listens on.
    pub(super) fn uses_resolved(&self) -> bool {
        let stub = |server: &SocketAddr| server.ip() == IpAddr::from([127, 0, 0, 53]);
        let by_source = self.hosts.as_ref().is_some_and(|hosts| hosts.has("resolve"));
        let by_address = self.resolv_conf.as_ref().is_some_and(|file| file.name_servers.iter().any(stub));
        !self.is_macos && self.resolved && (by_source || by_address)
    }
}

/// What became of the question for the zone's SOA record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// The zone is served; `server` is the name in its SOA record. Without `authoritative`, it came through a resolver.
    Served { server: Name, authoritative: bool },
    /// Another response code, or NOERROR without such a record.
    Answered(u8),
    /// Nothing came back in time.
    Silent,
    /// Nobody listens, or there is no way there.
    Failed(String),
}

/// A name looked up as programs do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookup {
    pub(super) name: Name,
    /// What srvd answers, if it was asked and has addresses for the name.
    pub(super) expected: Vec<IpAddr>,
    pub(super) found: Result<Vec<IpAddr>, String>,
}
