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
use common::documents;
use common::http::get_over_unix;
use common::process::{Process, tool};
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
    /// With the README's configuration.
    fn start(resolver: SocketAddr) -> Self {
        Self::start_with(
            &documents::block("README.md", "HAProxy, nginx, Prometheus and everything else", "haproxy"),
            resolver,
        )
    }

    /// With a configuration of the documents, which asks `resolver` in place of the one that stands there.
    fn start_with(block: &str, resolver: SocketAddr) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("haproxy.cfg");
        let text = configuration(&directory, block, resolver);
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

    /// A counter of the resolver: `valid`, `truncated`, `too_big`.
    fn counter(&self, name: &str) -> io::Result<u64> {
        let text = self.runtime("show resolvers srvd")?;
        let found = text.lines().filter_map(|line| line.trim().split_once(':')).find(|(known, _)| *known == name);
        let value = found.and_then(|(_, value)| value.trim().parse().ok());
        value.ok_or_else(|| io::Error::other(format!("no {name} in {text}")))
    }

    /// Waits until the resolver has been answered `answers` more times.
    #[track_caller]
    fn eventually_answered(&self, answers: u64) {
        let answered = || self.counter("valid").map_err(|error| error.to_string());
        let before = eventually("HAProxy counts", answered);
        eventually(&format!("HAProxy has {answers} answers more"), || match answered()? {
            now if now >= before + answers => Ok(()),
            now => Err(format!("{now} after {before}")),
        });
    }

    /// How the servers stand in full: which of them has which name, address and weight, and since when it is up.
    fn slots(&self) -> String {
        let table = self.runtime("show stat web 4 -1").expect("HAProxy answers");
        let columns: Vec<&str> = table.lines().next().unwrap_or_default().split(',').collect();
        let kept = ["svname", "status", "weight", "addr", "chkdown"];
        let kept = kept.map(|name| columns.iter().position(|column| *column == name).expect("a column of HAProxy's"));
        let rows = table.lines().skip(1).map(|row| row.split(',').collect::<Vec<_>>());
        rows.filter(|row| row.len() > 1).map(|row| kept.map(|at| row[at]).join(" ") + "\n").collect()
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

/// A configuration of the documents, asking this resolver, behind a front end in this directory.
fn configuration(directory: &TempDir, block: &str, resolver: SocketAddr) -> String {
    let directory = directory.path().display();
    let block = block.replace("127.0.0.1:5300", &resolver.to_string());
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
{block}"
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

#[test]
fn an_instance_that_drains_takes_no_more_requests() {
    let server = scaled();
    let backends = ["a", "b"].map(Backend::start);
    register(&server, "a", &backends[0], 1);
    register(&server, "b", &backends[1], 1);
    let haproxy = Haproxy::start(server.dns[0]);
    haproxy.eventually_has(&[(backends[0].address, 1), (backends[1].address, 1)]);
    server.api.put_empty("/v1/services/web/instances/b/drain").expect(200);
    haproxy.eventually_has(&[(backends[0].address, 1)]);
    let before = backends[1].requests();
    assert_eq!(traffic(&haproxy, 10), BTreeMap::from([("a".to_owned(), 10)]));
    assert_eq!(backends[1].requests(), before);
    server.api.delete("/v1/services/web/instances/b/drain").expect(200);
    haproxy.eventually_has(&[(backends[0].address, 1), (backends[1].address, 1)]);
}

/// How many servers the configuration of `docs/` has room for.
const MANY: usize = 200;
/// Answers over which nothing may move.
const ROUNDS: u64 = 4;

fn address(at: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 70, u8::try_from(at + 1).expect("at most 255")], 8080))
}

/// Registers [`MANY`] instances of `web` with weights from 1 to 5. Nobody is behind them.
fn register_many(server: &Server) -> Vec<(SocketAddr, u32)> {
    let servers: Vec<(SocketAddr, u32)> =
        (0..MANY).zip((1..=5).cycle()).map(|(at, weight)| (address(at), weight)).collect();
    let operations: Vec<_> = servers
        .iter()
        .enumerate()
        .map(|(at, (address, weight))| {
            json!({"register": {
                "service": "web", "id": format!("i-{at:03}"), "address": address.ip(), "port": address.port(),
                "weight": weight, "ttl": "none"
            }})
        })
        .collect();
    server.api.post("/v1/batch", json!({ "operations": operations })).expect(200);
    servers
}

#[test]
fn two_hundred_servers_stand_still_over_tcp() {
    let server = scaled();
    let mut servers = register_many(&server);
    let haproxy = Haproxy::start_with(&documents::block("docs/consumers.md", "HAProxy", "haproxy"), server.dns[0]);
    haproxy.eventually_has(&servers);
    let before = haproxy.slots();
    haproxy.eventually_answered(ROUNDS);
    assert_eq!(haproxy.slots(), before);
    assert_eq!(haproxy.counter("too_big").expect("HAProxy answers"), 0);
    // One that leaves moves no other.
    server.says("web", "i-100", "unhealthy");
    servers.remove(100);
    haproxy.eventually_has(&servers);
}

/// What an answer that is cut holds is all that HAProxy knows of; it has to be the same each time.
#[test]
fn servers_of_a_cut_answer_stand_still_over_udp() {
    let server = scaled();
    let servers = register_many(&server);
    let block =
        documents::block("docs/consumers.md", "HAProxy", "haproxy").replace("tcp@", "").replace("65535", "8192");
    let haproxy = Haproxy::start_with(&block, server.dns[0]);
    // dig comes from the same address, so it is given the same part.
    let answer = server.dig("_web._tcp.svc.local SRV +bufsize=8192 +ignore +nocookie");
    let held: Vec<(SocketAddr, u32)> = answer.data("SRV").iter().map(|data| servers[index(data)]).collect();
    assert!((20..MANY).contains(&held.len()), "the answer is cut: {held:?}");
    haproxy.eventually_has(&held);
    let before = haproxy.slots();
    // HAProxy asks for each target by itself: addresses were the first to be cut.
    haproxy.eventually_answered(ROUNDS * (1 + held.len() as u64));
    assert_eq!(haproxy.slots(), before);
}

/// The instance in `0 256 8080 i-007.web.svc.local.`
fn index(data: &str) -> usize {
    let digits = data.split_once("i-").and_then(|(_, rest)| rest.split_once('.'));
    digits.and_then(|(digits, _)| digits.parse().ok()).unwrap_or_else(|| panic!("an instance of web: {data}"))
}

/// An answer above the accepted size is thrown away, over TCP too.
#[test]
fn an_accepted_size_below_the_answer_leaves_no_server() {
    let server = scaled();
    register_many(&server);
    let block = documents::block("docs/consumers.md", "HAProxy", "haproxy").replace("65535", "8192");
    let haproxy = Haproxy::start_with(&block, server.dns[0]);
    eventually("HAProxy counts an answer that is too big", || match haproxy.counter("too_big") {
        Ok(0) => Err("none".to_owned()),
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string()),
    });
    haproxy.eventually_has(&[]);
}
