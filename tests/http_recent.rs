//! What the server still knows of the past: the latest changes, and figures of the last hour.

mod common;

use common::http::Reply;
use common::message::{A, Udp};
use common::{Server, eventually};
use serde_json::{Value, json};

fn instance() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080, "ttl": "none" })
}

/// Each change with its instance, newest first.
fn told(reply: &Reply) -> Vec<String> {
    let body = reply.json();
    let events = body["events"].as_array().expect("events").iter();
    events.map(|event| format!("{}/{} {}", event["service"], event["id"], event["change"]).replace('"', "")).collect()
}

#[test]
fn the_latest_changes_are_told_newest_first() {
    let server = Server::start();
    assert_eq!(told(&server.api.get("/v1/events").expect(200)), [""; 0]);
    server.register("web", "a", instance());
    server.register("web", "b", instance());
    server.register("db", "a", instance());
    server.api.put_empty("/v1/services/web/instances/a/drain").expect(200);
    server.api.delete("/v1/services/web/instances/b").expect(204);
    // A weight that moves with the load is no news.
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 8080, "ttl": "none", "weight": 100 }));
    let path = "/v1/services/web/instances/a";
    server.api.put(&format!("{path}/heartbeat"), json!({ "load": { "cpu": 1 } })).expect(204);
    assert_eq!(server.instance("web", "a")["effective_weight"], 60);
    let all = server.api.get("/v1/events").expect(200);
    assert_eq!(
        told(&all),
        [
            "web/a updated",
            "web/b deregistered",
            "web/a status",
            "db/a registered",
            "web/b registered",
            "web/a registered"
        ]
    );
    assert_eq!(all.json()["revision"], all.revision());
    let drained = &all.json()["events"][2];
    assert_eq!((&drained["previous_status"], &drained["instance"]["status"]), (&json!("healthy"), &json!("draining")));
    for (query, expected) in [
        ("service=web&id=a", &["web/a updated", "web/a status", "web/a registered"][..]),
        ("service=db", &["db/a registered"]),
        ("limit=1", &["web/a updated"]),
        ("service=none", &[]),
    ] {
        assert_eq!(told(&server.api.get(&format!("/v1/events?{query}")).expect(200)), expected, "{query}");
    }
    for (query, field) in
        [("id=a", "service"), ("limit=0", "limit"), ("limit=1001", "limit"), ("instance=a", "instance")]
    {
        let refused = server.api.get(&format!("/v1/events?{query}")).expect(422);
        assert_eq!(refused.json()["field"], field, "{query}");
    }
}

#[test]
fn the_figures_of_the_last_hour_move() {
    let server = Server::start();
    let samples = || server.api.get("/v1/history").expect(200).json()["samples"].as_array().expect("samples").clone();
    // The first is taken at the start, and the last is what is now.
    let before = eventually("the first sample is kept", || match samples() {
        samples if samples.len() >= 2 => Ok(samples),
        samples => Err(samples.len().to_string()),
    });
    server.register("web", "a", instance());
    server.register("web", "b", instance());
    server.api.put_empty("/v1/services/web/instances/b/maintenance").expect(200);
    let mut udp = Udp::to(server.dns[0]);
    for name in ["web.svc.local", "none.svc.local", "other.example"] {
        udp.ask(name, A, None);
    }
    let after = samples();
    let now = &after[after.len() - 1];
    for (figure, value) in [
        ("queries", 3),
        ("nxdomain", 1),
        ("refused", 1),
        ("failed", 0),
        ("registrations", 2),
        ("services", 1),
        ("healthy", 1),
        ("withdrawn", 1),
        ("unhealthy", 0),
    ] {
        assert_eq!((&before[0][figure], &now[figure]), (&json!(0), &json!(value)), "{figure}");
    }
    assert!(now["at"].as_str() >= before[0]["at"].as_str());
}

#[test]
fn services_are_found_by_the_status_of_an_instance() {
    let server = Server::start();
    for (service, id) in [("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")] {
        server.register(service, id, instance());
    }
    server.api.put_empty("/v1/services/b/instances/2/drain").expect(200);
    server.says("c", "1", "unhealthy");
    let found = |status: &str| {
        let body = server.api.get(&format!("/v1/services?status={status}")).expect(200).json();
        let services = body["services"].as_array().expect("services").iter();
        services.filter_map(|entry| entry["service"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!((found("draining"), found("unhealthy")), (vec!["b".to_owned()], vec!["c".to_owned()]));
    assert_eq!((found("healthy"), found("lapsed").len()), (vec!["a".to_owned(), "b".to_owned()], 0));
    server.api.get("/v1/services?status=all").expect(422);
}
