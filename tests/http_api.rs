//! The calls of the HTTP API that succeed: what they answer, what they change, and what they leave alone.
//!
//! What is refused, and why, is in `http_refusals.rs`.

mod common;

use common::http::{Client, Request};
use common::{Server, dig};
use serde_json::{Value, json};

const A: &str = "/v1/services/web/instances/a";

fn minimal() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080 })
}

/// Every member that a registration may have in this version, none at its default.
fn complete() -> Value {
    json!({
        "addresses": ["10.0.0.7", "2001:db8::7"],
        "port": 8080,
        "ports": { "http": 8080, "metrics": 9100 },
        "protocol": "udp", "scheme": "https", "version": "2.1.0",
        "weight": 10, "priority": 3,
        "tags": ["v2", "canary"],
        "metadata": { "team": "shop", "max_connections": 1000, "public": true, "exchanges": ["a", "b"] },
        "status": "starting",
        "ttl": "none",
    })
}

/// Asserts that `whole` has every member of `part`, with the same values.
#[track_caller]
fn assert_includes(whole: &Value, part: &Value) {
    for (member, value) in part.as_object().expect("an object") {
        assert_eq!(&whole[member], value, "member {member} of {whole}");
    }
}

/// The names in a list of objects, by the member that names them.
fn names(list: &Value, member: &str) -> Vec<String> {
    let objects = list.as_array().unwrap_or_else(|| panic!("no list: {list}"));
    objects.iter().map(|object| object[member].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn put_registers_and_replaces() {
    let server = Server::start();
    let created = server.api.put(A, minimal()).expect(201).json();
    assert_includes(&created, &json!({ "service": "web", "id": "a", "status": "healthy", "weight": 1, "priority": 0 }));
    assert_includes(&created, &minimal());
    let replaced = server.api.put(A, json!({ "address": "10.0.0.8", "port": 1, "tags": ["x"] })).expect(200).json();
    assert_includes(&replaced, &json!({ "address": "10.0.0.8", "port": 1, "tags": ["x"] }));
    server.api.put(A, minimal()).expect(200);
    assert_eq!(server.instance("web", "a")["tags"], json!([]), "a PUT replaces the whole registration");
}

#[test]
fn what_was_registered_is_read_back() {
    let server = Server::start();
    let reply = server.api.put(A, complete()).expect(201);
    assert!(reply.header("Content-Type").is_some_and(|kind| kind.starts_with("application/json")), "{reply}");
    let instance = server.instance("web", "a");
    assert_eq!(instance, reply.json(), "the reply to a write is the instance");
    assert_includes(&instance, &complete());
}

#[test]
fn replies_add_what_the_server_knows() {
    let server = Server::start();
    server.register(
        "web",
        "a",
        json!({ "address": "10.0.0.7", "port": 8080, "scheme": "https", "weight": 4, "ttl": "30s" }),
    );
    let instance = server.instance("web", "a");
    let expected = json!({ "service": "web", "id": "a", "status": "healthy", "endpoint": "10.0.0.7:8080" });
    assert_includes(&instance, &expected);
    assert_eq!(instance["effective_weight"].as_f64(), Some(4.0), "{instance}");
    assert!(instance["url"].as_str().is_some_and(|url| url.starts_with("https://10.0.0.7:8080")), "{instance}");
    assert!(instance["revision"].is_u64(), "{instance}");
    for time in ["created_at", "changed_at", "last_heartbeat", "expires_at"] {
        let text = instance[time].as_str().unwrap_or_default();
        assert!(text.starts_with("20") && text.contains('T') && text.ends_with('Z'), "{time} in {instance}");
    }
}

#[test]
fn ipv6_endpoints_have_brackets() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "2001:db8::7", "port": 8080 }));
    assert_eq!(server.instance("web", "a")["endpoint"], "[2001:db8::7]:8080");
}

#[test]
fn what_was_read_can_be_written_back() {
    let server = Server::start();
    server.register("web", "a", complete());
    let (read, revision) = (server.instance("web", "a"), server.revision());
    server.api.put(A, read).expect(200);
    assert_eq!(server.revision(), revision, "it was no change");
}

#[test]
fn an_equal_put_takes_no_revision_and_another_one_does() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let first = server.revision();
    server.api.put(A, minimal()).expect(200);
    server.api.put(A, json!({ "port": 8080, "address": "10.0.0.7", "weight": 1, "metadata": {} })).expect(200);
    assert_eq!(server.revision(), first, "members at their defaults are no difference");
    server.api.put(A, json!({ "address": "10.0.0.7", "port": 8081 })).expect(200);
    assert!(server.revision() > first);
}

#[test]
fn names_are_stored_in_lower_case() {
    let server = Server::start();
    let created = server.api.put("/v1/services/WEB/instances/I-7F", minimal()).expect(201).json();
    assert_includes(&created, &json!({ "service": "web", "id": "i-7f" }));
    server.api.put("/v1/services/web/instances/i-7f", minimal()).expect(200);
    server.api.get("/v1/services/Web/instances/I-7f").expect(200);
}

#[test]
fn service_and_id_may_stand_in_the_body_too() {
    let server = Server::start();
    let body = json!({ "service": "web", "id": "a", "address": "10.0.0.7", "port": 8080 });
    server.api.put(A, body).expect(201);
}

#[test]
fn other_status_values_are_ignored() {
    let server = Server::start();
    for status in ["lapsed", "draining", "maintenance"] {
        server.register("web", "a", json!({ "address": "10.0.0.7", "port": 8080, "status": status }));
        assert_eq!(server.instance("web", "a")["status"], "healthy");
    }
}

#[test]
fn the_address_can_be_the_clients_own() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "auto", "port": 8080 }));
    dig(server.dns[0], "web.svc.local A").answers("A", &["127.0.0.1"]);
    assert_eq!(server.instance("web", "a")["endpoint"], "127.0.0.1:8080");
}

#[test]
fn if_none_match_only_registers() {
    let server = Server::start();
    let put = |body: Value| server.api.send(Request::new("PUT", A).header("If-None-Match", "*").json(&body));
    put(minimal()).expect(201);
    let before = (server.instance("web", "a"), server.revision());
    let refused = put(json!({ "address": "10.0.0.9", "port": 1 })).expect(412);
    assert_eq!(refused.header("Content-Type"), Some("application/problem+json"), "{refused}");
    assert_eq!((server.instance("web", "a"), server.revision()), before);
}

#[test]
fn if_match_only_changes_what_is_there() {
    let server = Server::start();
    let send = |method, path: &str, name: &str, value: &str| {
        let body = json!({ "address": "10.0.0.9", "port": 1 });
        server.api.send(Request::new(method, path).header(name, value).json(&body))
    };
    server.api.put(A, minimal()).expect(201);
    let before = (server.instance("web", "a"), server.revision());
    for (method, name, value) in [
        ("PUT", "If-Match", "\"1\""),
        ("PUT", "If-Match", "W/\"1\", \"2\""),
        ("PATCH", "If-Match", "\"1\""),
        ("DELETE", "If-Match", "\"1\""),
        ("PATCH", "If-None-Match", "*"),
        ("DELETE", "If-None-Match", "*"),
    ] {
        let refused = send(method, A, name, value).expect(412);
        assert_eq!(refused.header("Content-Type"), Some("application/problem+json"), "{refused}");
        assert_eq!((server.instance("web", "a"), server.revision()), before);
    }
    const B: &str = "/v1/services/web/instances/b";
    send("PUT", B, "If-Match", "*").expect(412);
    // That there is nothing counts first (RFC 9110 §13.2.1).
    for (method, name, value) in [
        ("PATCH", "If-Match", "*"),
        ("DELETE", "If-Match", "*"),
        ("DELETE", "If-Match", "\"1\""),
        ("PATCH", "If-None-Match", "*"),
    ] {
        send(method, B, name, value).expect(404);
    }
    assert_eq!(server.revision(), before.1);
    for (method, name, value, status) in [
        ("PUT", "If-Match", "*", 200),
        ("PATCH", "If-Match", "*", 200),
        ("PUT", "If-None-Match", "\"1\"", 200),
        ("DELETE", "If-Match", "*", 204),
    ] {
        send(method, A, name, value).expect(status);
    }
}

#[test]
fn post_makes_ids() {
    let server = Server::start();
    let mut locations = Vec::new();
    for _ in 0..3 {
        let reply = server.api.post("/v1/services/web/instances", minimal()).expect(201);
        let location = reply.header("Location").unwrap_or_else(|| panic!("no Location: {reply}")).to_owned();
        let id = reply.json()["id"].as_str().expect("an id").to_owned();
        assert_eq!(location, format!("/v1/services/web/instances/{id}"));
        assert!((1..=63).contains(&id.len()), "{id} is a DNS label");
        assert_eq!(server.api.get(&location).expect(200).json(), reply.json());
        locations.push(location);
    }
    locations.sort();
    locations.dedup();
    assert_eq!(locations.len(), 3, "each has an id of its own");
}

#[test]
fn patch_merges() {
    let server = Server::start();
    server.register("web", "a", complete());
    let patch =
        json!({ "weight": 5, "metadata": { "team": null, "zone": "b" }, "tags": null, "ports": { "admin": 9000 } });
    let patched = server.api.patch(A, patch).expect(200).json();
    let mut expected = complete();
    expected["weight"] = json!(5);
    expected["tags"] = json!([]);
    expected["metadata"] = json!({ "max_connections": 1000, "public": true, "exchanges": ["a", "b"], "zone": "b" });
    expected["ports"] = json!({ "http": 8080, "metrics": 9100, "admin": 9000 });
    assert_includes(&patched, &expected);
    assert_eq!(server.instance("web", "a"), patched);
}

#[test]
fn patch_of_nothing_takes_no_revision() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let revision = server.revision();
    for patch in [json!({}), json!({ "weight": 1 }), json!({ "metadata": { "absent": null } })] {
        server.api.patch(A, patch).expect(200);
    }
    assert_eq!(server.revision(), revision);
}

#[test]
fn patch_has_a_media_type_of_its_own() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let request =
        Request::new("PATCH", A).header("Content-Type", "application/merge-patch+json").body("{\"weight\":9}");
    assert_eq!(server.api.send(request).expect(200).json()["weight"], 9);
}

#[test]
fn patch_can_move_from_one_address_to_several() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let patch = json!({ "address": null, "addresses": ["10.0.0.1", "10.0.0.2"] });
    assert_eq!(server.api.patch(A, patch).expect(200).json()["addresses"], json!(["10.0.0.1", "10.0.0.2"]));
}

#[test]
fn delete_deregisters_once() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let revision = server.revision();
    let reply = server.api.delete(A).expect(204);
    assert!(reply.body.is_empty(), "{reply}");
    assert!(server.revision() > revision);
    server.api.delete(A).expect(404);
    server.api.get(A).expect(404);
    server.api.get("/v1/services/web").expect(404);
}

#[test]
fn what_is_not_there_is_404_with_a_problem() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let b = "/v1/services/web/instances/b";
    let replies = [
        server.api.get(b),
        server.api.delete(b),
        server.api.patch(b, json!({ "weight": 1 })),
        server.api.put_empty(&format!("{b}/heartbeat")),
        server.api.get("/v1/services/shop"),
        server.api.get("/v1/nothing"),
    ];
    for reply in replies {
        assert_eq!(reply.status, 404, "{reply}");
        assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{reply}");
        assert_eq!(reply.json()["status"], 404, "{reply}");
    }
}

#[test]
fn heartbeats_change_nothing_but_the_lease() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 8080, "ttl": "24h" }));
    let (before, revision) = (server.instance("web", "a"), server.revision());
    let path = format!("{A}/heartbeat");
    assert!(server.api.put_empty(&path).expect(204).body.is_empty());
    server.api.put(&path, json!({})).expect(204);
    server.says("web", "a", "healthy");
    assert_eq!(server.revision(), revision);
    let mut after = server.instance("web", "a");
    for renewed in ["last_heartbeat", "expires_at"] {
        // Times of equal format compare as text.
        assert!(after[renewed].as_str() >= before[renewed].as_str(), "{renewed} went back: {after}");
        after[renewed] = before[renewed].clone();
    }
    assert_eq!(after, before);
}

#[test]
fn heartbeats_carry_a_verdict() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let revision = server.revision();
    let verdict = json!({ "status": "unhealthy", "message": "disk is full" });
    server.api.put(&format!("{A}/heartbeat"), verdict).expect(204);
    let instance = server.instance("web", "a");
    assert_includes(&instance, &json!({ "status": "unhealthy", "message": "disk is full" }));
    assert!(instance["reason"].is_string(), "it is said why: {instance}");
    assert!(server.revision() > revision, "a flip is a change");
    server.api.put_empty(&format!("{A}/heartbeat")).expect(204);
    assert_eq!(server.instance("web", "a")["status"], "unhealthy", "a bare heartbeat says nothing new");
    server.says("web", "a", "healthy");
    let instance = server.instance("web", "a");
    assert_eq!((&instance["status"], &instance["message"]), (&json!("healthy"), &Value::Null));
    server.says("web", "a", "unhealthy");
    assert_eq!(server.instance("web", "a")["reason"], "it says that it is unhealthy", "the disk was another time");
    let verdict = json!({ "status": "unhealthy", "message": "disk is full" });
    server.api.put(&format!("{A}/heartbeat"), verdict).expect(204);
    server.register("web", "a", json!({ "address": "10.0.0.8", "port": 8080, "status": "starting" }));
    assert_eq!(server.instance("web", "a")["reason"], "it says that it is starting");
}

/// Services `api`, `db` and `web`: the first degraded, the second down, the third healthy.
fn three_services(server: &Server) {
    server.register("api", "a", json!({ "address": "10.0.0.1", "port": 80, "tags": ["v1"] }));
    server.register("api", "b", json!({ "address": "10.0.0.2", "port": 80, "tags": ["v2"], "status": "unhealthy" }));
    server.register("db", "a", json!({ "address": "10.0.0.3", "port": 80, "status": "starting" }));
    server.register("web", "a", json!({ "address": "10.0.0.4", "port": 80, "tags": ["v2"] }));
}

fn services(api: Client, query: &str) -> Vec<String> {
    names(&api.get(&format!("/v1/services{query}")).expect(200).json()["services"], "service")
}

#[test]
fn an_empty_registry_is_an_empty_list() {
    let list = Server::start().api.get("/v1/services").expect(200).json();
    assert_eq!(list["services"], json!([]), "{list}");
    assert!(list["revision"].is_u64(), "{list}");
}

#[test]
fn services_are_listed_with_their_health() {
    let server = Server::start();
    three_services(&server);
    let reply = server.api.get("/v1/services").expect(200);
    let list = reply.json();
    assert_eq!(list["revision"], reply.revision(), "{reply}");
    let services = list["services"].as_array().expect("a list");
    let health: Vec<_> = services.iter().map(|service| service["health"].as_str().unwrap_or_default()).collect();
    assert_eq!(names(&list["services"], "service"), ["api", "db", "web"]);
    assert_eq!(health, ["degraded", "down", "healthy"]);
    assert_includes(&services[0]["instances"], &json!({ "total": 2, "healthy": 1, "unhealthy": 1 }));
    assert_eq!(services[0]["tags"], json!(["v1", "v2"]));
    assert!(services[0]["revision"].as_u64() < services[2]["revision"].as_u64(), "{list}");
}

#[test]
fn services_are_filtered() {
    let server = Server::start();
    three_services(&server);
    assert_eq!(services(server.api, "?tag=v2"), ["api", "web"]);
    assert_eq!(services(server.api, "?prefix=a"), ["api"]);
    assert_eq!(services(server.api, "?prefix=A&tag=v1"), ["api"]);
    assert_eq!(services(server.api, "?prefix=x"), Vec::<String>::new());
}

#[test]
fn services_come_in_pages() {
    let server = Server::start();
    three_services(&server);
    assert_eq!(services(server.api, "?limit=2"), ["api", "db"]);
    assert_eq!(services(server.api, "?limit=2&after=db"), ["web"]);
    assert_eq!(services(server.api, "?after=b"), ["db", "web"], "`after` need not exist");
    assert_eq!(services(server.api, "?after=web"), Vec::<String>::new());
}

#[test]
fn services_can_bring_their_instances() {
    let server = Server::start();
    three_services(&server);
    let list = server.api.get("/v1/services?instances=true").expect(200).json();
    assert_eq!(names(&list["services"][0]["members"], "id"), ["a", "b"]);
    assert_eq!(list["services"][2]["members"][0], server.instance("web", "a"));
    let without = server.api.get("/v1/services").expect(200).json();
    assert!(without["services"][0].get("members").is_none(), "{without}");
}

#[test]
fn one_service_has_its_instances() {
    let server = Server::start();
    three_services(&server);
    let api = server.api.get("/v1/services/api").expect(200).json();
    assert_eq!(api["service"], "api");
    assert!(api["settings"].is_object() && api["revision"].is_u64(), "{api}");
    assert_eq!(names(&api["instances"], "id"), ["a", "b"]);
    assert_eq!(api["instances"][1], server.instance("api", "b"));
}

#[test]
fn instances_are_filtered() {
    let server = Server::start();
    let base = |address: &str| json!({ "address": address, "port": 80 });
    let with = |mut body: Value, more: Value| {
        more.as_object().expect("an object").iter().for_each(|(member, value)| body[member] = value.clone());
        body
    };
    server.register(
        "web",
        "a",
        with(base("10.0.0.1"), json!({ "tags": ["x", "y"], "version": "1", "metadata": { "team": "shop" } })),
    );
    server.register(
        "web",
        "b",
        with(base("10.0.0.2"), json!({ "tags": ["x"], "version": "2", "metadata": { "team": "ops" } })),
    );
    server.register("web", "c", with(base("10.0.0.3"), json!({ "status": "unhealthy", "metadata": { "size": 3 } })));
    let cases: [(&str, &[&str]); 10] = [
        ("", &["a", "b", "c"]),
        ("?status=all", &["a", "b", "c"]),
        ("?status=healthy", &["a", "b"]),
        ("?status=unhealthy", &["c"]),
        ("?status=draining", &[]),
        ("?tag=x", &["a", "b"]),
        ("?tag=x&tag=y", &["a"]),
        ("?version=2", &["b"]),
        ("?meta.team=shop", &["a"]),
        ("?meta.size=3", &["c"]),
    ];
    for (query, expected) in cases {
        let service = server.api.get(&format!("/v1/services/web{query}")).expect(200).json();
        assert_eq!(names(&service["instances"], "id"), expected, "{query}");
    }
}

#[test]
fn every_read_carries_the_revision_and_it_only_grows() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let mut last = server.revision();
    for path in ["/v1/services", "/v1/services/web", A] {
        assert_eq!(server.api.get(path).expect(200).revision(), last, "{path}");
    }
    for port in 1..5 {
        server.register("web", "a", json!({ "address": "10.0.0.7", "port": port }));
        let revision = server.revision();
        assert!(revision > last, "{revision} does not follow {last}");
        last = revision;
    }
}

#[test]
fn status_says_who_and_where_we_are() {
    let server = Server::start();
    server.register("web", "a", minimal());
    let reply = server.api.get("/v1/status").expect(200);
    assert_includes(&reply.json(), &json!({ "version": env!("CARGO_PKG_VERSION"), "revision": server.revision() }));
}

#[test]
fn status_counts_instances_and_knows_the_next_expiry() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "ttl": "none" }));
    let status = server.api.get("/v1/status").expect(200).json();
    assert_eq!((&status["services"], &status["schedule"]["next_expiry"]), (&json!(1), &Value::Null), "{status}");
    for (id, ttl) in [("b", "2h"), ("c", "1h")] {
        server.register("web", id, json!({ "address": "10.0.0.1", "port": 80, "ttl": ttl }));
    }
    server.says("web", "b", "unhealthy");
    let status = server.api.get("/v1/status").expect(200).json();
    let counts = &status["instances"];
    assert_eq!((&counts["total"], &counts["healthy"], &counts["unhealthy"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!(status["schedule"]["next_expiry"], server.instance("web", "c")["expires_at"]);
}

#[test]
fn a_ready_server_is_alive_and_ready() {
    let server = Server::start();
    server.api.get("/healthz").expect(200);
    server.api.get("/readyz").expect(200);
}

#[test]
fn writes_from_the_servers_own_page_are_taken() {
    let server = Server::start();
    let origin = format!("http://{}", server.api.authority());
    server.api.send(Request::new("PUT", A).header("Origin", &origin).json(&minimal())).expect(201);
}

#[test]
fn json_may_name_its_character_set() {
    let server = Server::start();
    let typed = |kind: &str| Request::new("PUT", A).header("Content-Type", kind).body(minimal().to_string());
    server.api.send(typed("application/json; charset=utf-8")).expect(201);
    server.api.send(typed("Application/JSON")).expect(200);
}

#[test]
fn a_body_may_be_as_long_as_the_limit_and_come_in_chunks() {
    let server = Server::start();
    let mut body = minimal().to_string();
    body.push_str(&" ".repeat((1 << 20) - body.len()));
    let request = Request::new("PUT", A).header("Content-Type", "application/json").body(body);
    server.api.send(request.clone()).expect(201);
    server.api.send(request.chunked()).expect(200);
}

#[test]
fn a_reply_that_is_written_back_changes_nothing() {
    let server = Server::start();
    let unreachable = json!({"address": "127.0.0.1", "port": 1, "ttl": "none",
                             "checks": [{"kind": "tcp", "interval": "1h"}]});
    server.register("web", "a", unreachable);
    let read = common::eventually("the check fails", || match server.instance("web", "a") {
        instance if instance["status"] == "unhealthy" => Ok(instance),
        instance => Err(instance.to_string()),
    });
    let revision = server.revision();
    server.api.put("/v1/services/web/instances/a", read).expect(200);
    assert_eq!(server.revision(), revision);
    let reason = server.instance("web", "a")["reason"].to_string();
    assert!(reason.contains("check 0"), "the verdict did not become the instance's own word: {reason}");
}
