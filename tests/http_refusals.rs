//! What the HTTP API refuses: one table row for every rule, each with its status and the member that it names.
//!
//! After every refusal the registry must be exactly what it was. Next to the refused value stands, where a rule has a
//! bound, the last one that is allowed.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use common::http::{Reply, Request};
use common::{Server, Setup};
use serde_json::{Map, Value, json};

const B: &str = "/v1/services/web/instances/b";

/// A server with one instance, `web/a`, that has the tag `taken`.
fn server() -> Server {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "tags": ["taken"] }));
    server
}

/// A good registration with `changes` merged over it; `null` takes a member out.
fn registration(changes: Value) -> Value {
    let mut body = json!({ "address": "10.0.0.2", "port": 80 });
    for (member, value) in changes.as_object().expect("changes are an object") {
        body[member] = value.clone();
    }
    let members = body.as_object_mut().expect("an object");
    members.retain(|_, value| !value.is_null());
    body
}

/// Everything that a refused call must not touch.
fn state(server: &Server) -> (Value, u64) {
    let reply = server.api.get("/v1/services?instances=true").expect(200);
    (reply.json(), reply.revision())
}

/// Asserts a problem document with `status` that names one of `fields` (separated by `|`, empty: none needed).
///
/// A field may be written `checks[0].path`, `checks.0.path` or `/checks/0/path`, and may go deeper than expected.
#[track_caller]
fn assert_problem(reply: &Reply, status: u16, fields: &str) {
    assert_eq!(reply.status, status, "{reply}");
    assert_eq!(reply.header("Content-Type"), Some("application/problem+json"), "{reply}");
    let problem = reply.json();
    assert_eq!(problem["status"], status, "{reply}");
    for member in ["type", "title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {reply}");
    }
    if !fields.is_empty() {
        let field = dotted(problem["field"].as_str().unwrap_or_default());
        let names = |wanted: &str| field == wanted || field.starts_with(&format!("{wanted}."));
        assert!(fields.split('|').any(names), "the field is {field:?}, expected {fields:?}: {reply}");
    }
}

fn dotted(field: &str) -> String {
    field.replace(['[', '/'], ".").replace(']', "").trim_start_matches(['.', '$', '#']).to_owned()
}

/// Puts every body and asserts that it is refused with 422, that `field` is named, and that nothing changed.
#[track_caller]
fn refuses(rows: Vec<(&str, Value)>) {
    let server = server();
    let before = state(&server);
    for (field, changes) in rows {
        assert_problem(&server.api.put(B, registration(changes)), 422, field);
        assert_eq!(state(&server), before, "a refused call changed something");
    }
}

/// Puts every body and asserts that it is taken.
#[track_caller]
fn takes(rows: Vec<Value>) {
    let server = server();
    for changes in rows {
        let reply = server.api.put(B, registration(changes));
        assert!(matches!(reply.status, 200 | 201), "{reply}");
    }
}

fn text(length: usize) -> String {
    "x".repeat(length)
}

fn texts(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("t-{index}")).collect()
}

fn pairs(count: usize, value: impl Fn(usize) -> Value) -> Value {
    Value::Object((1..=count).map(|index| (format!("k{index}"), value(index))).collect::<Map<_, _>>())
}

fn addresses(count: usize) -> Vec<String> {
    (1..=count).map(|host| format!("10.0.0.{host}")).collect()
}

#[test]
fn addresses_have_rules() {
    refuses(vec![
        ("address|addresses", json!({ "address": null })),
        ("address|addresses", json!({ "addresses": ["10.0.0.1"] })),
        ("address", json!({ "address": "" })),
        ("address", json!({ "address": "not a host" })),
        ("address", json!({ "address": "10.0.0.1:80" })),
        ("address", json!({ "address": "-bad.example" })),
        ("address", json!({ "address": format!("{}.example", text(64)) })),
        ("address", json!({ "address": "0.0.0.0" })),
        ("address", json!({ "address": "::" })),
        ("address", json!({ "address": "224.0.0.1" })),
        ("address", json!({ "address": "ff02::1" })),
        ("address", json!({ "address": 7 })),
        ("address", json!({ "address": ["10.0.0.1"] })),
        ("addresses", json!({ "address": null, "addresses": [] })),
        ("addresses", json!({ "address": null, "addresses": addresses(9) })),
        ("addresses", json!({ "address": null, "addresses": ["host.example"] })),
        ("addresses", json!({ "address": null, "addresses": ["10.0.0.1", "0.0.0.0"] })),
        ("addresses", json!({ "address": null, "addresses": ["10.0.0.1", 7] })),
        ("addresses", json!({ "address": null, "addresses": "10.0.0.1" })),
    ]);
    takes(vec![
        json!({ "address": "host.example" }),
        json!({ "address": "host" }),
        json!({ "address": "2001:db8::1" }),
        json!({ "address": null, "addresses": addresses(8) }),
        json!({ "address": null, "addresses": ["10.0.0.1", "2001:db8::1"] }),
    ]);
}

#[test]
fn ports_have_rules() {
    refuses(vec![
        ("port", json!({ "port": null })),
        ("port", json!({ "port": null, "ports": {} })),
        ("port", json!({ "port": null, "ports": { "a": 1, "b": 2 } })),
        ("port", json!({ "port": 0 })),
        ("port", json!({ "port": 65_536 })),
        ("port", json!({ "port": -1 })),
        ("port", json!({ "port": 80.5 })),
        ("port", json!({ "port": "80" })),
        ("ports", json!({ "ports": { "": 1 } })),
        ("ports", json!({ "ports": { "under_score": 1 } })),
        ("ports", json!({ "ports": { "-a": 1 } })),
        ("ports", json!({ "ports": { "sixteen-letters-": 1 } })),
        ("ports", json!({ "ports": { "sixteen-letterss": 1 } })),
        ("ports", json!({ "ports": { "a": 0 } })),
        ("ports", json!({ "ports": { "a": 65_536 } })),
        ("ports", json!({ "ports": { "a": "1" } })),
        ("ports", json!({ "ports": [80] })),
        ("ports", json!({ "ports": pairs(17, |port| json!(port)) })),
    ]);
    takes(vec![
        json!({ "port": 1 }),
        json!({ "port": 65_535 }),
        json!({ "port": null, "ports": { "fifteen-letters": 1 } }),
        json!({ "ports": pairs(16, |port| json!(port)) }),
    ]);
}

#[test]
fn protocol_scheme_and_version_have_rules() {
    refuses(vec![
        ("protocol", json!({ "protocol": "sctp" })),
        ("protocol", json!({ "protocol": "" })),
        ("protocol", json!({ "protocol": 6 })),
        ("scheme", json!({ "scheme": "" })),
        ("scheme", json!({ "scheme": "1http" })),
        ("scheme", json!({ "scheme": "ht tp" })),
        ("scheme", json!({ "scheme": "http://" })),
        ("version", json!({ "version": text(65) })),
        ("version", json!({ "version": "1\n2" })),
        ("version", json!({ "version": "1.0\u{e9}" })),
        ("version", json!({ "version": 2 })),
    ]);
    takes(vec![
        json!({ "protocol": "udp" }),
        json!({ "scheme": "h2c" }),
        json!({ "scheme": "coap+tcp" }),
        json!({ "version": text(64) }),
        json!({ "version": "2.1.0 (beta~3)" }),
    ]);
}

#[test]
fn weight_and_priority_have_rules() {
    for member in ["weight", "priority"] {
        let wrong = [json!(-1), json!(65_536), json!(1.5), json!("1"), json!(true), json!([])];
        refuses(wrong.into_iter().map(|value| (member, json!({ member: value }))).collect());
        takes(vec![json!({ member: 0 }), json!({ member: 65_535 })]);
    }
}

#[test]
fn tags_have_rules() {
    refuses(vec![
        ("tags", json!({ "tags": texts(65) })),
        ("tags", json!({ "tags": [""] })),
        ("tags", json!({ "tags": ["good", text(256)] })),
        ("tags", json!({ "tags": [1] })),
        ("tags", json!({ "tags": "v1" })),
        ("tags", json!({ "tags": { "v1": true } })),
    ]);
    takes(vec![json!({ "tags": texts(64) }), json!({ "tags": [text(255), "Not A Label", "\u{e9}"] })]);
}

#[test]
fn metadata_has_rules() {
    let value_room = 255 - 1 - 1;
    refuses(vec![
        ("metadata", json!({ "metadata": pairs(65, |_| json!("v")) })),
        ("metadata", json!({ "metadata": { "": "v" } })),
        ("metadata", json!({ "metadata": { text(65): "v" } })),
        ("metadata", json!({ "metadata": { "a=b": "v" } })),
        ("metadata", json!({ "metadata": { "a\u{e9}": "v" } })),
        ("metadata", json!({ "metadata": { "a\n": "v" } })),
        ("metadata", json!({ "metadata": { "k": text(value_room + 1) } })),
        ("metadata", json!({ "metadata": { "k": [text(value_room - 1), "x"] } })),
        ("metadata", json!({ "metadata": { "k": null } })),
        ("metadata", json!({ "metadata": { "k": {} } })),
        ("metadata", json!({ "metadata": { "k": [["x"]] } })),
        ("metadata", json!({ "metadata": { "k": [null] } })),
        ("metadata", json!({ "metadata": [] })),
        ("metadata", json!({ "metadata": "team=shop" })),
    ]);
    takes(vec![
        json!({ "metadata": pairs(64, |_| json!("v")) }),
        json!({ "metadata": { text(64): "v" } }),
        json!({ "metadata": { "k": text(value_room) } }),
        json!({ "metadata": { "k": [text(value_room - 2), "x"] } }),
        json!({ "metadata": { "string": "\u{e9}", "number": 1.5, "boolean": false, "list": [1, "a", true] } }),
    ]);
}

#[test]
fn times_have_rules() {
    let wrong = [json!("0s"), json!("999ms"), json!("25h"), json!("86401s"), json!("soon"), json!(""), json!(30)];
    refuses(wrong.into_iter().map(|ttl| ("ttl", json!({ "ttl": ttl }))).collect());
    refuses(vec![
        ("ttl", json!({ "ttl": "-1s" })),
        ("deregister_after", json!({ "deregister_after": "59s" })),
        ("deregister_after", json!({ "deregister_after": "721h" })),
        ("deregister_after", json!({ "deregister_after": "never?" })),
        ("slow_start", json!({ "slow_start": "soon" })),
    ]);
    takes(vec![
        json!({ "ttl": "1s" }),
        json!({ "ttl": "24h" }),
        json!({ "ttl": "1500ms" }),
        json!({ "ttl": "none" }),
        json!({ "deregister_after": "1m" }),
        json!({ "deregister_after": "720h" }),
    ]);
}

fn check(changes: Value) -> Value {
    let mut check = json!({ "kind": "http", "path": "/health", "interval": "10s", "timeout": "5s" });
    for (member, value) in changes.as_object().expect("changes are an object") {
        check[member] = value.clone();
    }
    json!({ "checks": [check] })
}

#[test]
fn checks_have_rules() {
    let tcp = json!({ "kind": "tcp" });
    refuses(vec![
        ("checks", json!({ "checks": vec![tcp.clone(); 9] })),
        ("checks", json!({ "checks": tcp })),
        ("checks.0", json!({ "checks": [{}] })),
        ("checks.1", json!({ "checks": [tcp, 7] })),
        ("checks.0", check(json!({ "kind": "ping" }))),
        ("checks.0.method", check(json!({ "method": "POST" }))),
        ("checks.0.scheme", check(json!({ "scheme": "ftp" }))),
        ("checks.0.verify", check(json!({ "verify": "no" }))),
        ("checks.0.path", check(json!({ "kind": "grpc" }))),
        ("checks.0.port", check(json!({ "port": 0 }))),
        ("checks.0.port", check(json!({ "port": 65_536 }))),
        ("checks.0.interval", check(json!({ "interval": "0s" }))),
        ("checks.0.interval", check(json!({ "interval": "soon" }))),
        ("checks.0.interval", check(json!({ "interval": 10 }))),
        ("checks.0.timeout", check(json!({ "timeout": "0s" }))),
        ("checks.0.rise", check(json!({ "rise": 0 }))),
        ("checks.0.fall", check(json!({ "fall": 0 }))),
        ("checks.0.fall", check(json!({ "fall": "3" }))),
    ]);
    takes(vec![
        json!({ "checks": (1..=8).map(|port| json!({ "kind": "tcp", "port": port })).collect::<Vec<_>>() }),
        check(json!({ "method": "HEAD", "port": 65_535, "rise": 1, "fall": 1 })),
        check(json!({ "scheme": "https", "verify": false })),
        json!({ "checks": [{ "kind": "grpc", "service": "shop.Cart" }, { "kind": "grpc" }] }),
    ]);
}

#[test]
fn unknown_members_are_refused_with_a_suggestion() {
    let server = server();
    let rows = [
        (json!({ "host": "10.0.0.2", "port": 80 }), "host", "address"),
        (registration(json!({ "tag": ["a"] })), "tag", "tags"),
        (registration(json!({ "wieght": 3 })), "wieght", "weight"),
        (registration(json!({ "meta": {} })), "meta", "metadata"),
        (registration(check(json!({ "paht": "/" }))), "checks.0.paht", "path"),
    ];
    for (body, field, meant) in rows {
        let reply = server.api.put(B, body);
        assert_problem(&reply, 422, field);
        let detail = reply.json()["detail"].to_string();
        assert!(detail.contains(meant), "{detail} does not suggest {meant}");
    }
    assert_problem(&server.api.put(B, registration(json!({ "zzzzzz": 1 }))), 422, "zzzzzz");
}

#[test]
fn paths_have_rules() {
    let server = server();
    let before = state(&server);
    let body = || registration(json!({}));
    let labels = ["-web", "web-", "under_score", "a.b", "a%20b", "%C3%A9", "%FF"];
    for label in labels.iter().copied().chain([&*text(63)]) {
        let path = format!("/v1/services/{label}/instances/b");
        assert_problem(&server.api.put(&path, body()), 422, "service");
    }
    for label in labels.iter().copied().chain([&*text(64)]) {
        let path = format!("/v1/services/web/instances/{label}");
        assert_problem(&server.api.put(&path, body()), 422, "id");
    }
    assert_problem(&server.api.post("/v1/services/a_b/instances", body()), 422, "service");
    assert_eq!(state(&server), before);
    server.register(&text(62), &text(63), body());
}

#[test]
fn body_and_path_must_agree() {
    let server = server();
    let before = state(&server);
    assert_problem(&server.api.put(B, registration(json!({ "service": "shop" }))), 422, "service");
    assert_problem(&server.api.put(B, registration(json!({ "id": "c" }))), 422, "id");
    assert_problem(&server.api.put(B, registration(json!({ "id": 7 }))), 422, "id");
    assert_eq!(state(&server), before);
}

#[test]
fn an_id_is_never_a_tag_of_its_service() {
    let server = server();
    let before = state(&server);
    let as_id = server.api.put("/v1/services/web/instances/taken", registration(json!({})));
    assert_problem(&as_id, 409, "");
    for tag in ["a", "A"] {
        assert_problem(&server.api.put(B, registration(json!({ "tags": [tag] }))), 409, "");
    }
    assert_problem(&server.api.put(B, registration(json!({ "tags": ["b"] }))), 409, "");
    assert_problem(&server.api.patch("/v1/services/web/instances/a", json!({ "tags": ["a"] })), 409, "");
    assert_eq!(state(&server), before);
    server.register("shop", "taken", registration(json!({ "tags": ["a"] })));
    // The longest id is no tag that DNS could be asked for, and equal all the same.
    let longest = text(63);
    let of_itself = registration(json!({ "tags": [longest] }));
    assert_problem(&server.api.put(&format!("/v1/services/web/instances/{longest}"), of_itself.clone()), 409, "");
    server.api.put("/v1/services/tagged/instances/a", of_itself).expect(201);
    let path = format!("/v1/services/tagged/instances/{longest}");
    assert_problem(&server.api.put(&path, registration(json!({}))), 409, "");
}

#[test]
fn names_too_long_for_dns_are_refused() {
    let zone = [text(60), text(60), text(20)].join(".");
    let server = Setup::new().set("dns.zone", zone).start();
    let (long, id) = (text(62), text(63));
    let before = state(&server);
    let reply = server.api.put(&format!("/v1/services/{long}/instances/{id}"), registration(json!({})));
    assert_problem(&reply, 422, "");
    assert_eq!(state(&server), before);
    server.register("web", "a", registration(json!({})));
}

#[test]
fn json_that_cannot_be_parsed_is_400() {
    let server = server();
    let before = state(&server);
    for body in ["{", "{\"address\":", "{\"address\":\"10.0.0.1\",}", "{}{}", "nonsense", "{'port':1}", "\u{feff}{"] {
        for method in ["PUT", "PATCH"] {
            let request = Request::new(method, "/v1/services/web/instances/a");
            let reply = server.api.send(request.header("Content-Type", "application/json").body(body));
            assert_problem(&reply, 400, "");
        }
    }
    let latin = Request::new("PUT", B).header("Content-Type", "application/json").body(*b"{\"version\":\"\xe9\"}");
    assert_problem(&server.api.send(latin), 400, "");
    assert_eq!(state(&server), before);
}

#[test]
fn json_of_another_shape_is_422() {
    let server = server();
    let before = state(&server);
    for body in [json!([]), json!(null), json!("text"), json!(7), json!([{ "address": "10.0.0.1", "port": 1 }])] {
        assert_problem(&server.api.put(B, body.clone()), 422, "");
        assert_problem(&server.api.patch("/v1/services/web/instances/a", body), 422, "");
    }
    assert_eq!(state(&server), before);
}

#[test]
fn deep_nesting_is_refused_and_harmless() {
    let server = server();
    let before = state(&server);
    let body = format!("{{\"metadata\":{}", "[".repeat(100_000));
    let reply = server.api.send(Request::new("PUT", B).header("Content-Type", "application/json").body(body));
    assert!(matches!(reply.status, 400 | 422), "{reply}");
    assert_eq!(state(&server), before);
}

#[test]
fn a_body_that_is_not_json_is_415() {
    let server = server();
    let before = state(&server);
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml"]
    {
        let body = registration(json!({})).to_string();
        let typed = |method, path| Request::new(method, path).header("Content-Type", kind).body(body.clone());
        assert_problem(&server.api.send(typed("PUT", B)), 415, "");
        assert_problem(&server.api.send(typed("POST", "/v1/services/web/instances")), 415, "");
        assert_problem(&server.api.send(typed("PATCH", "/v1/services/web/instances/a")), 415, "");
    }
    assert_eq!(state(&server), before);
}

#[test]
fn a_body_above_the_limit_is_413() {
    let server = server();
    let before = state(&server);
    let mut body = registration(json!({})).to_string();
    body.push_str(&" ".repeat((1 << 20) + 1 - body.len()));
    let request = Request::new("PUT", B).header("Content-Type", "application/json").body(body);
    assert_problem(&server.api.send(request.clone()), 413, "");
    assert_problem(&server.api.send(request.chunked()), 413, "");
    assert_eq!(state(&server), before);
}

/// Most clients send the whole body before they look for a reply. A server that hangs up meanwhile takes it from them.
#[test]
fn a_client_that_sends_far_too_much_is_told_so() {
    let server = server();
    for octets in [(1 << 20) + 1, 16 << 20] {
        let mut connection = TcpStream::connect(server.api.authority()).expect("a connection");
        connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
        let head = format!("PUT {B} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {octets}");
        write!(connection, "{head}\r\n\r\n").expect("the head is taken");
        connection.write_all(&vec![b' '; octets]).expect("all of the body is taken");
        write!(connection, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").expect("and what follows");
        let mut replies = String::new();
        connection.read_to_string(&mut replies).expect("the connection ends as it should");
        assert!(replies.starts_with("HTTP/1.1 413 ") && replies.ends_with("\r\n\r\nalive\n"), "{replies}");
    }
}

/// Sends a request as it is written, and returns all that comes back. `request` ends with its headers.
fn exchange(server: &Server, request: &str, body: &str) -> String {
    let mut connection = TcpStream::connect(server.api.authority()).expect("a connection");
    connection.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout above zero");
    let length = body.len();
    let head = format!("{request}Connection: close\r\nContent-Length: {length}\r\n\r\n");
    connection.write_all((head + body).as_bytes()).expect("the request is taken");
    let mut reply = String::new();
    connection.read_to_string(&mut reply).expect("a reply and the end");
    reply
}

#[test]
fn a_request_says_once_which_host_it_is_for() {
    let server = server();
    let body = registration(json!({})).to_string();
    // Reads, and each write that has a short way of its own.
    let put = format!("PUT {B}");
    let calls = [
        ("GET /healthz", "", 200),
        ("GET /nothing", "", 404),
        ("PUT /v1/services/web/instances/a/heartbeat", "", 204),
        (&put, &body, 200),
        ("DELETE /v1/services/web/instances/c", "", 404),
    ];
    server.api.put(B, registration(json!({}))).expect(201);
    for (call, body, usual) in calls {
        for (version, hosts, refused) in [
            ("1.1", "", true),
            ("1.1", "Host: srvd\r\nHost: srvd\r\n", true),
            ("1.1", "Host: srvd, other\r\n", true),
            ("1.1", "Host: http://srvd\r\n", true),
            ("1.0", "Host: srvd\r\nhost: srvd\r\n", true),
            ("1.1", "Host: srvd\r\n", false),
            ("1.1", "Host:\r\n", false),
            ("1.1", "Host: [::1]:8053\r\n", false),
            ("1.0", "", false),
        ] {
            let request = format!("{call} HTTP/{version}\r\n{hosts}Content-Type: application/json\r\n");
            let reply = exchange(&server, &request, body);
            let status = if refused { 400 } else { usual };
            assert!(reply.starts_with(&format!("HTTP/{version} {status} ")), "{request}{reply}");
            assert_eq!(reply.contains("urn:srvd:problem:wrong-host"), refused, "{request}{reply}");
        }
    }
}

#[test]
fn a_body_in_a_coding_is_415() {
    let server = server();
    let before = state(&server);
    let body = registration(json!({})).to_string();
    let coded = |coding| {
        let request = Request::new("PUT", B).header("Content-Type", "application/json");
        server.api.send(request.header("Content-Encoding", coding).body(body.clone()))
    };
    for coding in ["gzip", "br", "identity, gzip"] {
        assert_problem(&coded(coding), 415, "");
    }
    assert_eq!(state(&server), before);
    coded("Identity").expect(201);
}

#[test]
fn unknown_and_wrong_parameters_are_422() {
    let server = server();
    let rows = [
        ("/v1/services?colour=red", "colour"),
        ("/v1/services?limit=0", "limit"),
        ("/v1/services?limit=many", "limit"),
        ("/v1/services?instances=maybe", "instances"),
        ("/v1/services/web?colour=red", "colour"),
        ("/v1/services/web?status=purple", "status"),
        ("/v1/services/web/instances/a?colour=red", "colour"),
    ];
    for (path, field) in rows {
        assert_problem(&server.api.get(path), 422, field);
    }
    let near = server.api.get("/v1/services?prefx=x");
    assert_problem(&near, 422, "prefx");
    assert!(near.json()["detail"].to_string().contains("prefix"), "it suggests what was meant: {near}");
    let before = state(&server);
    assert_problem(&server.api.put(&format!("{B}?force=true"), registration(json!({}))), 422, "force");
    assert_problem(&server.api.delete("/v1/services/web/instances/a?force=true"), 422, "force");
    assert_eq!(state(&server), before);
}

#[test]
fn a_patch_ends_in_a_registration_that_obeys_the_rules() {
    let server = server();
    let before = state(&server);
    let rows = [
        ("weight", json!({ "weight": -1 })),
        ("address|addresses", json!({ "address": null })),
        ("port", json!({ "port": null })),
        ("address|addresses", json!({ "addresses": ["10.0.0.5"] })),
        ("host", json!({ "host": "10.0.0.5" })),
        ("id", json!({ "id": "z" })),
    ];
    for (field, patch) in rows {
        assert_problem(&server.api.patch("/v1/services/web/instances/a", patch), 422, field);
        assert_eq!(state(&server), before);
    }
}

#[test]
fn heartbeats_have_rules() {
    let server = server();
    let before = server.revision();
    let path = "/v1/services/web/instances/a/heartbeat";
    let rows = [
        ("status", json!({ "status": "purple" })),
        ("status", json!({ "status": "lapsed" })),
        ("status", json!({ "status": 1 })),
        ("message", json!({ "message": 1 })),
        ("colour", json!({ "colour": "red" })),
    ];
    for (field, body) in rows {
        assert_problem(&server.api.put(path, body), 422, field);
    }
    assert_eq!(server.instance("web", "a")["status"], "healthy");
    assert_eq!(server.revision(), before);
}

#[test]
fn writes_from_foreign_pages_are_refused() {
    let server = server();
    let before = state(&server);
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1"] {
        let put = Request::new("PUT", B).json(&registration(json!({})));
        let delete = Request::new("DELETE", "/v1/services/web/instances/a");
        let post = Request::new("POST", "/v1/services/web/instances").json(&registration(json!({})));
        for request in [put, delete, post] {
            assert_problem(&server.api.send(request.header("Origin", origin)), 403, "");
        }
    }
    assert_eq!(state(&server), before);
}

#[test]
fn a_page_that_rebound_its_name_to_us_is_refused() {
    let server = server();
    let before = state(&server);
    let request = Request::new("PUT", B).json(&registration(json!({})));
    let rebound = request.header("Host", "evil.example").header("Origin", "http://evil.example");
    assert_problem(&server.api.send(rebound), 403, "");
    assert_eq!(state(&server), before);
}
