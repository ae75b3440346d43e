//! What people ask with: each tool gets an answer that it has no complaint about, with everything that it asked for.

mod common;

use std::net::SocketAddr;
use std::process::Command;

use common::process::tool;
use common::{Server, Setup};

const ZONE: &str = "\
$TTL 60
@      SOA ns hostmaster 1 3600 600 86400 30
@      NS  ns
ns     A   192.0.2.1
www    A   192.0.2.2
sub    NS  ns.sub
ns.sub A   192.0.2.9
";

fn server() -> Server {
    Setup::new().set("dns.nsid", "ns1").zone("example.test.zone", ZONE).start()
}

/// What a tool prints, on both outputs.
#[track_caller]
fn run(program: &str, package: &str, server: SocketAddr, arguments: &str) -> String {
    let mut command = Command::new(tool(program, package));
    command.args([&format!("@{}", server.ip()), "-p", &server.port().to_string()]);
    let output = command.args(arguments.split_whitespace()).output().expect("the tool starts");
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed).into_owned();
    assert!(output.status.success(), "{command:?}: {}\n{printed}", output.status);
    let complaints = ["malformed", "arning: ", "WARNING: ", "rror:", "mismatch", "trailing", "unexpected", "parse"];
    for complaint in complaints {
        assert!(!printed.contains(complaint), "{command:?} complains:\n{printed}");
    }
    printed
}

#[track_caller]
fn shows(printed: &str, parts: &[&str]) {
    for part in parts {
        assert!(printed.contains(part), "no {part:?} in:\n{printed}");
    }
}

#[test]
fn dig_with_every_option() {
    let server = server();
    let options = "+norecurse +dnssec +nsid +cookie +subnet=192.0.2.0/24 +ednsopt=65001:beef +keepalive +padding=128";
    let udp = run("dig", "bind9-dnsutils", server.dns[0], &format!("www.example.test A {options}"));
    shows(&udp, &["status: NOERROR", "flags: qr aa;", "flags: do; udp: 1232", "(\"ns1\")", "(good)", "192.0.2.2"]);
    let tcp = run("dig", "bind9-dnsutils", server.dns[0], &format!("www.example.test A {options} +tcp"));
    shows(&tcp, &["TCP KEEPALIVE: 10.0 secs", "PAD: ", "MSG SIZE  rcvd: 468", "(\"ns1\")", "(good)", "192.0.2.2"]);
    for absent in ["CLIENT-SUBNET", "OPT=65001"] {
        assert!(!udp.contains(absent) && !tcp.contains(absent), "{tcp}");
    }
    assert!(!udp.contains("KEEPALIVE") && !udp.contains("PAD: "), "{udp}");
    let refused = run("dig", "bind9-dnsutils", server.dns[0], "www.example A +norecurse");
    shows(&refused, &["status: REFUSED", "EDE: 20 (Not Authoritative)"]);
    let notify = run("dig", "bind9-dnsutils", server.dns[0], "example.test SOA +opcode=notify +norecurse");
    shows(&notify, &["opcode: NOTIFY, status: NOTIMP", "EDE: 21 (Not Supported)"]);
}

#[test]
fn kdig() {
    let server = server();
    let ask = |question: &str| run("kdig", "knot-dnsutils", server.dns[0], question);
    let whole = ask("www.example.test A +dnssec +nsid +cookie +subnet=192.0.2.0/24 +padding=128 +tcp");
    shows(
        &whole,
        &["status: NOERROR", "Flags: qr aa", "flags: do", "\"ns1\"", "COOKIE: ", "PADDING: ", "Received 468 B"],
    );
    shows(&ask("x.sub.example.test A +edns"), &["Flags: qr rd;", "ns.sub.example.test."]);
    shows(&ask("no.example.test A +edns"), &["status: NXDOMAIN", "SOA"]);
    shows(&ask("id.server CH TXT"), &["\"ns1\""]);
}

#[test]
fn drill() {
    let server = server();
    let ask = |question: &str| run("drill", "ldnsutils", server.dns[0], question);
    shows(&ask("-D www.example.test A"), &["rcode: NOERROR", "flags: qr aa rd ;", "flags: do", "192.0.2.2"]);
    shows(&ask("-t www.example.test ANY"), &["rcode: NOERROR", "192.0.2.2"]);
    shows(&ask("no.example.test A"), &["rcode: NXDOMAIN", "SOA"]);
}

#[test]
fn delv() {
    let server = server();
    // The zone is not signed, and there is no chain of trust to it.
    let ask = |question: &str| run("delv", "bind9-dnsutils", server.dns[0], &format!("-i {question}"));
    shows(&ask("www.example.test A"), &["; authoritative", "192.0.2.2"]);
    shows(&ask("www.example.test TXT"), &["; negative response", "NXRRSET"]);
}
