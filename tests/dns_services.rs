//! Which names registered services have in DNS, and which records: the real `dig` asks.
//!
//! Each test runs a server of its own and asks right after a write was acknowledged: a change is in DNS before its
//! reply, so nothing here waits.

mod common;

use common::message::{self, Udp};
use common::{Server, Setup, population};
use serde_json::json;

#[test]
fn addresses_of_each_family() {
    let server = Server::start();
    population::two(&server);
    server.dig("web.svc.local A").answers("A", &["10.0.0.1", "10.0.0.2"]);
    server.dig("web.svc.local AAAA").answers("AAAA", &["2001:db8::1", "2001:db8::2"]);
    server.dig("a.web.svc.local A").answers("A", &["10.0.0.1"]);
    server.dig("b.web.svc.local AAAA").answers("AAAA", &["2001:db8::2"]);
}

#[test]
fn one_family_alone_leaves_the_other_without_data() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    server.dig("web.svc.local AAAA").is_nodata();
    server.dig("a.web.svc.local AAAA").is_nodata();
}

#[test]
fn records_live_as_long_as_configured() {
    let server = Setup::new().set("dns.record_ttl", 42).start();
    population::two(&server);
    for question in ["web.svc.local A", "web.svc.local SRV", "a.web.svc.local A"] {
        let reply = server.dig(question);
        assert!(!reply.answer.is_empty(), "{reply}");
        assert!(reply.answer.iter().all(|record| record.split(' ').nth(1) == Some("42")), "{reply}");
    }
}

#[test]
fn srv_carries_priority_weight_port_and_target() {
    let server = Server::start();
    population::two(&server);
    server.register("web", "c", json!({ "address": "10.0.0.3", "port": 8083, "priority": 20, "weight": 0 }));
    let expected = ["0 1 8081 a.web.svc.local.", "0 7 8082 b.web.svc.local.", "20 0 8083 c.web.svc.local."];
    for name in ["web.svc.local", "_web._tcp.svc.local"] {
        server.dig(&format!("{name} SRV")).answers("SRV", &expected);
    }
    server.dig("b.web.svc.local SRV").answers("SRV", &[expected[1]]);
}

#[test]
fn srv_weights_are_scaled_and_capped() {
    let server = Setup::new().set("dns.srv_weight_scale", 256).start();
    for (id, weight) in [("a", 0), ("b", 1), ("c", 255), ("d", 256), ("e", 65_535)] {
        server.register("web", id, json!({ "address": "10.0.0.1", "port": 80, "weight": weight }));
    }
    let expected = [("a", 0), ("b", 256), ("c", 65_280), ("d", 65_535), ("e", 65_535)];
    let expected = expected.map(|(id, weight)| format!("0 {weight} 80 {id}.web.svc.local."));
    server.dig("web.svc.local SRV").answers("SRV", &expected.each_ref().map(String::as_str));
}

#[test]
fn srv_brings_the_addresses_of_its_targets() {
    let server = Server::start();
    population::two(&server);
    let reply = server.dig("_web._tcp.svc.local SRV");
    assert_eq!(reply.additional_data("A"), ["10.0.0.1", "10.0.0.2"], "{reply}");
    assert_eq!(reply.additional_data("AAAA"), ["2001:db8::1", "2001:db8::2"], "{reply}");
    assert!(reply.additional.iter().all(|line| line.starts_with("a.web.") || line.starts_with("b.web.")), "{reply}");
}

#[test]
fn protocols_have_names_of_their_own() {
    let server = Server::start();
    server.register("syslog", "t", json!({ "address": "10.0.0.1", "port": 514, "protocol": "tcp" }));
    server.register("syslog", "u", json!({ "address": "10.0.0.2", "port": 515, "protocol": "udp" }));
    server.dig("_syslog._tcp.svc.local SRV").answers("SRV", &["0 1 514 t.syslog.svc.local."]);
    server.dig("_syslog._udp.svc.local SRV").answers("SRV", &["0 1 515 u.syslog.svc.local."]);
    assert_eq!(server.dig("syslog.svc.local SRV").data("SRV").len(), 2);
}

/// `a` has ports `http` and `metrics` and the tag `v2`; `b` has `http` alone.
fn with_ports_and_tags(server: &Server) {
    let ports = json!({ "http": 8080, "metrics": 9100 });
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "ports": ports, "tags": ["v2", "canary"] }));
    server.register(
        "web",
        "b",
        json!({ "address": "10.0.0.2", "ports": { "http": 8081 }, "tags": ["v1", "Not A Label"] }),
    );
}

#[test]
fn named_ports() {
    let server = Server::start();
    with_ports_and_tags(&server);
    let http = ["0 1 8080 a.web.svc.local.", "0 1 8081 b.web.svc.local."];
    server.dig("_http._tcp.web.svc.local SRV").answers("SRV", &http);
    server.dig("_metrics._tcp.web.svc.local SRV").answers("SRV", &["0 1 9100 a.web.svc.local."]);
    server.dig("_http._tcp.web.svc.local A").is_nodata();
    server.dig("_grpc._tcp.web.svc.local SRV").is_nxdomain();
    server.dig("_http._udp.web.svc.local SRV").is_nxdomain();
}

#[test]
fn the_only_named_port_is_the_main_one() {
    let server = Server::start();
    with_ports_and_tags(&server);
    server.dig("b.web.svc.local SRV").answers("SRV", &["0 1 8081 b.web.svc.local."]);
}

#[test]
fn tags_narrow_a_service() {
    let server = Server::start();
    with_ports_and_tags(&server);
    server.dig("v2.web.svc.local A").answers("A", &["10.0.0.1"]);
    server.dig("v1.web.svc.local SRV").answers("SRV", &["0 1 8081 b.web.svc.local."]);
    server.dig("_http._tcp.v2.web.svc.local SRV").answers("SRV", &["0 1 8080 a.web.svc.local."]);
    server.dig("v3.web.svc.local A").is_nxdomain();
    server.dig("v2.web.svc.local AAAA").is_nodata();
}

#[test]
fn names_exist_when_something_is_below_them() {
    let server = Server::start();
    with_ports_and_tags(&server);
    for name in ["_tcp.svc.local", "_tcp.web.svc.local", "_tcp.v2.web.svc.local"] {
        for kind in ["A", "SRV"] {
            server.dig(&format!("{name} {kind}")).is_nodata();
        }
    }
}

#[test]
fn names_that_do_not_exist() {
    let server = Server::start();
    with_ports_and_tags(&server);
    for name in ["nothing.svc.local", "c.web.svc.local", "x.a.web.svc.local", "_nothing._tcp.svc.local"] {
        for kind in ["A", "AAAA", "SRV", "TXT"] {
            server.dig(&format!("{name} {kind}")).is_nxdomain();
        }
    }
}

#[test]
fn negative_answers_carry_the_soa_with_the_negative_ttl() {
    let server = Setup::new().set("dns.negative_ttl", 3).start();
    population::two(&server);
    for question in ["web.svc.local TXT", "nothing.svc.local A"] {
        let reply = server.dig(question);
        let soa = reply.authority.first().unwrap_or_else(|| panic!("no authority\n{reply}"));
        assert!(soa.starts_with("svc.local. 3 IN SOA "), "{reply}");
        assert!(soa.ends_with(" 3"), "the minimum field caps negative caching: {reply}");
    }
}

#[test]
fn an_unhealthy_instance_is_left_out_and_comes_back() {
    let server = Server::start();
    with_ports_and_tags(&server);
    server.says("web", "a", "unhealthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.2"]);
    server.dig("_web._tcp.svc.local SRV").answers("SRV", &["0 1 8081 b.web.svc.local."]);
    for name in ["a.web.svc.local A", "a.web.svc.local SRV", "v2.web.svc.local A", "_metrics._tcp.web.svc.local SRV"] {
        server.dig(name).is_nodata();
    }
    server.says("web", "a", "healthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.1", "10.0.0.2"]);
    server.dig("a.web.svc.local A").answers("A", &["10.0.0.1"]);
}

#[test]
fn a_service_without_healthy_instances_still_exists() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "status": "unhealthy" }));
    server.register("web", "b", json!({ "address": "10.0.0.2", "port": 80, "status": "starting" }));
    for question in ["web.svc.local A", "web.svc.local SRV", "_web._tcp.svc.local SRV", "b.web.svc.local A"] {
        server.dig(question).is_nodata();
    }
}

#[test]
fn the_last_deregistration_takes_the_names_away() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    server.api.delete("/v1/services/web/instances/a").expect(204);
    for question in ["web.svc.local A", "a.web.svc.local A", "_web._tcp.svc.local SRV"] {
        server.dig(question).is_nxdomain();
    }
}

#[test]
fn a_replaced_registration_leaves_nothing_of_the_old_one() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "tags": ["old"], "ports": { "old": 1 } }));
    server.register("web", "a", json!({ "address": "10.0.0.9", "port": 81, "protocol": "udp" }));
    server.dig("web.svc.local A").answers("A", &["10.0.0.9"]);
    for question in ["old.web.svc.local A", "_old._tcp.web.svc.local SRV", "_web._tcp.svc.local SRV"] {
        server.dig(question).is_nxdomain();
    }
}

#[test]
fn every_acknowledged_write_is_already_in_dns() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    for round in 0..50 {
        let address = format!("10.2.0.{round}");
        server.register("web", "a", json!({ "address": address, "port": 80 }));
        assert_eq!(client.ask("web.svc.local", message::A, None).first(), address);
    }
}

#[test]
fn txt_holds_the_metadata() {
    let server = Server::start();
    let metadata = json!({ "team": "shop", "max": 1000, "public": true, "exchanges": ["a", "b"], "empty": "" });
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "version": "2.1.0", "metadata": metadata }));
    let reply = server.dig("a.web.svc.local TXT");
    let [record] = &reply.data("TXT")[..] else { panic!("not one record\n{reply}") };
    let mut strings: Vec<&str> = record.split(' ').collect();
    strings.sort_unstable();
    let expected =
        ["\"empty=\"", "\"exchanges=a,b\"", "\"max=1000\"", "\"public=true\"", "\"team=shop\"", "\"version=2.1.0\""];
    assert_eq!(strings, expected, "{reply}");
}

#[test]
fn a_host_name_is_the_target_itself() {
    let server = Server::start();
    server.register("db", "a", json!({ "address": "db1.example.com", "port": 5432 }));
    for name in ["db.svc.local", "_db._tcp.svc.local", "a.db.svc.local"] {
        let reply = server.dig(&format!("{name} SRV"));
        reply.answers("SRV", &["0 1 5432 db1.example.com."]);
        assert!(reply.additional.is_empty(), "nothing is known about that name\n{reply}");
    }
    server.dig("db.svc.local A").is_nodata();
    server.dig("a.db.svc.local A").is_nodata();
}

#[test]
fn addresses_come_from_the_lowest_priority_alone() {
    let server = Server::start();
    server.register("web", "first", json!({ "address": "10.0.0.1", "port": 80 }));
    let second = json!({ "addresses": ["10.0.0.2", "2001:db8::2"], "port": 80, "priority": 10 });
    server.register("web", "second", second);
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
    server.dig("web.svc.local AAAA").answers("AAAA", &["2001:db8::2"]);
    assert_eq!(server.dig("web.svc.local SRV").data("SRV").len(), 2);
    server.says("web", "first", "unhealthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.2"]);
}

#[test]
fn equal_addresses_appear_once() {
    let server = Server::start();
    for (id, port) in [("a", 8081), ("b", 8082)] {
        server.register("web", id, json!({ "address": "10.0.0.1", "port": port }));
    }
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
    assert_eq!(server.dig("web.svc.local SRV").data("SRV").len(), 2);
}

#[test]
fn the_apex_has_soa_and_ns() {
    let server = Server::start();
    let soa = server.dig("svc.local SOA");
    assert_eq!(soa.data("SOA").len(), 1, "{soa}");
    soa.has("aa");
    let ns = server.dig("svc.local NS");
    assert!(!ns.data("NS").is_empty(), "{ns}");
    ns.has("aa");
    server.dig("svc.local A").is_nodata();
}

#[test]
fn the_soa_serial_is_the_revision() {
    let server = Server::start();
    let mut last = server.serial();
    for port in 1..=5 {
        server.register("web", "a", json!({ "address": "10.0.0.1", "port": port }));
        let serial = server.serial();
        assert!(serial.wrapping_sub(last).cast_signed() > 0, "RFC 1982: {serial} does not follow {last}");
        assert_eq!(u64::from(serial), server.revision() & 0xffff_ffff);
        last = serial;
    }
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 5 }));
    assert_eq!(server.serial(), last, "an equal registration is no change");
}

#[test]
fn another_zone_can_be_the_live_one() {
    let server = Setup::new().set("dns.zone", "Apps.Example").start();
    population::two(&server);
    server.dig("web.apps.example A").answers("A", &["10.0.0.1", "10.0.0.2"]);
    server.dig("web.svc.local A").is_refused();
}

#[test]
fn names_outside_every_zone_are_refused() {
    let server = Server::start();
    population::two(&server);
    for name in ["example.com", "local", ".", "websvc.local", "web.xsvc.local", "web.svc.local.example.com"] {
        for transport in ["+notcp", "+tcp"] {
            server.dig(&format!("{name} A {transport}")).is_refused();
        }
    }
}
