//! Resolvers that forward the zone to srvd and everything else elsewhere: unbound and dnsmasq.
//!
//! Both are asked as applications ask them, through `/etc/resolv.conf`. What matters: a name that is not there may be
//! remembered, but not for longer than `dns.negative_ttl`.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;

use crate::common::namespace::Namespace;
use crate::common::process::Process;
use crate::common::{Setup, documents, eventually};

/// Where the programs of the documents find srvd.
const DNS: &str = "127.0.0.1:5300";
const HTTP: &str = "127.0.0.1:8053,127.0.0.2:8053,127.0.0.3:8053";
const PORT: u16 = 8053;

/// A forwarder between srvd and the system's resolver.
struct Forwarder {
    namespace: Namespace,
    _process: Process,
    _directory: TempDir,
}

/// Starts unbound with the block of the documents. The lines around it keep it in the foreground, and as who it is.
fn unbound(namespace: &Namespace, directory: &TempDir) -> Process {
    let place = directory.path().display();
    let text = format!(
        "server:
    username: \"\"
    chroot: \"\"
    directory: \"{place}\"
    pidfile: \"\"
    do-daemonize: no
    use-syslog: no
{}",
        documents::block("docs/consumers.md", "unbound", "unbound")
    );
    let mut command = namespace.command("unbound", "unbound");
    command.arg("-c").arg(written(directory, &text));
    namespace.start_inside(command, &text)
}

/// Starts dnsmasq with the block of the documents, in the foreground and as who it is.
fn dnsmasq(namespace: &Namespace, directory: &TempDir) -> Process {
    let text = documents::block("docs/consumers.md", "dnsmasq", "dnsmasq");
    let readme = documents::block("README.md", "HAProxy, nginx, Prometheus and everything else", "dnsmasq");
    assert!(text.contains(&readme), "the README's line is run");
    let mut command = namespace.command("dnsmasq", "dnsmasq-base");
    let file = written(directory, &text);
    command.args(["--no-daemon", "--log-queries"]).arg(format!("--conf-file={}", file.display()));
    namespace.start_inside(command, &text)
}

fn written(directory: &TempDir, text: &str) -> PathBuf {
    let file = directory.path().join("forwarder.conf");
    fs::write(&file, text).expect("a configuration can be written");
    file
}

type Start = fn(&Namespace, &TempDir) -> Process;

impl Forwarder {
    /// srvd with three instances of `web` at addresses where it listens itself, and the forwarder in front of it.
    fn start(start: Start, negative_ttl: u32) -> Self {
        let setup = Setup::new().dns(DNS).http(HTTP).set("dns.negative_ttl", negative_ttl);
        let namespace = Namespace::start(setup, "nameserver 127.0.0.1\nsearch svc.local\n");
        for host in 1..=3 {
            namespace.register("web", &format!("i-{host}"), [127, 0, 0, host], PORT, u16::from(host));
        }
        let directory = TempDir::new().expect("a temporary directory");
        let process = start(&namespace, &directory);
        let forwarder = Self { namespace, _process: process, _directory: directory };
        forwarder.eventually_answers("web.svc.local", "A", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        forwarder
    }

    /// Waits until the answer has a record with each of `data` and none else.
    #[track_caller]
    fn eventually_answers(&self, name: &str, kind: &str, data: &[&str]) {
        eventually(&format!("{name} {kind} is {data:?}"), || {
            let printed = self.namespace.dig(name, kind);
            let records = printed.lines().filter(|line| line.contains(&format!("\t{kind}\t")));
            let mut seen: Vec<&str> = records.filter_map(|line| line.rsplit('\t').next()).collect();
            seen.sort_unstable();
            if seen == data { Ok(()) } else { Err(printed) }
        });
    }

    /// Asserts what a question is answered with, and that there is no record in the answer.
    #[track_caller]
    fn is_negative(&self, name: &str, rcode: &str) {
        let printed = self.namespace.dig(name, "A");
        let found = printed.contains(&format!("status: {rcode},")) && printed.contains("ANSWER: 0,");
        assert!(found, "{name} is {rcode}: {printed}");
    }
}

fn follows_the_registry(start: Start) {
    let forwarder = Forwarder::start(start, 1);
    let namespace = &forwarder.namespace;
    let sets = ["0 1 8053 i-1.web.svc.local.", "0 2 8053 i-2.web.svc.local.", "0 3 8053 i-3.web.svc.local."];
    forwarder.eventually_answers("_web._tcp.svc.local", "SRV", &sets);
    assert_eq!(namespace.curl(&["http://web:8053/healthz"]).trim(), "alive");
    namespace.says("web", "i-2", "unhealthy");
    forwarder.eventually_answers("web.svc.local", "A", &["127.0.0.1", "127.0.0.3"]);
    forwarder.eventually_answers("_web._tcp.svc.local", "SRV", &[sets[0], sets[2]]);
    // More than fits over UDP, whatever payload was asked for.
    namespace.register_all((1..=100).map(|host| {
        let address = format!("127.0.1.{host}");
        json!({"service": "large", "id": format!("i-{host}"), "address": address, "port": PORT, "ttl": "none"})
    }));
    let mut addresses: Vec<String> = (1..=100).map(|host| format!("127.0.1.{host}")).collect();
    addresses.sort_unstable();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    forwarder.eventually_answers("large.svc.local", "A", &addresses);
    // A name that was asked for too early, and one whose instances were all down, come back.
    forwarder.is_negative("late.svc.local", "NXDOMAIN");
    namespace.register("late", "a", [127, 0, 0, 2], PORT, 1);
    forwarder.eventually_answers("late.svc.local", "A", &["127.0.0.2"]);
    namespace.says("late", "a", "unhealthy");
    forwarder.eventually_answers("late.svc.local", "A", &[]);
    forwarder.is_negative("late.svc.local", "NOERROR");
    namespace.says("late", "a", "healthy");
    forwarder.eventually_answers("late.svc.local", "A", &["127.0.0.2"]);
}

/// With ten minutes to remember it, what was not there stays so after the registration, and srvd is not asked again.
fn remembers_what_is_not_there(start: Start) {
    let forwarder = Forwarder::start(start, 600);
    let namespace = &forwarder.namespace;
    forwarder.is_negative("late.svc.local", "NXDOMAIN");
    let asked = namespace.questions("NXDOMAIN");
    assert!(asked >= 1, "srvd was asked");
    namespace.register("late", "a", [127, 0, 0, 2], PORT, 1);
    for _ in 0..5 {
        forwarder.is_negative("late.svc.local", "NXDOMAIN");
    }
    assert_eq!(namespace.questions("NXDOMAIN"), asked);
    // So is a service of which nothing is healthy.
    namespace.register("down", "a", [127, 0, 0, 2], PORT, 1);
    namespace.says("down", "a", "unhealthy");
    forwarder.is_negative("down.svc.local", "NOERROR");
    namespace.says("down", "a", "healthy");
    forwarder.is_negative("down.svc.local", "NOERROR");
}

#[test]
fn unbound_follows_the_registry() {
    follows_the_registry(unbound);
}

#[test]
fn unbound_remembers_what_is_not_there() {
    remembers_what_is_not_there(unbound);
}

#[test]
fn dnsmasq_follows_the_registry() {
    follows_the_registry(dnsmasq);
}

#[test]
fn dnsmasq_remembers_what_is_not_there() {
    remembers_what_is_not_there(dnsmasq);
}
