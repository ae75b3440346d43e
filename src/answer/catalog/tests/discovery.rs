//! DNS-SD beside services that are called like its parts, and hosts that others know the addresses of.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;

#[test]
fn discovery_names_mean_one_thing() {
    let udp = |ports: Value| json!({"protocol": "udp", "ports": ports, "tags": ["sub", "blue"]});
    let views = views(&[
        ("dns-sd", "b", udp(json!({}))),
        ("dns-sd", "i1", udp(json!({"sub": 81, "dns-sd": 82}))),
        ("tcp", "sub", json!({"address": "10.0.0.2"})),
        ("sub", "tcp", json!({"tags": ["blue"]})),
    ]);
    table(
        &catalog(None, &[]),
        &views,
        &[
            // The list of types is a list, whatever is registered; the rest of `dns-sd` is the service's.
            (
                "_services._dns-sd._udp PTR",
                "Answer _services._dns-sd._udp.@ PTR _dns-sd._udp.@ _sub._tcp.@ _tcp._tcp.@",
            ),
            ("_services._dns-sd._udp SRV", "NoData"),
            ("lb._dns-sd._udp PTR", "Answer lb._dns-sd._udp.@ PTR @"),
            ("b._dns-sd._udp PTR", "NoData"),
            ("b._dns-sd._udp SRV", "Answer b._dns-sd._udp.@ SRV + b.dns-sd.@ A 10.0.0.1"),
            ("_sub._dns-sd._udp PTR", "NoData"),
            ("_dns-sd._udp.dns-sd SRV", "Answer _dns-sd._udp.dns-sd.@ SRV + i1.dns-sd.@ A 10.0.0.1"),
            ("_sub._udp.dns-sd SRV", "Answer _sub._udp.dns-sd.@ SRV + i1.dns-sd.@ A 10.0.0.1"),
            ("_sub._udp.sub.dns-sd SRV", "Answer _sub._udp.sub.dns-sd.@ SRV + i1.dns-sd.@ A 10.0.0.1"),
            ("_tcp._tcp SRV", "Answer _tcp._tcp.@ SRV + sub.tcp.@ A 10.0.0.2"),
            ("sub._tcp._tcp TXT", "Answer sub._tcp._tcp.@ TXT"),
            ("_sub._tcp._tcp PTR", "NxDomain"),
            (
                "_blue._sub._sub._tcp PTR",
                "Answer _blue._sub._sub._tcp.@ PTR tcp._sub._tcp.@ + tcp._sub._tcp.@ SRV; tcp._sub._tcp.@ TXT; \
                 tcp.sub.@ A 10.0.0.1",
            ),
            ("_blue._sub._sub._udp PTR", "NxDomain"),
            ("_blue._sub._sub._tcp SRV", "NoData"),
            ("blue._sub._sub._tcp PTR", "NxDomain"),
            ("x._blue._sub._sub._tcp PTR", "NxDomain"),
            ("_tcp._sub._tcp PTR", "NxDomain"),
            ("_sub._tcp ANY", "Answer _sub._tcp.@ SRV + tcp.sub.@ A 10.0.0.1"),
        ],
    );
    let nobody = Views(BTreeMap::new());
    table(
        &catalog(None, &[]),
        &nobody,
        &[("_services._dns-sd._udp PTR", "NoData"), ("_dns-sd._udp SRV", "NoData"), ("_tcp PTR", "NxDomain")],
    );
}

#[test]
fn hosts_are_looked_up_where_this_server_knows() {
    let other = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\nhost A 192.0.2.2\nalias CNAME host\n";
    let catalog = catalog(Some("box A 192.0.2.3\n"), &[("other.test", other)]);
    let views = views(&[
        ("one", "i1", json!({"address": "host.other.test"})),
        ("two", "i1", json!({"address": "alias.other.test"})),
        ("three", "i1", json!({"address": "box.svc.local"})),
        ("four", "i1", json!({"address": "web.svc.local"})),
        ("five", "i1", json!({"address": "host.elsewhere.test"})),
        ("web", "i1", json!({"address": "10.0.0.7"})),
    ]);
    table(
        &catalog,
        &views,
        &[
            ("one SRV", "Answer one.@ SRV + host.other.test. A 192.0.2.2"),
            ("i1._one._tcp SRV", "Answer i1._one._tcp.@ SRV + host.other.test. A 192.0.2.2"),
            (
                "_one._tcp PTR",
                "Answer _one._tcp.@ PTR i1._one._tcp.@ + i1._one._tcp.@ SRV; i1._one._tcp.@ TXT; \
                 host.other.test. A 192.0.2.2",
            ),
            ("two SRV", "Answer two.@ SRV"),
            ("three SRV", "Answer three.@ SRV + box.@ A 192.0.2.3"),
            ("four SRV", "Answer four.@ SRV + web.@ A 10.0.0.7"),
            ("five SRV", "Answer five.@ SRV"),
            ("one A", "NoData"),
        ],
    );
}

/// No answer looks up more hosts than it can use, however many are registered.
#[test]
fn hosts_of_one_answer_are_bounded() {
    let hosts: Vec<(String, Value)> =
        (0..200).map(|at| (format!("i{at}"), json!({"address": format!("h{at}.svc.local")}))).collect();
    let instances: Vec<_> = hosts.iter().map(|(id, extra)| ("web", id.as_str(), extra.clone())).collect();
    let text: String = (0..200).map(|at| format!("h{at} A 192.0.2.1\n")).collect();
    let draw = Draw { order: 1, subset: 1, at_most: 1000 };
    let name = Name::parse("web.svc.local").unwrap();
    let outcome = catalog(Some(&text), &[]).resolve(&views(&instances), &name, RecordType::SRV, &draw).outcome;
    let Outcome::Answer { answer, additional } = outcome else { panic!("{outcome:?}") };
    assert_eq!((answer[0].rdata.len(), additional.len()), (200, HOSTS));
}
