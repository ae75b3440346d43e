//! Plain writes, which have a short way of their own: it answers as the complete way does, and is counted like it.
//!
//! A `?` without parameters changes nothing about a request, and takes it the complete way. So one of two servers gets
//! every request with it and the other without, and nobody can tell them apart.

mod common;

use common::Server;
use common::http::{Reply, Request};
use serde_json::{Value, json};

const A: &str = "/v1/services/web/instances/a";

/// Everything that a client can see of a reply, but its times.
fn seen(reply: &Reply) -> (u16, Vec<(String, Option<&str>)>, String) {
    const TIMES: [&str; 4] = ["created_at", "changed_at", "last_heartbeat", "expires_at"];
    let names = ["srvd-revision", "content-type", "location", "content-encoding", "vary", "retry-after", "allow"];
    let headers = names.map(|name| (name.to_owned(), reply.header(name))).into();
    assert!(reply.header("date").is_some(), "{reply}");
    let text = match serde_json::from_str(&reply.text()) {
        Ok(Value::Object(mut members)) => {
            let times = members.iter_mut().filter(|(name, _)| TIMES.contains(&name.as_str()));
            times.for_each(|(_, time)| *time = Value::Null);
            Value::Object(members).to_string()
        }
        _ => reply.text(),
    };
    (reply.status, headers, text)
}

/// Requests one after the other, each with the status that it gets. Their paths end with `mark`.
fn requests(mark: &str) -> Vec<(Request, u16)> {
    let request = |method, path: &str| Request::new(method, &format!("{path}{mark}"));
    let put = |path, body: &Value| request("PUT", path).json(body);
    let json = |request: Request| request.header("Content-Type", "application/json");
    let usual = json!({ "address": "10.0.0.7", "port": 80 });
    let complete = json!({
        "service": "web", "id": "a", "addresses": ["10.0.0.8", "fd00::8"], "port": 80, "ports": {"http": 80},
        "tags": ["v2", "v\"3"], "metadata": {"team": "shop"}, "ttl": "1m", "weight": 7, "checks": [{"kind": "tcp"}],
    });
    let read = json!({ "address": "10.0.0.7", "port": 80, "status": "lapsed", "revision": 1 });
    vec![
        (put(A, &usual), 201),
        (put(A, &usual), 200),
        (put("/v1/services/WEB/instances/A", &usual), 200),
        (put("/v1/services/w%65b/instances/a", &usual), 200),
        (put(A, &usual).header("If-None-Match", "*"), 412),
        (put(A, &usual).header("If-Match", "*"), 200),
        (put(A, &usual).header("If-Match", "\"1\""), 412),
        (put(A, &usual).header("Accept-Encoding", "identity"), 200),
        (put(A, &usual).header("Origin", "http://evil.example"), 403),
        (put(A, &usual).chunked(), 200),
        (put(A, &complete), 200),
        (put(A, &read), 200),
        (put(A, &json!({ "service": "web", "id": "b", "address": "10.0.0.7", "port": 80 })), 422),
        (put(A, &json!({ "host": "10.0.0.7", "port": 80 })), 422),
        (put(A, &json!({ "address": "10.0.0.7", "port": 0 })), 422),
        (put(A, &json!({ "address": "10.0.0.7", "port": 80, "tags": ["a"] })), 409),
        (put(A, &json!([])), 422),
        (json(request("PUT", A)).body("{"), 400),
        (json(request("PUT", A)), 422),
        (request("PUT", A).header("Content-Type", "text/plain").body("{}"), 415),
        (put("/v1/services/-/instances/a", &usual), 422),
        (put("/v1/services/web/instances/a/", &usual), 404),
        (request("DELETE", "/v1/services/web/instances/b"), 404),
        (request("DELETE", A).header("Origin", "http://evil.example"), 403),
        (request("DELETE", A).header("If-Match", "\"1\""), 412),
        (request("DELETE", A).header("Accept-Encoding", "gzip"), 204),
        (request("DELETE", A).header("If-Match", "*"), 404),
        (put(A, &usual).header("If-Match", "*"), 412),
        (put(A, &usual), 201),
        (request("DELETE", A), 204),
        (request("DELETE", A), 404),
    ]
}

#[test]
fn both_ways_answer_and_count_alike() {
    let [short, complete] = [Server::start(), Server::start()];
    for ((request, status), (marked, _)) in requests("").into_iter().zip(requests("?")) {
        let replies = [short.api.send(request), complete.api.send(marked)];
        assert_eq!(replies[0].status, status, "{}", replies[0]);
        assert_eq!(seen(&replies[0]), seen(&replies[1]), "{}", replies[0]);
    }
    let counts = [&short, &complete].map(counts);
    assert!(counts[0].iter().any(|line| line.contains(r#"method="PUT",status="201""#)), "{counts:?}");
    assert_eq!(counts[0], counts[1]);
}

/// The samples that count requests about an instance.
fn counts(server: &Server) -> Vec<String> {
    let text = server.api.get("/metrics").text();
    let of_instances = "srvd_http_requests_total{route=\"/v1/services/{service}/instances/{id}\"";
    text.lines().filter(|line| line.starts_with(of_instances)).map(str::to_owned).collect()
}
