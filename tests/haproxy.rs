//! HAProxy as a consumer: servers from SRV records, seen through its runtime API and by traffic that goes through it.
//!
//! HAProxy takes a server's address from the additional section, asks only by UDP, and divides SRV weights by 256; so
//! it offers a large payload, and srvd scales its weights. An answer without records counts as `other` there, and its
//! last server stays for `hold other`, which is 30 s by default.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::Command;

use common::backend::{self, Backend};
use common::http::get_over_unix;
use common::process::{Process, tool};
use common::readme;
use common::{Server, Setup, eventually};
use serde_json::json;
use tempfile::TempDir;

/// A running HAProxy with one backend, `web`, filled from DNS.
struct Haproxy {
    _process: Process,
    directory: TempDir,
}

/// A server that HAProxy considers up: its address with port, and its weight.
type Up = BTreeMap<String, u32>;

impl Haproxy {
    fn start(resolver: SocketAddr) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        let text = configuration(&directory, resolver);
        fs::write(&file, &text).expect("a configuration can be written");
        let mut process = Process::start(Command::new(tool("haproxy", "haproxy")).arg("-db").arg("-f").arg(&file));
        process.note(text);
        Self { _process: process, directory }
    }

    fn socket(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// One request through the proxy.
    fn get(&self) -> io::Result<common::http::Reply> {
        get_over_unix(&self.socket("front.sock"), "/")
    }

    /// What the runtime API says to `command`.
    fn runtime(&self, command: &str) -> io::Result<String> {
        let mut socket = UnixStream::connect(self.socket("admin.sock"))?;
        writeln!(socket, "{command}")?;
        let mut reply = String::new();
        socket.read_to_string(&mut reply)?;
        Ok(reply)
    }

    fn up(&self) -> io::Result<Up> {
        Ok(servers_up(&self.runtime("show servers state web")?))
    }

    /// Waits until exactly the servers of `expected` are up, with these weights.
    #[track_caller]
    fn eventually_has(&self, expected: &[(SocketAddr, u32)]) {
        let expected: Up = expected.iter().map(|(address, weight)| (address.to_string(), *weight)).collect();
        eventually(&format!("HAProxy has {expected:?}"), || match self.up() {
            Ok(up) if up == expected => Ok(()),
            Ok(up) => Err(format!("{up:?}\n{}", self.runtime("show servers state web").unwrap_or_default())),
            Err(error) => Err(error.to_string()),
        });
    }
}

/// The README's configuration, asking this resolver, behind a front end in this directory.
fn configuration(directory: &TempDir, resolver: SocketAddr) -> String {
    let directory = directory.path().display();
    let readme = readme::block("haproxy").replace("127.0.0.1:5300", &resolver.to_string());
    format!(
        "global
    stats socket {directory}/admin.sock mode 600 level admin
    maxconn 100
defaults
    mode http
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend front
    bind unix@{directory}/front.sock
    default_backend web
{readme}"
    )
}

/// Reads `show servers state`: a version, `# ` and the column names, one line for each server.
fn servers_up(table: &str) -> Up {
    let mut lines = table.lines().skip_while(|line| !line.starts_with("# "));
    let columns: Vec<&str> = lines.next().unwrap_or_default().trim_start_matches("# ").split(' ').collect();
    let rows = lines.map(|line| columns.iter().copied().zip(line.split(' ')).collect::<BTreeMap<_, _>>());
    rows.filter(is_up)
        .map(|row| (format!("{}:{}", row["srv_addr"], row["srv_port"]), row["srv_uweight"].parse().unwrap_or_default()))
        .collect()
}

/// Operational state 2 is running. Every administrative bit is some maintenance or drain, but for the one that only
/// says that the name was set while running, as SRV records do.
fn is_up(row: &BTreeMap<&str, &str>) -> bool {
    const NAME_WAS_SET: u32 = 0x40;
    let administrative = row.get("srv_admin_state").and_then(|bits| bits.parse::<u32>().ok());
    row.get("srv_op_state") == Some(&"2") && administrative.is_some_and(|bits| bits & !NAME_WAS_SET == 0)
}

fn scaled() -> Server {
    Setup::new().set("dns.srv_weight_scale", 256).start()
}

fn register(server: &Server, id: &str, backend: &Backend, weight: u16) {
    let (address, port) = (backend.address.ip(), backend.address.port());
    server.register("web", id, json!({ "address": address, "port": port, "weight": weight, "ttl": "none" }));
}

#[test]
fn servers_and_weights_follow_the_registry() {
    let server = scaled();
    let backends = ["a", "b", "c"].map(Backend::start);
    let [a, b, c] = backends.each_ref().map(|backend| backend.address);
    register(&server, "a", &backends[0], 1);
    register(&server, "b", &backends[1], 20);
    let haproxy = Haproxy::start(server.dns[0]);
    haproxy.eventually_has(&[(a, 1), (b, 20)]);
    register(&server, "c", &backends[2], 3);
    haproxy.eventually_has(&[(a, 1), (b, 20), (c, 3)]);
    register(&server, "b", &backends[1], 2);
    haproxy.eventually_has(&[(a, 1), (b, 2), (c, 3)]);
    server.says("web", "c", "unhealthy");
    haproxy.eventually_has(&[(a, 1), (b, 2)]);
    server.says("web", "c", "healthy");
    haproxy.eventually_has(&[(a, 1), (b, 2), (c, 3)]);
    server.api.delete("/v1/services/web/instances/a").expect(204);
    haproxy.eventually_has(&[(b, 2), (c, 3)]);
}

#[test]
fn an_instance_that_moves_is_followed() {
    let server = scaled();
    let (old, new) = (Backend::start("old"), Backend::start("new"));
    register(&server, "a", &old, 1);
    let haproxy = Haproxy::start(server.dns[0]);
    haproxy.eventually_has(&[(old.address, 1)]);
    register(&server, "a", &new, 1);
    haproxy.eventually_has(&[(new.address, 1)]);
}

#[test]
fn traffic_goes_to_healthy_instances_by_weight() {
    let server = scaled();
    let backends = backend::on_one_port(81, &["a", "b"]);
    register(&server, "a", &backends[0], 1);
    register(&server, "b", &backends[1], 3);
    let haproxy = Haproxy::start(server.dns[0]);
    haproxy.eventually_has(&[(backends[0].address, 1), (backends[1].address, 3)]);
    let shares = traffic(&haproxy, 40);
    assert_eq!(shares.values().sum::<usize>(), 40, "every request is answered: {shares:?}");
    // Round robin by weight is exact but for where the round stands.
    assert!((8..=12).contains(&shares["a"]), "1 of 4 requests goes to a: {shares:?}");
    server.says("web", "b", "unhealthy");
    haproxy.eventually_has(&[(backends[0].address, 1)]);
    assert_eq!(traffic(&haproxy, 10), BTreeMap::from([("a".to_owned(), 10)]));
}

/// Who answered `count` requests with success.
fn traffic(haproxy: &Haproxy, count: usize) -> BTreeMap<String, usize> {
    let mut shares = BTreeMap::new();
    for _ in 0..count {
        let reply = haproxy.get().expect("HAProxy answers").expect(200);
        *shares.entry(reply.text()).or_default() += 1;
    }
    shares
}

#[test]
fn the_last_unhealthy_instance_leaves_too_and_returns() {
    let server = scaled();
    let backend = Backend::start("a");
    register(&server, "a", &backend, 1);
    let haproxy = Haproxy::start(server.dns[0]);
    haproxy.eventually_has(&[(backend.address, 1)]);
    server.says("web", "a", "unhealthy");
    haproxy.eventually_has(&[]);
    assert_eq!(haproxy.get().expect("HAProxy answers").status, 503);
    server.says("web", "a", "healthy");
    haproxy.eventually_has(&[(backend.address, 1)]);
}
