//! Several servers over one real etcd: they have one registry, share its duties, and outlive etcd and each other.

mod common;

use std::collections::BTreeSet;
use std::thread;

use common::backend::Backend;
use common::documents;
use common::etcd::{Member, Wire, free_port, sharing};
use common::http::Client;
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

const A: &str = "/v1/services/web/instances/a";

fn body(port: u16, ttl: &str) -> Value {
    json!({ "address": "10.0.0.1", "port": port, "ttl": ttl })
}

fn servers(etcd: &Member) -> [Server; 3] {
    let launched = [(); 3].map(|()| {
        let setup = sharing(&etcd.url());
        (setup.launch(), setup)
    });
    launched.map(|(process, setup)| setup.ready(process))
}

/// Waits until every server shows `web/a` alike, and as `expected` says.
#[track_caller]
fn until_all(servers: &[Server], what: &str, expected: impl Fn(&Value) -> bool) {
    eventually(what, || {
        let shown: Vec<Value> = servers.iter().map(|server| seen(&server.api)).collect();
        let alike = shown.iter().all(|seen| *seen == shown[0]);
        if alike && expected(&shown[0]) { Ok(()) } else { Err(format!("{shown:#?}")) }
    });
}

/// What a server shows of `web/a`, without what each knows for itself.
fn seen(api: &Client) -> Value {
    let mut seen = api.get(A).json();
    if let Some(members) = seen.as_object_mut() {
        for own in ["expires_at", "last_heartbeat", "safe_at"] {
            members.remove(own);
        }
    }
    seen
}

fn status(server: &Server) -> Value {
    server.api.get("/v1/status").expect(200).json()
}

fn is_kept_by(server: &Server) -> bool {
    server.instance("web", "a")["expires_at"].is_string()
}

#[test]
fn what_one_server_is_told_all_servers_say() {
    let etcd = Member::start();
    let servers = servers(&etcd);
    let [first, second, third] = &servers;
    let registered = first.register("web", "a", body(80, "none"));
    assert_eq!(registered.json()["revision"], registered.revision(), "the revision is etcd's");
    first.dig("web.svc.local SRV").answers("SRV", &["0 1 80 a.web.svc.local."]);
    until_all(&servers, "all have the instance", |seen| *seen == seen_as(&registered.json()));
    for server in &servers {
        server.dig("web.svc.local SRV").answers("SRV", &["0 1 80 a.web.svc.local."]);
        assert_eq!(u64::from(server.serial()), registered.revision());
    }
    second.api.put(&format!("{A}/maintenance"), json!({ "reason": "new disk" })).expect(200);
    until_all(&servers, "the mark holds", |seen| seen["status"] == "maintenance");
    third.dig("web.svc.local SRV").is_nodata();
    third.api.delete(&format!("{A}/maintenance")).expect(200);
    third.api.put_empty(&format!("{A}/drain")).expect(200);
    until_all(&servers, "the drain holds", |seen| seen["status"] == "draining");
    first.api.delete(&format!("{A}/drain")).expect(200);
    first.says("web", "a", "unhealthy");
    until_all(&servers, "its word holds", |seen| seen["status"] == "unhealthy");
    second.api.put("/v1/services/web", json!({ "record_ttl": 77 })).expect(200);
    let subscription = json!({ "service": "web", "callback": "http://192.0.2.1/changed" });
    second.api.put("/v1/subscriptions/s", subscription).expect(200);
    eventually("settings and subscriptions are everywhere", || {
        let ttl = first.api.get("/v1/services/web").json()["settings"]["record_ttl"].clone();
        let subscribed = third.api.get("/v1/subscriptions/s").status;
        if ttl == 77 && subscribed == 200 { Ok(()) } else { Err(format!("{ttl} {subscribed}")) }
    });
    third.api.delete(A).expect(204);
    eventually("it is gone", || {
        let left: Vec<u16> = servers.iter().map(|server| server.api.get(A).status).collect();
        if left == [404; 3] { Ok(()) } else { Err(format!("{left:?}")) }
    });
    let keys = etcd.keys("/srvd/v1");
    let (announced, kept): (Vec<_>, Vec<_>) = keys.iter().partition(|key| key.contains("/servers/"));
    assert_eq!((announced.len(), kept.len()), (3, 2), "{keys:?}");
    assert!(kept.iter().any(|key| *key == "/srvd/v1/settings/web"), "{keys:?}");
    assert!(kept.iter().any(|key| *key == "/srvd/v1/subscriptions/s"), "{keys:?}");
    // A server that comes later finds the same, at the same revision.
    let late = sharing(&etcd.url()).start();
    eventually("the last one has come to the same revision", || {
        let revisions: BTreeSet<u64> = servers.iter().chain([&late]).map(Server::revision).collect();
        if revisions.len() == 1 { Ok(()) } else { Err(format!("{revisions:?}")) }
    });
}

fn seen_as(reply: &Value) -> Value {
    let mut seen = reply.clone();
    for own in ["expires_at", "last_heartbeat", "safe_at"] {
        seen.as_object_mut().expect("an object").remove(own);
    }
    seen
}

#[test]
fn etcd_decides_who_was_first() {
    let etcd = Member::start();
    let servers = servers(&etcd);
    for round in 0..10 {
        let id = |at: usize| if at == 0 { "x" } else { "v2" };
        // The same id at once: all are right, and the last in etcd's order stands everywhere.
        let wrote = at_once(&servers, |at, api| api.put(A, body(1_000 + at as u16 + 3 * round, "none")).status);
        assert!(wrote.iter().all(|status| matches!(status, 200 | 201)), "{wrote:?}");
        until_all(&servers, "all agree", |seen| seen["port"].as_u64() >= Some(1_000 + 3 * u64::from(round)));
        // Only one can be the first of a name.
        let path = format!("/v1/services/web/instances/new-{round}");
        let mut made = at_once(&servers, |_, api| {
            let request = common::http::Request::new("PUT", &path).header("If-None-Match", "*");
            api.send(request.json(&body(80, "none"))).status
        });
        made.sort_unstable();
        assert_eq!(made, [201, 412, 412]);
        // An id and a tag that are equal, at two servers: one of them is refused.
        let clash = at_once(&servers[..2], |at, api| {
            let tags = if at == 0 { json!(["v2"]) } else { json!([]) };
            let instance = json!({ "address": "10.0.0.2", "port": 80, "ttl": "none", "tags": tags });
            api.put(&format!("/v1/services/tags-{round}/instances/{}", id(at)), instance).status
        });
        assert_eq!(clash.iter().filter(|status| **status == 201).count(), 1, "{clash:?}");
        assert!(clash.contains(&409), "{clash:?}");
    }
}

/// What each server answers to the same thing at the same time.
fn at_once(servers: &[Server], ask: impl Fn(usize, Client) -> u16 + Sync) -> Vec<u16> {
    let ask = &ask;
    thread::scope(|scope| {
        let asked: Vec<_> = servers
            .iter()
            .map(|server| server.api)
            .enumerate()
            .map(|(at, api)| scope.spawn(move || ask(at, api)))
            .collect();
        asked.into_iter().map(|asked| asked.join().expect("an answer")).collect()
    })
}

#[test]
fn leases_go_where_the_heartbeats_go() {
    let etcd = Member::start();
    let [mut first, second, third] = servers(&etcd);
    first.register("web", "a", body(80, "3s"));
    first.register("web", "b", body(81, "3s"));
    let beat = |server: &Server| server.api.put_empty(&format!("{A}/heartbeat")).expect(204);
    for server in [&second, &third] {
        eventually("the other servers know both", || match server.api.get("/v1/services/web/instances/b").status {
            200 => Ok(()),
            status => Err(status),
        });
    }
    assert!(is_kept_by(&first) && !is_kept_by(&second));
    let before = second.revision();
    beat(&second);
    assert!(is_kept_by(&second));
    eventually("the first one has let it go", || if is_kept_by(&first) { Err("kept") } else { Ok(()) });
    let moved = second.revision();
    assert!(moved > before, "the lease moved, which etcd knows");
    (0..200).for_each(|_| drop(beat(&second)));
    let (revision, instance) = (second.revision(), second.instance("web", "a"));
    assert_eq!(revision, moved, "heartbeats cost etcd nothing");
    assert!(instance["revision"].as_u64() < Some(moved), "and it is no other state of the instance");
    // The first server dies. What it kept lapses, unless it is heard elsewhere.
    beat(&first);
    first.kill9();
    eventually("b has lapsed and a lives", || {
        beat(&third);
        let [a, b] = ["a", "b"].map(|id| third.instance("web", id)["status"].clone());
        assert_eq!(a, "healthy", "it is heard");
        if b == "lapsed" { Ok(()) } else { Err(b) }
    });
    second.api.put_empty("/v1/services/web/instances/b/heartbeat").expect(204);
    eventually("a late heartbeat brings it back everywhere", || match third.instance("web", "b")["status"].as_str() {
        Some("healthy") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(status(&third)["store"]["servers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn checks_are_shared_out_and_taken_over() {
    let etcd = Member::start();
    let mut servers = Vec::from(servers(&etcd));
    let mut backend = Backend::start("checked");
    let (address, port) = (backend.address.ip().to_string(), backend.address.port());
    let checks = json!([{ "kind": "tcp", "interval": "200ms", "timeout": "1s", "rise": 1, "fall": 1 }]);
    let register = |id: usize| {
        let instance = json!({ "address": address, "port": port, "ttl": "none", "checks": checks });
        json!({ "register": { "service": "web", "id": format!("i{id}"), "address": instance["address"],
                              "port": port, "ttl": "none", "checks": instance["checks"] } })
    };
    let operations: Vec<Value> = (0..60).map(register).collect();
    servers[0].api.post("/v1/batch", json!({ "operations": operations })).expect(200);
    let counts = |servers: &[Server], of: &str| -> Vec<u64> {
        let count = |server: &Server| status(server)["instances"][of].as_u64().unwrap_or(0);
        servers.iter().map(count).collect()
    };
    let shares = |servers: &[Server]| -> Vec<u64> {
        servers.iter().map(|server| status(server)["checks"]["total"].as_u64().unwrap_or(0)).collect()
    };
    eventually("every instance is checked by one, and all know", || {
        let (shares, healthy) = (shares(&servers), counts(&servers, "healthy"));
        let shared = shares.iter().sum::<u64>() == 60 && shares.iter().all(|share| *share > 5);
        if shared && healthy == [60; 3] { Ok(()) } else { Err(format!("{shares:?} {healthy:?}")) }
    });
    servers[2].api.post("/v1/services/web/instances/i0/check", json!({})).expect(200);
    servers.remove(1).kill9();
    eventually("the others take over", || {
        let shares = shares(&servers);
        if shares.iter().sum::<u64>() == 60 { Ok(()) } else { Err(format!("{shares:?}")) }
    });
    backend.close();
    eventually("all verdicts are seen by all", || {
        let unhealthy = counts(&servers, "unhealthy");
        if unhealthy == [60; 2] { Ok(()) } else { Err(format!("{unhealthy:?}")) }
    });
}

#[test]
fn a_server_waits_for_etcd_at_the_start() {
    let etcd = Member::start();
    let wire = Wire::to(etcd.address());
    wire.cut();
    let (dns, http) = (free_port(), free_port());
    let setup = sharing(&wire.url()).dns(&format!("127.0.0.1:{dns}")).http(&format!("127.0.0.1:{http}"));
    let process = setup.launch();
    let api = Client::new(([127, 0, 0, 1], http).into());
    eventually("it listens", || std::net::TcpStream::connect(("127.0.0.1", http)).map(drop));
    api.get("/readyz").expect(503);
    assert!(api.get("/v1/services").expect(503).header("Retry-After").is_some());
    let answer = common::dig(([127, 0, 0, 1], dns).into(), "svc.local SOA");
    assert_eq!(answer.status, "SERVFAIL", "{answer}");
    wire.open();
    let server = setup.ready(process);
    server.register("web", "a", body(80, "none"));
}

#[test]
fn a_server_goes_on_while_etcd_is_away() {
    let etcd = Member::start();
    let wire = Wire::to(etcd.address());
    let other = sharing(&etcd.url()).start();
    let server = sharing(&wire.url()).start();
    // Its lease lasts until the server knows that etcd is away: what was sent before is carried out by an etcd that goes on.
    server.register("web", "a", body(80, "5s"));
    server.register("web", "stays", body(81, "none"));
    for stalled in [true, false] {
        server.api.put_empty(&format!("{A}/heartbeat")).expect(204);
        if stalled {
            etcd.signal("STOP")
        } else {
            wire.cut()
        }
        eventually("it says that it is stale", || {
            let detail = server.api.get("/readyz").expect(200).text();
            if detail.contains("stale") { Ok(()) } else { Err(detail) }
        });
        let stale = server.dig("web.svc.local SRV +edns");
        assert!(stale.raw.contains("EDE: 3"), "{stale}");
        assert_eq!(stale.data("SRV").len(), 2, "{stale}");
        assert!(server.dig("no.svc.local A").raw.contains("EDE: 19"));
        eventually("writes are refused", || {
            let reply = server.api.put(A, body(82, "5s"));
            assert!(reply.status == 503 && reply.header("Retry-After").is_some(), "{reply}");
            let away = status(&server)["store"]["stale_s"].as_u64();
            // Longer than its ttl, and than etcd believes that it lives.
            if away >= Some(8) { Ok(()) } else { Err(format!("{away:?}")) }
        });
        assert_eq!(status(&server)["store"]["reachable"], false);
        let metrics = server.api.get("/metrics").expect(200).text();
        assert!(metrics.contains("\nsrvd_store_up 0\n"), "{metrics}");
        assert_eq!(server.instance("web", "a")["status"], "healthy", "nothing lapses because etcd is away");
        server.api.get("/v1/services/web").expect(200);
        if stalled {
            etcd.signal("CONT");
        } else {
            // What happened meanwhile is gone from etcd's history.
            for port in 100..110 {
                other.register("web", "b", body(port, "none"));
            }
            other.api.delete("/v1/services/web/instances/stays").expect(204);
            let revision = other.revision();
            etcd.ctl(&["compact", &revision.to_string()]);
            wire.open();
        }
        eventually("it is back, and nobody was missing in between", || {
            let answer = server.dig("web.svc.local SRV +edns");
            assert!(
                answer.data("SRV").iter().any(|record| record.ends_with(" a.web.svc.local.")) || !stalled,
                "{answer}"
            );
            assert!(!answer.data("SRV").is_empty(), "{answer}");
            if answer.raw.contains("EDE: 3") { Err(answer.raw) } else { Ok(()) }
        });
    }
    assert_eq!(server.instance("web", "b")["port"], 109);
    server.api.get("/v1/services/web/instances/stays").expect(404);
}

/// As it stands, but for where etcd is.
#[test]
fn the_configuration_of_the_readme() {
    let etcd = Member::start();
    for arguments in [
        &["user", "add", "root:secret"][..],
        &["user", "grant-role", "root", "root"],
        &["role", "add", "registry"],
        &["role", "grant-permission", "--prefix=true", "registry", "readwrite", "/srvd"],
        &["user", "add", "srvd:hunter2"],
        &["user", "grant-role", "srvd", "registry"],
        &["auth", "enable"],
    ] {
        etcd.ctl(arguments);
    }
    let block = documents::block("README.md", "From one machine to three", "toml");
    let line = block.lines().find(|line| line.starts_with("endpoints = ")).expect("where etcd is");
    let config = block.replace(line, &format!("endpoints = [\"{}\"]", etcd.url()));
    let server = Setup::new().config(&config).env("ETCD_PASSWORD", "hunter2").start();
    server.register("web", "a", body(80, "none"));
    assert_eq!(status(&server)["store"]["kind"], "etcd", "{}", status(&server));
}

#[test]
fn users_and_tls() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = |name: &str| directory.path().join(name);
    let [certificate, key] = ["certificate.pem", "key.pem"].map(at);
    let made = std::process::Command::new(common::process::tool("openssl", "openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=etcd", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .expect("openssl runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let etcd = Member::with_tls(&certificate, &key);
    let ca = certificate.display().to_string();
    let ctl = |arguments: &[&str]| etcd.ctl(&[&["--cacert", &ca], arguments].concat());
    eventually("etcd is up", || std::net::TcpStream::connect(etcd.address()).map(drop));
    ctl(&["user", "add", "root:secret"]);
    ctl(&["user", "grant-role", "root", "root"]);
    ctl(&["role", "add", "registry"]);
    ctl(&["role", "grant-permission", "--prefix=true", "registry", "readwrite", "/discovery/"]);
    ctl(&["user", "add", "srvd:hunter2"]);
    ctl(&["user", "grant-role", "srvd", "registry"]);
    ctl(&["auth", "enable"]);
    let setup =
        sharing(&etcd.url()).set("store.ca_file", &ca).set("store.user", "srvd").set("store.prefix", "/discovery");
    let server = setup.set("store.password", "hunter2").start();
    server.register("web", "a", body(80, "none"));
    // Whoever changes users makes all tokens old.
    ctl(&["--user", "root:secret", "user", "add", "someone:else"]);
    server.register("web", "b", body(81, "none"));
    assert_eq!(server.dig("web.svc.local SRV").data("SRV").len(), 2);
    let log = server.process.log();
    assert!(!log.contains("hunter2"), "{log}");
}
