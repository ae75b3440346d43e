//! The settings, section by section, and their defaults.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use super::{CookieSecret, LogFormat, LogLevel, Secret, StoreKind};
use crate::model::{CheckDefaults, CheckSpec, Defaults, LoadRules, Span};
use crate::registry::{ProtectionRules, Rules};
use crate::wire::Name;

/// All settings of a server.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config {
    pub dns: Dns,
    pub http: Http,
    pub leases: Leases,
    pub health: Health,
    pub load: Load,
    pub store: Store,
    pub log: Log,
    pub traces: Traces,
}

impl Config {
    /// The defaults of a file in `directory`.
    pub(super) fn in_directory(directory: &Path) -> Self {
        let mut config = Self::default();
        for path in [&mut config.dns.zones_dir, &mut config.store.path] {
            *path = directory.join(&*path);
        }
        config
    }
}

/// `[dns]`: what is answered, where and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Dns {
    /// Apex of the live zone.
    pub zone: Name,
    /// Addresses to serve on, each by UDP and TCP; never empty.
    pub listen: Vec<SocketAddr>,
    /// Directory of the static zones; need not exist.
    pub zones_dir: PathBuf,
    /// TTL of live records, in seconds.
    pub record_ttl: u32,
    /// How long a resolver may remember that something is not there (RFC 2308), in seconds.
    pub negative_ttl: u32,
    /// The longest UDP answer, in octets, whatever the client offers.
    pub udp_payload: u16,
    /// What an instance's weight is multiplied by to become an SRV weight.
    pub srv_weight_scale: u16,
    /// UDP threads; 0: one per core.
    pub workers: u16,
    /// Prefixes whose reverse names are answered.
    pub reverse_zones: Vec<IpNet>,
    /// What tells this server from others of its address (RFC 5001, RFC 4892); empty: nothing.
    pub nsid: String,
    /// What is said to run here (`version.bind.`); empty: nothing.
    pub version: String,
    /// Whether DNS cookies (RFC 7873) are given and checked.
    pub cookies: bool,
    pub cookie_secret: CookieSecret,
    /// Whether UDP takes a valid cookie.
    pub require_cookies: bool,
    /// Prefixes of clients that are answered; empty: all are.
    pub allow: Vec<IpNet>,
    /// TCP connections at one time, on all addresses together.
    pub tcp_connections: u16,
    /// Those of one client: an IPv4 address, or an IPv6 /64.
    pub tcp_connections_per_client: u16,
    /// How long a TCP connection may rest.
    pub tcp_idle: Span,
    /// Answers per second over UDP to one network of clients on one matter; 0: any number.
    pub rate_limit: u32,
    /// One in so many answers above the limit is a truncated one; 0: none.
    pub rate_limit_slip: u16,
    /// Prefixes of clients without a limit.
    pub rate_limit_exempt: Vec<IpNet>,
}

impl Default for Dns {
    fn default() -> Self {
        Self {
            zone: Name::from_labels([b"svc".as_slice(), b"local"]).unwrap_or_else(|_| Name::root()),
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 5300))],
            zones_dir: PathBuf::from("zones"),
            record_ttl: 5,
            negative_ttl: 5,
            // DNS Flag Day 2020: passes nearly every path unfragmented.
            udp_payload: 1232,
            srv_weight_scale: 1,
            workers: 0,
            reverse_zones: Vec::new(),
            nsid: String::new(),
            version: String::new(),
            cookies: true,
            cookie_secret: CookieSecret::default(),
            require_cookies: false,
            allow: Vec::new(),
            tcp_connections: 1024,
            tcp_connections_per_client: 128,
            // Of the order of seconds, as RFC 7766 §6.2.3 has it.
            tcp_idle: Span::from_secs(10),
            // A resolver that caches asks once in a TTL. Even where nobody caches, 250 hosts in one network that ask for
            // the same name four times a second do not meet it; a flood worth reflecting is ten times that and more.
            rate_limit: 1000,
            rate_limit_slip: 2,
            // A host cannot be made to flood itself from outside.
            rate_limit_exempt: vec![
                Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8).into(),
                Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128).into(),
            ],
        }
    }
}

/// `[http]`: the registry's interface.
#[derive(Debug, Clone, PartialEq)]
pub struct Http {
    /// Addresses to serve on; never empty.
    pub listen: Vec<SocketAddr>,
    /// Whether addresses other than loopback are served without authentication.
    pub insecure: bool,
}

impl Default for Http {
    fn default() -> Self {
        Self { listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8053))], insecure: false }
    }
}

/// `[leases]`: how long an instance lives unheard.
#[derive(Debug, Clone, PartialEq)]
pub struct Leases {
    /// Lease of a registration that asks for none.
    pub ttl: Span,
    /// From the lapse of a lease to the removal of its instance.
    pub reap_after: Span,
    /// Lapses at once from which protection is considered.
    pub protection_instances: u32,
    /// Share of all leases that must lapse with them, 0 to 1.
    pub protection_fraction: f64,
    /// The longest that lapses are held.
    pub protection_max: Span,
}

impl Leases {
    /// From which point on lapses are held.
    pub fn protection(&self) -> ProtectionRules {
        ProtectionRules {
            instances: self.protection_instances,
            fraction: self.protection_fraction,
            max: self.protection_max,
        }
    }
}

impl Default for Leases {
    fn default() -> Self {
        let protection = ProtectionRules::default();
        Self {
            ttl: Defaults::default().ttl,
            reap_after: Rules::REAP_AFTER,
            protection_instances: protection.instances,
            protection_fraction: protection.fraction,
            protection_max: protection.max,
        }
    }
}

/// `[health]`: what checks do that do not say otherwise.
#[derive(Debug, Clone, PartialEq)]
pub struct Health {
    pub interval: Span,
    pub timeout: Span,
    /// Consecutive passes that end a failing verdict.
    pub rise: u32,
    /// Consecutive failures that end a passing verdict.
    pub fall: u32,
    /// Checks of instances that bring none, where their service has none either.
    pub default_checks: Vec<CheckSpec>,
    /// Healthy share, 0 to 1, below which unhealthy instances are answered too.
    pub panic_threshold: f64,
    /// Prefixes that checks and callbacks may reach although link-local or a metadata address.
    pub allow: Vec<IpNet>,
    /// Certificates that `https` checks and callbacks lead back to; those of the system when `None`.
    pub ca_file: Option<PathBuf>,
}

impl Health {
    /// What a check gets for the members it leaves out.
    pub fn check_defaults(&self) -> CheckDefaults {
        CheckDefaults { interval: self.interval, timeout: self.timeout, rise: self.rise, fall: self.fall }
    }
}

impl Default for Health {
    fn default() -> Self {
        let CheckDefaults { interval, timeout, rise, fall } = CheckDefaults::default();
        Self {
            interval,
            timeout,
            rise,
            fall,
            default_checks: Vec::new(),
            panic_threshold: 0.0,
            allow: Vec::new(),
            ca_file: None,
        }
    }
}

/// `[load]`: how a reported load weighs.
#[derive(Debug, Clone, PartialEq)]
pub struct Load {
    /// Part of CPU use in an instance's load.
    pub cpu: f64,
    /// Part of memory use in an instance's load.
    pub memory: f64,
    /// Part of latency in an instance's load.
    pub latency: f64,
    /// Latency that is full load, in milliseconds.
    pub latency_ms: u32,
    /// Reported use, 0 to 1, above which an instance is unhealthy; 0: none is.
    pub limit: f64,
}

impl Load {
    /// How much each kind of load counts.
    pub fn rules(&self) -> LoadRules {
        let Self { cpu, memory, latency, latency_ms, limit } = *self;
        LoadRules { cpu, memory, latency, latency_ms, limit }
    }
}

impl Default for Load {
    fn default() -> Self {
        let LoadRules { cpu, memory, latency, latency_ms, limit } = LoadRules::default();
        Self { cpu, memory, latency, latency_ms, limit }
    }
}

/// `[store]`: where registrations outlive the process.
#[derive(Debug, Clone, PartialEq)]
pub struct Store {
    pub kind: StoreKind,
    /// Directory of the embedded store.
    pub path: PathBuf,
    /// URLs of the etcd members.
    pub endpoints: Vec<String>,
    /// What every etcd key begins with.
    pub prefix: String,
    /// etcd user; empty: none.
    pub user: String,
    pub password: Secret,
    /// The longest that one etcd request may take.
    pub timeout: Span,
    /// Certificates that `https` members of etcd lead back to; those of the system when `None`.
    pub ca_file: Option<PathBuf>,
    /// The certificate that is shown to etcd, if it asks for one, and its key.
    pub cert_file: Option<PathBuf>,
    pub key_file: Option<PathBuf>,
}

impl Default for Store {
    fn default() -> Self {
        Self {
            kind: StoreKind::Embedded,
            path: PathBuf::from("data"),
            endpoints: vec!["http://127.0.0.1:2379".to_owned()],
            prefix: "/srvd".to_owned(),
            user: String::new(),
            password: Secret::default(),
            timeout: Span::from_secs(5),
            ca_file: None,
            cert_file: None,
            key_file: None,
        }
    }
}

/// `[log]`: what goes to standard error.
#[derive(Debug, Clone, PartialEq)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
    /// Whether calls of the API are logged.
    pub access: bool,
    /// Whether queries are logged.
    pub queries: bool,
    /// One query in so many is logged; at least 1.
    pub query_sample: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text, access: false, queries: false, query_sample: 1 }
    }
}

/// `[traces]`: what an OpenTelemetry collector gets.
#[derive(Debug, Clone, PartialEq)]
pub struct Traces {
    /// URL of the collector; no traces are made when `None`.
    pub endpoint: Option<String>,
    /// What the server is called in traces.
    pub service_name: String,
    /// Share, 0 to 1, of what is traced of that which no caller has decided for.
    pub sample_ratio: f64,
    /// Certificates that an `https` collector leads back to; those of the system when `None`.
    pub ca_file: Option<PathBuf>,
}

impl Default for Traces {
    fn default() -> Self {
        Self { endpoint: None, service_name: "srvd".to_owned(), sample_ratio: 1.0, ca_file: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_paths_follow_the_file() {
        let config = Config::in_directory(Path::new("/etc/srvd"));
        assert_eq!(config.dns.zones_dir, Path::new("/etc/srvd/zones"));
        assert_eq!(config.store.path, Path::new("/etc/srvd/data"));
        assert_eq!(Config::in_directory(Path::new("")), Config::default());
    }

    #[test]
    fn the_default_zone_is_what_the_file_says() {
        assert_eq!(Dns::default().zone, Name::parse("svc.local").unwrap());
    }
}
