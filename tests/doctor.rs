//! `srvd doctor` against the real server and the resolvers of Debian: what it finds, and that its lines work.

mod common;

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use common::process::{Process, tool};
use common::{Server, eventually};
use serde_json::Value;

/// Runs `srvd doctor` about `server`; other servers are nobody's.
fn doctor(server: &str, line: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    command.arg("doctor").args(line.split_whitespace()).env("SRVD_SERVER", server);
    command.output().expect("srvd runs")
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// The lines for one resolver.
fn lines(report: &Value, resolver: &str) -> String {
    let remedies = report["remedies"].as_array().expect("remedies");
    let remedy = remedies.iter().find(|remedy| remedy["resolver"] == resolver).expect("one for each resolver");
    remedy["lines"].as_str().expect("text").to_owned()
}

/// The port of the resolvers that are started here: below those that the system gives out.
const PORT: u16 = 5354;

/// An address of this host that nobody else uses: resolvers do not say which port they got, so each has its own address.
fn own_address(of: u8) -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{of}.{high}.{low}")
}

/// Waits until the resolver at `address` answers for the instance that the server has.
#[track_caller]
fn resolves(address: &str, resolver: &Process) {
    let mut dig = Command::new(tool("dig", "bind9-dnsutils"));
    dig.args([
        "-r",
        &format!("@{address}"),
        "-p",
        &PORT.to_string(),
        "+short",
        "+tries=1",
        "+time=1",
        "web.svc.local",
        "A",
    ]);
    eventually("the resolver answers", || {
        let output = dig.output().expect("dig runs");
        match String::from_utf8_lossy(&output.stdout).trim() {
            "10.0.0.1" => Ok(()),
            other => Err(format!("{other}\n{}", resolver.report())),
        }
    });
}

#[test]
fn a_host_that_does_not_know_the_zone() {
    let server = Server::start();
    server.register("web", "a", serde_json::json!({"address": "10.0.0.1", "port": 80}));
    let url = format!("http://{}", server.http[0]);
    let output = doctor(&url, "");
    let text = String::from_utf8_lossy(&output.stdout);
    // Whatever resolver this host has, it does not know of a server on a port of this test's.
    assert_eq!(output.status.code(), Some(1), "{text}");
    let place = server.dns[0].to_string();
    for part in
        [&format!("answers for svc.local. at {place}"), "cannot resolve web.svc.local.", "do not reach svc.local"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains(&format!("DNS={place}\n    Domains=~svc.local\n")), "{text}");

    let report = json(&doctor(&url, "--output json"));
    assert_eq!((&report["zone"], &report["well"]), (&"svc.local".into(), &false.into()));
    assert_eq!(report["remedies"].as_array().map(Vec::len), Some(5));
    let subjects: Vec<_> =
        report["findings"].as_array().expect("findings").iter().map(|f| f["subject"].clone()).collect();
    assert!(subjects.contains(&"server".into()) && subjects.contains(&"lookup".into()), "{subjects:?}");
}

#[test]
fn a_server_that_is_away() {
    // Bound and dropped, so that nobody listens there.
    let place = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let output = doctor(&format!("http://{place}"), "--name web.svc.local");
    let text = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(3), "{text}");
    assert!(text.contains("srvd serve") && text.contains("cannot resolve web.svc.local."), "{text}");
}

#[test]
fn a_name_that_resolves() {
    let server = Server::start();
    let output = doctor(&format!("http://{}", server.http[0]), "--name localhost");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("resolve localhost. to ") && text.contains("127.0.0.1"), "{text}");
}

#[test]
fn its_lines_work_in_dnsmasq() {
    let server = Server::start();
    server.register("web", "a", serde_json::json!({"address": "10.0.0.1", "port": 80}));
    let report = json(&doctor(&format!("http://{}", server.http[0]), "--output json"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (address, file) = (own_address(101), directory.path().join("srvd.conf"));
    fs::write(&file, lines(&report, "dnsmasq")).expect("a file");
    let mut command = Command::new(tool("dnsmasq", "dnsmasq-base"));
    command.args(["--no-daemon", "--no-resolv", "--no-hosts", "--stop-dns-rebind", "--user=root", "--pid-file"]);
    command.args([&format!("--listen-address={address}"), "--bind-interfaces", &format!("--port={PORT}")]);
    let resolver = Process::start(command.arg(format!("--conf-file={}", file.display())));
    resolves(&address, &resolver);
}

#[test]
fn its_lines_work_in_unbound() {
    let server = Server::start();
    server.register("web", "a", serde_json::json!({"address": "10.0.0.1", "port": 80}));
    let report = json(&doctor(&format!("http://{}", server.http[0]), "--output json"));
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (address, file) = (own_address(102), directory.path().join("unbound.conf"));
    let own = format!(
        "server:\n  interface: {address}\n  port: {PORT}\n  chroot: \"\"\n  username: \"\"\n  directory: \"{0}\"\n  \
         pidfile: \"\"\n  use-syslog: no\n  do-daemonize: no\n  private-address: 10.0.0.0/8\n  module-config: \"validator iterator\"\n",
        directory.path().display()
    );
    fs::write(&file, own + &lines(&report, "unbound")).expect("a file");
    let resolver = Process::start(Command::new(tool("unbound", "unbound")).arg("-c").arg(&file));
    resolves(&address, &resolver);
}

/// A host of its own: names are resolved by the server that is started in it, as root there and nowhere else.
const HOST: &str = r#"
set -e
cd "$1"
ip link set lo up
echo 'nameserver 127.0.0.1' >resolv.conf
echo 'hosts: files dns' >nsswitch.conf
mount --bind resolv.conf /etc/resolv.conf
mount --bind nsswitch.conf /etc/nsswitch.conf
mkfifo ready
"$2" serve --dns 127.0.0.1:53 --http 127.0.0.1:8053 --set store.kind=memory >ready 2>log &
server=$!
trap 'kill $server' EXIT
read line <ready
"$2" register web --id a --address 10.0.0.1 --port 80 >registered
"$2" doctor
"#;

#[test]
fn a_host_that_reaches_the_zone() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let mut command = Command::new(tool("unshare", "util-linux"));
    tool("ip", "iproute2");
    command.args(["--map-root-user", "--mount", "--net", "sh", "-c", HOST, "sh"]).arg(directory.path());
    let output = command.arg(env!("CARGO_BIN_EXE_srvd")).env_remove("SRVD_SERVER").output().expect("unshare runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    for part in ["127.0.0.1:53 knows svc.local.", "resolve web.svc.local. to 10.0.0.1", "on this host reach svc.local."]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("[Resolve]"), "there is nothing to change: {text}");
}
