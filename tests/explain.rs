//! `GET /v1/explain`: what it says is what the real `dig` gets, and each instance has its why.

mod common;

use common::{Server, Setup};
use serde_json::{Value, json};

fn explain(server: &Server, question: &str) -> Value {
    let (name, kind) = question.split_once(' ').expect("a name and a type");
    server.api.get(&format!("/v1/explain?name={name}&type={kind}")).expect(200).json()
}

/// Every instance of an explanation: `a in healthy`, `b out lapsed: …`.
fn instances(explanation: &Value) -> Vec<String> {
    let shown = |instance: &Value| {
        let is_in = if instance["in"].as_bool().expect("in or out") { "in" } else { "out" };
        let [id, why] = ["id", "why"].map(|member| instance[member].as_str().expect(member));
        format!("{id} {is_in} {why}")
    };
    explanation["instances"].as_array().expect("instances").iter().map(shown).collect()
}

fn lines(explanation: &Value, member: &str) -> Vec<String> {
    let lines = explanation[member].as_array().expect(member).iter();
    let mut lines: Vec<String> = lines.map(|line| line.as_str().expect("text").to_owned()).collect();
    lines.sort();
    lines
}

/// Asserts that an explanation has the very records that dig gets, and gives it.
#[track_caller]
fn agrees(server: &Server, question: &str) -> Value {
    let (explanation, reply) = (explain(server, question), server.dig(&format!("{question} +tcp")));
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    assert_eq!(explanation["rcode"], reply.status, "{reply}");
    assert_eq!(lines(&explanation, "records"), sorted(reply.answer.clone()), "{reply}");
    assert_eq!(lines(&explanation, "authority"), sorted(reply.authority.clone()), "{reply}");
    assert_eq!(lines(&explanation, "additional"), sorted(reply.additional.clone()), "{reply}");
    explanation
}

/// One instance of each kind that matters.
fn mixed(setup: &Setup) -> Server {
    let server = setup.start();
    let register = |id: &str, more: Value| {
        let mut body = json!({ "address": "10.0.0.1", "port": 80, "ttl": "none" });
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        server.register("web", id, body);
    };
    register("a", json!({ "weight": 3, "tags": ["v2"], "ports": { "http": 8080 }, "metadata": { "team": "shop" } }));
    register("b", json!({ "address": "10.0.0.2" }));
    register("c", json!({ "address": "10.0.0.3", "priority": 9 }));
    register("d", json!({ "address": "2001:db8::1", "protocol": "udp" }));
    register("e", json!({ "address": "host.example.com" }));
    register("f", json!({ "address": "10.0.0.6", "status": "unhealthy" }));
    register("g", json!({ "address": "10.0.0.7", "status": "starting" }));
    register("h", json!({ "address": "10.0.0.8" }));
    server.api.put_empty("/v1/services/web/instances/h/drain").expect(200);
    register("i", json!({ "address": "10.0.0.9" }));
    server.api.put("/v1/services/web/instances/i/maintenance", json!({ "reason": "disk" })).expect(200);
    server
}

#[test]
fn every_status_family_and_priority_has_its_why() {
    let server = mixed(&Setup::new());
    let explanation = agrees(&server, "web.svc.local A");
    assert_eq!(
        instances(&explanation),
        [
            "a in healthy",
            "b in healthy",
            "c out its priority is 9, and there are addresses of priority 0",
            "d out it has no IPv4 address",
            "e out it is registered by its host name, host.example.com, whose addresses others know; SRV leads there",
            "f out unhealthy: it says that it is unhealthy",
            "g out starting: it says that it is starting",
            "h out draining: taken out by an operator",
            "i out maintenance: in maintenance: disk",
        ]
    );
    assert_eq!(explanation["instances"][0]["share"], 0.75);
    assert_eq!(explanation["instances"][1]["share"], 0.25);
    assert_eq!(explanation["zone"], json!({ "kind": "live", "apex": "svc.local." }));
    assert_eq!(explanation["service"]["record_ttl"], 5);
    assert_eq!(explanation["service"]["panicking"], false);
}

#[test]
fn a_lease_that_ran_out_is_named() {
    let server = Setup::new().set("leases.reap_after", "10m").start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "ttl": "1s" }));
    common::eventually("web/a lapses", || match instances(&explain(&server, "web.svc.local A")) {
        found if found == ["a out lapsed: its lease ran out without a heartbeat"] => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let explanation = agrees(&server, "web.svc.local A");
    assert_eq!(explanation["notes"], json!(["there are instances, and none of them is served"]));
}

#[test]
fn whatever_is_asked_the_records_are_those_of_dig() {
    let zone = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n*.any TXT \"a b\" \"\\\"\"\n\
                old DNAME any\nalias CNAME ns\nsub NS ns.sub\nns.sub A 192.0.2.2\nsvc HTTPS 1 . alpn=h2 port=8443\n";
    let setup = Setup::new().zone("example.test.zone", zone).set("dns.reverse_zones", r#"["10.0.0.0/8"]"#);
    let server = mixed(&setup);
    for question in [
        "web.svc.local AAAA",
        "web.svc.local SRV",
        "web.svc.local ANY",
        "web.svc.local TXT",
        "_web._tcp.svc.local SRV",
        "_web._tcp.svc.local PTR",
        "_http._tcp.web.svc.local SRV",
        "v2.web.svc.local A",
        "a.web.svc.local TXT",
        "a.web.svc.local SRV",
        "f.web.svc.local A",
        "_services._dns-sd._udp.svc.local PTR",
        "svc.local SOA",
        "svc.local NS",
        "wbe.svc.local A",
        "1.0.0.10.in-addr.arpa PTR",
        "99.0.0.10.in-addr.arpa PTR",
        "x.any.example.test TXT",
        "x.old.example.test TXT",
        "alias.example.test A",
        "x.sub.example.test A",
        "svc.example.test HTTPS",
        "svc.example.test TYPE65280",
        "nothing.example.test A",
        "example.org A",
        "web.svc.local AXFR",
    ] {
        if question.ends_with("AXFR") {
            assert_eq!(explain(&server, question)["rcode"], "REFUSED");
        } else {
            let rcode = agrees(&server, question)["rcode"].clone();
            assert_eq!(rcode == "REFUSED", question == "example.org A", "{question}: {rcode}");
        }
    }
}

#[test]
fn names_are_said_what_they_are() {
    let zone = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n*.any A 192.0.2.3\n";
    let setup = Setup::new().zone("example.test.zone", zone).set("dns.reverse_zones", r#"["10.0.0.0/8"]"#);
    let server = mixed(&setup);
    let wildcard = explain(&server, "x.any.example.test A");
    assert_eq!(wildcard["zone"], json!({ "kind": "static", "apex": "example.test.", "file": "example.test.zone" }));
    assert_eq!(wildcard["stand_in"], "*.any.example.test.");
    assert!(wildcard["notes"][0].as_str().expect("a note").contains("wildcard"), "{wildcard}");

    let reverse = explain(&server, "6.0.0.10.in-addr.arpa PTR");
    assert_eq!(reverse["why"], "it stands for the instances at 10.0.0.6");
    assert_eq!((&reverse["zone"]["kind"], &reverse["rcode"]), (&"reverse".into(), &"NOERROR".into()));
    assert_eq!(instances(&reverse), ["f out unhealthy: it says that it is unhealthy"]);
    let reverse = explain(&server, "1.0.0.10.in-addr.arpa PTR");
    assert_eq!(instances(&reverse), ["a in healthy"]);

    let unknown = explain(&server, "wbe.svc.local A");
    assert_eq!((&unknown["rcode"], &unknown["why"]), (&"NXDOMAIN".into(), &"there is no service wbe".into()));
    let outside = explain(&server, "example.org A");
    assert_eq!((&outside["rcode"], &outside["zone"]), (&"REFUSED".into(), &Value::Null));
    assert_eq!(outside["why"], "no zone of this server holds it");

    let tagged = explain(&server, "v2.web.svc.local A");
    assert_eq!(instances(&tagged)[..2], ["a in healthy", "b out it does not carry the tag that the name asks for"]);
    let port = explain(&server, "_http._tcp.web.svc.local SRV");
    assert_eq!(instances(&port)[1], "b out it has no port of the name that is asked for");
    assert_eq!(instances(&port)[3], "d out its protocol is udp, and the name asks for another");
    let one = explain(&server, "f.web.svc.local A");
    assert_eq!(instances(&one), ["f out unhealthy: it says that it is unhealthy"]);
}

#[test]
fn a_panic_serves_the_unhealthy() {
    let server = Server::start();
    for (id, address, status) in
        [("a", "10.0.0.1", "healthy"), ("b", "10.0.0.2", "unhealthy"), ("c", "10.0.0.3", "unhealthy")]
    {
        server.register("web", id, json!({ "address": address, "port": 80, "status": status }));
    }
    server.api.put("/v1/services/web", json!({ "panic_threshold": 0.5, "record_ttl": 9 })).expect(200);
    let explanation = agrees(&server, "web.svc.local A");
    let panic =
        "unhealthy: it says that it is unhealthy; served all the same, because so few of the service are healthy";
    assert_eq!(instances(&explanation), ["a in healthy", &format!("b in {panic}"), &format!("c in {panic}")]);
    let service = &explanation["service"];
    assert_eq!((&service["panicking"], &service["record_ttl"]), (&true.into(), &9.into()));
    assert_eq!(service["record_ttl_is_own"], true);
    assert!(explanation["notes"][0].as_str().expect("a note").contains("unhealthy ones are served too"));
}

#[test]
fn what_does_not_fit_is_told_for_each_transport() {
    let server = Server::start();
    let register = |number: u32| json!({ "register": { "service": "web", "id": format!("i{number}"), "address": format!("10.0.0.{number}"), "port": 80 } });
    let operations: Vec<Value> = (1..=60).map(register).collect();
    server.api.post("/v1/batch", json!({ "operations": operations })).expect(200);
    let explanation = agrees(&server, "web.svc.local A");
    let [plain, edns] = ["+noedns", "+bufsize=1232"].map(|how| server.dig(&format!("web.svc.local A {how} +ignore")));
    let messages = &explanation["messages"];
    for (message, reply) in [(&messages["udp"], &plain), (&messages["edns"], &edns)] {
        assert_eq!(message["octets"], reply.size, "{reply}");
        assert_eq!(message["answers"], reply.answer.len(), "{reply}");
        assert_eq!(message["truncated"], reply.flags.iter().any(|flag| flag == "tc"), "{reply}");
    }
    assert_eq!((&messages["udp"]["truncated"], &messages["edns"]["truncated"]), (&true.into(), &false.into()));
    assert!(explanation["notes"][0].as_str().expect("a note").contains("UDP without EDNS"), "{explanation}");
}

#[test]
fn a_client_that_is_not_answered_is_told_so() {
    let server = Setup::new().set("dns.allow", r#"["127.0.0.0/8"]"#).start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    let of =
        |client: &str| server.api.get(&format!("/v1/explain?name=web.svc.local&client={client}")).expect(200).json();
    let stranger = of("192.0.2.1");
    assert_eq!((&stranger["rcode"], &stranger["why"]), (&"REFUSED".into(), &"not answered from this address".into()));
    assert_eq!((stranger["records"].clone(), stranger["instances"].clone()), (json!([]), json!([])));
    assert_eq!(of("127.0.0.9")["rcode"], "NOERROR");
    assert_eq!(of("::ffff:127.0.0.9")["client"], "127.0.0.9");
}

#[test]
fn parameters_that_are_wrong_are_named() {
    let server = Server::start();
    for (query, field) in [
        ("", "name"),
        ("?name=a..b", "name"),
        ("?name=", "name"),
        ("?name=a&name=b", "name"),
        ("?name=a&type=NONSENSE", "type"),
        ("?name=a&type=TYPE0", "type"),
        ("?name=a&client=here", "client"),
        ("?name=a&clent=127.0.0.1", "clent"),
    ] {
        let problem = server.api.get(&format!("/v1/explain{query}")).expect(422).json();
        assert_eq!(problem["field"], field, "{query}: {problem}");
    }
    // The type is A, the client whoever asks, and the last dot may be there.
    let explanation = server.api.get("/v1/explain?name=web.svc.local.").expect(200).json();
    assert_eq!((&explanation["type"], &explanation["client"]), (&"A".into(), &"127.0.0.1".into()));
}
