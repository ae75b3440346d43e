//! What comes and goes while the server runs: leases and health checks.
//!
//! No test asserts how long anything took; the bounds of time are proved on the paused clock, next to the code.

mod common;

use common::backend::{self, Backend};
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// Waits until the A answer for `web` is exactly `expected`, with this RCODE.
#[track_caller]
fn eventually_web_is(server: &Server, status: &str, expected: &[&str]) {
    eventually(&format!("web is {status} {expected:?}"), || {
        let reply = server.dig("web.svc.local A");
        if reply.status == status && reply.data("A") == expected { Ok(()) } else { Err(reply.raw) }
    });
}

#[track_caller]
fn eventually_status_is(server: &Server, id: &str, expected: &str) -> Value {
    eventually(&format!("web/{id} is {expected}"), || {
        let instance = server.instance("web", id);
        if instance["status"] == expected { Ok(instance) } else { Err(instance) }
    })
}

#[test]
fn a_lapsed_lease_leaves_dns_and_a_late_heartbeat_returns_it() {
    let server = Setup::new().set("leases.reap_after", "1h").start();
    server.register("web", "silent", json!({ "address": "10.0.0.1", "port": 80, "ttl": "1s" }));
    server.register("web", "kept", json!({ "address": "10.0.0.2", "port": 80, "ttl": "none" }));
    eventually_web_is(&server, "NOERROR", &["10.0.0.2"]);
    let lapsed = server.instance("web", "silent");
    assert_eq!(lapsed["status"], "lapsed");
    assert!(lapsed["reason"].is_string(), "it is said why: {lapsed}");
    server.dig("silent.web.svc.local A").is_nodata();
    server.api.patch("/v1/services/web/instances/silent", json!({ "ttl": "1h" })).expect(200);
    server.api.put_empty("/v1/services/web/instances/silent/heartbeat").expect(204);
    server.dig("web.svc.local A").answers("A", &["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn a_lapsed_instance_is_reaped() {
    let server = Setup::new().set("leases.reap_after", "1s").start();
    server.register("web", "silent", json!({ "address": "10.0.0.1", "port": 80, "ttl": "1s" }));
    eventually_web_is(&server, "NXDOMAIN", &[]);
    server.api.get("/v1/services/web/instances/silent").expect(404);
    server.api.get("/v1/services/web").expect(404);
    server.api.put_empty("/v1/services/web/instances/silent/heartbeat").expect(404);
}

#[test]
fn the_default_lease_is_configured() {
    let server = Setup::new().set("leases.ttl", "1s").set("leases.reap_after", "1h").start();
    server.register("web", "silent", json!({ "address": "10.0.0.1", "port": 80 }));
    eventually_status_is(&server, "silent", "lapsed");
}

#[test]
fn a_put_renews_the_lease() {
    let server = Setup::new().set("leases.reap_after", "1h").start();
    let with_ttl = |ttl: &str| json!({ "address": "10.0.0.1", "port": 80, "ttl": ttl });
    server.register("web", "a", with_ttl("1s"));
    eventually_status_is(&server, "a", "lapsed");
    server.api.put("/v1/services/web/instances/a", with_ttl("1h")).expect(200);
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
}

#[test]
fn a_lease_starts_again_after_a_restart_and_still_runs_out() {
    let server = Setup::new().set("leases.reap_after", "1h").start();
    server.register("web", "silent", json!({ "address": "10.0.0.1", "port": 80, "ttl": "1s" }));
    let server = server.restart();
    eventually_status_is(&server, "silent", "lapsed");
}

fn checked(target: &Backend, mut check: Value) -> Value {
    for (member, value) in [("interval", json!("1s")), ("timeout", json!("1s")), ("rise", json!(1)), ("fall", json!(1))]
    {
        if check.get(member).is_none() {
            check[member] = value;
        }
    }
    json!({ "address": target.address.ip(), "port": target.address.port(), "ttl": "none", "checks": [check] })
}

#[test]
fn an_http_check_takes_an_instance_out_and_back() {
    let server = Server::start();
    let mut target = Backend::start("target");
    server.register("web", "a", checked(&target, json!({ "kind": "http", "path": "/health" })));
    eventually_web_is(&server, "NOERROR", &["127.0.0.1"]);
    assert_eq!(server.instance("web", "a")["checks"][0]["last_result"]["passing"], true);
    target.reply(500);
    eventually_web_is(&server, "NOERROR", &[]);
    let failing = server.instance("web", "a");
    assert_eq!(failing["status"], "unhealthy");
    assert!(failing["reason"].as_str().is_some_and(|reason| reason.contains("500")), "{failing}");
    target.reply(200);
    eventually_web_is(&server, "NOERROR", &["127.0.0.1"]);
    target.close();
    eventually_web_is(&server, "NOERROR", &[]);
}

#[test]
fn an_instance_is_starting_until_its_first_result() {
    let server = Server::start();
    let target = Backend::start("target");
    target.reply(500);
    let reply = server.register("web", "a", checked(&target, json!({ "kind": "http", "interval": "10s" })));
    assert_eq!(reply.json()["status"], "starting");
    server.dig("web.svc.local A").is_nodata();
    eventually_status_is(&server, "a", "unhealthy");
}

#[test]
fn a_tcp_check_takes_an_instance_out_and_back() {
    let server = Server::start();
    let mut target = backend::alone_on([127, 10, 1, 1], "target");
    server.register("web", "a", checked(&target, json!({ "kind": "tcp" })));
    eventually_web_is(&server, "NOERROR", &["127.10.1.1"]);
    target.close();
    eventually_web_is(&server, "NOERROR", &[]);
    target.reopen();
    eventually_web_is(&server, "NOERROR", &["127.10.1.1"]);
}

#[test]
fn a_check_can_have_a_port_and_path_of_its_own() {
    let server = Server::start();
    let target = Backend::start("target");
    let mut body = checked(&target, json!({ "kind": "http", "path": "/other", "port": target.address.port() }));
    body["port"] = json!(1);
    server.register("web", "a", body);
    eventually_web_is(&server, "NOERROR", &["127.0.0.1"]);
}

#[test]
fn one_failure_below_fall_changes_nothing() {
    let server = Server::start();
    let target = Backend::start("target");
    server.register("web", "a", checked(&target, json!({ "kind": "http", "fall": 2 })));
    eventually_web_is(&server, "NOERROR", &["127.0.0.1"]);
    let (revision, seen) = (server.revision(), target.requests());
    target.fail_next(1);
    eventually("the failed check and one after it", || {
        let requests = target.requests();
        if requests >= seen + 3 { Ok(()) } else { Err(requests) }
    });
    assert_eq!(server.instance("web", "a")["status"], "healthy");
    assert_eq!(server.revision(), revision, "it never left");
}

#[test]
fn every_check_has_to_pass() {
    let server = Server::start();
    let (good, bad) = (Backend::start("good"), Backend::start("bad"));
    let mut body = checked(&good, json!({ "kind": "http" }));
    let mut second = body["checks"][0].clone();
    second["port"] = json!(bad.address.port());
    body["checks"] = json!([body["checks"][0], second]);
    server.register("web", "a", body);
    eventually_web_is(&server, "NOERROR", &["127.0.0.1"]);
    bad.reply(503);
    eventually_web_is(&server, "NOERROR", &[]);
}
