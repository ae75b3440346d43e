//! nginx as a consumer: a variable in `proxy_pass`, so that the name is resolved while it runs.
//!
//! nginx speaks no EDNS, asks A and (unless told otherwise) AAAA, and spreads requests over all addresses it gets.

mod common;

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

use common::backend::{self, Backend};
use common::documents;
use common::http::get_over_unix;
use common::process::{Process, tool};
use common::{Server, eventually};
use serde_json::json;
use tempfile::TempDir;

/// How many requests in a row are looked at. With three backends in turn, none is left out by chance.
const REQUESTS: usize = 20;

/// A running nginx in a directory of its own, as the user who runs the tests.
struct Nginx {
    _process: Process,
    directory: TempDir,
}

impl Nginx {
    fn start(resolver: SocketAddr, options: &str, backend_port: u16) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let text = configuration(&directory, resolver, options, backend_port);
        fs::write(directory.path().join("nginx.conf"), &text).expect("a configuration can be written");
        let mut command = Command::new(tool("nginx", "nginx-light"));
        // `-e` keeps it away from the log directory that is compiled in.
        command.arg("-p").arg(directory.path()).args(["-e", "stderr", "-c", "nginx.conf"]);
        let mut process = Process::start(&mut command);
        process.note(text);
        Self { _process: process, directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("front.sock")
    }

    /// Who answers, and how: `200 a`, `502`.
    fn ask(&self) -> Result<String, std::io::Error> {
        let reply = get_over_unix(&self.socket(), "/")?;
        Ok(if reply.status == 200 { format!("200 {}", reply.text()) } else { reply.status.to_string() })
    }

    /// Everyone who answers one of some requests.
    fn answerers(&self) -> Result<BTreeSet<String>, std::io::Error> {
        (0..REQUESTS).map(|_| self.ask()).collect()
    }

    /// Waits until requests are answered by all of `expected` and nobody else.
    #[track_caller]
    fn eventually_reaches(&self, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|&answer| answer.to_owned()).collect();
        eventually(&format!("nginx reaches {expected:?}"), || match self.answerers() {
            Ok(seen) if seen == expected => Ok(()),
            Ok(seen) => Err(format!("{seen:?}")),
            Err(error) => Err(error.to_string()),
        });
    }
}

/// One process in the foreground, so that ending it ends all of it; every file is in the prefix directory.
/// The README's configuration, asking this resolver with these options, on a socket in this directory.
fn configuration(directory: &TempDir, resolver: SocketAddr, options: &str, backend_port: u16) -> String {
    let directory = directory.path().display();
    let readme = documents::block("README.md", "HAProxy, nginx, Prometheus and everything else", "nginx")
        .replace("127.0.0.1:5300", &resolver.to_string())
        .replace("ipv6=off", options)
        .replace("listen 127.0.0.1:8080", &format!("listen unix:{directory}/front.sock"))
        .replace("svc.local:9001", &format!("svc.local:{backend_port}"))
        .replace("proxy_pass", "proxy_next_upstream off; proxy_pass");
    format!(
        "daemon off;
master_process off;
pid nginx.pid;
error_log stderr info;
events {{ worker_connections 64; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{readme}
}}
"
    )
}

/// Backends `a`, `b` and `c` on one port of different addresses, all registered.
fn three_backends(server: &Server, net: u8) -> (Vec<Backend>, u16) {
    let names = ["a", "b", "c"];
    let backends = backend::on_one_port(net, &names);
    for (name, backend) in names.iter().zip(&backends) {
        let (address, port) = (backend.address.ip(), backend.address.port());
        server.register("web", name, json!({ "address": address, "port": port, "ttl": "none" }));
    }
    let port = backends[0].address.port();
    (backends, port)
}

fn requests_follow_health(net: u8, options: &str) {
    let server = Server::start();
    let (_backends, port) = three_backends(&server, net);
    let nginx = Nginx::start(server.dns[0], options, port);
    nginx.eventually_reaches(&["200 a", "200 b", "200 c"]);
    server.says("web", "b", "unhealthy");
    nginx.eventually_reaches(&["200 a", "200 c"]);
    server.api.delete("/v1/services/web/instances/c").expect(204);
    nginx.eventually_reaches(&["200 a"]);
    server.says("web", "b", "healthy");
    nginx.eventually_reaches(&["200 a", "200 b"]);
}

#[test]
fn requests_follow_health_with_ipv4_alone() {
    requests_follow_health(91, "ipv6=off");
}

/// The AAAA question for an IPv4 service has to be answered as NODATA: anything else would be a 502 here.
#[test]
fn requests_follow_health_with_both_families_asked() {
    requests_follow_health(92, "");
}

#[test]
fn without_healthy_instances_there_is_no_upstream() {
    let server = Server::start();
    let (_backends, port) = three_backends(&server, 93);
    let nginx = Nginx::start(server.dns[0], "ipv6=off", port);
    nginx.eventually_reaches(&["200 a", "200 b", "200 c"]);
    for id in ["a", "b", "c"] {
        server.says("web", id, "unhealthy");
    }
    nginx.eventually_reaches(&["502"]);
    server.says("web", "a", "healthy");
    nginx.eventually_reaches(&["200 a"]);
}

/// Forty addresses do not fit into the 512 octets that a client without EDNS takes.
#[test]
fn a_cut_answer_is_asked_again_by_tcp() {
    let server = Server::start();
    let names: Vec<String> = (0..40).map(|index| format!("i-{index:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let backends = backend::on_one_port(94, &names);
    for (name, backend) in names.iter().zip(&backends) {
        let (address, port) = (backend.address.ip(), backend.address.port());
        server.register("web", name, json!({ "address": address, "port": port, "ttl": "none" }));
    }
    let nginx = Nginx::start(server.dns[0], "ipv6=off", backends[0].address.port());
    let mut seen = BTreeSet::new();
    eventually("nginx reaches all 40, more than fit without TCP", || {
        seen.extend(nginx.answerers().map_err(|error| error.to_string())?);
        if seen.len() == 40 { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    assert!(seen.iter().all(|answer| answer.starts_with("200 i-")), "{seen:?}");
}
