//! Bare heartbeats, which have a short way of their own: it answers as the complete way does, and is counted like it.
//!
//! A `?` without parameters changes nothing about a request, and takes it the complete way.

mod common;

use common::http::{Reply, Request};
use common::{Server, Setup, eventually};
use serde_json::json;

const A: &str = "/v1/services/web/instances/a/heartbeat";

/// A server with an instance `web/a`.
fn server() -> Server {
    let server = Server::start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 80 }));
    server
}

/// Everything that a client can see of a reply, but its time.
fn seen(reply: &Reply) -> (u16, Vec<(String, Option<&str>)>, String) {
    let names = ["srvd-revision", "content-type", "content-length", "content-encoding", "vary", "retry-after", "allow"];
    let headers = names.map(|name| (name.to_owned(), reply.header(name))).into();
    assert!(reply.header("date").is_some(), "{reply}");
    (reply.status, headers, reply.text())
}

#[test]
fn both_ways_answer_alike() {
    let server = server();
    let own = format!("http://{}", server.api.authority());
    let no_headers: &[(&str, &str)] = &[];
    let rows = [
        ("PUT", A, no_headers, 204),
        ("PUT", A, &[("Content-Length", "0")], 204),
        ("PUT", A, &[("Content-Type", "text/plain")], 204),
        ("PUT", A, &[("Accept-Encoding", "gzip, br")], 204),
        ("PUT", A, &[("Accept-Encoding", "gzip;q=1.0, *;q=0.5")], 204),
        ("PUT", A, &[("Accept-Encoding", "identity;q=0")], 406),
        ("PUT", A, &[("Origin", &own)], 204),
        ("PUT", A, &[("Origin", "http://evil.example")], 403),
        ("PUT", "/v1/services/WEB/instances/A/heartbeat", no_headers, 204),
        ("PUT", "/v1/services/w%65b/instances/%61/heartbeat", no_headers, 204),
        ("PUT", "/v1/services/web/instances/b/heartbeat", no_headers, 404),
        ("PUT", "/v1/services/gone/instances/a/heartbeat", no_headers, 404),
        ("PUT", "/v1/services/-/instances/a/heartbeat", no_headers, 422),
        ("PUT", "/v1/services/web/instances/%ff/heartbeat", no_headers, 422),
        ("PUT", "/v1/services//instances/a/heartbeat", no_headers, 422),
        ("PUT", "/v1/services/web/instances/a/heartbeat/", no_headers, 404),
        ("POST", A, no_headers, 405),
    ];
    for (method, path, headers, status) in rows {
        let [short, complete] = [path.to_owned(), format!("{path}?")].map(|path| {
            let request = Request::new(method, &path);
            server.api.send(headers.iter().fold(request, |request, (name, value)| request.header(name, value)))
        });
        assert_eq!(short.status, status, "{short} {headers:?}");
        assert_eq!(seen(&short), seen(&complete), "{short} {headers:?}");
    }
    let words = Request::new("PUT", A).json(&json!({ "status": "unhealthy" }));
    server.api.send(words).expect(204);
    assert_eq!(server.instance("web", "a")["status"], "unhealthy", "what has a body is read");
    server.api.send(Request::new("PUT", A).json(&json!({ "status": "healthy" })).chunked()).expect(204);
    assert_eq!(server.instance("web", "a")["status"], "healthy");
    let parameter = server.api.put_empty(&format!("{A}?status=unhealthy"));
    assert_eq!(parameter.expect(422).json()["field"], "status");
}

#[test]
fn both_ways_are_counted_alike() {
    let server = server();
    let counted = |path: &str| {
        server.api.put_empty(path).expect(204);
        let text = server.api.get("/metrics").expect(200).text();
        let value = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {text}"));
            line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).expect("a number")
        };
        let route = "/v1/services/{service}/instances/{id}/heartbeat";
        let requests = format!("srvd_http_requests_total{{route=\"{route}\",method=\"PUT\",status=\"204\"}}");
        [requests.as_str(), "srvd_heartbeats_total", "srvd_http_request_duration_seconds_count"].map(value)
    };
    let first = counted(A);
    assert_eq!(first[..2], [1, 1]);
    // The scrape before it was a request too.
    assert_eq!(counted(&format!("{A}?")), [2, 2, first[2] + 2]);
    assert_eq!(counted(A), [3, 3, first[2] + 4]);
}

#[test]
fn a_bare_heartbeat_renews_and_revives() {
    let server = Setup::new().set("leases.reap_after", "10m").start();
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 80, "ttl": "1s" }));
    eventually("its lease runs out", || match server.instance("web", "a")["status"].as_str() {
        Some("lapsed") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let before = server.revision();
    let revived = server.api.put_empty(A).expect(204);
    assert!(revived.revision() > before, "bringing it back is a change");
    assert_eq!(server.instance("web", "a")["status"], "healthy");
}
