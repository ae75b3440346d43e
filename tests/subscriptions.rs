//! Callbacks: what subscribers are told, and what those that fail, hang or lie where srvd must not go cost the others.

mod common;

use common::receiver::Receiver;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// An instance that needs no heartbeat.
fn instance(port: u16) -> Value {
    json!({ "address": "10.0.0.1", "port": port, "ttl": "none", "checks": [] })
}

fn subscribe(server: &Server, id: &str, callback: &str) -> Value {
    let path = format!("/v1/subscriptions/{id}");
    server.api.put(&path, json!({ "service": "web", "callback": callback })).expect(200).json()
}

fn subscription(server: &Server, id: &str) -> Value {
    server.api.get(&format!("/v1/subscriptions/{id}")).expect(200).json()
}

/// Waits until the subscription is as `is` wants it.
#[track_caller]
fn eventually_is(server: &Server, id: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually(&format!("subscription {id}: {what}"), || {
        let shown = subscription(server, id);
        if is(&shown) { Ok(shown) } else { Err(shown) }
    })
}

/// What the first `count` events are about, and that there are no more.
#[track_caller]
fn told(receiver: &Receiver, count: usize) -> Vec<String> {
    let events = receiver.taken(count);
    let line = |event: &Value| {
        let word = |name: &str| event[name].as_str().unwrap_or("-").to_owned();
        format!("{} {}", word("id"), word("change"))
    };
    assert_eq!(events.len(), count, "{events:?}");
    events.iter().map(line).collect()
}

/// A server whose callbacks may be on this machine.
fn with_local_callbacks() -> Server {
    Setup::new().set("health.allow", "127.0.0.0/8").start()
}

#[test]
fn every_change_is_posted_as_it_is_watched() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 1]));
    server.register("web", "before", instance(80));
    let shown = subscribe(&server, "mine", &receiver.url("/hook?x=1"));
    let callback = receiver.url("/hook?x=1");
    assert_eq!(
        shown,
        json!({ "id": "mine", "service": "web", "callback": callback, "last_notified": null, "last_error": null,
                "retries": 0, "pending": 0 })
    );
    server.register("other", "a", instance(80));
    server.register("web", "a", instance(80));
    receiver.taken(1);
    server.says("web", "a", "unhealthy");
    receiver.taken(2);
    server.register("web", "a", instance(81));
    receiver.taken(3);
    server.api.delete("/v1/services/web/instances/a").expect(204);
    assert_eq!(told(&receiver, 4), ["a registered", "a status", "a updated", "a deregistered"]);
    let events = receiver.taken(4);
    let revisions: Vec<u64> = events.iter().map(|event| event["revision"].as_u64().expect("a revision")).collect();
    assert!(revisions.is_sorted(), "{revisions:?}");
    assert_eq!((&events[0]["service"], &events[0]["previous_status"]), (&json!("web"), &Value::Null));
    assert_eq!(
        (&events[1]["previous_status"], &events[1]["instance"]["status"]),
        (&json!("healthy"), &json!("unhealthy"))
    );
    assert_eq!(events[2]["instance"]["endpoint"], "10.0.0.1:81");
    assert_eq!(events[3].get("instance"), None, "{}", events[3]);
    assert!(events[3]["at"].is_string());
    let request = &receiver.requests()[0];
    assert!(request.starts_with("POST /hook?x=1 HTTP/1.1"), "{request}");
    let shown = eventually_is(&server, "mine", "told of everything", |shown| shown["pending"] == 0);
    assert!(shown["last_notified"].is_string(), "{shown}");
    assert_eq!((&shown["last_error"], &shown["retries"]), (&Value::Null, &json!(0)));
}

#[test]
fn while_a_callback_is_down_every_change_waits() {
    let (server, mut receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 2]));
    subscribe(&server, "mine", &receiver.url("/"));
    receiver.close();
    server.register("web", "a", instance(80));
    server.register("web", "b", instance(80));
    for status in ["unhealthy", "healthy", "unhealthy"] {
        server.says("web", "a", status);
    }
    server.api.delete("/v1/services/web/instances/b").expect(204);
    let failing = |shown: &Value| shown["retries"].as_u64() >= Some(1) && shown["pending"] == 6;
    let shown = eventually_is(&server, "mine", "failing", failing);
    assert_eq!((&shown["last_error"], &shown["last_notified"]), (&json!("connection refused"), &Value::Null));
    receiver.reopen();
    let all = ["a registered", "b registered", "a status", "a status", "a status", "b deregistered"];
    assert_eq!(told(&receiver, 6), all);
    assert_eq!(receiver.taken(6)[4]["instance"]["status"], "unhealthy");
    let shown = eventually_is(&server, "mine", "well again", |shown| shown["pending"] == 0);
    assert_eq!(shown["last_error"], Value::Null);
    server.register("web", "c", instance(80));
    assert_eq!(told(&receiver, 7)[6], "c registered");
}

#[test]
fn a_change_that_is_not_taken_is_posted_again() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 3]));
    subscribe(&server, "mine", &receiver.url("/"));
    receiver.reply(503);
    server.register("web", "a", instance(80));
    let shown = eventually_is(&server, "mine", "failing", |shown| shown["retries"].as_u64() >= Some(2));
    assert_eq!((&shown["last_error"], &shown["pending"]), (&json!("503 Service Unavailable"), &json!(1)));
    receiver.reply(200);
    assert_eq!(told(&receiver, 1), ["a registered"]);
}

#[test]
fn a_change_that_is_refused_lets_the_others_pass() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 4]));
    subscribe(&server, "mine", &receiver.url("/"));
    receiver.refuse("\"id\":\"poison\"");
    server.register("web", "poison", instance(80));
    eventually_is(&server, "mine", "refused", |shown| shown["last_error"] == "422 Unprocessable Entity");
    server.register("web", "a", instance(80));
    assert_eq!(told(&receiver, 1), ["a registered"]);
    eventually_is(&server, "mine", "still waiting", |shown| shown["pending"] == 1);
}

#[test]
fn a_callback_that_hangs_delays_no_other() {
    let (server, hanging) = (with_local_callbacks(), Receiver::on([127, 0, 51, 5]));
    let receiver = Receiver::on([127, 0, 51, 6]);
    hanging.hang();
    subscribe(&server, "hanging", &hanging.url("/"));
    subscribe(&server, "mine", &receiver.url("/"));
    server.register("web", "a", instance(80));
    hanging.asked(1);
    server.register("web", "b", instance(80));
    server.register("web", "c", instance(80));
    assert_eq!(told(&receiver, 3), ["a registered", "b registered", "c registered"]);
    let shown = subscription(&server, "hanging");
    assert_eq!((&shown["pending"], &shown["last_notified"]), (&json!(3), &Value::Null), "{shown}");
    eventually_is(&server, "hanging", "given up", |shown| shown["last_error"] == "no answer within 5s");
}

#[test]
fn callbacks_go_nowhere_that_checks_may_not() {
    let config = |allow: &str| format!("[health]\nallow = [{allow}]\n");
    let server = Setup::new().config(&config("")).start();
    subscribe(&server, "link", "http://169.254.77.77:9/");
    subscribe(&server, "mapped", "http://[::ffff:169.254.169.254]/latest/meta-data");
    server.register("web", "a", instance(80));
    let refused = |shown: &Value| shown["last_error"] == "the address is link-local (see health.allow)";
    eventually_is(&server, "link", "refused", refused);
    let metadata = "the address is a cloud metadata service (see health.allow)";
    eventually_is(&server, "mapped", "refused", |shown| shown["last_error"] == metadata);
    let _allowing = server.setup().config(&config("\"169.254.77.77/32\""));
    server.process.signal("HUP");
    eventually_is(&server, "link", "tried", |shown| shown["last_error"].is_string() && !refused(shown));
}

#[test]
fn redirects_are_not_followed() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 7]));
    let elsewhere = Receiver::on([127, 0, 51, 8]);
    receiver.redirect(&elsewhere.url("/"));
    subscribe(&server, "mine", &receiver.url("/"));
    server.register("web", "a", instance(80));
    eventually_is(&server, "mine", "failing", |shown| shown["last_error"] == "307 Temporary Redirect");
    receiver.asked(2);
    assert_eq!(elsewhere.requests(), Vec::<String>::new());
}

#[test]
fn a_subscription_that_is_removed_or_replaced_is_told_no_more() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 9]));
    let (second, witness) = (Receiver::on([127, 0, 51, 10]), Receiver::on([127, 0, 51, 11]));
    for (id, callback) in [("mine", &receiver), ("moved", &receiver), ("witness", &witness)] {
        subscribe(&server, id, &callback.url("/"));
    }
    server.register("web", "a", instance(80));
    assert_eq!(told(&receiver, 2), ["a registered"; 2]);
    subscribe(&server, "moved", &second.url("/"));
    server.api.delete("/v1/subscriptions/mine").expect(204);
    server.api.delete("/v1/subscriptions/mine").expect(404);
    server.api.get("/v1/subscriptions/mine").expect(404);
    server.register("web", "b", instance(80));
    assert_eq!(told(&second, 1), ["b registered"]);
    assert_eq!(told(&witness, 2)[1], "b registered");
    assert_eq!(told(&receiver, 2), ["a registered"; 2]);
}

#[test]
fn subscriptions_survive_a_restart_and_start_over() {
    let (mut server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 12]));
    subscribe(&server, "mine", &receiver.url("/"));
    let stored = ["service", "callback"].map(|name| subscription(&server, "mine")[name].clone());
    server.register("web", "a", instance(80));
    receiver.taken(1);
    receiver.reply(503);
    server.api.delete("/v1/services/web/instances/a").expect(204);
    server.register("web", "b", instance(80));
    receiver.asked(2);
    server.kill9();
    let server = server.setup().start();
    assert_eq!(["service", "callback"].map(|name| subscription(&server, "mine")[name].clone()), stored);
    receiver.reply(200);
    assert_eq!(told(&receiver, 3), ["a registered", "- reset", "b registered"]);
    let reset = &receiver.taken(3)[1];
    assert_eq!((&reset["service"], reset["revision"].as_u64()), (&json!("web"), Some(server.revision())), "{reset}");
    server.register("web", "c", instance(80));
    assert_eq!(told(&receiver, 4)[3], "c registered");
}

#[test]
fn whoever_knows_no_reset_is_told_of_the_instances_all_the_same() {
    let (server, receiver) = (with_local_callbacks(), Receiver::on([127, 0, 51, 13]));
    subscribe(&server, "mine", &receiver.url("/"));
    server.register("web", "a", instance(80));
    receiver.taken(1);
    receiver.refuse("\"reset\"");
    let server = server.restart();
    assert_eq!(told(&receiver, 2), ["a registered"; 2]);
    eventually_is(&server, "mine", "told of everything", |shown| shown["pending"] == 0);
    assert_eq!(receiver.requests().len(), 3);
}

#[test]
fn subscriptions_are_read_strictly_and_listed() {
    let server = with_local_callbacks();
    let bad = |body: Value, field: &str| {
        let problem = server.api.put("/v1/subscriptions/mine", body).expect(422).json();
        assert_eq!(problem["field"], field, "{problem}");
    };
    for url in ["ftp://a/", "/hook", "http://", "http://u:p@a/", "http://a:0/", "http://a/#b", "http://a b/"] {
        bad(json!({ "service": "web", "callback": url }), "callback");
    }
    bad(json!({ "service": "web" }), "callback");
    bad(json!({ "service": "w b", "callback": "http://a/" }), "service");
    bad(json!({ "service": "web", "callback": "http://a/", "extra": 1 }), "extra");
    bad(json!({ "id": "yours", "service": "web", "callback": "http://a/" }), "id");
    server.api.put("/v1/subscriptions/-", json!({ "service": "web", "callback": "http://a/" })).expect(422);
    server.api.get("/v1/subscriptions/mine").expect(404);
    for id in ["b", "a"] {
        subscribe(&server, id, "http://hooks.example/");
    }
    let revision = server.revision();
    let written_back = subscription(&server, "a");
    server.api.put("/v1/subscriptions/a", written_back.clone()).expect(200);
    assert_eq!(server.revision(), revision, "nothing has changed");
    let listed = server.api.get("/v1/subscriptions").expect(200).json();
    assert_eq!(listed["subscriptions"], json!([written_back, subscription(&server, "b")]));
    assert_eq!(listed["revision"], revision);
}
