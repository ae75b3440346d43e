//! The hot path against the complete one: the same answers to everything that both answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::LiveZone;
use crate::config;
use crate::dns::edns::{Cookies, cookie};
use crate::dns::responder::tests::fixture::{self, TCP, UDP, now};
use crate::dns::{Client, Responder};
use crate::engine::Index;
use crate::model::{InstanceId, Key, Registration, ServiceName, Settings as ServiceSettings};
use crate::registry::{Command, Expected, Report};
use crate::wire::Name;
use crate::zone::master::{self, Kind as ZoneKind};
use crate::zone::{Zone, Zones};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// That of cookies.
const SECRET: [u8; 16] = [7; 16];

/// A message as it is compared: without the order of records, but for that of SRV priorities.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    header: [u8; 4],
    question: Vec<u8>,
    /// Owner, type, TTL and RDATA without compression, by section.
    sections: [Vec<String>; 3],
    priorities: Vec<u16>,
}

fn read(message: &[u8]) -> Read {
    let parsed = hickory_proto::op::Message::from_vec(message).expect("a message");
    let text = |records: &[hickory_proto::rr::Record]| {
        let mut texts: Vec<String> = records.iter().map(ToString::to_string).collect();
        texts.sort_unstable();
        texts
    };
    let mut additional = text(&parsed.additionals);
    additional.push(format!("{:?}", parsed.edns));
    let priorities = parsed.answers.iter().filter_map(|record| match &record.data {
        hickory_proto::rr::RData::SRV(srv) => Some(srv.priority),
        _ => None,
    });
    let asked = Asked::read_question_end(message);
    Read {
        header: *message.first_chunk().expect("a header"),
        question: message[12..asked].to_vec(),
        sections: [text(&parsed.answers), text(&parsed.authorities), additional],
        priorities: priorities.collect(),
    }
}

impl Asked<'_> {
    /// Where the question of a reply ends.
    fn read_question_end(message: &[u8]) -> usize {
        12 + Name::from_wire(&message[12..]).expect("a name").wire().len() + 4
    }
}

/// The reply of the hot path, if it has one, after it was held against the complete one.
fn compare(responder: &Responder, packet: &[u8], client: &Client, seed: u64) -> Option<Hit> {
    let mut out = vec![0xee; 4096];
    let mut random = seed;
    let random = || {
        random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        random.rotate_left(29)
    };
    let hit = responder.round().hit(packet, client, now(), &mut Scratch::default(), random, &mut out)?;
    let mut complete = Vec::new();
    let reply = responder.respond(packet, client, seed, now(), &mut complete).expect("a reply");
    assert_eq!(read(&out[..hit.octets]), read(&complete), "{packet:02x?}");
    assert_eq!((hit.kind, hit.rcode, Some(hit.qtype)), (reply.kind, reply.rcode, reply.qtype));
    assert!(!reply.truncated);
    assert_eq!(hit.has_valid_cookie, reply.has_valid_cookie);
    let name = if hit.kind == Kind::Positive {
        Name::from_wire(&packet[hit.qname.clone()]).unwrap()
    } else {
        Name::parse("svc.local").unwrap()
    };
    assert_eq!(reply.name, Some(name));
    Some(hit)
}

fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

/// An index that these commands lead to, whatever of them is refused.
fn index(commands: Vec<Command>) -> Arc<Index> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let engine = fixture::running().await;
        engine.write_all(commands).await.unwrap().results().await.unwrap().for_each(drop);
        Arc::clone(engine.index())
    })
}

fn register(service: &str, id: &str, body: &Value) -> Command {
    let registration = Registration::from_json(body, &fixture::rules().defaults, HERE).unwrap();
    Command::Register { key: key(service, id), registration: Arc::new(registration), expected: Expected::Any }
}

fn responder(index: Arc<Index>, additions: Option<&str>, others: &[&str], scale: u16) -> Responder {
    let zone = |apex: &str, text: &str, kind| -> Zone {
        let mut source = |_: &std::path::Path| Ok(text.as_bytes().to_vec());
        master::parse(&mut source, std::path::Path::new("test.zone"), &Name::parse(apex).unwrap(), kind).unwrap().zone
    };
    let live = LiveZone {
        apex: Name::parse("sVc.local").unwrap(),
        record_ttl: 5,
        negative_ttl: 7,
        srv_weight_scale: scale,
        addresses: vec![HERE],
    };
    let additions = additions.map(|text| zone("svc.local", text, ZoneKind::Live));
    let soa = "@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns\nns A 192.0.2.1\nx TXT x\n";
    let others = others.iter().map(|apex| Arc::new(zone(apex, soa, ZoneKind::Own)));
    let catalog = Catalog::new(live, additions.as_ref(), Zones::new(others).unwrap());
    Responder::new(catalog, index, Settings::new(&config::Dns::default(), SECRET))
}

/// Queries for a name and type: plain and with EDNS that offers so much; with a cookie of the client's own and with both.
fn queries(name: &str, qtype: u16) -> Vec<Vec<u8>> {
    let name = Name::parse(name).unwrap();
    let opt = |offered: u16, bits: u8, options: &[u8]| {
        let [high, low] = offered.to_be_bytes();
        [&[0, 0, 41, high, low, 0, 0, bits, 0, 0, options.len() as u8], options].concat()
    };
    let client = b"\x00\x0a\x00\x0812345678";
    let made = Cookies::new(SECRET).answer(&client[4..], HERE, cookie::seconds(now())).unwrap();
    let both = [&[0, 10, 0, 24], &made.option[..]].concat();
    [Vec::new(), opt(1232, 0, &[]), opt(100, 0x80, &[]), opt(4096, 0, &[]), opt(1232, 0, client), opt(100, 0x80, &both)]
        .map(|opt| {
            let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(!opt.is_empty())];
            [&header[..], name.wire(), &qtype.to_be_bytes(), &[0, 1], &opt].concat()
        })
        .to_vec()
}

/// A label may be sought where the entry of another lies. It is neither taken for it nor lost.
#[test]
fn where_another_service_lies() {
    let (services, names) = (1000, 20_000);
    let body = json!({"address": "10.0.0.1", "port": 80});
    let index = index((0..services).map(|number| register(&format!("s{number}"), "a", &body)).collect());
    let responder = responder(Arc::clone(&index), None, &[], 1);
    let reading = index.read().unwrap();
    let mut mistaken = 0;
    for number in 0..names {
        let (label, is_there) = (format!("s{number}"), number < services);
        let likely = reading.seek(label.as_bytes());
        let is_another = likely.is_some_and(|likely| likely.block_of(label.as_bytes()).is_none());
        if is_another || number % 100 == 0 {
            mistaken += usize::from(is_another);
            let hit = compare(&responder, &queries(&below(&label), 1)[0], &UDP, 7).unwrap();
            assert_eq!(hit.kind, if is_there { Kind::Positive } else { Kind::NxDomain }, "{label}");
        }
    }
    assert!(mistaken > 0, "such labels are among so many");
}

const TYPES: [u16; 14] = [0, 1, 2, 5, 6, 12, 16, 28, 33, 43, 65, 252, 255, 65_280];

fn names() -> Vec<String> {
    let mut names: Vec<String> =
        ["svc.local", "web.svc.example", "x.y.web.svc.local", "_tcp.svc.local", "ns.svc.local"]
            .map(str::to_owned)
            .to_vec();
    names.extend(["_dns-sd._udp", "_services._dns-sd._udp", "server.srvd.ns", "static", "sub", "x.sub"].map(below));
    for service in ["web", "dB", "x1", "none", "caf\\233"] {
        names.push(below(service));
        for instance in ["a", "B", "c", "t1", "nobody"] {
            names.push(below(&format!("{instance}.{service}")));
            names.push(below(&format!("{instance}._{service}._tcp")));
        }
        for protocol in ["tcp", "udp", "sctp"] {
            names.push(below(&format!("_{service}._{protocol}")));
            names.push(below(&format!("{service}._{protocol}")));
            names.push(below(&format!("_http._{protocol}.{service}")));
        }
    }
    names
}

fn below(labels: &str) -> String {
    format!("{labels}.svc.LOCAL")
}

/// How many of all questions the hot path answers, by rcode and whether there are answers.
fn compare_all(responder: &Responder, seed: u64) -> BTreeMap<&'static str, usize> {
    let mut hits = BTreeMap::new();
    for name in names() {
        for qtype in TYPES {
            for packet in queries(&name, qtype) {
                for client in [&UDP, &TCP] {
                    let hit = compare(responder, &packet, client, seed);
                    let kind = hit.map_or("complete", |hit| match hit.kind {
                        Kind::Positive => "positive",
                        Kind::NoData => "nodata",
                        Kind::NxDomain => "nxdomain",
                        Kind::Referral | Kind::Error => unreachable!("the hot path has none"),
                    });
                    *hits.entry(kind).or_default() += 1;
                }
            }
        }
    }
    hits
}

fn some() -> Vec<Command> {
    vec![
        register("web", "a", &json!({"address": "10.0.0.1", "port": 80, "weight": 3, "ports": {"http": 80}})),
        register("web", "b", &json!({"addresses": ["10.0.0.2", "2001:db8::2", "10.0.0.3"], "port": 81, "weight": 0})),
        register("web", "c", &json!({"address": "10.0.0.2", "port": 82, "protocol": "udp", "tags": ["t1"]})),
        register("db", "a", &json!({"address": "2001:db8::1", "port": 80, "priority": 2})),
        register("db", "b", &json!({"address": "10.0.0.9", "port": 80, "priority": 1, "weight": 65535})),
        register("db", "c", &json!({"address": "10.0.0.8", "port": 80, "priority": 2, "weight": 7})),
        register("x1", "a", &json!({"address": "db.example.com", "port": 80})),
    ]
}

#[test]
fn usual_questions_are_answered_here_and_as_the_complete_path_does() {
    for scale in [1, 256] {
        let hits = compare_all(&responder(index(some()), None, &[], scale), 1);
        assert!(["positive", "nodata", "nxdomain"].iter().all(|kind| hits[kind] > 100), "{hits:?}");
    }
    let responder = responder(index(some()), None, &[], 1);
    for (name, qtype, kind) in [
        ("web.svc.local", 1, Some(Kind::Positive)),
        ("WEB.svc.local", 28, Some(Kind::Positive)),
        ("web.svc.local", 33, Some(Kind::Positive)),
        ("_web._tcp.svc.local", 33, Some(Kind::Positive)),
        ("_web._udp.svc.local", 33, Some(Kind::Positive)),
        ("b.web.svc.local", 1, Some(Kind::Positive)),
        ("b.web.svc.local", 33, Some(Kind::Positive)),
        ("a.web.svc.local", 28, Some(Kind::NoData)),
        ("x1.svc.local", 1, Some(Kind::NoData)),
        ("web.svc.local", 65, Some(Kind::NoData)),
        ("none.svc.local", 1, Some(Kind::NxDomain)),
        ("x1.svc.local", 33, None),
        ("a.x1.svc.local", 33, None),
        ("web.svc.local", 255, None),
        ("a.web.svc.local", 16, None),
        ("t1.web.svc.local", 1, None),
        ("_none._tcp.svc.local", 33, None),
        ("ns.svc.local", 1, None),
        ("svc.local", 6, None),
    ] {
        for packet in queries(name, qtype) {
            let hit = compare(&responder, &packet, &UDP, 1);
            assert_eq!(hit.map(|hit| hit.kind), kind, "{name} {qtype}");
        }
    }
}

#[test]
fn static_data_keep_what_is_theirs() {
    let records = "$TTL 60\nstatic A 192.0.2.9\nweb TXT \"never seen\"\nalias CNAME web\n";
    compare_all(&responder(index(some()), Some(records), &["sub.svc.local"], 1), 2);
    let wildcard = "$TTL 60\n* A 192.0.2.9\n";
    let with_soa = "$TTL 60\n@ SOA ns.example. host.example. 9 1 1 1 3\n@ NS ns.example.\nstatic A 192.0.2.9\n";
    for records in [wildcard, with_soa] {
        let responder = responder(index(some()), Some(records), &["none.svc.local", "deep.below.svc.local"], 1);
        compare_all(&responder, 3);
        let hit = compare(&responder, &queries("nobody.svc.local", 1)[0], &UDP, 1);
        assert_eq!(hit.is_some(), records == with_soa, "{records}");
        assert!(
            ["none", "below"]
                .iter()
                .all(|label| { compare(&responder, &queries(&below(label), 1)[0], &UDP, 1).is_none() })
        );
    }
}

#[test]
fn long_names_and_full_blocks() {
    let (service, id) = ("s".repeat(62), "i".repeat(63));
    let mut commands = vec![register(&service, &id, &json!({"address": "10.0.0.1", "port": 80}))];
    let numbered = |service: &str, count: u32| {
        let one = |number: u32| {
            let address = Ipv4Addr::from_bits(0x0a00_0000 | number).to_string();
            register(service, &format!("i{number}"), &json!({"address": address, "port": 80, "weight": number % 5}))
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    commands.extend(numbered("full", 255));
    commands.extend(numbered("more", 256));
    let responder = responder(index(commands), None, &[], 1);
    let hit =
        |name: &str, qtype, at: usize, client| compare(&responder, &queries(name, qtype)[at], client, 5).is_some();
    assert!(hit(&below(&service), 33, 0, &UDP) && hit(&below(&format!("{id}.{service}")), 33, 0, &UDP));
    assert!(!hit("full.svc.local", 1, 0, &UDP), "it does not fit into 512 octets");
    assert!(!hit("full.svc.local", 1, 3, &UDP), "nor into what this server sends");
    assert!(!hit("full.svc.local", 1, 0, &TCP), "255 records and the question are 4,110 octets");
    assert!(hit("i254.full.svc.local", 1, 0, &UDP) && !hit("i25.more.svc.local", 1, 0, &UDP));
}

#[test]
fn cookies_are_answered_and_believed_as_by_the_complete_path() {
    let responder = fixture::responder_over(index(some()), |_| {});
    let without = fixture::responder_over(index(some()), |dns| dns.cookies = false);
    let plain = queries("web.svc.local", 1).remove(0);
    let with = |cookie: &[u8]| {
        let mut packet = plain.clone();
        packet[11] = 1;
        let length = cookie.len() as u8;
        packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, length + 4, 0, 10, 0, length]);
        [&packet[..], cookie].concat()
    };
    let valid = |responder: &Responder, cookie: &[u8], client: &Client| {
        compare(responder, &with(cookie), client, 1).map(|hit| hit.has_valid_cookie)
    };
    let mut out = vec![0; 4096];
    let asked = with(b"12345678");
    let hit = responder.round().hit(&asked, &UDP, now(), &mut Scratch::default(), || 0, &mut out).unwrap();
    let given = out[hit.octets - 24..hit.octets].to_vec();
    let stranger = Client { address: "192.0.2.1".parse().unwrap(), ..UDP };
    for (cookie, client, expected) in [
        (&b"12345678"[..], &UDP, Some(false)),
        (&given, &UDP, Some(true)),
        (&given, &TCP, Some(true)),
        (&given, &stranger, Some(false)),
        (&[1; 16], &UDP, Some(false)),
        (&[1; 40], &UDP, Some(false)),
        (&[1; 7], &UDP, None),
        (&[1; 9], &UDP, None),
        (&[1; 41], &UDP, None),
    ] {
        assert_eq!(valid(&responder, cookie, client), expected, "{cookie:02x?} of {client:?}");
        assert_eq!(valid(&without, cookie, client), expected.map(|_| false), "cookies mean nothing: {cookie:02x?}");
    }
}

#[test]
fn who_may_not_be_answered_is_left_to_the_complete_path() {
    let index = index(some());
    let usual = &queries("web.svc.local", 1)[0];
    let hit = |change: fn(&mut config::Dns), client: &Client| {
        let responder = fixture::responder_over(Arc::clone(&index), change);
        compare(&responder, usual, client, 1).is_some()
    };
    assert!(hit(|_| {}, &UDP) && hit(|_| {}, &TCP));
    assert!(hit(|dns| dns.allow = vec!["127.0.0.0/8".parse().unwrap()], &UDP));
    assert!(!hit(|dns| dns.allow = vec!["10.0.0.0/8".parse().unwrap()], &UDP));
    assert!(!hit(|dns| dns.require_cookies = true, &UDP));
    assert!(hit(|dns| dns.require_cookies = true, &TCP));
    let empty = fixture::responder_over(Arc::default(), |_| {});
    let nothing = empty.round().hit(usual, &UDP, now(), &mut Scratch::default(), || 0, &mut [0; 4096]);
    assert_eq!(nothing, None, "nothing is loaded");
}

/// A registration as it may come.
fn body() -> impl Strategy<Value = Value> {
    let ip = prop_oneof![
        4 => (0u8..6).prop_map(|last| json!(format!("10.0.0.{last}"))),
        1 => (0u8..4).prop_map(|last| json!(format!("2001:db8::{last}"))),
    ];
    let address = prop_oneof![
        5 => ip.clone().prop_map(|ip| ("address", ip)),
        2 => proptest::collection::vec(ip, 1..4).prop_map(|ips| ("addresses", Value::Array(ips))),
        1 => Just(("address", json!("host.example.com"))),
    ];
    let numbers = (1u16..=9, prop_oneof![Just(0u16), 1u16..5, Just(65_535)], 0u16..3, any::<bool>(), any::<bool>());
    (address, numbers).prop_map(|((member, address), (port, weight, priority, is_udp, is_tagged))| {
        let mut body = json!({"port": port, "weight": weight, "priority": priority});
        body[member] = address;
        body["protocol"] = json!(if is_udp { "udp" } else { "tcp" });
        body["tags"] = if is_tagged { json!(["t1"]) } else { json!([]) };
        body
    })
}

fn command() -> impl Strategy<Value = Command> {
    let name =
        (0usize..3, 0usize..4).prop_map(|(service, id)| (["web", "db", "x1"][service], ["a", "b", "c", "d"][id]));
    let said = prop_oneof![Just("healthy"), Just("unhealthy"), Just("starting")];
    prop_oneof![
        6 => (name.clone(), body()).prop_map(|((service, id), body)| register(service, id, &body)),
        1 => (name.clone(), said).prop_map(|((service, id), said)| Command::Heartbeat {
            key: key(service, id),
            report: crate::model::SelfReport::parse(said).map(Report::from),
            pressure: None,
        }),
        1 => name.clone().prop_map(|(service, id)| Command::Drain { key: key(service, id) }),
        1 => name.clone().prop_map(|(service, id)| Command::Deregister { key: key(service, id) }),
        1 => (name, 0u32..3, any::<bool>()).prop_map(|((service, _), ttl, panics)| {
            let threshold = if panics { 1.0 } else { 0.0 };
            let settings = json!({"record_ttl": ttl * 100, "panic_threshold": threshold});
            let check = fixture::rules().defaults.check;
            Command::Set {
                service: ServiceName::parse(service).unwrap(),
                settings: Some(Arc::new(ServiceSettings::from_json(&settings, &check).unwrap())),
            }
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn random_registries_are_answered_alike(commands in proptest::collection::vec(command(), 0..24), seed in any::<u64>()) {
        compare_all(&responder(index(commands), None, &[], 1), seed);
    }
}
