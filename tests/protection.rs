//! What keeps a service in DNS when much goes wrong at once, and what weighs its instances: real server, real questions.
//!
//! No test waits a given time: where time has to pass, another server that lets the same lease run out tells that it has.

mod common;

use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// Registers `count` instances `i0`, `i1`, … of `service` with these members, in one batch.
fn register_all(server: &Server, service: &str, count: usize, members: &Value) {
    let one = |number: usize| {
        let mut body = json!({"service": service, "id": format!("i{number}"), "port": 80,
                              "address": format!("10.9.{}.{}", number / 250, number % 250 + 1)});
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        json!({"register": body})
    };
    let operations: Vec<Value> = (0..count).map(one).collect();
    server.api.post("/v1/batch", json!({"operations": operations})).expect(200);
}

fn count(server: &Server, service: &str, status: &str) -> usize {
    let body = server.api.get(&format!("/v1/services/{service}?status={status}")).expect(200).json();
    body["instances"].as_array().unwrap().len()
}

fn holds(server: &Server) -> Vec<Value> {
    server.api.get("/v1/status").expect(200).json()["protection"]["holds"].as_array().unwrap().clone()
}

#[track_caller]
fn eventually_count_is(server: &Server, service: &str, status: &str, expected: usize) {
    eventually(&format!("{expected} of {service} are {status}"), || {
        let found = count(server, service, status);
        if found == expected { Ok(()) } else { Err(found) }
    });
}

#[test]
fn a_service_that_falls_silent_at_once_stays_and_the_hold_ends_by_itself() {
    let server = Setup::new().set("leases.reap_after", "1h").set("leases.protection_max", "4s").start();
    register_all(&server, "web", 60, &json!({"ttl": "1s"}));
    register_all(&server, "alone", 1, &json!({"ttl": "1s"}));
    let held = eventually("a hold", || holds(&server).into_iter().next().ok_or("none"));
    assert!(held["held"].as_u64() >= Some(50) && held["until"].is_string(), "{held}");
    assert_eq!(count(&server, "web", "healthy"), 60, "nothing is left out while it lasts");
    assert_eq!(server.dig("web.svc.local A +tcp").data("A").len(), 60);
    assert_eq!(server.instance("web", "i0")["overdue"], true);
    let metrics = server.api.get("/metrics").expect(200).text();
    assert!(metrics.contains(&format!("\nsrvd_protection_holds {}\n", holds(&server).len())), "{metrics}");
    assert!(metrics.contains("\nsrvd_lapses_held{scope=\"service\",service=\"web\"} "), "{metrics}");
    assert!(server.process.log().contains("lapses are held"), "the log tells of it");
    eventually_count_is(&server, "web", "lapsed", 60);
    eventually("the hold is over", || if holds(&server).is_empty() { Ok(()) } else { Err("held") });
    server.dig("web.svc.local A").is_nodata();
    assert!(server.instance("web", "i0").get("overdue").is_none());
}

#[test]
fn those_that_are_heard_again_end_the_hold() {
    let server = Setup::new().set("leases.reap_after", "1h").start();
    register_all(&server, "web", 60, &json!({"ttl": "2s"}));
    eventually("a hold", || holds(&server).into_iter().next().ok_or("none"));
    let all: Vec<Value> = (0..55).map(|number| json!({"service": "web", "id": format!("i{number}")})).collect();
    eventually("only the silent lapse", || {
        server.api.post("/v1/heartbeats", json!({ "heartbeats": all })).expect(200);
        if holds(&server).is_empty() && count(&server, "web", "lapsed") == 5 {
            Ok(())
        } else {
            Err(format!("{:?}", holds(&server)))
        }
    });
    assert_eq!(count(&server, "web", "healthy"), 55);
}

#[test]
fn a_service_can_opt_out() {
    let server = Setup::new().set("leases.reap_after", "1h").start();
    server.api.put("/v1/services/batch", json!({"protection": false})).expect(200);
    register_all(&server, "batch", 60, &json!({"ttl": "1s"}));
    eventually_count_is(&server, "batch", "lapsed", 60);
    assert!(holds(&server).is_empty());
}

#[test]
fn a_server_that_stood_still_gives_every_lease_its_time() {
    let (stopped, other) = (Server::start(), Server::start());
    for server in [&stopped, &other] {
        server.register("web", "a", json!({"address": "10.0.0.1", "port": 80, "ttl": "3s"}));
    }
    stopped.process.signal("STOP");
    eventually("the time of the lease is over", || {
        let instance = other.instance("web", "a");
        if instance["status"] == "lapsed" { Ok(()) } else { Err(instance) }
    });
    stopped.process.signal("CONT");
    let instance = stopped.instance("web", "a");
    assert_eq!(instance["status"], "healthy", "{instance}");
    stopped.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
    eventually("then it lapses as ever", || {
        let instance = stopped.instance("web", "a");
        if instance["status"] == "lapsed" { Ok(()) } else { Err(instance) }
    });
    assert!(stopped.process.log().contains("stood still"));
    assert!(!stopped.api.get("/metrics").expect(200).text().contains("\nsrvd_standstills_total 0\n"));
}

/// What the extended errors of a reply say.
fn extended_error(raw: &str) -> Option<&str> {
    raw.lines().find_map(|line| line.strip_prefix("; EDE: "))
}

#[test]
fn too_few_healthy_instances_make_the_unhealthy_help() {
    let server = Setup::new().set("health.panic_threshold", "0.5").start();
    for (id, last) in [("a", 1), ("b", 2), ("c", 3), ("gone", 4)] {
        server.register("web", id, json!({"address": format!("10.0.0.{last}"), "port": 80, "ttl": "none"}));
    }
    server.api.put_empty("/v1/services/web/instances/gone/drain").expect(200);
    server.says("web", "a", "unhealthy");
    let reply = server.dig("web.svc.local A");
    reply.answers("A", &["10.0.0.2", "10.0.0.3"]);
    assert_eq!(extended_error(&reply.raw), None);
    server.says("web", "b", "unhealthy");
    let reply = server.dig("web.svc.local A");
    reply.answers("A", &["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert!(extended_error(&reply.raw).is_some_and(|text| text.contains("unhealthy")), "{reply}");
    assert_eq!(server.instance("web", "a")["status"], "unhealthy", "what it is, is said as ever");
    assert_eq!(server.api.get("/v1/status").expect(200).json()["panicking"], json!(["web"]));
    assert!(server.api.get("/metrics").expect(200).text().contains("\nsrvd_services_panicking 1\n"));
    server.dig("a.web.svc.local A").answers("A", &["10.0.0.1"]);
    // Two of three is well above a half.
    server.says("web", "b", "healthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.2", "10.0.0.3"]);
    // The word of the service counts before that of the configuration.
    server.api.put("/v1/services/web", json!({"panic_threshold": 0})).expect(200);
    for id in ["b", "c"] {
        server.says("web", id, "unhealthy");
    }
    let reply = server.dig("web.svc.local A");
    reply.is_nodata();
    assert!(extended_error(&reply.raw).is_some_and(|text| text.contains("none of them healthy")), "{reply}");
}

#[test]
fn reported_load_lowers_the_weight_and_overload_takes_out() {
    let server = Setup::new().set("load.limit", "0.9").set("dns.srv_weight_scale", "10").start();
    server.register("web", "a", json!({"address": "10.0.0.1", "port": 80, "weight": 100, "ttl": "none"}));
    let heartbeat = |load: Value| {
        server.api.put("/v1/services/web/instances/a/heartbeat", json!({ "load": load })).expect(204);
        server.instance("web", "a")
    };
    let instance = heartbeat(json!({"cpu": 0.5, "memory": 0.5, "latency_ms": 500}));
    assert_eq!((&instance["effective_weight"], &instance["weight"]), (&json!(50), &json!(100)));
    assert_eq!(instance["load"], json!({"cpu": 0.5, "memory": 0.5, "latency_ms": 500}));
    server.dig("web.svc.local SRV").answers("SRV", &["0 500 80 a.web.svc.local."]);
    let instance = heartbeat(json!({"disk": 0.95}));
    assert_eq!(instance["status"], "unhealthy");
    assert!(instance["reason"].as_str().is_some_and(|reason| reason.contains("load")), "{instance}");
    server.dig("web.svc.local SRV").is_nodata();
    assert_eq!(heartbeat(json!({"cpu": 0.0}))["effective_weight"], 100);
    server.dig("web.svc.local SRV").answers("SRV", &["0 1000 80 a.web.svc.local."]);
}

#[test]
fn a_slow_start_ramps_the_weight_up() {
    let server = Server::start();
    server.api.put("/v1/services/web", json!({"slow_start": "2s"})).expect(200);
    server.register("web", "a", json!({"address": "10.0.0.1", "port": 80, "weight": 100, "ttl": "none"}));
    let mut seen = Vec::new();
    eventually("full weight", || {
        let weight = server.instance("web", "a")["effective_weight"].as_u64().unwrap();
        seen.push(weight);
        if weight == 100 { Ok(()) } else { Err(weight) }
    });
    assert!(seen.is_sorted() && seen[0] < 100 && seen.iter().all(|weight| weight % 10 == 0), "{seen:?}");
    server.dig("web.svc.local SRV").answers("SRV", &["0 100 80 a.web.svc.local."]);
}
