//! Questions where registered and static names meet, in presentation format.

mod across;
mod discovery;
mod explain;
mod reverse;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::answer::{PROTOCOLS, ServiceView};
use crate::model::{Defaults, InstanceId, Key, Moment, Protocol, Registration, Revision, ServiceName, Tick};
use crate::registry::{Changes, Command, Expected, Registry, Rules};
use crate::zone::master::{self, Kind};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The views of some registrations.
struct Views(BTreeMap<String, Arc<ServiceView>>);

impl Live for Views {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.0.get(name).cloned()
    }

    fn has_protocol(&self, protocol: Protocol) -> bool {
        self.0.values().any(|view| view.has_protocol(protocol))
    }

    fn served_types(&self, at_most: usize) -> Vec<(ServiceName, Protocol)> {
        let types = self.0.values().flat_map(|view| PROTOCOLS.map(|of| (view, of)));
        let served = types.filter(|(view, of)| view.serves_protocol(*of));
        served.map(|(view, of)| (view.name().clone(), of)).take(at_most).collect()
    }

    fn has_address(&self, within: RangeInclusive<IpAddr>) -> bool {
        let mut ips = self.0.values().flat_map(|view| view.instances()).flat_map(|it| it.registration.address.ips());
        ips.any(|ip| within.contains(ip))
    }

    fn served_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        let all = self.0.values().flat_map(|view| view.instances());
        let there = all.filter(|instance| instance.registration.address.ips().contains(&ip));
        there.map(|instance| instance.key.clone()).take(at_most).collect()
    }

    fn registered_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        self.served_at(ip, at_most)
    }

    fn revision(&self) -> Revision {
        Revision(7)
    }
}

fn views(instances: &[(&str, &str, Value)]) -> Views {
    let defaults = Defaults::default();
    let rules = Rules::new(defaults.clone(), 11);
    let mut registry = Registry::new(rules, Revision::ZERO);
    let now = Moment { tick: Tick(0), wall: jiff::Timestamp::UNIX_EPOCH };
    for (service, id, extra) in instances {
        let mut body = json!({"address": "10.0.0.1", "port": 80});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let registration = Arc::new(Registration::from_json(&body, &defaults, FROM).unwrap());
        let key = Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() };
        registry
            .apply(Command::Register { key, registration, expected: Expected::Absent }, now, &mut Changes::default())
            .unwrap();
    }
    let view = |name: &ServiceName| {
        let (revision, instances) = registry.service(name).unwrap();
        (name.to_string(), Arc::new(ServiceView::new(None, name.clone(), revision, None, false, instances)))
    };
    Views(registry.services().map(view).collect())
}

fn zone(apex: &str, text: &str, kind: Kind) -> Zone {
    let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
    master::parse(&mut source, Path::new("test.zone"), &Name::parse(apex).unwrap(), kind).unwrap().zone
}

fn catalog(additions: Option<&str>, own: &[(&str, &str)]) -> Catalog {
    let live = LiveZone {
        apex: Name::parse("svc.local").unwrap(),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![FROM],
    };
    let additions = additions.map(|text| zone("svc.local", &format!("$TTL 60\n{text}"), Kind::Live));
    let own = own.iter().map(|(apex, text)| Arc::new(zone(apex, text, Kind::Own)));
    Catalog::new(live, additions.as_ref(), Zones::new(own).unwrap())
}

/// The outcome's name, then the owners, types and addresses of its records; after `+` the additional ones.
fn ask(catalog: &Catalog, views: &Views, question: &str) -> String {
    let (name, rtype) = question.split_once(' ').unwrap();
    let name = match name {
        "@" => Name::parse("svc.local").unwrap(),
        absolute if absolute.ends_with('.') => Name::parse(absolute).unwrap(),
        below => Name::parse(&format!("{below}.svc.local")).unwrap(),
    };
    let rtype = match rtype {
        "A" => RecordType::A,
        "AAAA" => RecordType::AAAA,
        "NS" => RecordType::NS,
        "SOA" => RecordType::SOA,
        "MX" => RecordType::MX,
        "TXT" => RecordType::TXT,
        "SRV" => RecordType::SRV,
        "PTR" => RecordType::PTR,
        "DS" => RecordType::DS,
        "ANY" => RecordType::ANY,
        other => panic!("{other}"),
    };
    let draw = Draw { order: 1, subset: 1, at_most: 100 };
    let outcome = catalog.resolve(views, &name, rtype, &draw).outcome;
    let below = |name: &Name| name.to_string().replace(".svc.local.", ".@").replace("svc.local.", "@");
    let set = |set: &RrSet| {
        let ips = set.rdata.iter().filter_map(|rdata| <[u8; 4]>::try_from(&**rdata).ok());
        let mut data: String = ips.map(|octets| format!(" {}", Ipv4Addr::from(octets))).collect();
        if set.rtype == RecordType::PTR {
            let names = set.rdata.iter().filter_map(|rdata| Name::from_wire(rdata).ok());
            data = names.map(|name| format!(" {}", below(&name))).collect();
        }
        format!(" {} {}{data}", below(&set.owner), set.rtype)
    };
    let sets = |sets: &[RrSet]| sets.iter().map(set).collect::<Vec<_>>().join(";");
    match outcome {
        Outcome::Answer { answer, additional } if additional.is_empty() => format!("Answer{}", sets(&answer)),
        Outcome::Answer { answer, additional } => format!("Answer{} +{}", sets(&answer), sets(&additional)),
        Outcome::NoData { aliases, .. } => format!("NoData{}", sets(&aliases)),
        Outcome::NxDomain { aliases, .. } => format!("NxDomain{}", sets(&aliases)),
        Outcome::YxDomain { aliases } => format!("YxDomain{}", sets(&aliases)),
        Outcome::Referral { ns, glue, .. } if glue.is_empty() => format!("Referral{}", set(&ns)),
        Outcome::Referral { ns, glue, .. } => format!("Referral{} +{}", set(&ns), sets(&glue)),
        Outcome::Refused => "Refused".to_owned(),
        Outcome::ServFail => "ServFail".to_owned(),
    }
}

fn table(catalog: &Catalog, views: &Views, rows: &[(&str, &str)]) {
    for (question, expected) in rows {
        assert_eq!(ask(catalog, views, question), *expected, "{question}");
    }
}

#[test]
fn registered_names_are_the_registry_s_however_they_are_reached() {
    let additions = "web A 192.0.2.66\nwww CNAME web\nmx MX 10 web\nmx MX 10 other\nmx MX 20 WEB\nother A 192.0.2.68\n\
                     deleg NS i1.web\napi NS ns.elsewhere.\nd2 DNAME e\nx.web A 192.0.2.67\n\
                     loop CNAME loop\ngone CNAME nothing\n";
    let views =
        views(&[("web", "i1", json!({})), ("api", "i1", json!({"ports": {"http": 80}})), ("d2", "i1", json!({}))]);
    table(
        &catalog(Some(additions), &[]),
        &views,
        &[
            ("web A", "Answer web.@ A 10.0.0.1"),
            ("web TXT", "NoData"),
            ("www A", "Answer www.@ CNAME; web.@ A 10.0.0.1"),
            ("www SRV", "Answer www.@ CNAME; web.@ SRV + i1.web.@ A 10.0.0.1"),
            ("www TXT", "NoData www.@ CNAME"),
            ("mx MX", "Answer mx.@ MX + other.@ A 192.0.2.68; web.@ A 10.0.0.1"),
            ("y.deleg A", "Referral deleg.@ NS + i1.web.@ A 10.0.0.1"),
            ("x.web A", "Answer x.web.@ A 192.0.2.67"),
            ("nosuch.api A", "NxDomain"),
            ("_tcp.api A", "NoData"),
            ("_http._tcp.api SRV", "Answer _http._tcp.api.@ SRV + i1.api.@ A 10.0.0.1"),
            ("nosuch.d2 A", "NxDomain"),
            ("loop A", "Answer loop.@ CNAME"),
            ("gone A", "NxDomain gone.@ CNAME"),
        ],
    );
    let nobody = Views(BTreeMap::new());
    table(
        &catalog(Some(additions), &[]),
        &nobody,
        &[
            ("web A", "Answer web.@ A 192.0.2.66"),
            ("www A", "Answer www.@ CNAME; web.@ A 192.0.2.66"),
            ("nosuch.api A", "Referral api.@ NS"),
        ],
    );
}

#[test]
fn the_server_s_own_names_exist_like_any_other() {
    let views = views(&[("web", "i1", json!({}))]);
    table(
        &catalog(None, &[]),
        &views,
        &[
            ("@ SOA", "Answer @ SOA"),
            ("@ NS", "Answer @ NS + server.srvd.ns.@ A 127.0.0.1"),
            ("@ A", "NoData"),
            ("server.srvd.ns A", "Answer server.srvd.ns.@ A 127.0.0.1"),
            ("server.srvd.ns TXT", "NoData"),
            ("ns A", "NoData"),
            ("x.ns A", "NxDomain"),
            ("lb._dns-sd._udp PTR", "Answer lb._dns-sd._udp.@ PTR @"),
            ("b._dns-sd._udp PTR", "Answer b._dns-sd._udp.@ PTR @"),
            ("db._dns-sd._udp PTR", "NxDomain"),
            ("_dns-sd._udp PTR", "NoData"),
            ("_udp PTR", "NoData"),
        ],
    );
    table(
        &catalog(Some("dns CNAME server.srvd.ns\ntop CNAME @\n* TXT star\n@ TXT apex\nlb._dns-sd._udp PTR x\n"), &[]),
        &views,
        &[
            ("dns A", "Answer dns.@ CNAME; server.srvd.ns.@ A 127.0.0.1"),
            ("top SOA", "Answer top.@ CNAME; @ SOA"),
            ("top NS", "Answer top.@ CNAME; @ NS + server.srvd.ns.@ A 127.0.0.1"),
            ("lb._dns-sd._udp PTR", "Answer lb._dns-sd._udp.@ PTR x.@"),
            ("b._dns-sd._udp PTR", "Answer b._dns-sd._udp.@ PTR @"),
            ("x.ns TXT", "NxDomain"),
            ("x TXT", "Answer x.@ TXT"),
            ("x.web TXT", "NxDomain"),
            ("_tcp TXT", "NoData"),
            ("@ TXT", "Answer @ TXT"),
        ],
    );
    table(
        &catalog(Some("@ NS other\nother A 192.0.2.1\n"), &[]),
        &views,
        &[("@ NS", "Answer @ NS + other.@ A 192.0.2.1"), ("server.srvd.ns A", "NxDomain")],
    );
    table(&catalog(Some("@ NS i1.web\n"), &[]), &views, &[("@ NS", "Answer @ NS + i1.web.@ A 10.0.0.1")]);
    for (additions, primary) in [(None, "server.srvd.ns.svc.local."), (Some("@ NS other\n"), "other.svc.local.")] {
        let soa = catalog(additions, &[]).negative_soa(&views);
        assert_eq!(Name::from_wire(&soa.rdata[0]).unwrap().to_string(), primary, "the SOA has one of the name servers");
    }
}

#[test]
fn names_without_number_have_one_stand_in() {
    let additions =
        "* TXT star\nold CNAME web\n*.old CNAME web\nmoved DNAME web\nfixed CNAME x.old\n*.two CNAME x.old\n";
    let catalog = catalog(Some(additions), &[]);
    let views = views(&[("web", "i1", json!({}))]);
    let draw = Draw { order: 1, subset: 1, at_most: 100 };
    for (name, rtype, stand_in) in [
        ("web", RecordType::A, None),
        ("old", RecordType::A, None),
        ("x", RecordType::TXT, Some("*")),
        ("*", RecordType::TXT, None),
        ("x.old", RecordType::A, Some("*.old")),
        ("i1.moved", RecordType::A, Some("moved")),
        ("fixed", RecordType::A, Some("*.old")),
        ("x.two", RecordType::A, Some("*.two")),
        ("x.web", RecordType::A, None),
    ] {
        let below = |name: &str| Name::parse(&format!("{name}.svc.local")).unwrap();
        assert_eq!(catalog.resolve(&views, &below(name), rtype, &draw).stand_in, stand_in.map(below), "{name}");
    }
}

#[test]
fn ports_may_be_called_like_protocols() {
    let views = views(&[("web", "i1", json!({"ports": {"tcp": 81}, "tags": ["blue"]}))]);
    table(
        &catalog(None, &[]),
        &views,
        &[
            ("_tcp._tcp.web SRV", "Answer _tcp._tcp.web.@ SRV + i1.web.@ A 10.0.0.1"),
            ("_tcp._tcp.blue.web SRV", "Answer _tcp._tcp.blue.web.@ SRV + i1.web.@ A 10.0.0.1"),
            ("_tcp.blue.web A", "NoData"),
            ("_udp._tcp.web SRV", "NxDomain"),
            ("_tcp._udp.web SRV", "NxDomain"),
        ],
    );
}

#[test]
fn a_zone_inside_the_live_zone_leaves_registered_names_alone() {
    let inner = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nhost A 192.0.2.2\n";
    let catalog = catalog(None, &[("web.svc.local", inner)]);
    table(
        &catalog,
        &views(&[("web", "i1", json!({}))]),
        &[
            ("web A", "Answer web.@ A 10.0.0.1"),
            ("i1.web A", "Answer i1.web.@ A 10.0.0.1"),
            ("host.web A", "Answer host.web.@ A 192.0.2.2"),
        ],
    );
    table(&catalog, &views(&[("db", "i1", json!({}))]), &[("web A", "NoData"), ("db A", "Answer db.@ A 10.0.0.1")]);
    let nobody = Views(BTreeMap::new());
    let deep = self::catalog(Some("* TXT star\n"), &[("a.b.svc.local", inner)]);
    table(
        &deep,
        &nobody,
        &[("b TXT", "NoData"), ("host.a.b A", "Answer host.a.b.@ A 192.0.2.2"), ("c.b A", "NxDomain")],
    );
}

#[test]
fn ds_of_the_live_apex_is_the_parent_s() {
    let parent = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";
    let delegating = format!("{parent}svc NS server.srvd.ns.svc\nsvc DS 1 8 2 {}\n", "00".repeat(32));
    let views = views(&[("web", "i1", json!({}))]);
    let with = |text: &str| catalog(None, &[("local", text)]);
    table(&with(&delegating), &views, &[("@ DS", "Answer @ DS"), ("web DS", "NoData"), ("@ A", "NoData")]);
    table(&with(&format!("{parent}svc NS server.srvd.ns.svc\n")), &views, &[("@ DS", "NoData")]);
    // A parent that does not know the name would deny all of it.
    table(&with(parent), &views, &[("@ DS", "NoData"), ("x.local. DS", "NxDomain")]);
    table(&catalog(None, &[]), &views, &[("@ DS", "NoData")]);
}

#[test]
fn the_name_server_s_name_is_nobody_else_s() {
    let shadow = json!({"address": "10.0.0.9", "tags": ["srvd"], "ports": {"srvd": 1}});
    let views =
        views(&[("ns", "server", shadow.clone()), ("ns", "i1", json!({"tags": ["other"]})), ("srvd", "ns", shadow)]);
    table(
        &catalog(None, &[]),
        &views,
        &[
            ("@ NS", "Answer @ NS + server.srvd.ns.@ A 127.0.0.1"),
            ("server.srvd.ns A", "Answer server.srvd.ns.@ A 127.0.0.1"),
            ("srvd.ns A", "Answer srvd.ns.@ A 10.0.0.9"),
            ("server.ns A", "Answer server.ns.@ A 10.0.0.9"),
        ],
    );
}
