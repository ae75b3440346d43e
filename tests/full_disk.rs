//! A disk that is full, and has room again: writes are refused with the reason, everything else goes on.
//!
//! The disk is a limit on how long a file may be (`RLIMIT_FSIZE`), which is set on the running server.

mod common;

use std::process::Command;

use common::process::tool;
use common::{Server, Setup, eventually};
use serde_json::json;

/// A server that is told of the limit, where others are ended by it.
fn setup() -> Setup {
    Setup::new().through(&["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"])
}

/// How long a file of the server may be from now on.
#[track_caller]
fn limit(server: &Server, octets: &str) {
    let mut command = Command::new(tool("prlimit", "util-linux"));
    let set =
        command.args(["--pid", &server.process.id().to_string(), &format!("--fsize={octets}:unlimited")]).status();
    assert!(set.is_ok_and(|status| status.success()), "prlimit cannot limit the server");
}

fn instance(weight: u32) -> serde_json::Value {
    json!({"address": "10.0.0.7", "port": 80, "ttl": "none", "weight": weight})
}

#[test]
fn a_full_disk_stops_writes_alone_and_heals() {
    let server = setup().start();
    server.register("web", "a", instance(1));
    server.register("web", "b", json!({"address": "10.0.0.8", "port": 80, "ttl": "1s"}));
    let log = std::fs::read(server.data().join("log-0.srvd")).expect("the log");
    // Zeros are written ahead, so this is where it ends. Part of a batch fits.
    let length = log.iter().rposition(|octet| *octet != 0).expect("something in it") + 1;
    for room in [0, 10, 20] {
        limit(&server, &(length + room).to_string());
        for (method, body) in [("PUT", Some(instance(2))), ("DELETE", None)] {
            let path = "/v1/services/web/instances/a";
            let reply = match body {
                Some(body) => server.api.put(path, body),
                None => server.api.delete(path),
            };
            let reply = reply.expect(503);
            assert!(reply.header("Retry-After").is_some(), "{method}: {reply}");
            assert!(reply.text().contains("log-0.srvd"), "{method} names the file: {reply}");
            assert!(reply.text().contains("File too large"), "{method} says why: {reply}");
        }
    }
    assert_eq!(server.instance("web", "a")["weight"], 1, "nothing has changed");
    server.dig("a.web.svc.local A").answers("A", &["10.0.0.7"]);
    eventually("a lease lapses all the same", || match server.instance("web", "b")["status"].as_str() {
        Some("lapsed") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    server.dig("web.svc.local A").answers("A", &["10.0.0.7"]);
    limit(&server, "unlimited");
    server.api.put("/v1/services/web/instances/a", instance(3)).expect(200);
    server.register("web", "c", instance(4));
    let length = std::fs::metadata(server.data().join("log-0.srvd")).expect("the log").len();
    assert!(length < 100_000, "a disk that lacked room is asked for no more than is needed");
    let mut server = server;
    server.kill9();
    let server = server.setup().start();
    assert_eq!(server.instance("web", "a")["weight"], 3);
    assert_eq!(server.instance("web", "c")["weight"], 4);
}

#[test]
fn a_second_server_on_one_directory_says_so_and_ends() {
    let server = Server::start();
    server.register("web", "a", instance(1));
    server.setup().start_refused().names(&[&common::server::shown(&server.data()), "in use by another process"]);
    assert_eq!(server.instance("web", "a")["weight"], 1);
}

#[test]
fn a_damaged_log_is_refused_and_named() {
    let mut server = Server::start();
    server.register("web", "a", instance(1));
    server.register("web", "b", instance(1));
    server.sigterm();
    let log = server.data().join("log-0.srvd");
    let mut octets = std::fs::read(&log).expect("the log");
    octets[100] ^= 1;
    std::fs::write(&log, &octets).expect("it can be written");
    server.setup().start_refused().names(&[&common::server::shown(&log), "damaged", "octet", "srvd restore"]);
    assert_eq!(std::fs::read(&log).expect("the log"), octets, "it is left as it is");
}
