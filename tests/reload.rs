//! What SIGHUP makes a running server take in, and what it leaves as it is.

mod common;

use std::fs;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use common::message::{A, Tcp, Udp, kind};
use common::{Server, Setup, eventually};
use serde_json::json;

/// A zone of its own, whose MX record and its target's address carry the same number.
fn zone(number: u32) -> String {
    format!(
        "$TTL 60\n@ SOA ns hostmaster {number} 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n\
         www MX {number} mail\nmail A 192.0.2.{number}\n"
    )
}

/// Lines that say that a reload is over, one for each.
fn reloads(log: &str) -> usize {
    log.lines().filter(|line| line.contains("reloaded")).count()
}

/// Sends SIGHUP and waits until it was acted on; what the log says about it.
#[track_caller]
fn reload(server: &Server) -> String {
    let before = server.process.log();
    server.process.signal("HUP");
    eventually("the end of a reload", || {
        let log = server.process.log();
        if reloads(&log) > reloads(&before) { Ok(log[before.len()..].to_owned()) } else { Err(log) }
    })
}

#[track_caller]
fn assert_says(log: &str, level: &str, parts: &[&str]) {
    let found = log.lines().any(|line| line.contains(level) && parts.iter().all(|part| line.contains(part)));
    assert!(found, "no {level} line with {parts:?} in\n{log}");
}

#[test]
fn zones_come_change_and_go() {
    let setup = Setup::new().zone("stays.test.zone", &zone(1)).zone("changes.test.zone", &zone(1));
    let setup = setup.zone("goes.test.zone", &zone(1));
    let setup = setup.zone("includes.test.zone", &(zone(1) + "$INCLUDE more\n")).zone("more", "more A 192.0.2.101\n");
    let server = setup.start();
    let setup = setup.zone("changes.test.zone", &zone(2)).zone("comes.test.zone", &zone(7));
    let setup = setup.zone("more", "more A 192.0.2.102\n");
    fs::remove_file(setup.zones().join("goes.test.zone")).expect("the file was there");
    server.dig("mail.changes.test A").answers("A", &["192.0.2.1"]);
    let log = reload(&server);
    server.dig("mail.stays.test A").answers("A", &["192.0.2.1"]);
    server.dig("mail.changes.test A").answers("A", &["192.0.2.2"]);
    server.dig("mail.comes.test A").answers("A", &["192.0.2.7"]);
    server.dig("mail.goes.test A").is_refused();
    server.dig("more.includes.test A").answers("A", &["192.0.2.102"]);
    let told = [
        "added=\"comes.test. (7)\"",
        "changed=\"changes.test. (1 to 2), includes.test. (1)\"",
        "removed=\"goes.test. (1)\"",
    ];
    assert_says(&log, "INFO", &told);
    assert_says(&log, "WARN", &["includes.test.", "serial"]);
    let lines = log.lines().filter(|line| !line.contains(" ready ")).count();
    assert_eq!(lines, 2, "nothing else is worth a line:\n{log}");
}

#[test]
fn a_wrong_zone_file_keeps_its_own_zone_and_no_other() {
    let setup = Setup::new().zone("good.test.zone", &zone(1)).zone("bad.test.zone", &zone(1));
    let server = setup.start();
    let setup = setup.zone("good.test.zone", &zone(2)).zone("bad.test.zone", &(zone(2) + "www A 192.0.2.999\n"));
    let log = reload(&server);
    server.dig("mail.good.test A").answers("A", &["192.0.2.2"]);
    server.dig("mail.bad.test A").answers("A", &["192.0.2.1"]);
    assert_says(&log, "ERROR", &["bad.test.zone:7:", "IPv4 address"]);
    assert_says(&log, "INFO", &["reloaded", "good.test."]);
    setup.zone("bad.test.zone", &zone(3));
    reload(&server);
    server.dig("mail.bad.test A").answers("A", &["192.0.2.3"]);
}

#[test]
fn settings_of_dns_act_at_once() {
    let setup = Setup::new().config("");
    let server = setup.start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80, "weight": 3 }));
    setup.config("[dns]\nrecord_ttl = 77\nnegative_ttl = 66\nsrv_weight_scale = 256\nudp_payload = 1400\n");
    let log = reload(&server);
    let srv = server.dig("web.svc.local SRV +bufsize=4096");
    srv.answers("SRV", &["0 768 80 a.web.svc.local."]);
    assert!(srv.answer[0].contains(" 77 IN SRV "), "{srv}");
    assert_eq!(srv.edns.as_ref().map(|edns| edns.udp), Some(1400), "{srv}");
    let negative = server.dig("nothing.svc.local A");
    assert!(negative.is_nxdomain().authority[0].contains(" 66 IN SOA "), "{negative}");
    assert_says(
        &log,
        "INFO",
        &["settings=\"dns.record_ttl, dns.negative_ttl, dns.udp_payload, dns.srv_weight_scale\""],
    );
}

#[test]
fn limits_of_dns_act_at_once() {
    let setup = Setup::new().config("[dns]\nworkers = 1\n");
    let server = setup.start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    let from = |host| Tcp::from_address(IpAddr::from([127, 0, 0, host]), server.dns[0]);
    let mut resting: Vec<_> = (0..3).map(|_| from(2)).collect();
    resting.iter_mut().for_each(|client| assert_eq!(client.ask("web.svc.local", A, None).answer.len(), 1));
    setup.config(
        "[dns]\nworkers = 1\nallow = [\"127.0.0.0/24\"]\ntcp_connections_per_client = 3\nrate_limit = 1\n\
         rate_limit_slip = 1\nrate_limit_exempt = []\n",
    );
    reload(&server);
    assert_eq!(from(2).ask("web.svc.local", A, None).answer.len(), 1);
    assert!(resting[0].rest().is_empty(), "it made room for a fourth");
    server.dig("web.svc.local A -b 127.0.1.1").is_refused();
    let mut client = Udp::from_address(IpAddr::from([127, 0, 0, 3]), server.dns[0]);
    // Whoever asks ten times a second at the least is above the limit at some time.
    eventually("a slip", || {
        let response = client.ask("web.svc.local", A, None);
        if response.truncated { Ok(()) } else { Err(format!("{} records", response.answer.len())) }
    });
}

#[test]
fn cookies_stay_good() {
    let setup = Setup::new().config("[dns]\nrequire_cookies = true\n");
    let server = setup.start();
    let first = server.dig("svc.local SOA +cookie=0123456789abcdef");
    let cookie = first.raw.lines().find_map(|line| line.strip_prefix("; COOKIE: ")?.split(' ').next());
    let again = format!("svc.local SOA +nobadcookie +cookie={}", cookie.expect("a cookie from the server"));
    server.dig(&again).has("aa");
    let setup = setup.config("[dns]\nrequire_cookies = true\nversion = \"another\"\n");
    reload(&server);
    assert_eq!(server.dig(&again).status, "NOERROR", "the secret is that of the process");
    setup.config("[dns]\nrequire_cookies = true\ncookie_secret = \"000102030405060708090a0b0c0d0e0f\"\n");
    reload(&server);
    assert_eq!(server.dig(&again).status, "BADCOOKIE", "the secret is another one");
}

#[test]
fn settings_of_leases_and_checks_act_at_once() {
    let setup = Setup::new().config("[leases]\nreap_after = \"30d\"\n");
    let server = setup.start();
    server.register("web", "lapsed", json!({ "address": "10.0.0.1", "port": 80, "ttl": "1s" }));
    server.register(
        "web",
        "checked",
        json!({ "address": "169.254.1.1", "port": 80, "ttl": "none", "checks": [
        { "kind": "tcp", "interval": "1s", "timeout": "1s", "fall": 1 }
    ] }),
    );
    let detail = || server.instance("web", "checked")["checks"][0]["last_result"]["detail"].to_string();
    eventually("the first check", || if detail().contains("health.allow") { Ok(()) } else { Err(detail()) });
    eventually("the lease lapses", || match &server.instance("web", "lapsed")["status"] {
        status if status == "lapsed" => Ok(()),
        status => Err(status.clone()),
    });
    setup.config(
        "[leases]\nttl = \"7m\"\nreap_after = \"0s\"\n[health]\ninterval = \"9m\"\nallow = [\"169.254.0.0/16\"]\n",
    );
    reload(&server);
    let body = json!({ "address": "10.0.0.1", "port": 80, "checks": [{ "kind": "tcp" }] });
    let instance = server.register("web", "new", body).json();
    assert_eq!((&instance["ttl"], &instance["checks"][0]["interval"]), (&json!("7m"), &json!("9m")), "{instance}");
    let patched = server.api.patch("/v1/services/web/instances/new", json!({ "ttl": null, "weight": 2 })).expect(200);
    assert_eq!(patched.json()["ttl"], "7m", "a patch goes by the new rules too");
    eventually("the reaping of what lapsed before", || {
        match server.api.get("/v1/services/web/instances/lapsed").status {
            404 => Ok(()),
            other => Err(other),
        }
    });
    eventually("a check goes where it may", || if detail().contains("health.allow") { Err(detail()) } else { Ok(()) });
}

#[test]
fn the_level_of_the_log_changes() {
    let setup = Setup::new().config("");
    let server = setup.start();
    let register = |id: &str| drop(server.register("web", id, json!({ "address": "10.0.0.1", "port": 80 })));
    let lines = || server.process.log().lines().filter(|line| line.contains("DEBUG")).count();
    register("a");
    assert_eq!(lines(), 0, "a registration is worth no line");
    setup.config("[log]\nlevel = \"debug\"\n");
    reload(&server);
    register("b");
    eventually("a line of lesser importance", || if lines() > 0 { Ok(()) } else { Err("none") });
}

#[test]
fn what_needs_a_restart_says_so_and_stays() {
    let setup = Setup::new().config("");
    let server = setup.start();
    let elsewhere = "[dns]\nzone = \"other.test\"\nworkers = 3\nrecord_ttl = 9\n[log]\nformat = \"json\"\n";
    setup.config(elsewhere);
    for _ in 0..2 {
        let log = reload(&server);
        assert_says(&log, "WARN", &["keys=\"dns.zone, dns.workers, log.format\""]);
        server.dig("svc.local SOA").has("aa");
        server.dig("other.test SOA").is_refused();
    }
    assert!(server.dig("svc.local NS").answer[0].contains(" 9 IN NS "), "the others act");
    let server = server.restart();
    server.dig("other.test SOA").has("aa");
}

#[test]
fn a_wrong_configuration_changes_nothing() {
    let setup = Setup::new().config("[dns]\nrecord_ttl = 7\n").zone("a.test.zone", &zone(1));
    let server = setup.start();
    let before = server.revision();
    let setup = setup.zone("a.test.zone", &zone(2));
    for wrong in ["[dns]\nrecord_ttl = 9\nnegative_ttl = \"soon\"\nlisen = 1\n", "[dns\n", "\u{0}\u{1}"] {
        let setup = setup.clone().config(wrong);
        let log = reload(&server);
        let refused = setup.start_refused();
        let said: Vec<&str> = refused.stderr.lines().filter_map(|line| line.strip_prefix("srvd: ")).collect();
        assert!(!said.is_empty() && said[0].contains("config.toml:"), "{said:?}");
        said.iter().for_each(|line| assert_says(&log, "ERROR", &[line]));
        assert_says(&log, "ERROR", &["not reloaded"]);
        assert!(server.dig("svc.local NS").answer[0].contains(" 7 IN NS "), "the setting that was right waits too");
        server.dig("mail.a.test A").answers("A", &["192.0.2.1"]);
    }
    assert_eq!(server.revision(), before);
    setup.config("[dns]\nrecord_ttl = 9\n");
    reload(&server);
    assert!(server.dig("svc.local NS").answer[0].contains(" 9 IN NS "), "mended");
    server.dig("mail.a.test A").answers("A", &["192.0.2.2"]);
}

#[test]
fn a_serial_that_the_live_zone_has_of_its_own_is_the_operators() {
    let live =
        |serial: u32, host: u32| format!("$TTL 60\n@ SOA ns hostmaster {serial} 2 3 4 5\nwww A 192.0.2.{host}\n");
    let setup = Setup::new().zone("svc.local.zone", &live(2_026_000_001, 1));
    let server = setup.start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    assert_eq!(server.serial(), 2_026_000_001, "whatever is registered");
    let revision = server.revision();
    for (serial, host, unnoticed) in [(2_026_000_001, 2, true), (2_026_000_002, 3, false), (2_026_000_001, 3, true)] {
        setup.clone().zone("svc.local.zone", &live(serial, host));
        let log = reload(&server);
        server.dig("www.svc.local A").answers("A", &[&format!("192.0.2.{host}")]);
        assert_eq!(server.serial(), serial);
        let warned =
            log.lines().any(|line| line.contains("WARN") && line.contains("svc.local.") && line.contains("serial"));
        assert_eq!(warned, unnoticed, "{serial} {host}: {log}");
    }
    assert_eq!(server.revision(), revision + 3, "each is a change");
}

#[test]
fn what_the_live_zone_answers_takes_a_revision() {
    let setup = Setup::new().config("").zone("svc.local.zone", "www 60 A 192.0.2.1\n").zone("a.test.zone", &zone(1));
    let server = setup.start();
    let state = || (server.revision(), server.serial());
    let (revision, serial) = state();
    reload(&server);
    let setup = setup.zone("a.test.zone", &zone(2));
    reload(&server);
    assert_eq!(state(), (revision, serial), "the live zone is the same");
    let setup = setup.zone("svc.local.zone", "www 60 A 192.0.2.2\n");
    reload(&server);
    server.dig("www.svc.local A").answers("A", &["192.0.2.2"]);
    assert_eq!(state(), (revision + 1, serial + 1));
    let setup = setup.config("[dns]\nrecord_ttl = 9\n");
    reload(&server);
    assert_eq!(state(), (revision + 2, serial + 2));
    fs::remove_file(setup.zones().join("svc.local.zone")).expect("the file was there");
    reload(&server);
    server.dig("www.svc.local A").is_nxdomain();
    let last = state();
    assert_eq!(last, (revision + 3, serial + 3));
    let mut server = server;
    server.kill9();
    let server = setup.start();
    server.register("web", "a", json!({ "address": "10.0.0.1", "port": 80 }));
    assert!(server.revision() > last.0, "a revision that was seen is not given out again");
}

#[test]
fn a_storm_of_signals_costs_no_query_and_mixes_nothing() {
    const SIGNALS: u32 = 100;
    let setup = Setup::new().zone("a.test.zone", &zone(1));
    let server = setup.start();
    let (over, asked) = (AtomicBool::new(false), AtomicU32::new(0));
    let ask = || {
        let mut client = Udp::to(server.dns[0]);
        let mut last = 0;
        while !over.load(Ordering::Relaxed) {
            let reply = client.ask("www.a.test", kind("MX"), Some(1232));
            assert_eq!((reply.rcode.as_str(), reply.answer.len(), reply.additional.len()), ("NOERROR", 1, 1));
            let preference: u32 = reply.first().split(' ').next().and_then(|text| text.parse().ok()).expect("a number");
            assert_eq!(reply.additional[0].data, format!("192.0.2.{preference}"), "two zones in one answer");
            assert!(preference >= last, "{preference} after {last}");
            last = preference;
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| {
        let clients = [scope.spawn(ask), scope.spawn(ask)];
        for number in 2..=SIGNALS {
            drop(setup.clone().zone("a.test.zone", &zone(number)));
            server.process.signal("HUP");
        }
        let last = format!("192.0.2.{SIGNALS}");
        eventually("the last zone", || {
            let dig = server.dig("mail.a.test A");
            if dig.data("A") == [last.as_str()] { Ok(()) } else { Err(dig.raw) }
        });
        over.store(true, Ordering::Relaxed);
        clients.into_iter().for_each(|client| client.join().expect("every answer is right"));
    });
    assert!(asked.load(Ordering::Relaxed) > SIGNALS, "queries and reloads meet");
    assert!(!server.process.log().contains("ERROR"));
}

/// Resident memory of a process, in KiB.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a running process");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn reloads_do_not_add_up_in_memory() {
    let hosts = |serial: u32| -> String {
        (0..1000).map(|host| format!("host-{host} A 10.{}.{}.{}\n", serial % 200, host / 250, host % 250)).collect()
    };
    let large = |serial: u32| zone(serial) + &hosts(serial);
    let setup = Setup::new().zone("a.test.zone", &large(1));
    let server = setup.start();
    let mut settled = 0;
    for serial in 2..=200 {
        drop(setup.clone().zone("a.test.zone", &large(serial)));
        reload(&server);
        // By then every part of the allocator has been used.
        if serial == 40 {
            settled = resident(server.process.id());
        }
    }
    let grown = resident(server.process.id()).saturating_sub(settled);
    // A copy of the zone takes more than a quarter of a MiB, so keeping each would take 40 MiB.
    assert!(grown < 16 * 1024, "{grown} KiB more than the {settled} KiB after 40 reloads");
}
