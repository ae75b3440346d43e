//! Many operations in one call: `POST /v1/batch` and `POST /v1/heartbeats`.

mod common;

use common::http::{Reply, Request};
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

const BATCH: &str = "/v1/batch";
const HEARTBEATS: &str = "/v1/heartbeats";

fn register(service: &str, id: &str, rest: Value) -> Value {
    let mut instance = json!({ "service": service, "id": id, "address": "10.0.0.7", "port": 8080 });
    instance.as_object_mut().expect("an object").extend(rest.as_object().expect("an object").clone());
    json!({ "register": instance })
}

fn deregister(service: &str, id: &str) -> Value {
    json!({ "deregister": { "service": service, "id": id } })
}

#[track_caller]
fn batch(server: &Server, operations: &[Value]) -> Vec<Value> {
    let reply = server.api.post(BATCH, json!({ "operations": operations })).expect(200).json();
    reply["results"].as_array().unwrap_or_else(|| panic!("no results: {reply}")).clone()
}

fn statuses(results: &[Value]) -> Vec<u64> {
    results.iter().map(|result| result["status"].as_u64().expect("a status")).collect()
}

#[track_caller]
fn assert_refused(reply: &Reply, status: u16, field: &str) {
    assert_eq!(reply.status, status, "{reply}");
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{reply}");
    assert_eq!(reply.json()["field"].as_str().unwrap_or_default(), field, "{reply}");
}

#[test]
fn each_operation_has_its_result_in_order() {
    let server = Server::start();
    server.register("web", "old", json!({ "address": "10.0.0.1", "port": 80 }));
    let results = batch(
        &server,
        &[
            register("web", "a", json!({ "weight": 7 })),
            register("web", "old", json!({})),
            register("web", "a", json!({ "weight": 7 })),
            deregister("web", "old"),
            deregister("web", "old"),
            register("web", "b", json!({ "port": 0 })),
            register("web", "c", json!({ "tags": ["a"] })),
            json!({ "register": { "service": "web", "address": "10.0.0.7", "port": 1 } }),
        ],
    );
    assert_eq!(statuses(&results), [201, 200, 200, 204, 404, 422, 409, 422]);
    assert_eq!((&results[0]["instance"]["id"], &results[0]["instance"]["weight"]), (&json!("a"), &json!(7)));
    assert_eq!(
        results[0]["instance"], results[2]["instance"],
        "equal to what is registered: it renews the lease alone"
    );
    assert_eq!(results[3], json!({ "status": 204 }));
    for (at, field) in [(5, "operations[5].register.port"), (7, "operations[7].register.id")] {
        assert_eq!(results[at]["problem"]["field"], field, "{}", results[at]);
    }
    for result in &results[4..] {
        let problem = &result["problem"];
        assert_eq!(problem["status"], result["status"]);
        assert!(
            problem["title"].is_string() && problem["detail"].is_string() && problem["type"].is_string(),
            "{result}"
        );
    }
    server.dig("web.svc.local SRV").answers("SRV", &["0 7 8080 a.web.svc.local."]);
}

#[test]
fn the_same_instance_may_come_twice() {
    let server = Server::start();
    let results = batch(
        &server,
        &[
            register("web", "a", json!({ "weight": 1 })),
            register("web", "a", json!({ "weight": 2 })),
            deregister("web", "a"),
            register("web", "a", json!({ "weight": 3 })),
        ],
    );
    assert_eq!(statuses(&results), [201, 200, 204, 201]);
    let weights = [0, 1, 3].map(|at: usize| results[at]["instance"]["weight"].as_u64());
    assert_eq!(weights, [Some(1), Some(2), Some(3)], "each result is of its moment");
    assert_eq!(server.instance("web", "a")["weight"], 3);
    let revisions: Vec<_> = [0, 1, 3].map(|at: usize| results[at]["instance"]["revision"].as_u64()).into();
    assert!(revisions.is_sorted(), "{revisions:?}");
}

#[test]
fn what_no_operation_looks_like_is_refused_by_itself() {
    let server = Server::start();
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    let rows = [
        ("{}", "operations[0].register"),
        ("7", "operations[0]"),
        (r#"{"delete":{}}"#, "operations[0].delete"),
        (r#"{"register":[]}"#, "operations[0].register"),
        (r#"{"register":{"service":"web"}}"#, "operations[0].register.id"),
        (r#"{"register":{"service":"-","id":"a"}}"#, "operations[0].register.service"),
        (r#"{"register":{"service":"web","id":7}}"#, "operations[0].register.id"),
        (r#"{"register":{},"deregister":{}}"#, "operations[0].deregister"),
        (r#"{"deregister":{"service":"web","id":"a","port":1}}"#, "operations[0].deregister.port"),
        (&deep, "operations[0]"),
    ];
    for (operation, field) in rows {
        let good = register("web", "good", json!({}));
        let body = format!(r#"{{"operations":[{operation},{good}]}}"#);
        let request = Request::new("POST", BATCH).header("content-type", "application/json").body(body);
        let results = server.api.send(request).expect(200).json()["results"].clone();
        assert_eq!((&results[0]["status"], &results[0]["problem"]["field"]), (&json!(422), &json!(field)), "{results}");
        assert!(matches!(results[1]["status"].as_u64(), Some(200 | 201)), "{results}");
    }
}

#[test]
fn what_no_batch_looks_like_is_refused_as_a_whole() {
    let server = Server::start();
    for (path, list) in [(BATCH, "operations"), (HEARTBEATS, "heartbeats")] {
        for (body, status, field) in [
            ("{".to_owned(), 400, ""),
            (format!(r#"{{"{list}":[{{}}"#), 400, ""),
            ("[]".to_owned(), 422, ""),
            ("{}".to_owned(), 422, list),
            (String::new(), 422, list),
            (format!(r#"{{"{list}":{{}}}}"#), 422, list),
            (format!(r#"{{"{list}":[],"dry_run":true}}"#), 422, "dry_run"),
        ] {
            let request = Request::new("POST", path).header("content-type", "application/json").body(body);
            assert_refused(&server.api.send(request), status, field);
        }
        let typed = Request::new("POST", path).header("content-type", "text/plain").body("{}");
        assert_refused(&server.api.send(typed), 415, "");
        let parameter = Request::new("POST", &format!("{path}?dry=1")).json(&json!({ list: [] }));
        assert_refused(&server.api.send(parameter), 422, "dry");
        let foreign = Request::new("POST", path).header("origin", "http://evil.example").json(&json!({ list: [] }));
        assert_eq!(server.api.send(foreign).status, 403);
        let too_large = Request::new("POST", path).header("content-type", "application/json");
        let too_large = too_large.header("content-length", &((64 << 20) + 1).to_string());
        assert_refused(&server.api.send(too_large), 413, "");
        server.api.get(path).expect(405);
    }
    let many = Request::new("POST", BATCH).header("content-type", "application/json");
    let many = many.body(format!(r#"{{"operations":[{}0]}}"#, "0,".repeat(1_000_000)));
    assert_refused(&server.api.send(many), 422, "operations");
    assert_eq!(server.api.get("/v1/services").expect(200).json()["services"], json!([]));
}

#[test]
fn nothing_in_a_batch_is_a_batch() {
    let server = Server::start();
    let before = server.revision();
    assert_eq!(server.api.post(BATCH, json!({ "operations": [] })).expect(200).json(), json!({ "results": [] }));
    let none = server.api.post(HEARTBEATS, json!({ "heartbeats": [] })).expect(200).json();
    assert_eq!(none, json!({ "renewed": 0, "unknown": [] }));
    assert_eq!(server.revision(), before);
}

/// More than are carried out together, and a body larger than that of any other call, in chunks too.
#[test]
fn ten_thousand_operations_are_one_batch() {
    const ALL: usize = 10_000;
    let server = Setup::new().set("store.kind", "embedded").start();
    let name = |at: usize| (format!("s{}", at / 5), format!("i-{at}"));
    let operations: Vec<Value> = (0..ALL)
        .map(|at| {
            let (service, id) = name(at);
            // One of each thousand is refused.
            let weight = if at % 1000 == 999 { json!("heavy") } else { json!(at % 100) };
            register(&service, &id, json!({ "weight": weight, "metadata": { "note": "x".repeat(100) } }))
        })
        .collect();
    let body = json!({ "operations": operations });
    assert!(body.to_string().len() > 1 << 20);
    let reply = server.api.send(Request::new("POST", BATCH).json(&body).chunked()).expect(200);
    let results = reply.json()["results"].as_array().expect("results").clone();
    assert_eq!(results.len(), ALL);
    for (at, result) in results.iter().enumerate() {
        let (service, id) = name(at);
        if at % 1000 == 999 {
            assert_eq!(result["problem"]["field"], format!("operations[{at}].register.weight"));
        } else {
            let instance = &result["instance"];
            assert_eq!(
                (&result["status"], &instance["service"], &instance["id"]),
                (&json!(201), &json!(service), &json!(id))
            );
        }
    }
    let expected = [95, 96, 97, 98].map(|at| format!("0 {at} 8080 i-99{at}.s1999.svc.local."));
    server.dig("s1999.svc.local SRV").answers("SRV", &expected.each_ref().map(String::as_str));
    let server = server.restart();
    let instances = server.api.get("/v1/status").expect(200).json()["instances"]["healthy"].clone();
    assert_eq!(instances, ALL - ALL / 1000, "what was answered is on the disk");
}

#[test]
fn heartbeats_name_those_that_are_unknown() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 80, "ttl": "30s" }));
    server.register("web", "b", json!({ "address": "10.0.0.8", "port": 80, "ttl": "none" }));
    let before = server.revision();
    let beats = json!({ "heartbeats": [
        { "service": "web", "id": "a" },
        { "id": "B", "service": "WEB" },
        { "service": "web", "id": "x" },
        { "service": "none", "id": "a" },
        { "service": "web", "id": "a" },
        { "service": "no name", "id": "" },
    ] });
    let reply = server.api.post(HEARTBEATS, beats).expect(200).json();
    let unknown = json!([
        { "service": "web", "id": "x" },
        { "service": "none", "id": "a" },
        { "service": "no name", "id": "" },
    ]);
    assert_eq!(reply, json!({ "renewed": 3, "unknown": unknown }));
    assert_eq!(server.revision(), before, "a heartbeat is no change");
}

#[test]
fn a_heartbeat_that_names_nothing_is_refused_after_the_others() {
    let server = Server::start();
    for (entry, field) in [
        (json!({ "service": "web" }), "heartbeats[1].id"),
        (json!({ "service": "web", "id": 1 }), "heartbeats[1].id"),
        (json!({ "service": "web", "id": "a", "load": {} }), "heartbeats[1].load"),
        (json!("web/a"), "heartbeats[1]"),
    ] {
        server.register("web", "a", json!({ "address": "10.0.0.7", "port": 80 }));
        let expires = || server.instance("web", "a")["expires_at"].as_str().expect("a lease").to_owned();
        let before = expires();
        let known = json!({ "service": "web", "id": "a" });
        eventually("the lease is renewed", || {
            let refused = server.api.post(HEARTBEATS, json!({ "heartbeats": [known, entry, known] }));
            assert_refused(&refused, 422, field);
            if expires() != before { Ok(()) } else { Err(expires()) }
        });
    }
}

#[test]
fn heartbeats_bring_lapsed_instances_back() {
    let server = Server::start();
    let ids: Vec<String> = (0..20).map(|at| format!("i-{at}")).collect();
    for id in &ids {
        server.register("web", id, json!({ "address": "10.0.0.7", "port": 80, "ttl": "1s" }));
    }
    eventually("all leases have run out", || {
        let lapsed = server.api.get("/v1/status").expect(200).json()["instances"]["lapsed"].clone();
        if lapsed == 20 { Ok(()) } else { Err(lapsed.to_string()) }
    });
    server.dig("web.svc.local A").is_nodata();
    let before = server.revision();
    let beats: Vec<Value> = ids.iter().map(|id| json!({ "service": "web", "id": id })).collect();
    let reply = server.api.post(HEARTBEATS, json!({ "heartbeats": beats })).expect(200).json();
    assert_eq!(reply, json!({ "renewed": 20, "unknown": [] }));
    assert!(server.revision() >= before + 20, "each has come back");
}

#[test]
fn a_batch_keeps_to_what_operators_said() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 80 }));
    server.api.put_empty("/v1/services/web/instances/a/maintenance").expect(200);
    let results = batch(&server, &[deregister("web", "a"), register("web", "a", json!({}))]);
    assert_eq!(statuses(&results), [204, 201]);
    assert_eq!(results[1]["instance"]["status"], "maintenance");
    server.dig("web.svc.local A").is_nodata();
}
