//! Probes against real sockets, most of them behaving badly.

use std::net::Ipv4Addr;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::Setting;
use crate::model::{CheckDefaults, Defaults};

/// A failed test ends after this long instead of hanging.
const GUARD: Duration = Duration::from_secs(30);

/// What a target does with a connection once the request is there.
#[derive(Debug, Clone, Copy)]
enum Target {
    Says(&'static str),
    /// Says the first, then the second again and again, as fast as it is taken.
    Endless(&'static str, &'static str),
    /// Says the first, then the second one octet at a time, every few milliseconds, again and again.
    Drips(&'static str, &'static str),
    Hangs,
    Closes,
    Resets,
}

async fn listen(target: Target) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream, target));
        }
    });
    port
}

async fn behave(mut stream: TcpStream, target: Target) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(octet) => request.push(octet),
            Err(_) => return,
        }
    }
    match target {
        Target::Says(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
        Target::Endless(first, rest) => {
            stream.write_all(first.as_bytes()).await.ok();
            while stream.write_all(rest.as_bytes()).await.is_ok() {}
        }
        Target::Drips(first, rest) => {
            stream.write_all(first.as_bytes()).await.ok();
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            for octet in rest.bytes().cycle() {
                tick.tick().await;
                if stream.write_u8(octet).await.is_err() {
                    return;
                }
            }
        }
        Target::Hangs => drop(stream.read_u8().await),
        Target::Closes => {}
        Target::Resets => socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap(),
    }
}

fn registration(body: &Value) -> Registration {
    let check = CheckDefaults { interval: Span::from_secs(10), timeout: Span::from_secs(10), rise: 2, fall: 3 };
    let defaults = Defaults { ttl: Span::from_secs(30), check, checks: Vec::new() };
    Registration::from_json(body, &defaults, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

/// The finding of the first check of a registration.
async fn find(body: &Value) -> Finding {
    let registration = registration(body);
    let prober = Prober::new(Setting::default());
    timeout(GUARD, prober.probe(&registration, &registration.checks[0])).await.expect("a probe ends by itself")
}

async fn ask(target: Target, check: Value) -> (bool, String) {
    let port = listen(target).await;
    let finding = find(&json!({"address": "127.0.0.1", "port": port, "checks": [check]})).await;
    (matches!(finding.outcome(), Outcome::Passed(_)), finding.to_string())
}

#[tokio::test]
async fn statuses_decide() {
    let http = |more: Value| {
        let mut check = json!({"kind": "http"});
        check.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        check
    };
    for (answer, check, passed, detail) in [
        ("HTTP/1.1 200 OK\r\n\r\n", http(json!({})), true, "200 OK"),
        ("HTTP/1.0 204 Nothing\r\n\r\n", http(json!({"method": "HEAD"})), true, "204 No Content"),
        ("HTTP/1.1 200 <script>\r\ncontent-length: 9\r\n\r\nsecret", http(json!({})), true, "200 OK"),
        ("HTTP/1.1 500 Oops\r\n\r\nsecret", http(json!({})), false, "500 Internal Server Error"),
        ("HTTP/1.1 302 Found\r\nlocation: /ok\r\n\r\n", http(json!({})), false, "302 Found"),
        ("HTTP/1.1 302 Found\r\n\r\n", http(json!({"expect": [200, "300-303"]})), true, "302 Found"),
        ("HTTP/1.1 200 OK\r\n\r\n", http(json!({"expect": 418})), false, "200 OK"),
        ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 299 Odd\r\n\r\n", http(json!({})), true, "299"),
    ] {
        assert_eq!(ask(Target::Says(answer), check).await, (passed, detail.to_owned()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_target_that_misbehaves_costs_its_timeout_at_most() {
    let quiet = [
        Target::Hangs,
        Target::Drips("", "HTTP/1.1 102 Processing\r\n\r\n"),
        Target::Drips("HTTP/1.1 200 OK\r\n", "x: y\r\n"),
    ];
    for target in quiet {
        let found = ask(target, json!({"kind": "http", "timeout": "200ms"})).await;
        assert_eq!(found, (false, "no answer within 200ms".to_owned()), "{target:?}");
    }
    for (target, detail) in [
        (Target::Says("HTTP/1.1 200"), "connection closed without an answer"),
        (Target::Closes, "connection closed without an answer"),
        (Target::Resets, "connection reset"),
        (Target::Says("SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP/1"),
        (Target::Endless("\0\u{7f}", "garbage"), "the answer is not HTTP/1"),
        (Target::Endless("HTTP/1.1 200 OK\r\n", "x: y\r\n"), "the head of the answer is too large"),
        (Target::Endless("HTTP/1.1 200 OK\r\nx: ", "yyyyyyyy"), "the head of the answer is too large"),
        (Target::Endless("", "HTTP/1.1 102 Processing\r\n\r\n"), "connection closed without an answer"),
    ] {
        assert_eq!(ask(target, json!({"kind": "http"})).await, (false, detail.to_owned()), "{target:?}");
    }
}

#[tokio::test]
async fn the_body_is_not_read() {
    let endless = Target::Endless("HTTP/1.1 200 OK\r\n\r\n", "body");
    assert_eq!(ask(endless, json!({"kind": "http"})).await, (true, "200 OK".to_owned()));
}

#[tokio::test]
async fn a_tcp_check_connects() {
    assert_eq!(ask(Target::Hangs, json!({"kind": "tcp"})).await, (true, "connected".to_owned()));
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap().local_addr().unwrap().port();
    let finding = find(&json!({"address": "127.0.0.1", "port": free, "checks": [{"kind": "tcp"}]})).await;
    assert_eq!(finding.to_string(), "connection refused");
}

#[tokio::test]
async fn every_address_has_to_pass() {
    let port = listen(Target::Says("HTTP/1.1 200 OK\r\n\r\n")).await;
    let both = json!({"addresses": ["127.0.0.1", "127.0.0.2"], "port": port, "checks": [{"kind": "http"}]});
    assert_eq!(find(&both).await.to_string(), "127.0.0.2: connection refused");
    let own_port = json!({"address": "127.0.0.1", "port": 1, "checks": [{"kind": "http", "port": port}]});
    assert_eq!(find(&own_port).await.to_string(), "200 OK");
}

/// `localhost` has an IPv6 address on most systems, on which nobody listens here.
#[tokio::test]
async fn any_address_of_a_name_is_enough() {
    let port = listen(Target::Says("HTTP/1.1 200 OK\r\n\r\n")).await;
    let finding = find(&json!({"address": "localhost", "port": port, "checks": [{"kind": "http"}]})).await;
    assert_eq!(finding.to_string(), "127.0.0.1: 200 OK");
}

#[tokio::test]
async fn what_may_not_be_reached_is_refused() {
    for (address, detail) in [
        ("169.254.169.254", "not checked: the address is a cloud metadata service (see health.allow)"),
        ("fe80::1", "not checked: the address is link-local (see health.allow)"),
    ] {
        let finding = find(&json!({"address": address, "port": 80, "checks": [{"kind": "tcp"}]})).await;
        assert!(matches!(finding.outcome(), Outcome::Failed(Fault::Forbidden(_))));
        assert_eq!(finding.to_string(), detail);
    }
}

#[tokio::test]
async fn dropping_a_probe_closes_its_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let probe = tokio::spawn(async move {
        find(&json!({"address": "127.0.0.1", "port": port, "checks": [{"kind": "http", "timeout": "5m"}]})).await
    });
    let (mut stream, _) = listener.accept().await.unwrap();
    stream.read_u8().await.unwrap();
    probe.abort();
    timeout(GUARD, stream.read_to_end(&mut Vec::new())).await.expect("the connection ends").ok();
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_late_blames_nobody() {
    for (late, hindered) in [(Duration::from_millis(999), false), (Duration::from_secs(60), true)] {
        let limit = Limit { deadline: Instant::now() + Duration::from_secs(5), patience: Span::from_secs(5) };
        let work = async {
            tokio::time::advance(Duration::from_secs(5) + late).await;
            std::future::pending::<Result<(), Outcome>>().await
        };
        let outcome = limit.hold(work).await.unwrap_err();
        assert_eq!(matches!(outcome, Outcome::Hindered(Hindrance::StoodStill)), hindered, "{late:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_addresses_of_a_name_share_the_time() {
    for (shares, patience) in [(1, "6s"), (2, "3s"), (8, "750ms")] {
        let limit = Limit { deadline: Instant::now() + Duration::from_secs(6), patience: Span::from_secs(6) };
        let outcome = limit.part_of(shares).hold(std::future::pending::<Result<(), Outcome>>()).await.unwrap_err();
        let finding = Finding::new(None, outcome, Duration::ZERO);
        assert_eq!(finding.to_string(), format!("no answer within {patience}"));
    }
}
