//! What a start takes from its configuration and zones, and the starts that are refused.

mod common;

use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::Path;
use std::process::Command;

use common::server::shown;
use common::{Server, Setup};
use serde_json::json;

#[test]
fn a_second_server_on_the_same_directory_is_refused() {
    let server = Server::start();
    server.setup().start_refused().names(&[&shown(&server.data())]);
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
}

#[test]
fn an_address_in_use_is_refused_by_its_key() {
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let udp = udp.local_addr().expect("a bound socket").to_string();
    let tcp_address = tcp.local_addr().expect("a bound socket").to_string();
    Setup::new().dns(&udp).start_refused().names(&["dns.listen", &udp]);
    Setup::new().dns(&tcp_address).start_refused().names(&["dns.listen", &tcp_address]);
    Setup::new().http(&tcp_address).start_refused().names(&["http.listen", &tcp_address]);
}

#[test]
fn an_address_of_another_server_is_refused() {
    let server = Server::start();
    let (dns, http) = (server.dns[0].to_string(), server.http[0].to_string());
    Setup::new().dns(&dns).start_refused().names(&["dns.listen", &dns]);
    Setup::new().http(&http).start_refused().names(&["http.listen", &http]);
    server.dig("web.svc.local A").is_nxdomain();
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_collector_is_refused_where_no_traces_are_made() {
    let config = "[traces]\nsample_ratio = 0.5\nendpoint = \"http://127.0.0.1:4318\"\n";
    let refusal = Setup::new().config(config).start_refused();
    refusal.names(&["config.toml:3: traces.endpoint: needs an srvd that is built with traces", "--features otlp"]);
    // The other keys, and none as a collector, are for everybody.
    Setup::new().config("[traces]\nsample_ratio = 0.5\nendpoint = \"\"\n").start();
}

/// Every line but the section headers is wrong; the comment is what the message has to name.
const WRONG: &str = r#"[dns]
zonee = "svc.local"      # dns.zonee
record_ttl = "five"      # dns.record_ttl
udp_payload = 100        # dns.udp_payload
[health]
rise = 0                 # health.rise
[leases]
ttl = "soon"             # leases.ttl
[nothing]
"#;

#[test]
fn all_problems_of_a_configuration_are_reported_at_once() {
    let refusal = Setup::new().config(WRONG).start_refused();
    for (line, text) in (1..).zip(WRONG.lines()) {
        if let Some((_, key)) = text.split_once("# ") {
            refusal.names(&[&format!("config.toml:{line}"), key]);
        }
    }
    refusal.names(&["config.toml:9", "nothing", "zone"]);
}

#[test]
fn flags_and_variables_are_checked_like_the_file() {
    Setup::new().set("dns.bogus", 1).start_refused().names(&["dns.bogus"]);
    Setup::new().set("leases.ttl", "soon").start_refused().names(&["leases.ttl"]);
    Setup::new().env("SRVD_HEALTH_FALL", "none").start_refused().names(&["SRVD_HEALTH_FALL"]);
    Setup::new().http("0.0.0.0:0").start_refused().names(&["http.insecure"]);
}

#[test]
fn what_was_typed_wrong_is_usage_and_what_is_found_wrong_is_refused() {
    let directory = tempfile::tempdir().expect("a directory");
    let (right, wrong) = (directory.path().join("right.toml"), directory.path().join("wrong.toml"));
    fs::write(&right, "").expect("the directory is ours");
    fs::write(&wrong, WRONG).expect("the directory is ours");
    let held = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let taken = held.local_addr().expect("a bound socket").to_string();
    let code = |command: &str, config: &Path, flags: &[&str]| {
        let mut srvd = Command::new(env!("CARGO_BIN_EXE_srvd"));
        let output = srvd.arg(command).arg("--config").arg(config).args(flags).output().expect("srvd runs");
        output.status.code()
    };
    for (flags, usage) in [
        (["--set", "x"], true),
        (["--set", "dns.zne=a.example"], true),
        (["--set", "dns.record_ttl=five"], true),
        (["--dns", "nowhere"], true),
        (["--http", "0.0.0.0:0"], true),
        (["--sett", "dns.zone=a.example"], true),
        (["--set", "dns.zone=a.example"], false),
    ] {
        for command in ["check", "serve"] {
            // What the file has wrong, too, changes nothing about that.
            let expected = if usage { 2 } else { 1 };
            assert_eq!(code(command, &wrong, &flags), Some(expected), "{command} {flags:?}");
        }
        assert_eq!(code("check", &right, &flags), Some(if usage { 2 } else { 0 }), "check {flags:?}");
    }
    assert_eq!(code("serve", &right, &["--set", "store.kind=memory", "--http", &taken]), Some(1));
}

#[test]
fn values_from_the_environment_are_used_and_never_shown() {
    let file = "[dns]\nzone = \"${SRVD_TEST_ZONE:-fallback.example}\"\n";
    let server = Setup::new().config(file).start();
    server.dig("fallback.example SOA").has("aa");
    let secret = "no zone but a secret!";
    let refusal = Setup::new().config(file).env("SRVD_TEST_ZONE", secret).start_refused();
    refusal.names(&["config.toml:2", "dns.zone"]);
    assert!(!refusal.stderr.contains("secret!"), "the value is shown: {}", refusal.stderr);
}

#[test]
fn flags_outrank_variables_and_variables_outrank_the_file() {
    let setup = Setup::new().config("[dns]\nzone = \"file.example\"\nrecord_ttl = 7\n");
    setup.start().dig("file.example SOA").has("aa");
    let setup = setup.env("SRVD_DNS_ZONE", "variable.example");
    setup.start().dig("variable.example SOA").has("aa");
    let server = setup.set("dns.zone", "flag.example").start();
    server.dig("flag.example SOA").has("aa");
    server.dig("file.example SOA").is_refused();
}

const OTHER_ZONE: &str = "$TTL 60
@ IN SOA ns hostmaster 1 3600 600 86400 60
@ IN NS ns
ns IN A 192.0.2.53
www IN A 192.0.2.80
";

#[test]
fn static_zones_are_served_beside_the_live_one() {
    let live = "$TTL 60\ngateway IN A 192.0.2.1\n";
    let server = Setup::new().zone("example.test.zone", OTHER_ZONE).zone("svc.local.zone", live).start();
    server.dig("www.example.test A").answers("A", &["192.0.2.80"]);
    server.dig("nothing.example.test A").is_nxdomain();
    server.dig("gateway.svc.local A").answers("A", &["192.0.2.1"]);
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
}

#[test]
fn a_broken_zone_file_stops_the_start_with_its_line() {
    let broken = format!("{OTHER_ZONE}ftp IN A 192.0.2.999\n");
    Setup::new().zone("example.test.zone", &broken).start_refused().names(&["example.test.zone:6"]);
}

#[test]
fn what_looks_wrong_in_a_zone_is_told_and_served() {
    let doubtful = format!("{OTHER_ZONE}mail IN MX 10 nowhere\n");
    let warning = "example.test.zone:6: nowhere.example.test., which the MX record at mail.example.test. points at";
    let setup = Setup::new().zone("example.test.zone", &doubtful);
    let server = setup.start();
    server.dig("mail.example.test MX").answers("MX", &["10 nowhere.example.test."]);
    assert!(server.process.log().contains(warning));
    let mut check = Command::new(env!("CARGO_BIN_EXE_srvd"));
    let output = check.args(["check", "--set"]).arg(format!("dns.zones_dir={}", shown(&setup.zones()))).output();
    let output = output.expect("srvd runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && told.contains("srvd: warning: ") && told.contains(warning), "{told}");
}

#[test]
fn a_refused_start_leaves_no_state_behind() {
    let setup = Setup::new().set("dns.bogus", 1);
    setup.start_refused();
    let left = fs::read_dir(setup.data()).map(Iterator::count).unwrap_or_default();
    assert_eq!(left, 0, "nothing is started, so nothing is written");
}
