//! What operators say: settings of services, drain and maintenance of instances.

mod common;

use common::http::Request;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

const WEB: &str = "/v1/services/web";
const A: &str = "/v1/services/web/instances/a";
const SETTINGS: &str = "/v1/services/web/settings";

fn minimal() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080 })
}

fn complete() -> Value {
    json!({
        "panic_threshold": 0.25,
        "slow_start": "30s",
        "default_checks": [],
        "strategy": "round_robin",
        "protection": true,
        "record_ttl": 60,
        "description": "the front",
    })
}

#[test]
fn settings_are_set_replaced_and_removed() {
    let server = Server::start();
    server.register("web", "a", minimal());
    assert_eq!(server.api.get(WEB).expect(200).json()["settings"], json!({}));
    let set = server.api.put(WEB, complete()).expect(200).json();
    assert_eq!((&set["settings"], &set["service"]), (&complete(), &json!("web")));
    assert_eq!(set["instances"][0]["id"], "a");
    assert_eq!(server.api.get(WEB).expect(200).json(), set);
    let replaced = server.api.put(WEB, json!({ "record_ttl": 1 })).expect(200).json();
    assert_eq!(replaced["settings"], json!({ "record_ttl": 1 }), "a PUT replaces all of them");
    assert!(replaced["revision"].as_u64() > set["revision"].as_u64(), "{replaced}");
    let removed = server.api.delete(SETTINGS).expect(200).json();
    assert_eq!((&removed["settings"], &removed["instances"][0]["id"]), (&json!({}), &json!("a")));
    server.api.delete(SETTINGS).expect(200);
}

#[test]
fn equal_settings_take_no_revision() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let read = server.api.put(WEB, complete()).expect(200);
    for same in [complete(), read.json()] {
        let again = server.api.put(WEB, same).expect(200);
        assert_eq!((again.revision(), again.json()), (read.revision(), read.json()));
    }
}

#[test]
fn settings_may_come_before_any_instance() {
    let server = Server::start();
    server.api.delete(SETTINGS).expect(404);
    let set = server.api.put(WEB, json!({ "record_ttl": 1 })).expect(200).json();
    assert_eq!((&set["settings"]["record_ttl"], &set["instances"]), (&json!(1), &json!([])));
    assert_eq!(server.api.get(WEB).expect(200).json(), set);
    server.dig("web.svc.local A").is_nxdomain();
    assert_eq!(server.api.get("/v1/services").expect(200).json()["services"], json!([]), "it is no service yet");
    server.register("web", "a", minimal());
    assert_eq!(server.api.get(WEB).expect(200).json()["settings"]["record_ttl"], 1);
    server.api.delete("/v1/services/web/instances/a").expect(204);
    server.dig("web.svc.local A").is_nxdomain();
    assert_eq!(server.api.get(WEB).expect(200).json()["settings"]["record_ttl"], 1, "they stay when it goes");
    assert_eq!(server.api.delete(SETTINGS).expect(200).json()["settings"], json!({}));
    server.api.get(WEB).expect(404);
}

#[test]
fn default_checks_come_and_go_with_the_settings() {
    let server = Server::start();
    server.register("web", "early", minimal());
    server.register("web", "own", json!({ "address": "10.0.0.7", "port": 8080, "checks": [] }));
    let checks = json!({ "default_checks": [{ "kind": "tcp", "interval": "1h", "timeout": "1s" }] });
    server.api.put(WEB, checks).expect(200);
    server.register("web", "late", minimal());
    let kinds = |id: &str| -> Vec<Value> {
        let instance = server.instance("web", id);
        instance["checks"].as_array().expect("a list").iter().map(|check| check["kind"].clone()).collect()
    };
    assert_eq!((kinds("early"), kinds("late"), kinds("own")), (vec![json!("tcp")], vec![json!("tcp")], vec![]));
    server.api.delete(SETTINGS).expect(200);
    assert_eq!((kinds("early"), kinds("late")), (vec![], vec![]));
    assert_eq!(server.instance("web", "early")["status"], "healthy");
}

#[test]
fn the_ttl_of_a_service_is_that_of_its_records() {
    let server = Setup::new().set("dns.record_ttl", 42).set("dns.reverse_zones", "10.0.0.0/24").start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 8080, "tags": ["v2"] }));
    server.register("db", "b", json!({ "address": "10.0.0.8", "port": 5432 }));
    let questions = [
        "web.svc.local A",
        "web.svc.local SRV",
        "v2.web.svc.local A",
        "_web._tcp.svc.local PTR",
        "a._web._tcp.svc.local TXT",
        "a.web.svc.local A",
        "7.0.0.10.in-addr.arpa PTR",
    ];
    let ttls = |question: &str| -> Vec<String> {
        let dig = server.dig(question);
        let records = dig.answer.iter().chain(&dig.additional);
        records.map(|record| record.split(' ').nth(1).expect("a TTL").to_owned()).collect()
    };
    for (set, expected) in [(json!({}), "42"), (json!({ "record_ttl": 7 }), "7"), (json!({ "record_ttl": 0 }), "0")] {
        server.api.put(WEB, set).expect(200);
        for question in questions {
            let ttls = ttls(question);
            assert!(!ttls.is_empty() && ttls.iter().all(|ttl| ttl == expected), "{question}: {ttls:?}");
        }
        assert_eq!(ttls("db.svc.local A"), ["42"], "another service keeps its own");
    }
    server.api.delete(SETTINGS).expect(200);
    assert_eq!(ttls("web.svc.local A"), ["42"]);
}

#[test]
fn who_waits_for_a_change_learns_of_settings() {
    let server = Server::start();
    server.register("web", "a", minimal());
    for set in [json!({ "description": "one" }), json!({ "description": "two" }), json!({})] {
        let seen = server.api.get(WEB).expect(200).json()["revision"].clone();
        let (api, path) = (server.api, format!("{WEB}?since={seen}&wait=10m"));
        let held = std::thread::spawn(move || api.get(&path).expect(200).json());
        let before = server.api.put(WEB, set.clone()).expect(200).json();
        let told = held.join().expect("a reply");
        assert_eq!((&told["settings"], &told["revision"]), (&set, &before["revision"]));
    }
}

#[test]
fn picks_go_by_the_strategy_of_the_service() {
    let server = Server::start();
    for id in ["a", "b", "c"] {
        server.register("web", id, minimal());
    }
    server.api.put(WEB, json!({ "strategy": "round_robin" })).expect(200);
    let picks = || (0..3).map(|_| server.api.get(&format!("{WEB}/pick")).expect(200).json()["id"].to_string());
    let mut round: Vec<String> = picks().collect();
    round.sort();
    assert_eq!(round, ["\"a\"", "\"b\"", "\"c\""], "each in its turn");
    server.api.put(WEB, json!({ "strategy": "consistent_hash" })).expect(200);
    assert_eq!(server.api.get(&format!("{WEB}/pick")).expect(422).json()["field"], "key");
}

#[test]
fn settings_have_rules() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let before = server.api.get(WEB).expect(200).json();
    for (body, field) in [
        (json!({ "panic_threshold": 2 }), "panic_threshold"),
        (json!({ "slow_start": "soon" }), "slow_start"),
        (json!({ "default_checks": [{ "kind": "ping" }] }), "default_checks[0].kind"),
        (json!({ "strategy": "best" }), "strategy"),
        (json!({ "protection": "yes" }), "protection"),
        (json!({ "record_ttl": -1 }), "record_ttl"),
        (json!({ "description": 7 }), "description"),
        (json!({ "ttl": 5 }), "ttl"),
        (json!({ "service": "db" }), "service"),
        (json!({ "settings": { "record_ttl": -1 } }), "settings.record_ttl"),
    ] {
        let refused = server.api.put(WEB, body.clone());
        assert_eq!((refused.status, &refused.json()["field"]), (422, &json!(field)), "{body}: {refused}");
    }
    server.api.put_empty(WEB).expect(422);
    server.api.put("/v1/services/not_a_label", complete()).expect(422);
    assert_eq!(server.api.get(WEB).expect(200).json(), before);
}

#[test]
fn settings_outlive_a_crash() {
    let mut server = Server::start();
    server.register("web", "a", minimal());
    let set = server.api.put(WEB, complete()).expect(200).json();
    server.api.put("/v1/services/db", json!({ "record_ttl": 1 })).expect(200);
    server.kill9();
    let server = server.setup().start();
    assert_eq!(server.api.get(WEB).expect(200).json()["settings"], set["settings"]);
    assert_eq!(server.api.get("/v1/services/db").expect(200).json()["settings"], json!({ "record_ttl": 1 }));
}

/// Calls `METHOD` on `web/a` and below: the reply, which must be of `status`.
#[track_caller]
fn call(server: &Server, method: &'static str, rest: &str, status: u16) -> Value {
    server.api.send(Request::new(method, &format!("{A}/{rest}"))).expect(status).json()
}

#[track_caller]
fn assert_out(server: &Server, status: &str, reason: &str) {
    let instance = server.instance("web", "a");
    assert_eq!((&instance["status"], &instance["reason"]), (&json!(status), &json!(reason)));
    server.dig("web.svc.local A").is_nodata();
}

#[test]
fn a_drained_instance_is_out_until_it_is_put_back() {
    let server = Server::start();
    call(&server, "PUT", "drain", 404);
    server.register("web", "a", minimal());
    let out = call(&server, "PUT", "drain", 200);
    assert!(out["safe_at"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()), "{out}");
    assert_eq!(out["instance"]["status"], "draining");
    assert_out(&server, "draining", "taken out by an operator");
    let revision = server.revision();
    assert_eq!(out["safe"], false);
    assert_eq!(call(&server, "PUT", "drain", 200)["safe_at"], out["safe_at"], "once more says the same");
    assert_eq!(server.revision(), revision);
    server.says("web", "a", "healthy");
    server.register("web", "a", json!({ "address": "10.0.0.8", "port": 8080 }));
    assert_out(&server, "draining", "taken out by an operator");
    assert_eq!(call(&server, "DELETE", "drain", 200)["instance"]["status"], "healthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.8"]);
    let revision = server.revision();
    call(&server, "DELETE", "drain", 200);
    assert_eq!(server.revision(), revision);
    call(&server, "PUT", "drain", 200);
    server.api.delete(A).expect(204);
    server.register("web", "a", minimal());
    assert_eq!(server.instance("web", "a")["status"], "healthy", "a drain ends with the registration");
}

#[test]
fn an_instance_that_said_that_it_leaves_is_put_back_too() {
    let server = Server::start();
    server.register("web", "a", minimal());
    server.says("web", "a", "draining");
    assert_out(&server, "draining", "it says that it is leaving");
    assert_eq!(call(&server, "DELETE", "drain", 200)["instance"]["status"], "healthy");
}

#[test]
fn maintenance_holds_until_it_is_lifted() {
    let server = Server::start();
    call(&server, "PUT", "maintenance", 404);
    call(&server, "DELETE", "maintenance", 404);
    server.register("web", "a", minimal());
    let marked = server.api.put(&format!("{A}/maintenance"), json!({ "reason": "new disk" })).expect(200);
    assert!(marked.json()["safe_at"].is_string(), "{marked}");
    assert_out(&server, "maintenance", "in maintenance: new disk");
    server.says("web", "a", "healthy");
    call(&server, "DELETE", "drain", 200);
    server.api.delete(A).expect(204);
    server.dig("web.svc.local A").is_nxdomain();
    server.register("web", "a", minimal());
    assert_out(&server, "maintenance", "in maintenance: new disk");
    call(&server, "PUT", "maintenance", 200);
    assert_out(&server, "maintenance", "in maintenance");
    assert_eq!(call(&server, "DELETE", "maintenance", 200)["instance"]["status"], "healthy");
    server.dig("web.svc.local A").answers("A", &["10.0.0.7"]);
    call(&server, "DELETE", "maintenance", 200);
}

#[test]
fn resume_lifts_both() {
    let server = Server::start();
    call(&server, "PUT", "resume", 404);
    server.register("web", "a", minimal());
    call(&server, "PUT", "drain", 200);
    call(&server, "PUT", "maintenance", 200);
    assert_eq!(call(&server, "DELETE", "maintenance", 200)["instance"]["status"], "draining");
    call(&server, "PUT", "maintenance", 200);
    assert_eq!(call(&server, "PUT", "resume", 200)["instance"]["status"], "healthy");
}

#[test]
fn maintenance_is_counted_and_filtered() {
    let server = Server::start();
    server.register("web", "a", minimal());
    server.register("web", "b", minimal());
    call(&server, "PUT", "maintenance", 200);
    let found = server.api.get("/v1/services/web?status=maintenance").expect(200).json();
    assert_eq!((found["instances"].as_array().map(Vec::len), &found["instances"][0]["id"]), (Some(1), &json!("a")));
    let services = server.api.get("/v1/services").expect(200).json();
    assert_eq!(services["services"][0]["instances"]["maintenance"], 1);
    assert_eq!(server.api.get("/v1/status").expect(200).json()["instances"]["maintenance"], 1);
}

#[test]
fn a_reply_is_held_until_caches_are_clear() {
    let server = Setup::new().set("dns.record_ttl", 0).start();
    server.register("web", "a", minimal());
    let out = call(&server, "PUT", "drain?wait=true", 200);
    let safe: jiff::Timestamp = out["safe_at"].as_str().and_then(|at| at.parse().ok()).expect("a time");
    assert!(jiff::Timestamp::now() >= safe && out["safe"] == true, "{out}");
}

#[test]
fn a_held_reply_comes_when_the_server_stops() {
    let server = Setup::new().set("dns.record_ttl", 86_400).start();
    server.register("web", "a", minimal());
    let api = server.api;
    let held = std::thread::spawn(move || api.put_empty(&format!("{A}/drain?wait=10m")).expect(200).json());
    eventually("it is drained", || match server.instance("web", "a")["status"].as_str() {
        Some("draining") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    server.process.signal("TERM");
    assert!(held.join().expect("a reply")["safe_at"].is_string());
}

#[test]
fn operators_calls_have_rules() {
    let server = Server::start();
    server.register("web", "a", minimal());
    for (method, rest, field) in [
        ("PUT", "drain?wait=11m", "wait"),
        ("PUT", "drain?wait=soon", "wait"),
        ("DELETE", "drain?colour=red", "colour"),
        ("PUT", "maintenance?reason=disk", "reason"),
        ("PUT", "resume?wait=1", "wait"),
    ] {
        assert_eq!(call(&server, method, rest, 422)["field"], field, "{rest}");
    }
    for (body, field) in [(json!({ "reason": 1 }), "reason"), (json!({ "raeson": "disk" }), "raeson")] {
        let refused = server.api.put(&format!("{A}/maintenance"), body).expect(422).json();
        assert_eq!(refused["field"], field);
    }
    assert_eq!(server.instance("web", "a")["status"], "healthy");
}

#[test]
fn the_next_expiries_are_in_their_order() {
    let server = Server::start();
    // The longest first, so that their order is not that of their names or registrations.
    for number in (1..=12).rev() {
        let ttl = format!("{}s", 100 + 10 * number);
        server.register("web", &format!("i{}", 12 - number), json!({ "address": "10.0.0.1", "port": 80, "ttl": ttl }));
    }
    server.register("web", "lasting", json!({ "address": "10.0.0.1", "port": 80, "ttl": "none" }));
    let schedule = server.api.get("/v1/status").expect(200).json()["schedule"].clone();
    let expiries = schedule["expiries"].as_array().expect("expiries");
    let ids: Vec<&str> = expiries.iter().map(|expiry| expiry["id"].as_str().expect("an id")).collect();
    assert_eq!(ids, ["i11", "i10", "i9", "i8", "i7", "i6", "i5", "i4", "i3", "i2"]);
    assert_eq!(schedule["next_expiry"], expiries[0]["at"]);
    assert_eq!(expiries[0]["at"], server.instance("web", "i11")["expires_at"]);
    assert_eq!((&schedule["next_check"], &schedule["checks"]), (&json!(null), &json!([])));
}
