//! Which names exist: the real engine and catalog against a model that lists every name of every instance.
//!
//! Services, instances, tags and ports are called like the parts of names (`tcp`, `sub`, `b`), so that forms of names
//! that could be mistaken for each other meet. Every name that any registration of this small world could bring into
//! being is asked for, and a name below each: those of the model have the model's records, the rest do not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};
use srvd::answer::order::Draw;
use srvd::answer::{Catalog, LiveZone, Outcome, ReverseZones};
use srvd::engine::{Clock, Engine};
use srvd::model::{Defaults, InstanceId, Key, Registration, ServiceName, Span};
use srvd::registry::{Command, Expected, Rules};
use srvd::store::Memory;
use srvd::wire::{Name, RecordType};
use srvd::zone::Zones;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SERVICES: &[&str] = &["web", "b", "sub", "tcp", "ns", "dns-sd"];
const IDS: &[&str] = &["a", "b", "tcp", "server"];
const TAGS: &[&str] = &["blue", "sub", "Tcp", "srvd", "no label"];
const PORTS: &[&str] = &["http", "tcp", "sub"];
const PROTOCOLS: &[&str] = &["tcp", "udp"];
const ADDRESSES: &[&str] =
    &["10.0.0.1", "10.0.0.2", "10.0.9.1", "10.7.0.1", "192.0.2.1", "2001:db8::1", "2001:db8:1::2"];
const PREFIXES: &[&str] = &["10.0.0.0/22", "10.7.0.0/16", "2001:db8::/32"];
const APEXES: &[&str] = &[
    "0.0.10.in-addr.arpa",
    "1.0.10.in-addr.arpa",
    "2.0.10.in-addr.arpa",
    "3.0.10.in-addr.arpa",
    "7.10.in-addr.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa",
];
const TYPES: &[RecordType] =
    &[RecordType::A, RecordType::AAAA, RecordType::SRV, RecordType::TXT, RecordType::PTR, RecordType::SOA];

/// An instance as the model has it.
#[derive(Debug, Clone)]
struct Member {
    address: Option<&'static str>,
    protocol: &'static str,
    tags: Vec<&'static str>,
    ports: Vec<&'static str>,
    noted: bool,
    healthy: bool,
}

#[derive(Debug, Clone)]
enum Step {
    Register(Member),
    Deregister,
}

impl Member {
    fn to_json(&self) -> Value {
        let ports: BTreeMap<&str, usize> = self.ports.iter().map(|port| (*port, number(port))).collect();
        let metadata = if self.noted { json!({"note": "x"}) } else { json!({}) };
        json!({
            "address": self.address.unwrap_or("db.example.test"), "port": 80, "ports": ports, "protocol": self.protocol,
            "tags": self.tags, "metadata": metadata, "status": if self.healthy { "healthy" } else { "unhealthy" },
        })
    }
}

/// The number of a named port.
fn number(port: &str) -> usize {
    1000 + port.len()
}

fn members() -> impl Strategy<Value = Member> {
    let address = proptest::option::weighted(0.9, select(ADDRESSES));
    let (tags, ports) = (subsequence(TAGS, 0..3), subsequence(PORTS, 0..3));
    (address, select(PROTOCOLS), tags, ports, any::<bool>(), proptest::bool::weighted(0.7)).prop_map(
        |(address, protocol, tags, ports, noted, healthy)| Member { address, protocol, tags, ports, noted, healthy },
    )
}

fn steps() -> impl Strategy<Value = Vec<(&'static str, &'static str, Step)>> {
    let step = prop_oneof![4 => members().prop_map(Step::Register), 1 => Just(Step::Deregister)];
    proptest::collection::vec((select(SERVICES), select(IDS), step), 1..24)
}

type Registered = BTreeMap<(&'static str, &'static str), Member>;
/// The records of each name that exists, as type and RDATA.
type Names = BTreeMap<String, BTreeSet<(RecordType, Vec<u8>)>>;

fn wire(name: &str) -> Vec<u8> {
    Name::parse(name).unwrap().wire().to_vec()
}

/// Every name that these instances bring into being, with its records.
fn model(registered: &Registered) -> Names {
    let mut names = Names::new();
    let mut add = |name: &str, record: Option<(RecordType, Vec<u8>)>| {
        let known = names.entry(name.to_owned()).or_default();
        known.extend(record);
    };
    for ((service, id), member) in registered {
        let Member { protocol, healthy, .. } = member;
        let host = format!("{id}.{service}.svc.local");
        let kind = format!("_{service}._{protocol}.svc.local");
        let instance = format!("{id}.{kind}");
        let target = member.address.map_or("db.example.test", |_| host.as_str());
        let srv = |port: usize| {
            let numbers = [[0, 0], [0, 1], (port as u16).to_be_bytes()].concat();
            healthy.then(|| (RecordType::SRV, [numbers, wire(target)].concat()))
        };
        let address = member.address.filter(|_| *healthy).map(|address| match address.parse::<IpAddr>().unwrap() {
            IpAddr::V4(ip) => (RecordType::A, ip.octets().to_vec()),
            IpAddr::V6(ip) => (RecordType::AAAA, ip.octets().to_vec()),
        });
        let text = if member.noted { b"\x06note=x".to_vec() } else { vec![0] };
        let ptr = |to: &str| healthy.then(|| (RecordType::PTR, wire(to)));
        let labels = member.tags.iter().filter(|tag| !tag.contains(' ')).map(|tag| tag.to_lowercase());
        let labels: Vec<String> = labels.collect();

        let tagged = labels.iter().map(|tag| format!("{tag}.{service}.svc.local"));
        for set in std::iter::once(format!("{service}.svc.local")).chain(tagged) {
            add(&set, address.clone());
            add(&set, srv(80));
            for port in &member.ports {
                add(&format!("_{port}._{protocol}.{set}"), srv(number(port)));
            }
        }
        add(&host, address.clone());
        add(&host, srv(80));
        add(&host, (*healthy && member.noted).then(|| (RecordType::TXT, text.clone())));
        add(&kind, srv(80));
        add(&kind, ptr(&instance));
        add(&instance, srv(80));
        add(&instance, healthy.then_some((RecordType::TXT, text)));
        for tag in &labels {
            add(&format!("_{tag}._sub.{kind}"), ptr(&instance));
        }
        add("_services._dns-sd._udp.svc.local", ptr(&kind));
        if let Some(address) = member.address.filter(|address| reverse_apex(address).is_some()) {
            add(&reverse_name(address), ptr(&host));
        }
    }
    add("_services._dns-sd._udp.svc.local", None);
    add("server.srvd.ns.svc.local", Some((RecordType::A, vec![127, 0, 0, 1])));
    // The server's own, unless they are somebody's.
    for name in ["b._dns-sd._udp.svc.local", "lb._dns-sd._udp.svc.local"] {
        names.entry(name.to_owned()).or_insert_with(|| [(RecordType::PTR, wire("svc.local"))].into());
    }
    for name in names.keys().cloned().collect::<Vec<_>>() {
        for parent in parents(&name) {
            names.entry(parent.to_owned()).or_default();
        }
    }
    for apex in ["svc.local"].iter().chain(APEXES) {
        names.entry((*apex).to_owned()).or_default();
    }
    names
}

/// The zone that holds a name.
fn apex(name: &str) -> Option<&'static str> {
    ["svc.local"].iter().chain(APEXES).copied().find(|apex| name == *apex || name.ends_with(&format!(".{apex}")))
}

/// The names above one, up to the apex of its zone.
fn parents<'n>(name: &'n str) -> impl Iterator<Item = &'n str> {
    let apex = apex(name).unwrap();
    let parent = |name: &&'n str| -> Option<&'n str> { name.split_once('.').map(|(_, parent)| parent) };
    std::iter::successors(parent(&name), parent).take_while(move |parent| parent.len() >= apex.len())
}

fn reverse_name(address: &str) -> String {
    match address.parse::<IpAddr>().unwrap() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let digits: Vec<String> =
                ip.octets().iter().rev().map(|octet| format!("{:x}.{:x}", octet & 15, octet >> 4)).collect();
            format!("{}.ip6.arpa", digits.join("."))
        }
    }
}

fn reverse_apex(address: &str) -> Option<&'static str> {
    apex(&reverse_name(address))
}

static WORLD: LazyLock<Vec<(String, Name)>> = LazyLock::new(|| {
    let parsed = |name: String| (name.clone(), Name::parse(&name).unwrap());
    world().into_iter().map(parsed).collect()
});

/// Every name that some registration could bring into being, and two below each.
fn world() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for protocol in PROTOCOLS {
        for healthy in [true, false] {
            let (tags, ports) = (TAGS.to_vec(), PORTS.to_vec());
            for address in ADDRESSES {
                let address = Some(*address);
                let member =
                    Member { address, protocol, tags: tags.clone(), ports: ports.clone(), noted: true, healthy };
                let everybody = SERVICES.iter().flat_map(|service| IDS.iter().map(|id| (*service, *id)));
                names.extend(model(&everybody.map(|key| (key, member.clone())).collect()).into_keys());
            }
        }
    }
    let below: Vec<String> =
        names.iter().flat_map(|name| ["x", "_tcp"].map(|label| format!("{label}.{name}"))).collect();
    names.extend(below.into_iter().filter(|name| name.len() < 200));
    names
}

fn rules() -> Rules {
    Rules::new(Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }, 11)
}

fn catalog(prefixes: &[ipnet::IpNet]) -> Catalog {
    let live = LiveZone {
        apex: Name::parse("svc.local").unwrap(),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![LOCAL],
    };
    Catalog::new(live, None, Zones::default()).with_reverse(ReverseZones::new(prefixes))
}

/// Takes the steps with a real engine, and gives what it accepted.
async fn take(engine: &Engine, steps: Vec<(&'static str, &'static str, Step)>) -> Registered {
    let mut registered = Registered::new();
    for (service, id, step) in steps {
        let key = Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() };
        match step {
            Step::Register(member) => {
                let body = member.to_json();
                let registration = Arc::new(Registration::from_json(&body, &rules().defaults, LOCAL).unwrap());
                // A tag that is an instance's id is refused; nothing has changed then.
                if engine.write(Command::Register { key, registration, expected: Expected::Any }).await.is_ok() {
                    registered.insert((service, id), member);
                }
            }
            Step::Deregister => {
                let gone = engine.write(Command::Deregister { key }).await.is_ok();
                assert_eq!(gone, registered.remove(&(service, id)).is_some());
            }
        }
    }
    registered
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_names_are_those_of_the_model(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let prefixes: Vec<ipnet::IpNet> = PREFIXES.iter().map(|text| text.parse().unwrap()).collect();
        let (engine, mut runner) = Engine::new(Memory, rules(), Clock::start());
        engine.index().keep_addresses(&prefixes);
        let registered = runtime.block_on(async {
            runner.load().await.unwrap();
            let running = tokio::spawn(runner.run(std::future::pending()));
            let registered = take(&engine, steps).await;
            running.abort();
            registered
        });
        let (catalog, names) = (catalog(&prefixes), model(&registered));
        let draw = Draw { order: 1, subset: 1, at_most: 1000 };
        for (name, qname) in WORLD.iter() {
            for &rtype in TYPES {
                let outcome = catalog.resolve(&**engine.index(), qname, rtype, &draw).outcome;
                let found = match &outcome {
                    Outcome::Answer { answer, .. } => {
                        prop_assert_eq!(answer.len(), 1, "{} {}", name, rtype);
                        prop_assert!(answer[0].owner == *qname && answer[0].rtype == rtype, "{} {}", name, rtype);
                        Some(answer[0].rdata.iter().map(|rdata| (rtype, rdata.to_vec())).collect())
                    }
                    Outcome::NoData { .. } => Some(BTreeSet::new()),
                    Outcome::NxDomain { .. } => None,
                    other => return Err(TestCaseError::fail(format!("{name} {rtype}: {other:?}"))),
                };
                if rtype == RecordType::SOA {
                    let is_apex = apex(name) == Some(name);
                    prop_assert_eq!(matches!(outcome, Outcome::Answer { .. }), is_apex, "{} SOA", name);
                    continue;
                }
                let of_type = |records: &BTreeSet<(RecordType, Vec<u8>)>| -> BTreeSet<_> {
                    records.iter().filter(|(of, _)| *of == rtype).cloned().collect()
                };
                prop_assert_eq!(found, names.get(name).map(of_type), "{} {}", name, rtype);
            }
        }
    }
}
