//! `GET /metrics`: the names that are promised, and values that move with what happens.

mod common;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use common::backend::Backend;
use common::http::Request;
use common::message::{self, A, AAAA, SRV, Tcp, Udp};
use common::process::tool;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

/// Every family that users may build on, and what it is.
const FAMILIES: [(&str, &str); 42] = [
    ("srvd_dns_queries_total", "counter"),
    ("srvd_dns_query_duration_seconds", "histogram"),
    ("srvd_dns_truncated_total", "counter"),
    ("srvd_dns_rate_limited_total", "counter"),
    ("srvd_dns_ignored_total", "counter"),
    ("srvd_services", "gauge"),
    ("srvd_services_panicking", "gauge"),
    ("srvd_services_left_out", "gauge"),
    ("srvd_instances", "gauge"),
    ("srvd_service_instances", "gauge"),
    ("srvd_registrations_total", "counter"),
    ("srvd_deregistrations_total", "counter"),
    ("srvd_reaped_total", "counter"),
    ("srvd_heartbeats_total", "counter"),
    ("srvd_lapses_total", "counter"),
    ("srvd_lapses_held", "gauge"),
    ("srvd_protection_holds", "gauge"),
    ("srvd_store_up", "gauge"),
    ("srvd_store_stale_seconds", "gauge"),
    ("srvd_servers", "gauge"),
    ("srvd_standstills_total", "counter"),
    ("srvd_checks", "gauge"),
    ("srvd_checks_in_flight", "gauge"),
    ("srvd_checks_total", "counter"),
    ("srvd_check_lateness_seconds", "histogram"),
    ("srvd_publish_seconds", "histogram"),
    ("srvd_store_commit_seconds", "histogram"),
    ("srvd_store_commit_failures_total", "counter"),
    ("srvd_watchers", "gauge"),
    ("srvd_revision", "gauge"),
    ("srvd_ready", "gauge"),
    ("srvd_query_log_dropped_total", "counter"),
    ("srvd_access_log_dropped_total", "counter"),
    ("srvd_http_requests_total", "counter"),
    ("srvd_http_request_duration_seconds", "histogram"),
    ("process_cpu_seconds_total", "counter"),
    ("process_start_time_seconds", "gauge"),
    ("process_open_fds", "gauge"),
    ("process_max_fds", "gauge"),
    ("process_resident_memory_bytes", "gauge"),
    ("process_virtual_memory_bytes", "gauge"),
    ("process_threads", "gauge"),
];

const STATIC: &str = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

/// Samples by name and labels, as they are written.
struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    #[track_caller]
    fn of(server: &Server) -> Self {
        let text = server.api.get("/metrics").expect(200).text();
        let mut samples = BTreeMap::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line:?}"));
            let value = value.parse().unwrap_or_else(|_| panic!("no number: {line:?}"));
            assert_eq!(samples.insert(name.to_owned(), value), None, "{name} comes twice");
        }
        Self(samples)
    }

    /// The value of a sample; 0 where there is none.
    fn value(&self, sample: &str) -> f64 {
        self.0.get(sample).copied().unwrap_or(0.0)
    }

    /// The samples whose names begin so.
    fn count(&self, prefix: &str) -> usize {
        self.0.keys().filter(|name| name.starts_with(prefix)).count()
    }

    #[track_caller]
    fn has(&self, expected: &[(&str, f64)]) {
        for (sample, value) in expected {
            assert_eq!(self.0.get(*sample), Some(value), "{sample} in {:#?}", self.0);
        }
    }
}

fn instance() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080, "ttl": "none" })
}

fn queries(zone: &str, transport: &str, kind: &str, rcode: &str) -> String {
    format!("srvd_dns_queries_total{{zone=\"{zone}\",transport=\"{transport}\",type=\"{kind}\",rcode=\"{rcode}\"}}")
}

#[test]
fn every_promised_family_is_there_from_the_start() {
    let server = Server::start();
    let reply = server.api.get("/metrics").expect(200);
    assert_eq!(reply.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    let text = reply.text();
    for (family, kind) in FAMILIES {
        assert!(text.contains(&format!("# TYPE {family} {kind}\n")), "{family} {kind} in {text}");
        assert!(text.contains(&format!("# HELP {family} ")), "{family} in {text}");
    }
    let told = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    for family in told {
        assert!(FAMILIES.contains(&family), "{family:?} is not listed here");
    }
    server.api.get("/metrics?x=1").expect(422);
}

/// Prometheus asks for gzip, and whoever compresses a body asks it on after its end.
#[test]
fn a_compressed_scrape_ends_as_it_should() {
    let server = Server::start();
    for _ in 0..3 {
        let request = Request::new("GET", "/metrics").header("Accept-Encoding", "gzip");
        let reply = server.api.send(request).expect(200);
        assert_eq!((reply.header("Content-Encoding"), &reply.body[..2]), (Some("gzip"), &[0x1f, 0x8b][..]));
    }
    assert!(!server.process.log().contains("panicked"), "{}", server.process.log());
}

#[test]
fn prometheus_itself_reads_it() {
    // The name of a zone is the one label that people write by hand.
    let setup = Setup::new().zone("a\\\"b.test.zone", STATIC);
    let server = setup.start();
    server.register("web", "a", instance());
    Udp::to(server.dns[0]).ask("web.svc.local", A, None);
    server.api.get("/nothing").expect(404);
    let text = server.api.get("/metrics").expect(200).body;
    let mut command = Command::new(tool("promtool", "prometheus"));
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool starts");
    child.stdin.take().expect("its input").write_all(&text).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn queries_are_counted_by_zone_transport_type_and_code() {
    let setup = Setup::new().zone("a.test.zone", STATIC).set("dns.reverse_zones", "10.0.0.0/8");
    let server = setup.start();
    server.register("web", "a", instance());
    let (mut udp, mut tcp) = (Udp::to(server.dns[0]), Tcp::to(server.dns[0]));
    for (name, kind) in [
        ("web.svc.local", A),
        ("WEB.svc.local", A),
        ("web.svc.local", AAAA),
        ("_web._tcp.svc.local", SRV),
        ("no.svc.local", A),
        ("ns.a.test", A),
        ("7.0.0.10.in-addr.arpa", message::kind("PTR")),
        ("other.example", A),
        ("web.svc.local", 65_280),
    ] {
        udp.ask(name, kind, None);
        tcp.ask(name, kind, None);
    }
    let mut malformed = message::query(1, "web.svc.local", A, None);
    malformed[11] = 1;
    let mut update = message::query(1, "web.svc.local", A, None);
    update[2] |= 5 << 3;
    let mut version = message::query(1, "web.svc.local", A, Some(1232));
    let end = version.len();
    version[end - 5] = 1;
    for packet in [&malformed, &update, &version] {
        udp.exchange(packet);
        tcp.send(packet);
        tcp.receive();
    }
    let scrape = Scrape::of(&server);
    for transport in ["udp", "tcp"] {
        let of = |zone, kind, rcode| scrape.value(&queries(zone, transport, kind, rcode));
        assert_eq!(of("svc.local", "A", "NOERROR"), 2.0, "{:#?}", scrape.0);
        assert_eq!((of("svc.local", "AAAA", "NOERROR"), of("svc.local", "SRV", "NOERROR")), (1.0, 1.0));
        assert_eq!((of("svc.local", "A", "NXDOMAIN"), of("svc.local", "other", "NOERROR")), (1.0, 1.0));
        assert_eq!((of("a.test", "A", "NOERROR"), of("reverse", "PTR", "NOERROR")), (1.0, 1.0));
        assert_eq!((of("none", "A", "REFUSED"), of("none", "A", "FORMERR")), (1.0, 1.0));
        assert_eq!((of("none", "A", "NOTIMP"), of("none", "A", "BADVERS")), (1.0, 1.0));
    }
    let all: f64 =
        scrape.0.iter().filter(|(name, _)| name.starts_with("srvd_dns_queries_total{")).map(|(_, n)| n).sum();
    scrape.has(&[
        ("srvd_dns_query_duration_seconds_count", all),
        ("srvd_dns_query_duration_seconds_bucket{le=\"+Inf\"}", all),
        ("srvd_dns_truncated_total", 0.0),
        ("srvd_dns_ignored_total", 0.0),
    ]);
    assert_eq!(all, 24.0);
    assert!(scrape.value("srvd_dns_query_duration_seconds_sum") > 0.0);
}

#[test]
fn answers_that_are_cut_limited_or_not_given_are_counted() {
    let limits = Setup::new().set("dns.workers", 1).set("dns.rate_limit", 1).set("dns.rate_limit_slip", 1);
    let server = limits.set("dns.rate_limit_exempt", "127.0.2.0/24").start();
    common::population::many(&server, 100);
    let mut exempt = Udp::from_address([127, 0, 2, 1].into(), server.dns[0]);
    let name = "_web._tcp.svc.local";
    assert!(exempt.ask(name, SRV, None).truncated);
    Scrape::of(&server).has(&[("srvd_dns_truncated_total", 1.0), ("srvd_dns_rate_limited_total", 0.0)]);
    // Limited answers slip, each of them: an empty answer with TC.
    let mut client = Udp::from_address([127, 0, 3, 1].into(), server.dns[0]);
    let limited = (0..20).filter(|_| client.ask("no.svc.local", A, None).truncated).count();
    assert!(limited > 10, "{limited}");
    let mut response = message::query(1, name, SRV, None);
    response[2] |= 0x80;
    exempt.socket().send(&response).expect("loopback takes a datagram");
    exempt.socket().send(&[0; 5]).expect("loopback takes a datagram");
    // The one worker has dealt with both when it answers this.
    exempt.ask("svc.local", A, None);
    Scrape::of(&server).has(&[
        ("srvd_dns_truncated_total", 1.0 + limited as f64),
        ("srvd_dns_rate_limited_total", limited as f64),
        ("srvd_dns_ignored_total", 2.0),
        (&queries("svc.local", "udp", "A", "NXDOMAIN"), 20.0),
    ]);
}

#[test]
fn zones_keep_their_numbers_over_a_reload() {
    let setup = Setup::new().zone("a.test.zone", STATIC).zone("b.test.zone", STATIC);
    let server = setup.start();
    let mut udp = Udp::to(server.dns[0]);
    udp.ask("ns.b.test", A, None);
    std::fs::remove_file(setup.zones().join("a.test.zone")).expect("it is there");
    server.process.signal("HUP");
    eventually("a.test is gone", || match udp.ask("ns.a.test", A, None).rcode.as_str() {
        "REFUSED" => Ok(()),
        other => Err(other.to_owned()),
    });
    udp.ask("ns.b.test", A, None);
    Scrape::of(&server).has(&[(&queries("b.test", "udp", "A", "NOERROR"), 2.0)]);
}

#[test]
fn the_registry_is_counted_as_it_changes() {
    let server = Setup::new().set("leases.reap_after", "1s").start();
    for id in ["a", "b", "c"] {
        server.register("web", id, instance());
    }
    server.register("web", "a", json!({ "address": "10.0.0.8", "port": 8080, "ttl": "none" }));
    server.register("db", "short", json!({ "address": "10.0.0.9", "port": 80, "ttl": "1s" }));
    server.says("web", "b", "unhealthy");
    server.api.put_empty("/v1/services/web/instances/c/drain").expect(200);
    let named =
        json!([{ "service": "web", "id": "a" }, { "service": "web", "id": "b" }, { "service": "web", "id": "x" }]);
    server.api.post("/v1/heartbeats", json!({ "heartbeats": named })).expect(200);
    let scrape = Scrape::of(&server);
    scrape.has(&[
        ("srvd_registrations_total", 4.0),
        ("srvd_deregistrations_total", 0.0),
        ("srvd_heartbeats_total", 3.0),
        ("srvd_instances{status=\"unhealthy\"}", 1.0),
        ("srvd_instances{status=\"draining\"}", 1.0),
        ("srvd_service_instances{service=\"web\",status=\"healthy\"}", 1.0),
        ("srvd_service_instances{service=\"web\",status=\"draining\"}", 1.0),
        ("srvd_service_instances{service=\"web\",status=\"lapsed\"}", 0.0),
        ("srvd_ready", 1.0),
        ("srvd_revision", server.revision() as f64),
    ]);
    // Some were written together, or with what had been noticed.
    assert!(scrape.value("srvd_store_commit_seconds_count") >= 5.0, "{:#?}", scrape.0);
    assert!(scrape.value("srvd_publish_seconds_count") >= 6.0 && scrape.value("srvd_publish_seconds_sum") > 0.0);
    eventually("the short lease lapses and is reaped", || {
        let scrape = Scrape::of(&server);
        let seen = ["srvd_lapses_total", "srvd_reaped_total", "srvd_services"].map(|name| scrape.value(name));
        if seen == [1.0, 1.0, 1.0] { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    for id in ["a", "b", "c"] {
        server.api.delete(&format!("/v1/services/web/instances/{id}")).expect(204);
    }
    let scrape = Scrape::of(&server);
    scrape.has(&[("srvd_deregistrations_total", 3.0), ("srvd_services", 0.0)]);
    for status in ["healthy", "starting", "unhealthy", "lapsed", "draining", "maintenance"] {
        scrape.has(&[(&format!("srvd_instances{{status=\"{status}\"}}"), 0.0)]);
    }
    assert_eq!(scrape.count("srvd_service_instances{"), 0);
}

#[test]
fn checks_are_counted_by_kind_and_result() {
    let server = Server::start();
    let target = Backend::start("target");
    let checks = json!([{ "kind": "http", "path": "/", "interval": "24h" }, { "kind": "tcp", "interval": "24h" }]);
    let (ip, port) = (target.address.ip(), target.address.port());
    server.register("web", "a", json!({ "address": ip, "port": port, "ttl": "none", "checks": checks }));
    eventually("both have run", || {
        let scrape = Scrape::of(&server);
        let ran = ["http", "tcp"]
            .map(|kind| scrape.value(&format!("srvd_checks_total{{kind=\"{kind}\",result=\"passing\"}}")));
        if ran == [1.0, 1.0] { Ok(()) } else { Err(format!("{ran:?}")) }
    });
    target.reply(500);
    server.api.send(Request::new("POST", "/v1/services/web/instances/a/check")).expect(200);
    Scrape::of(&server).has(&[
        ("srvd_checks_total{kind=\"http\",result=\"passing\"}", 1.0),
        ("srvd_checks_total{kind=\"http\",result=\"failing\"}", 1.0),
        ("srvd_checks_total{kind=\"tcp\",result=\"passing\"}", 2.0),
        ("srvd_checks_total{kind=\"grpc\",result=\"hindered\"}", 0.0),
        ("srvd_check_lateness_seconds_count", 4.0),
        ("srvd_checks", 2.0),
    ]);
}

#[test]
fn requests_are_counted_by_route_method_and_status() {
    let server = Server::start();
    let path = "/v1/services/web/instances/a";
    server.api.put(path, instance()).expect(201);
    server.api.put(path, instance()).expect(200);
    server.api.put("/v1/services/web/instances/b", json!({})).expect(422);
    server.api.get(path).expect(200);
    server.api.get("/v1/services/web/instances/none").expect(404);
    server.api.delete("/v1/services").expect(405);
    for name in ["x", "y"] {
        server.api.get(&format!("/nothing/{name}")).expect(404);
    }
    server.api.send(Request::new("MADEUP", path)).expect(405);
    server.api.send(Request::new("PUT", path).header("Origin", "http://evil.example").json(&instance())).expect(403);
    let requests = |route: &str, method: &str, status: u16| {
        format!("srvd_http_requests_total{{route=\"{route}\",method=\"{method}\",status=\"{status}\"}}")
    };
    let scrape = Scrape::of(&server);
    let route = "/v1/services/{service}/instances/{id}";
    scrape.has(&[
        (&requests(route, "PUT", 201), 1.0),
        (&requests(route, "PUT", 200), 1.0),
        (&requests(route, "PUT", 422), 1.0),
        (&requests(route, "PUT", 403), 1.0),
        (&requests(route, "GET", 200), 1.0),
        (&requests(route, "GET", 404), 1.0),
        (&requests(route, "other", 405), 1.0),
        (&requests("/v1/services", "DELETE", 405), 1.0),
        (&requests("none", "GET", 404), 2.0),
        ("srvd_http_request_duration_seconds_count", 10.0),
    ]);
    assert_eq!(scrape.count("srvd_http_requests_total{"), 9, "a scrape is not in itself");
    Scrape::of(&server).has(&[(&requests("/metrics", "GET", 200), 1.0)]);
}

#[test]
fn however_many_services_there_are_the_text_is_bounded() {
    let server = Server::start();
    let one = |number: usize| {
        let (service, address) = (format!("s{number:04}"), format!("10.9.{}.{}", number / 250, number % 250 + 1));
        json!({ "register": { "service": service, "id": "a", "port": 80, "ttl": "none", "address": address } })
    };
    let operations: Vec<Value> = (0..1_003).rev().map(one).collect();
    server.api.post("/v1/batch", json!({ "operations": operations })).expect(200);
    let scrape = Scrape::of(&server);
    scrape.has(&[
        ("srvd_services", 1_003.0),
        ("srvd_services_left_out", 3.0),
        ("srvd_instances{status=\"healthy\"}", 1_003.0),
        ("srvd_service_instances{service=\"s0000\",status=\"healthy\"}", 1.0),
        ("srvd_service_instances{service=\"s0999\",status=\"healthy\"}", 1.0),
    ]);
    assert_eq!(scrape.count("srvd_service_instances{"), 6_000);
    // What nobody configured makes no label.
    let mut udp = Udp::to(server.dns[0]);
    for number in 0..50 {
        udp.ask(&format!("x{number}.example"), 1_000 + number, None);
    }
    let scrape = Scrape::of(&server);
    assert_eq!(scrape.count("srvd_dns_queries_total{"), 1);
    scrape.has(&[(&queries("none", "udp", "other", "REFUSED"), 50.0)]);
}

#[test]
fn watchers_are_counted_while_they_watch() {
    let server = Server::start();
    let watching = |count: f64| {
        eventually(&format!("{count} watch"), || match Scrape::of(&server).value("srvd_watchers") {
            found if found == count => Ok(()),
            found => Err(found.to_string()),
        });
    };
    let stream = common::events::Events::open(server.http[0], "/v1/watch", "");
    watching(1.0);
    drop(stream);
    watching(0.0);
}
