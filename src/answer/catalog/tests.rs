//! Questions to the live zone where registered and static names meet, in presentation format.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::answer::ServiceView;
use crate::model::{
    CheckDefaults, Defaults, InstanceId, Key, Moment, Protocol, Registration, Revision, ServiceName, Span, Tick,
};
use crate::registry::{Command, Registry, Rules};
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

    fn revision(&self) -> Revision {
        Revision(7)
    }
}

fn views(instances: &[(&str, &str, Value)]) -> Views {
    let check = CheckDefaults { interval: Span::from_secs(10), timeout: Span::from_secs(5), rise: 2, fall: 3 };
    let defaults = Defaults { ttl: Span::from_secs(30), check, checks: Vec::new() };
    let rules = Rules { defaults: defaults.clone(), reap_after: Span::from_secs(60), apex_octets: 11 };
    let mut registry = Registry::new(rules, Revision::ZERO);
    let now = Moment { tick: Tick(0), wall: jiff::Timestamp::UNIX_EPOCH };
    for (service, id, extra) in instances {
        let mut body = json!({"address": "10.0.0.1", "port": 80});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let registration = Arc::new(Registration::from_json(&body, &defaults, FROM).unwrap());
        let key = Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() };
        registry.apply(Command::Register { key, registration, only_new: true }, now, &mut Vec::new()).unwrap();
    }
    let view = |name: &ServiceName| {
        let (revision, instances) = registry.service(name).unwrap();
        (name.to_string(), Arc::new(ServiceView::new(name.clone(), revision, instances.cloned())))
    };
    Views(registry.services().map(view).collect())
}

fn zone(apex: &str, text: &str, kind: Kind) -> Zone {
    let mut source = |_: &Path| Ok(text.to_owned());
    master::parse(&mut source, Path::new("test.zone"), &Name::parse(apex).unwrap(), kind).unwrap()
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
    let name = Name::parse(&if name == "@" { "svc.local".to_owned() } else { format!("{name}.svc.local") }).unwrap();
    let rtype = match rtype {
        "A" => RecordType::A,
        "NS" => RecordType::NS,
        "SOA" => RecordType::SOA,
        "MX" => RecordType::MX,
        "TXT" => RecordType::TXT,
        "SRV" => RecordType::SRV,
        other => panic!("{other}"),
    };
    let draw = Draw { order: 1, subset: 1, at_most: 100 };
    let outcome = catalog.resolve(views, &name, rtype, &draw);
    let set = |set: &RrSet| {
        let ips = set.rdata.iter().filter_map(|rdata| <[u8; 4]>::try_from(&**rdata).ok());
        let ips: String = ips.map(|octets| format!(" {}", Ipv4Addr::from(octets))).collect();
        format!(" {} {}{ips}", set.owner.to_string().replace("svc.local.", "@"), set.rtype)
    };
    let sets = |sets: &[RrSet]| sets.iter().map(set).collect::<Vec<_>>().join(";");
    match outcome {
        Outcome::Answer { answer, additional } if additional.is_empty() => format!("Answer{}", sets(&answer)),
        Outcome::Answer { answer, additional } => format!("Answer{} +{}", sets(&answer), sets(&additional)),
        Outcome::NoData { aliases, .. } => format!("NoData{}", sets(&aliases)),
        Outcome::NxDomain { aliases, .. } => format!("NxDomain{}", sets(&aliases)),
        Outcome::Referral { ns, .. } => format!("Referral{}", set(&ns)),
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
    let additions = "web A 192.0.2.66\nwww CNAME web\nmx MX 10 web\napi NS ns.elsewhere.\nd2 DNAME e\nx.web A 192.0.2.67\n\
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
            ("mx MX", "Answer mx.@ MX"),
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
            ("@ NS", "Answer @ NS + ns.@ A 127.0.0.1"),
            ("@ A", "NoData"),
            ("ns A", "Answer ns.@ A 127.0.0.1"),
            ("ns TXT", "NoData"),
            ("x.ns A", "NxDomain"),
        ],
    );
    table(
        &catalog(Some("dns CNAME ns\ntop CNAME @\n* TXT star\n@ TXT apex\n"), &[]),
        &views,
        &[
            ("dns A", "Answer dns.@ CNAME; ns.@ A 127.0.0.1"),
            ("top SOA", "Answer top.@ CNAME; @ SOA"),
            ("top NS", "Answer top.@ CNAME; @ NS + ns.@ A 127.0.0.1"),
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
        &[("@ NS", "Answer @ NS + other.@ A 192.0.2.1"), ("ns A", "NxDomain")],
    );
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
}
