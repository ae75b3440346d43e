//! Checks that someone asks for, over HTTP and from the command line.

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;

use common::backend::Backend;
use common::http::Request;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// An instance whose checks run by themselves once and not again while a test lasts.
fn quiet(target: &Backend, more: &[Value]) -> Value {
    let mut checks = vec![json!({ "kind": "http", "path": "/health", "interval": "24h", "rise": 1, "fall": 2 })];
    checks.extend_from_slice(more);
    json!({ "address": target.address.ip(), "port": target.address.port(), "ttl": "none", "checks": checks })
}

fn eventually_is(server: &Server, status: &str) {
    eventually(&format!("web/a is {status}"), || {
        let instance = server.instance("web", "a");
        if instance["status"] == status { Ok(()) } else { Err(instance) }
    });
}

#[test]
fn checks_run_when_asked_for_and_count() {
    let server = Server::start();
    let target = Backend::start("target");
    server.register("web", "a", quiet(&target, &[json!({ "kind": "tcp", "interval": "24h" })]));
    eventually_is(&server, "healthy");
    target.reply(503);
    for verdict in ["passing", "failing"] {
        let reply = server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200).json();
        let (http, tcp) = (&reply["results"][0], &reply["results"][1]);
        assert_eq!(reply["results"].as_array().map(Vec::len), Some(2), "{reply}");
        assert_eq!(
            (&http["kind"], &http["passing"], &http["verdict"]),
            (&json!("http"), &json!(false), &json!(verdict))
        );
        assert_eq!(http["detail"], "503 Service Unavailable");
        assert!(http["took_ms"].is_u64() && http["at"].is_string(), "{reply}");
        assert_eq!((&tcp["kind"], &tcp["passing"], &tcp["detail"]), (&json!("tcp"), &json!(true), &json!("connected")));
    }
    assert_eq!(server.instance("web", "a")["status"], "unhealthy");
    assert!(server.dig("web.svc.local A").data("A").is_empty(), "it left DNS");
    let shown = server.instance("web", "a")["checks"][0].clone();
    let time = |value: &Value| value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).expect("a time");
    assert!(time(&shown["next_check"]) > time(&shown["last_result"]["at"]), "{shown}");
    let status = server.api.get("/v1/status").expect(200).json();
    assert_eq!((&status["checks"]["total"], &status["checks"]["in_flight"]), (&json!(2), &json!(0)), "{status}");
    assert!(status["checks"]["late_ms"].is_u64(), "{status}");
    let next = [0, 1].map(|at| time(&server.instance("web", "a")["checks"][at]["next_check"])).into_iter().min();
    assert_eq!(Some(time(&status["schedule"]["next_check"])), next, "{status}");
    let upcoming = status["schedule"]["checks"].as_array().expect("checks");
    assert_eq!(upcoming.len(), 2, "{status}");
    assert_eq!(Some(time(&upcoming[0]["at"])), next, "{status}");
    assert!(upcoming.iter().all(|check| check["service"] == "web" && check["id"] == "a"), "{status}");
}

#[test]
fn all_checks_have_to_pass() {
    let server = Server::start();
    let (http, second) = (Backend::start("http"), Backend::start("second"));
    let more = json!({ "kind": "http", "port": second.address.port(), "interval": "24h", "rise": 1, "fall": 1 });
    server.register("web", "a", quiet(&http, &[more]));
    eventually_is(&server, "healthy");
    second.reply(500);
    server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200);
    let instance = server.instance("web", "a");
    let reason = "check 1 (http) is failing: 500 Internal Server Error";
    assert_eq!((&instance["status"], &instance["reason"]), (&json!("unhealthy"), &json!(reason)));
    second.reply(200);
    server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200);
    assert_eq!(server.instance("web", "a")["status"], "healthy");
}

#[test]
fn what_comes_and_goes_has_to_pass_longer_and_is_told_so() {
    let server = Server::start();
    let target = Backend::start("target");
    let check = json!({ "kind": "http", "interval": "24h", "rise": 1, "fall": 1 });
    let port = target.address.port();
    server.register("web", "a", json!({ "address": "127.0.0.1", "port": port, "ttl": "none", "checks": [check] }));
    eventually_is(&server, "healthy");
    let check = || {
        let reply = server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200).json();
        reply["results"][0]["verdict"].as_str().expect("a verdict").to_owned()
    };
    for _ in 0..2 {
        target.reply(503);
        assert_eq!(check(), "failing");
        target.reply(200);
        assert_eq!(check(), "passing", "one pass is enough for what falls seldom");
    }
    target.reply(503);
    assert_eq!(check(), "failing", "falling takes no longer than ever");
    target.reply(200);
    assert_eq!(check(), "failing");
    let reason = server.instance("web", "a")["reason"].clone();
    let damped = "check 0 (http) passes again, but has turned often: passes in a row that it still needs: 1";
    assert_eq!(reason, damped);
    assert_eq!(check(), "passing");
    assert_eq!(server.instance("web", "a")["status"], "healthy");
}

#[test]
fn the_configuration_has_checks_for_all() {
    let port = Backend::start("target").address.port();
    let checks = r#"[{kind = "tcp", interval = "24h"}]"#;
    let server = Setup::new().set("health.default_checks", checks).start();
    server.register("web", "a", json!({ "address": "127.0.0.1", "port": port, "ttl": "none" }));
    eventually_is(&server, "unhealthy");
    assert_eq!(server.instance("web", "a")["checks"][0]["last_result"]["detail"], "connection refused");
    server.register("web", "b", json!({ "address": "127.0.0.1", "port": port, "ttl": "none", "checks": [] }));
    assert_eq!(server.instance("web", "b")["status"], "healthy", "it asks for none");
}

#[test]
fn a_service_has_checks_for_those_that_bring_none() {
    let server = Server::start();
    let port = Backend::start("target").address.port();
    server.register("web", "a", json!({ "address": "127.0.0.1", "port": port, "ttl": "none" }));
    eventually_is(&server, "healthy");
    let settings = json!({ "default_checks": [{ "kind": "tcp", "interval": "24h" }] });
    server.api.put("/v1/services/web", settings).expect(200);
    eventually_is(&server, "unhealthy");
    let reply = server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200).json();
    assert_eq!(reply["results"][0]["detail"], "connection refused", "{reply}");
    server.api.delete("/v1/services/web/settings").expect(200);
    eventually_is(&server, "healthy");
}

#[test]
fn what_cannot_be_checked_is_told() {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "checks": [] }));
    let path = "/v1/services/web/instances/a/check";
    let reply = server.api.send(Request::new("POST", path)).expect(200);
    assert_eq!(reply.json(), json!({ "results": [] }));
    server.api.send(Request::new("POST", "/v1/services/web/instances/none/check")).expect(404);
    server.api.send(Request::new("POST", "/v1/services/none/instances/a/check")).expect(404);
    server.api.post(path, json!({ "now": true })).expect(422);
    server.api.send(Request::new("POST", &format!("{path}?now=1"))).expect(422);
    server.api.get(path).expect(405);
}

#[test]
fn probe_shows_what_checks_find() {
    let server = Server::start();
    let target = Backend::start("target");
    server.register("web", "a", quiet(&target, &[]));
    eventually_is(&server, "healthy");
    target.reply(500);
    let probe = |line: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
        let output = command.args(line.split(' ')).env("SRVD_SERVER", format!("http://{}", server.http[0])).output();
        let output = output.expect("srvd starts");
        let [out, err] = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        (output.status.code(), out, err)
    };
    let (code, table, errors) = probe("probe web a");
    assert!(table.contains("500 Internal Server Error") && table.contains("failed"), "{table}{errors}");
    assert_eq!(code, Some(0), "it did what it was asked to");
    let (code, _, errors) = probe("probe web b");
    assert_eq!(code, Some(1), "{errors}");
}

#[test]
fn a_server_that_stops_keeps_nobody_waiting() {
    let mut server = Server::start();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = silent.local_addr().expect("an address").port();
    let check = json!({ "kind": "http", "timeout": "5m", "interval": "24h" });
    server.register("web", "a", json!({ "address": "127.0.0.1", "port": port, "ttl": "none", "checks": [check] }));
    let held = silent.accept().expect("the check connects");
    let mut caller = TcpStream::connect(server.http[0]).expect("the server accepts");
    let head = "POST /v1/services/web/instances/a/check HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
                content-length: 2\r\nexpect: 100-continue\r\nconnection: close\r\n\r\n";
    caller.write_all(head.as_bytes()).expect("the server reads");
    // From here on the call is under way, and stopping has to see to its end.
    let mut interim = [0; 25];
    caller.read_exact(&mut interim).expect("the server wants the body");
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    caller.write_all(b"{}").expect("the server reads");
    let status = server.sigterm();
    assert!(status.success(), "{status}");
    let mut reply = String::new();
    caller.read_to_string(&mut reply).expect("a reply");
    assert!(reply.starts_with("HTTP/1.1 503 ") && reply.contains("the server is stopping"), "{reply}");
    drop(held);
}

#[test]
fn a_file_of_roots_that_cannot_be_used_is_refused() {
    Setup::new().set("health.ca_file", "/nowhere/ca.pem").start_refused().names(&["health.ca_file", "/nowhere/ca.pem"]);
}
