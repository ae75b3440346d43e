//! Finding instances over HTTP: long polls, event streams, picks and targets for Prometheus.

mod common;

use std::collections::BTreeSet;
use std::thread::{self, JoinHandle};

use common::events::{Event, Events};
use common::http::{Client, Reply, Request};
use common::process::{Process, tool};
use common::{Server, eventually};
use serde_json::{Value, json};

fn instance(port: u16) -> Value {
    json!({ "address": "10.0.0.7", "port": port, "ttl": "none" })
}

/// Waits until so many clients watch or wait.
#[track_caller]
fn watchers(server: &Server, count: u64) {
    eventually(&format!("{count} watchers"), || match server.api.get("/v1/status").json()["watchers"].as_u64() {
        Some(found) if found == count => Ok(()),
        other => Err(format!("{other:?}")),
    });
}

/// A call that takes its time, begun when this returns.
fn begin(server: &Server, path: &str) -> JoinHandle<Reply> {
    let (api, path) = (server.api, path.to_owned());
    let before = server.api.get("/v1/status").json()["watchers"].as_u64().expect("a count");
    let call = thread::spawn(move || api.get(&path));
    watchers(server, before + 1);
    call
}

fn own_revision(server: &Server, service: &str) -> u64 {
    server.api.get(&format!("/v1/services/{service}")).expect(200).json()["revision"].as_u64().expect("a revision")
}

fn stream(server: &Server, query: &str) -> Events {
    Events::open(server.http[0], &format!("/v1/watch{query}"), "")
}

/// Name, id of the instance and revision of an event.
fn brief(event: &Event) -> (&str, &str, u64) {
    (&event.name, event.data["id"].as_str().unwrap_or_default(), event.id)
}

#[test]
fn a_long_poll_is_answered_by_the_change() {
    let server = Server::start();
    server.register("web", "a", instance(1));
    let seen = own_revision(&server, "web");
    let call = begin(&server, &format!("/v1/services/web?since={seen}&wait=10m&tag=none"));
    server.register("db", "x", instance(1));
    server.register("web", "b", instance(2));
    let reply = call.join().unwrap().expect(200);
    assert!(reply.revision() >= seen + 2, "the header is of the reply, not of the question");
    let reply = reply.json();
    assert_eq!(
        (reply["revision"].as_u64(), &reply["instances"]),
        (Some(seen + 2), &json!([])),
        "filters are for the reply"
    );
    watchers(&server, 0);
}

#[test]
fn a_long_poll_that_has_nothing_to_wait_for() {
    let server = Server::start();
    server.register("web", "a", instance(1));
    let seen = own_revision(&server, "web");
    for query in [
        format!("since={}&wait=10m", seen - 1),
        "since=0&wait=10m".to_owned(),
        format!("since={}&wait=10m", seen + 1000),
        "since=18446744073709551615&wait=10m".to_owned(),
        format!("since={seen}&wait=0s"),
        format!("since={seen}&wait=1ms"),
    ] {
        let reply = server.api.get(&format!("/v1/services/web?{query}")).expect(200).json();
        assert_eq!(reply["revision"].as_u64(), Some(seen), "{query}");
    }
    server.api.get("/v1/services/none").expect(404);
    server.api.get("/v1/services/none?since=0&wait=1ms").expect(404);
    server.api.get(&format!("/v1/services/none?since={}&wait=10m", seen + 1000)).expect(404);
}

#[test]
fn a_service_is_awaited_and_its_end_is_told() {
    let server = Server::start();
    let appears = begin(&server, "/v1/services/web?since=0&wait=10m");
    server.register("web", "a", instance(1));
    let seen = appears.join().unwrap().expect(200).json()["revision"].as_u64().expect("a revision");
    let ends = begin(&server, &format!("/v1/services/web?since={seen}&wait=10m"));
    server.api.delete("/v1/services/web/instances/a").expect(204);
    ends.join().unwrap().expect(404);
    server.api.get(&format!("/v1/services/web?since={seen}&wait=10m")).expect(404);
}

#[test]
fn parameters_that_make_no_sense_are_refused() {
    let server = Server::start();
    server.register("web", "a", instance(1));
    for (path, field) in [
        ("/v1/services/web?wait=10s", "since"),
        ("/v1/services/web?since=1", "wait"),
        ("/v1/services/web?since=-1&wait=10s", "since"),
        ("/v1/services/web?since=now&wait=10s", "since"),
        ("/v1/services/web?since=1&wait=11m", "wait"),
        ("/v1/services/web?since=1&wait=10", "wait"),
        ("/v1/services/web?since=1&since=2&wait=10s", "since"),
        ("/v1/services/web?status=well", "status"),
        ("/v1/watch?since=x", "since"),
        ("/v1/watch?service=a_b", "service"),
        ("/v1/watch?services=a", "services"),
        ("/v1/services/web/pick?strategy=best", "strategy"),
        ("/v1/services/web/pick?strategy=consistent_hash", "key"),
        ("/v1/services/web/pick?strategy=consistent_hash&key=", "key"),
        ("/v1/services/web/pick?limit=1", "limit"),
        ("/v1/prometheus/targets?service=a_b", "service"),
        ("/v1/prometheus/targets?port=8080", "port"),
    ] {
        let problem = server.api.get(path).expect(422).json();
        assert_eq!(problem["field"], field, "{path}: {problem}");
    }
    let bad = Request::new("GET", "/v1/watch").header("Last-Event-ID", "x");
    assert_eq!(server.api.send(bad).expect(422).json()["field"], "Last-Event-ID");
}

#[test]
fn a_stream_tells_every_change() {
    let server = Server::start();
    let mut all = stream(&server, "");
    let mut one = stream(&server, "?service=WEB");
    watchers(&server, 2);
    assert!(all.head.to_lowercase().contains("content-type: text/event-stream\n"), "{}", all.head);
    let registered = server.register("web", "a", instance(1)).json();
    server.register("db", "x", instance(1));
    server.register("web", "a", instance(2));
    server.says("web", "a", "unhealthy");
    server.api.delete("/v1/services/web/instances/a").expect(204);
    let first = registered["revision"].as_u64().expect("a revision");
    let told: Vec<Event> = (0..5).map(|_| all.next()).collect();
    let briefly: Vec<_> = told.iter().map(brief).collect();
    let expected = [("put", "a"), ("put", "x"), ("put", "a"), ("put", "a"), ("remove", "a")];
    assert_eq!(briefly, (first..).zip(expected).map(|(id, (name, of))| (name, of, id)).collect::<Vec<_>>());
    let changes: Vec<_> =
        told.iter().map(|event| json!([event.data["change"], event.data["previous_status"]])).collect();
    let expected = [
        json!(["registered", null]),
        json!(["registered", null]),
        json!(["updated", "healthy"]),
        json!(["status", "healthy"]),
        json!(["deregistered", "unhealthy"]),
    ];
    assert_eq!(changes, expected);
    assert_eq!(told[0].data["instance"], registered, "as the reply to the writer has it");
    assert_eq!(told[3].data["instance"]["status"], "unhealthy");
    assert!(told[4].data.get("instance").is_none() && told[4].data["at"].is_string(), "{:?}", told[4]);
    assert!(told.iter().all(|event| event.data["revision"] == event.id && event.data["service"].is_string()));
    let of_one: Vec<Event> = (0..4).map(|_| one.next()).collect();
    assert_eq!(of_one, [&told[0], &told[2], &told[3], &told[4]].map(Clone::clone));
    drop((all, one));
    watchers(&server, 0);
}

#[test]
fn streams_go_on_where_they_broke() {
    let server = Server::start();
    let ids: Vec<u64> = ["a", "b", "c"]
        .map(|id| server.register("web", id, instance(1)).json()["revision"].as_u64().expect("a revision"))
        .to_vec();
    let mut resumed = stream(&server, &format!("?since={}", ids[0]));
    assert_eq!([brief(&resumed.next()), brief(&resumed.next())], [("put", "b", ids[1]), ("put", "c", ids[2])]);
    let header = format!("Last-Event-ID: {}\r\n", ids[1]);
    let mut resumed = Events::open(server.http[0], "/v1/watch?service=web&since=0", &header);
    assert_eq!(brief(&resumed.next()), ("put", "c", ids[2]), "the header outranks the parameter");
    server.register("web", "d", instance(1));
    assert_eq!(resumed.next().data["id"], "d");
}

#[test]
fn who_cannot_go_on_starts_over() {
    let server = Server::start();
    for id in ["c", "a", "b"] {
        server.register("web", id, instance(1));
    }
    server.register("db", "x", instance(1));
    server.register("web", "c", instance(2));
    let last = server.revision();
    let server = server.restart();
    for (query, expected) in [
        (format!("?since={}", last + 1_000_000), &["a", "b", "x", "c"][..]),
        ("?since=1".to_owned(), &["a", "b", "x", "c"]),
        ("?since=1&service=web".to_owned(), &["a", "b", "c"]),
        ("?since=1&service=none".to_owned(), &[]),
    ] {
        let mut events = stream(&server, &query);
        let reset = events.next();
        assert_eq!((reset.name.as_str(), &reset.data), ("reset", &json!({"revision": server.revision()})), "{query}");
        let mut id = reset.id;
        for expected in expected {
            let put = events.next();
            assert_eq!(
                (put.name.as_str(), put.data["id"].as_str(), put.id > id),
                ("put", Some(*expected), true),
                "{query}"
            );
            assert_eq!(put.data["instance"], server.instance(put.data["service"].as_str().unwrap(), expected));
            id = put.id;
        }
        let service = if query.ends_with("none") { "none" } else { "web" };
        let new = server.register(service, "new", instance(1)).json();
        assert_eq!(brief(&events.next()), ("put", "new", new["revision"].as_u64().unwrap()), "{query}");
        server.api.delete(&format!("/v1/services/{service}/instances/new")).expect(204);
        assert_eq!(events.next().name, "remove");
    }
}

#[test]
fn streams_are_not_held_back_by_compression() {
    let server = Server::start();
    let mut events = Events::open(server.http[0], "/v1/watch", "Accept-Encoding: gzip\r\n");
    assert!(!events.head.to_lowercase().contains("content-encoding"), "{}", events.head);
    server.register("web", "a", instance(1));
    assert_eq!(events.next().data["id"], "a");
    let gzip = Request::new("GET", "/v1/services").header("Accept-Encoding", "gzip");
    assert_eq!(server.api.send(gzip).expect(200).header("Content-Encoding"), Some("gzip"));
}

#[test]
fn curl_can_watch() {
    let server = Server::start();
    let url = format!("http://{}/v1/watch?service=web", server.http[0]);
    let curl = Process::start(std::process::Command::new(tool("curl", "curl")).args(["-sN", &url]));
    watchers(&server, 1);
    server.register("web", "a", instance(1));
    let lines: Vec<String> = (0..4).map_while(|_| curl.stdout_line()).collect();
    assert_eq!(&lines[..2], ["retry: 1000", "event: put"]);
    assert!(lines[2].starts_with("id: ") && lines[3].starts_with(r#"data: {"revision":"#), "{lines:?}");
}

#[test]
fn stopping_ends_what_waits() {
    let mut server = Server::start();
    server.register("web", "a", instance(1));
    let mut events = stream(&server, "");
    let seen = own_revision(&server, "web");
    let poll = begin(&server, &format!("/v1/services/web?since={seen}&wait=10m"));
    let nothing = begin(&server, "/v1/services/none?since=0&wait=10m");
    assert!(server.sigterm().success());
    assert_eq!(events.next_or_end(), None);
    assert_eq!(poll.join().unwrap().expect(200).json()["revision"], seen);
    nothing.join().unwrap().expect(404);
}

fn picked(api: Client, query: &str) -> String {
    let reply = api.get(&format!("/v1/services/web/pick{query}")).expect(200).json();
    reply["id"].as_str().expect("an instance").to_owned()
}

#[test]
fn one_instance_is_picked() {
    let server = Server::start();
    server.api.get("/v1/services/web/pick").expect(404);
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 1, "priority": 1 }));
    server.register("web", "b", json!({ "address": "10.0.0.2", "port": 1, "tags": ["x"], "version": "2" }));
    server.register("web", "c", json!({ "address": "10.0.0.3", "port": 1, "weight": 3, "metadata": { "zone": "eu" } }));
    server.register("web", "d", json!({ "address": "10.0.0.4", "port": 1, "weight": 0 }));
    let picks = |query: &str| (0..40).map(|_| picked(server.api, query)).collect::<BTreeSet<String>>();
    let set = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<BTreeSet<String>>();
    for strategy in
        ["", "?strategy=weighted", "?strategy=random", "?strategy=least_loaded", "?strategy=least_connections"]
    {
        let found = picks(strategy);
        assert!(found.is_subset(&set(&["b", "c"])) && found.contains("c"), "{strategy}: {found:?}");
    }
    let turns: Vec<String> = (0..8).map(|_| picked(server.api, "?strategy=round_robin")).collect();
    assert_eq!(turns.iter().filter(|id| *id == "c").count(), 6, "{turns:?}");
    assert_eq!(picks("?strategy=consistent_hash&key=user-7").len(), 1);
    for (query, expected) in [
        ("?tag=x", "b"),
        ("?version=2&status=healthy", "b"),
        ("?meta.zone=eu", "c"),
        ("?tag=x&strategy=round_robin", "b"),
    ] {
        assert_eq!(picks(query), set(&[expected]), "{query}");
    }
    let load = |id: &str, cpu: f64| {
        let path = format!("/v1/services/web/instances/{id}/heartbeat");
        server.api.put(&path, json!({ "load": { "cpu": cpu, "connections": cpu * 100.0 } })).expect(204);
    };
    load("b", 0.2);
    load("c", 0.9);
    assert_eq!(picks("?strategy=least_loaded"), set(&["b"]));
    assert_eq!(picks("?strategy=least_connections"), set(&["b"]), "20 for a weight of 1, 90 for one of 3");
    server.says("web", "b", "unhealthy");
    server.says("web", "c", "unhealthy");
    assert_eq!(picks(""), set(&["d"]), "the last resort of the lowest priority");
    server.says("web", "d", "unhealthy");
    assert_eq!(picks(""), set(&["a"]));
    server.says("web", "a", "unhealthy");
    let none = server.api.get("/v1/services/web/pick").expect(503);
    assert!(none.header("Retry-After").is_some(), "{none}");
    assert_eq!(server.api.get("/v1/services/web/pick?tag=none").expect(503).json()["status"], 503);
}

#[test]
fn prometheus_is_told_what_to_scrape() {
    let server = Server::start();
    let targets = |query: &str| server.api.get(&format!("/v1/prometheus/targets{query}")).expect(200).json();
    assert_eq!(targets(""), json!([]));
    let complete = json!({ "addresses": ["2001:db8::7", "10.0.0.7"], "port": 80, "ports": { "metrics": 9100 }, "version": "2",
        "tags": ["canary", "v2"], "scheme": "https",
        "metadata": { "team-name": "shop", "team.name": "other", "n": [1, true] } });
    server.register("web", "a", complete);
    server.register("web", "b", json!({ "address": "db.example.com", "port": 81, "status": "unhealthy" }));
    server.register("db", "x", instance(5432));
    let list = server.api.get("/v1/prometheus/targets").expect(200);
    assert_eq!(list.header("Content-Type"), Some("application/json"), "Prometheus takes no other");
    let list = list.json();
    let addresses: Vec<_> = list.as_array().unwrap().iter().map(|group| group["targets"].clone()).collect();
    assert_eq!(addresses, [json!(["10.0.0.7:5432"]), json!(["[2001:db8::7]:80"]), json!(["db.example.com:81"])]);
    let labels = json!({ "service": "web", "id": "a", "status": "healthy", "address": "[2001:db8::7]", "scheme": "https",
        "protocol": "tcp", "version": "2", "tags": ",canary,v2,", "port_metrics": "9100",
        "metadata_n": "1,true", "metadata_team_name": "shop" });
    let named = labels.as_object().unwrap().iter().map(|(name, value)| (format!("__meta_srvd_{name}"), value.clone()));
    assert_eq!(list[1]["labels"], Value::Object(named.collect()));
    let count = |query: &str| targets(query).as_array().unwrap().len();
    for (query, groups) in [
        ("?service=web", 2),
        ("?service=web&service=db", 3),
        ("?service=none", 0),
        ("?status=healthy", 2),
        ("?status=all", 3),
        ("?tag=canary", 1),
        ("?meta.n=1,true&version=2", 1),
    ] {
        assert_eq!(count(query), groups, "{query}");
    }
    assert_eq!(targets("?port=metrics")[0]["targets"], json!(["[2001:db8::7]:9100"]));
    assert_eq!(count("?port=metrics"), 1, "only those that have it");
}

#[test]
fn a_page_says_where_the_next_one_begins() {
    let server = Server::start();
    for name in ["a", "b", "c", "d"] {
        server.register(name, "i", instance(1));
    }
    let page = |query: &str| server.api.get(&format!("/v1/services?{query}")).expect(200).json();
    assert_eq!(page("limit=2&instances=true")["next"], "b");
    assert_eq!(page("limit=2&after=b").get("next"), None, "the last page");
    assert_eq!(page("limit=1&prefix=d").get("next"), None);
    assert_eq!(page("").get("next"), None);
}
