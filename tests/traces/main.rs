//! Traces, as a collector that reads them by OpenTelemetry's own messages gets them. For an srvd with the feature `otlp`;
//! without it there is nothing here, and `tests/run` has both.
#![cfg(feature = "otlp")]

#[path = "../common/mod.rs"]
mod common;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::Command;

use common::etcd::{Member, sharing};
use common::http::Request;
use common::process::Process;
use common::{Setup, documents, eventually};
use serde_json::{Value, json};

/// A caller's trace (W3C Trace Context §3.2.2), and its span that called.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

/// A collector on a port; 0 is any.
struct Collector {
    process: Process,
    port: u16,
    /// Spans by their names, in the order in which they came.
    spans: HashMap<String, Vec<Value>>,
}

impl Collector {
    #[track_caller]
    fn on(port: u16) -> Self {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        let python = target.join("opentelemetry/bin/python");
        assert!(python.is_file(), "{} is not there; `tests/run` installs it", python.display());
        let mut command = Command::new(python);
        let process = Process::start(command.arg(root().join("tests/traces/collector.py")).arg(port.to_string()));
        let port = process.stdout_line().and_then(|line| line.parse().ok());
        let port = port.unwrap_or_else(|| panic!("no port\n{}", process.report()));
        Self { process, port, spans: HashMap::new() }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The first span of this name that is `wanted`, once it has come. Those before it are kept.
    #[track_caller]
    fn span(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            if let Some(span) = self.spans.get(name).and_then(|spans| spans.iter().find(|span| wanted(span))) {
                return span.clone();
            }
            let line = self.process.stdout_line();
            let line = line.unwrap_or_else(|| panic!("no such span {name}, only {:#?}", self.spans));
            let span: Value = serde_json::from_str(&line).expect("the collector prints JSON");
            self.spans.entry(span["name"].as_str().expect("a name").to_owned()).or_default().push(span);
        }
    }
}

/// A registration that is part of a caller's trace, which is sampled or not.
fn registration(id: &str, sampled: bool) -> Request {
    let flags = if sampled { "01" } else { "00" };
    Request::new("PUT", &format!("/v1/services/web/instances/{id}"))
        .header("traceparent", &format!("00-{TRACE}-{CALLER}-{flags}"))
        .json(&json!({ "address": "127.0.0.1", "port": 9, "ttl": "none" }))
}

fn is_of_caller(span: &Value) -> bool {
    span["trace"] == TRACE
}

#[test]
fn a_call_is_part_of_its_callers_trace_down_to_the_disk() {
    let mut collector = Collector::on(0);
    // As the documents have it: a tenth of what begins here, and whatever callers trace.
    let config = documents::block("docs/operations.md", "Traces", "toml");
    let config = config.replace("http://127.0.0.1:4318", &collector.url());
    let server = Setup::new().config(&config).set("traces.service_name", "registry-a").start();
    server.api.send(registration("a", true)).expect(201);
    let call = collector.span("PUT /v1/services/{service}/instances/{id}", is_of_caller);
    assert_eq!((&call["parent"], &call["kind"]), (&json!(CALLER), &json!("SPAN_KIND_SERVER")));
    assert_eq!(call["status"], "STATUS_CODE_UNSET");
    for (attribute, value) in [
        ("http.request.method", json!("PUT")),
        ("http.route", json!("/v1/services/{service}/instances/{id}")),
        ("http.response.status_code", json!(201)),
        ("url.path", json!("/v1/services/web/instances/a")),
        ("client.address", json!("127.0.0.1")),
    ] {
        assert_eq!(call["attributes"][attribute], value, "{attribute}: {call}");
    }
    assert_eq!(call["resource"]["service.name"], "registry-a");
    assert_eq!(call["resource"]["service.version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(call["scope"], "srvd");
    let round = collector.span("engine round", is_of_caller);
    assert_eq!((&round["parent"], &round["attributes"]["requests"]), (&call["id"], &json!(1)));
    assert_eq!(round["attributes"]["revision"], server.revision());
    let commit = collector.span("store commit", is_of_caller);
    assert_eq!((&commit["parent"], &commit["attributes"]["records"]), (&round["id"], &json!(1)));
    let published = collector.span("publish", is_of_caller);
    assert_eq!(published["parent"], round["id"]);
    let took = |span: &Value| span["took_ns"].as_u64().expect("a time");
    assert!(took(&call) >= took(&round) && took(&round) >= took(&commit) && took(&commit) > 0);
}

#[test]
fn a_call_leads_to_the_shared_store() {
    let (etcd, mut collector) = (Member::start(), Collector::on(0));
    let server = sharing(&etcd.url()).set("traces.endpoint", collector.url()).start();
    server.api.send(registration("a", true)).expect(201);
    let call = collector.span("PUT /v1/services/{service}/instances/{id}", is_of_caller);
    let commit = collector.span("store commit", is_of_caller);
    assert_eq!(commit["parent"], call["id"]);
}

#[test]
fn checks_heartbeats_and_queries_have_traces_of_their_own() {
    let mut collector = Collector::on(0);
    let server = Setup::new().set("traces.endpoint", collector.url()).start();
    let checked = json!({ "address": "127.0.0.1", "port": 9, "ttl": "10m",
                          "checks": [{"kind": "tcp", "interval": "24h", "fall": 1}] });
    server.register("web", "a", checked);
    let check = collector.span("check", |_| true);
    assert_eq!((&check["parent"], &check["kind"]), (&json!(""), &json!("SPAN_KIND_CLIENT")));
    assert_eq!((&check["status"], &check["message"]), (&json!("STATUS_CODE_ERROR"), &json!("connection refused")));
    let attributes = &check["attributes"];
    for (attribute, value) in [
        ("srvd.service", json!("web")),
        ("srvd.instance", json!("a")),
        ("srvd.check.kind", json!("tcp")),
        ("srvd.check.passes", json!(false)),
    ] {
        assert_eq!(attributes[attribute], value, "{attribute}: {check}");
    }
    server.api.put_empty("/v1/services/web/instances/a/heartbeat").expect(204);
    let heartbeat = |span: &Value| span["attributes"]["http.response.status_code"] == 204;
    collector.span("PUT /v1/services/{service}/instances/{id}/heartbeat", heartbeat);
    server.dig("+tcp version.bind CH TXT").is_refused();
    let query = collector.span("query", |_| true);
    assert_eq!(query["kind"], "SPAN_KIND_SERVER");
    for (attribute, value) in [
        ("dns.question.name", json!("version.bind.")),
        ("dns.question.type", json!("TXT")),
        ("dns.response_code", json!("REFUSED")),
        ("dns.truncated", json!(false)),
        ("network.transport", json!("tcp")),
        ("client.address", json!("127.0.0.1")),
    ] {
        assert_eq!(query["attributes"][attribute], value, "{attribute}: {query}");
    }
    // Logs leave spans out.
    assert!(!server.process.log().contains("otel"), "{}", server.process.log());
}

#[test]
fn what_several_calls_caused_is_linked_to_each_of_them() {
    let mut collector = Collector::on(0);
    // The path of traces may be written out.
    let server = Setup::new().set("traces.endpoint", format!("{}/v1/traces", collector.url())).start();
    let shared = |round: &Value| round["attributes"]["requests"].as_u64() > Some(1);
    eventually("changes that come together are one round", || {
        std::thread::scope(|scope| {
            for at in 0..16 {
                let api = &server.api;
                scope.spawn(move || api.send(registration(&format!("i{at}"), true)));
            }
        });
        let reply = server.api.send(Request::new("DELETE", "/v1/services/web/instances/i0")).expect(204);
        let last = collector.span("engine round", |round| round["attributes"]["revision"] == reply.revision());
        let rounds = &collector.spans["engine round"];
        rounds.iter().any(shared).then_some(()).ok_or(last)
    });
    let round = collector.span("engine round", shared);
    assert_eq!(round["parent"], "");
    let links = round["links"].as_array().expect("links");
    assert_eq!(Some(links.len() as u64), round["attributes"]["requests"].as_u64());
    for link in links {
        collector.span("PUT /v1/services/{service}/instances/{id}", |call| call["id"] == *link);
    }
}

#[test]
fn callers_decide_for_their_own_traces() {
    let mut collector = Collector::on(0);
    let server = Setup::new().set("traces.endpoint", collector.url()).set("traces.sample_ratio", 0).start();
    server.register("web", "a", json!({ "address": "127.0.0.1", "port": 9, "ttl": "none" }));
    server.api.send(registration("b", false)).expect(201);
    server.api.send(registration("c", true)).expect(201);
    let call = collector.span("PUT /v1/services/{service}/instances/{id}", |_| true);
    assert_eq!((&call["attributes"]["url.path"], is_of_caller(&call)), (&json!("/v1/services/web/instances/c"), true));
    for spans in collector.spans.values() {
        assert!(spans.iter().all(is_of_caller), "{spans:#?}");
    }
}

#[test]
fn a_collector_that_is_away_harms_nobody() {
    let mut collector = Collector::on(0);
    let mut server = Setup::new().set("traces.endpoint", collector.url()).start();
    collector.process.kill9();
    server.api.send(registration("a", true)).expect(201);
    let told = "traces are not taken by the collector; they are dropped until it takes them";
    eventually("it is told", || match server.process.log() {
        log if log.contains(told) && log.contains("connection refused") => Ok(()),
        log => Err(log),
    });
    server.dig("web.svc.local A").answers("A", &["127.0.0.1"]);
    let mut again = Collector::on(collector.port);
    // What is sent to it by now is from after it was away.
    eventually("it is told", || {
        server.api.send(registration("b", true));
        let log = server.process.log();
        if log.contains("traces are sent again") { Ok(()) } else { Err(log) }
    });
    again.span("PUT /v1/services/{service}/instances/{id}", is_of_caller);
    again.process.kill9();
    server.api.send(registration("c", true)).expect(201);
    assert!(server.sigterm().success());
}
