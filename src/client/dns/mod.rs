//! Services by plain DNS alone (RFC 2782): SRV records, and the addresses that come with them.
//!
//! It asks for `<service>.<zone>` over UDP, and over TCP when the answer is cut or leaves addresses out. What still lacks
//! one, as behind a resolver that passes on no additional records, is asked for by its own name; a host in another zone
//! stays a name, which whoever connects resolves. Names, weights, priorities and ports are all that DNS tells: no tags,
//! metadata or load, and only healthy instances.

mod exchange;
mod message;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Map;
use tokio::task::JoinSet;

use super::Error;
use super::instance::{Instance, Instances};
use crate::answer::order;
use crate::model::{Address, HostName, InstanceId, ServiceName, Status, limits};
use crate::wire::{Name, RecordType};
pub use message::MessageError;
use message::{Answer, Data};

/// The port of DNS.
const PORT: u16 = 53;
/// Servers that are taken from `resolv.conf`, as the C library does.
const SERVERS: usize = 3;
/// Targets that are asked about by their own names for one answer, and at one time.
const TARGETS: usize = 256;
const AT_ONCE: usize = 16;
/// Response codes (RFC 1035 §4.1.1).
const NO_ERROR: u8 = 0;
const NXDOMAIN: u8 = 3;

/// Why DNS gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    #[error("{name} cannot be asked for: {reason}")]
    Name { name: String, reason: crate::wire::NameError },
    #[error("{path} names no server: `nameserver 127.0.0.53` is how it would")]
    NoServer { path: String },
    #[error("cannot ask {server}: {source}")]
    Io { server: SocketAddr, source: std::io::Error },
    #[error("no answer from {server} within {} s", .limit.as_secs())]
    TimedOut { server: SocketAddr, limit: Duration },
    #[error("what {server} answers is no DNS: {reason}")]
    Garbled { server: SocketAddr, reason: MessageError },
    #[error("{server} answers with code {code}{}", code_word(*.code))]
    Code { server: SocketAddr, code: u8 },
}

fn code_word(code: u8) -> &'static str {
    match code {
        1 => " (FORMERR)",
        2 => " (SERVFAIL)",
        4 => " (NOTIMP)",
        5 => " (REFUSED): it may not know the zone",
        _ => "",
    }
}

/// Asks DNS servers about services of one zone.
#[derive(Debug, Clone)]
pub struct Resolver {
    servers: Vec<SocketAddr>,
    zone: Name,
}

impl Resolver {
    /// Asks these servers, one after the other until one answers, about services in `zone` (`svc.local`).
    ///
    /// ```
    /// use srvd::client::{CacheRules, Discovery, dns::Resolver};
    ///
    /// let resolver = Resolver::new(["127.0.0.1:5300".parse()?], "svc.local")?;
    /// let discovery = Discovery::over_dns(resolver, CacheRules::default());
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When `zone` is no name.
    pub fn new(servers: impl IntoIterator<Item = SocketAddr>, zone: &str) -> Result<Self, DnsError> {
        let zone = Name::parse(zone).map_err(|reason| DnsError::Name { name: zone.to_owned(), reason })?;
        Ok(Self { servers: servers.into_iter().collect(), zone })
    }

    /// Asks the servers that a `resolv.conf` names (the system's is `/etc/resolv.conf`).
    ///
    /// # Errors
    /// When it names none, or `zone` is no name.
    pub fn from_resolv_conf(path: &Path, zone: &str) -> Result<Self, DnsError> {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        let servers = name_servers(&text);
        if servers.is_empty() {
            return Err(DnsError::NoServer { path: path.display().to_string() });
        }
        Self::new(servers, zone)
    }

    /// The healthy instances of a service, and how long they may be relied on.
    ///
    /// # Errors
    /// When no server answers, or the last one does so with an error.
    pub async fn instances(&self, service: &ServiceName) -> Result<(Instances, Duration), Error> {
        let dns = |source| Error::Dns { subject: service.to_string(), source };
        let named = |reason| dns(DnsError::Name { name: service.to_string(), reason });
        let name = self.zone.prepend(service.as_str().as_bytes()).map_err(named)?;
        let answer = self.ask(&name).await.map_err(dns)?;
        Ok(instances(service, &name, &answer))
    }

    async fn ask(&self, name: &Name) -> Result<Answer, DnsError> {
        let mut failure = DnsError::NoServer { path: "the list of servers".to_owned() };
        for server in &self.servers {
            match exchange::ask(*server, name, RecordType::SRV).await {
                Ok(answer) if matches!(answer.code, NO_ERROR | NXDOMAIN) => {
                    return Ok(self.completed(*server, name, answer).await);
                }
                Ok(answer) => failure = DnsError::Code { server: *server, code: answer.code },
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

impl Resolver {
    /// The answer with the addresses of its targets, as far as they can be had.
    async fn completed(&self, server: SocketAddr, name: &Name, mut answer: Answer) -> Answer {
        if self.without_address(&answer).is_empty() {
            return answer;
        }
        // Additional records are left out silently where a datagram has no room for them (RFC 2181 §9).
        if let Ok(whole) = exchange::ask_by_tcp(server, name, RecordType::SRV).await
            && whole.code == NO_ERROR
        {
            answer = whole;
        }
        for targets in self.without_address(&answer).chunks(AT_ONCE) {
            let mut questions = JoinSet::new();
            for target in targets {
                for rtype in [RecordType::A, RecordType::AAAA] {
                    let target = target.clone();
                    questions.spawn(async move { exchange::ask(server, &target, rtype).await });
                }
            }
            // Who fails stays a name.
            let answers = questions.join_all().await.into_iter().flatten();
            answer.records.extend(answers.flat_map(|found| found.records));
        }
        answer
    }

    /// Targets in the zone that came without an address, each once, not too many.
    fn without_address(&self, answer: &Answer) -> Vec<Name> {
        let has_address = |target: &Name| {
            answer.records.iter().any(|record| matches!(record.data, Data::Address(_)) && record.owner == *target)
        };
        let targets = answer.records.iter().filter_map(|record| match &record.data {
            Data::Srv { target, .. } if target.is_at_or_below(&self.zone) && !has_address(target) => Some(target),
            _ => None,
        });
        let mut missing: Vec<Name> = targets.map(Name::to_lowercase).collect();
        missing.sort();
        missing.dedup();
        missing.truncate(TARGETS);
        missing
    }
}

/// The addresses behind `nameserver` in a `resolv.conf`, the first three. One with a zone of its own (`fe80::1%eth0`) is
/// passed over.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = lines.filter(|rest| rest.starts_with([' ', '\t'])).filter_map(|rest| rest.trim().parse().ok());
    addresses.take(SERVERS).map(|address: IpAddr| SocketAddr::new(address, PORT)).collect()
}

/// What the records of an answer say.
fn instances(service: &ServiceName, name: &Name, answer: &Answer) -> (Instances, Duration) {
    let mut ttl = answer.negative_ttl;
    let mut addresses: BTreeMap<Name, Vec<IpAddr>> = BTreeMap::new();
    for record in &answer.records {
        if let Data::Address(address) = record.data {
            addresses.entry(record.owner.to_lowercase()).or_default().push(address);
        }
    }
    let mut list: BTreeMap<InstanceId, Arc<Instance>> = BTreeMap::new();
    for record in answer.records.iter().filter(|record| record.owner == *name) {
        let Data::Srv { priority, weight, port, target } = &record.data else { continue };
        let known = addresses.get(&target.to_lowercase());
        let Some(address) = address(target, known) else { continue };
        let id = id(name, target, *port);
        ttl = Some(ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
        let instance = Instance {
            service: service.clone(),
            id: id.clone(),
            address,
            port: *port,
            ports: BTreeMap::new(),
            scheme: "http".to_owned(),
            version: None,
            status: Status::Healthy,
            weight: *weight,
            priority: *priority,
            tags: Vec::new(),
            metadata: Map::new(),
            load: None,
            revision: 0,
        };
        list.insert(id, Arc::new(instance));
    }
    let ttl = Duration::from_secs(ttl.unwrap_or(0).into());
    (Instances::new(service.clone(), 0, list.into_values().collect()), ttl)
}

/// The addresses that are known, at most as many as an instance may have, or the target itself.
fn address(target: &Name, known: Option<&Vec<IpAddr>>) -> Option<Address> {
    match known.map(Vec::as_slice) {
        Some([one]) => Some(Address::One(*one)),
        Some(several) if !several.is_empty() => {
            Some(Address::Several(several.iter().take(*limits::ADDRESSES.end()).copied().collect()))
        }
        _ => HostName::parse(&target.to_string()).ok().map(Address::Host),
    }
}

/// The id of an instance: the label that its name has before that of its service. A host elsewhere has none, and is known
/// by its name and port.
fn id(name: &Name, target: &Name, port: u16) -> InstanceId {
    let label = target
        .strip(name)
        .filter(|labels| labels.len() == 1)
        .map(|labels| String::from_utf8_lossy(labels[0]).into_owned());
    let own = label.and_then(|label| InstanceId::parse(&label).ok());
    own.unwrap_or_else(|| {
        let hash = order::identity(format!("{} {port}", target.to_lowercase()).as_bytes());
        InstanceId::parse(&format!("host-{hash:016x}")).expect("letters and digits are a label")
    })
}

#[cfg(test)]
mod tests {
    use super::message::Record;
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn servers_of_a_resolv_conf() {
        let text = "# nameserver 9.9.9.9\nsearch example\nnameserver 127.0.0.53\nnameservers 1.1.1.1\n nameserver\t::1\n\
                    nameserver fe80::1%eth0\nnameserver 10.0.0.1\nnameserver 10.0.0.2\n";
        let servers = name_servers(text).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(servers, ["127.0.0.53:53", "[::1]:53", "10.0.0.1:53"]);
        let error = Resolver::from_resolv_conf(Path::new("/nowhere/resolv.conf"), "svc.local").unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/resolv.conf names no server"), "{error}");
        assert!(Resolver::new([], "a..b").is_err());
    }

    #[test]
    fn records_become_instances() {
        let web = name("web.svc.local");
        let srv = |owner: &str, ttl, weight, target: &str| Record {
            owner: name(owner),
            ttl,
            data: Data::Srv { priority: 1, weight, port: 80, target: name(target) },
        };
        let at = |owner: &str, address: &str| Record {
            owner: name(owner),
            ttl: 1,
            data: Data::Address(address.parse().unwrap()),
        };
        let records = vec![
            srv("WEB.svc.local", 5, 3, "a.web.svc.local"),
            srv("web.svc.local", 4, 2, "B.web.svc.local"),
            srv("web.svc.local", 9, 1, "db.example.net"),
            srv("other.svc.local", 1, 1, "x.web.svc.local"),
            at("A.web.svc.local", "10.0.0.7"),
            at("b.web.svc.local", "10.0.0.8"),
            at("b.web.svc.local", "2001:db8::8"),
        ];
        let answer = Answer { code: 0, is_cut: false, records, negative_ttl: None };
        let service = ServiceName::parse("web").unwrap();
        let (found, ttl) = instances(&service, &web, &answer);
        let seen: Vec<_> = found.all().iter().map(|one| (one.endpoint(), one.weight, one.priority)).collect();
        assert_eq!(
            seen,
            [
                ("10.0.0.7:80".to_owned(), 3, 1),
                ("10.0.0.8:80".to_owned(), 2, 1),
                ("db.example.net:80".to_owned(), 1, 1)
            ]
        );
        assert_eq!((found.all()[0].id.as_str(), found.all()[1].id.as_str()), ("a", "b"));
        assert_eq!(ttl, Duration::from_secs(4));
        let none = Answer { code: 3, is_cut: false, records: Vec::new(), negative_ttl: Some(7) };
        let (found, ttl) = instances(&service, &web, &none);
        assert_eq!((found.all().len(), ttl), (0, Duration::from_secs(7)));
    }
}
