//! What is still there after an end: a clean one, and one without warning.

mod common;

use common::{Server, Setup};
use serde_json::json;

/// Asserts that neither the revision nor the SOA serial (RFC 1982) went back.
#[track_caller]
fn assert_not_lower(server: &Server, (revision, last): (u64, u32)) {
    assert!(server.revision() >= revision, "revision {} is lower than {revision}", server.revision());
    assert!(server.serial().wrapping_sub(last).cast_signed() >= 0, "serial {} is lower than {last}", server.serial());
}

#[test]
fn a_restart_keeps_registrations_revision_and_status() {
    let server = Server::start();
    let body = json!({ "address": "10.0.0.1", "port": 80, "weight": 3, "tags": ["x"], "metadata": { "team": "shop" } });
    server.register("web", "a", body.clone());
    server.register("web", "b", json!({ "address": "10.0.0.2", "port": 80 }));
    server.register("db", "gone", json!({ "address": "10.0.0.3", "port": 80 }));
    server.api.delete("/v1/services/db/instances/gone").expect(204);
    server.says("web", "b", "unhealthy");
    let before = (server.revision(), server.serial());
    let server = server.restart();
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
    server.dig("db.svc.local A").is_nxdomain();
    assert_not_lower(&server, before);
    let kept = server.instance("web", "a");
    for (member, value) in body.as_object().expect("an object") {
        assert_eq!(&kept[member], value, "{kept}");
    }
    assert_eq!(server.instance("web", "b")["status"], "unhealthy", "a restart is no verdict");
}

#[test]
fn a_restart_is_followed_by_higher_revisions() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    let before = server.revision();
    let server = server.restart();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 81 }));
    assert!(server.revision() > before);
}

#[test]
fn what_was_acknowledged_survives_a_crash() {
    let mut server = Server::start();
    for id in 0..20 {
        server.register("web", &format!("i-{id}"), json!({ "address": format!("10.0.0.{id}"), "port": 80 }));
    }
    server.api.delete("/v1/services/web/instances/i-0").expect(204);
    let before = (server.revision(), server.serial());
    let last = server.register("web", "last", json!({ "address": "10.0.1.1", "port": 80 })).json();
    server.kill9();
    let server = server.setup().start();
    assert_not_lower(&server, before);
    assert_eq!(server.dig("web.svc.local A").data("A").len(), 20, "19 of the first and the last one");
    server.api.get("/v1/services/web/instances/i-0").expect(404);
    let kept = server.instance("web", "last");
    for member in ["service", "id", "address", "port", "status", "created_at"] {
        assert_eq!(kept[member], last[member], "{kept}");
    }
}

#[test]
fn what_operators_said_survives_a_crash() {
    let mut server = Server::start();
    for id in ["drained", "leaving", "marked", "gone", "lifted"] {
        server.register("web", id, json!({ "address": "10.0.0.1", "port": 80, "ttl": "none" }));
    }
    let path = |id: &str, rest: &str| format!("/v1/services/web/instances/{id}/{rest}");
    server.api.put_empty(&path("drained", "drain")).expect(200);
    server.says("web", "leaving", "draining");
    for id in ["marked", "gone", "lifted"] {
        server.api.put(&path(id, "maintenance"), json!({ "reason": "new disk" })).expect(200);
    }
    server.api.delete("/v1/services/web/instances/gone").expect(204);
    server.api.delete(&path("lifted", "maintenance")).expect(200);
    let checks = json!([{ "kind": "tcp", "interval": "1h" }]);
    server.api.put("/v1/services/web", json!({ "record_ttl": 7, "default_checks": checks })).expect(200);
    let before = (server.revision(), server.serial());
    for clean in [false, true] {
        if clean {
            server = server.restart();
        } else {
            server.kill9();
            server = server.setup().start();
        }
        assert_not_lower(&server, before);
        server.register("web", "gone", json!({ "address": "10.0.0.1", "port": 80, "ttl": "none" }));
        for (id, status, reason) in [
            ("drained", "draining", "taken out by an operator"),
            ("leaving", "draining", "it says that it is leaving"),
            ("marked", "maintenance", "in maintenance: new disk"),
            ("gone", "maintenance", "in maintenance: new disk"),
        ] {
            let instance = server.instance("web", id);
            assert_eq!((&instance["status"], &instance["reason"]), (&json!(status), &json!(reason)), "{id}");
            assert_eq!(instance["checks"][0]["kind"], "tcp", "{id} has the checks of its service");
        }
        assert_ne!(server.instance("web", "lifted")["status"], "maintenance");
        let settings = &server.api.get("/v1/services/web").expect(200).json()["settings"];
        assert_eq!((&settings["record_ttl"], &settings["default_checks"][0]["interval"]), (&json!(7), &json!("1h")));
        server.api.delete("/v1/services/web/instances/gone").expect(204);
    }
}

#[test]
fn the_memory_store_forgets() {
    let server = Setup::new().set("store.kind", "memory").start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    let server = server.restart();
    server.api.get("/v1/services/web").expect(404);
}

#[test]
fn signals_end_it_with_success() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        server.process.signal(signal);
        assert_eq!(server.process.wait().code(), Some(0), "after SIG{signal}");
        assert_eq!(server.process.stdout_line(), None, "the ready line is the only one on standard output");
    }
}
