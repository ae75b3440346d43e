//! Probes against real sockets, most of them behaving badly.

mod grpc;
mod https;

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;
use crate::config::Setting;
use crate::model::{CheckDefaults, Defaults, Span};

/// A failed test ends after this long instead of hanging.
const GUARD: Duration = Duration::from_secs(30);

/// What a target does with a connection.
#[derive(Debug, Clone, Copy)]
enum Target {
    /// Reads the request, then says this and closes in order.
    Says(&'static [u8]),
    /// Reads the request; then the first, then the second again and again, as fast as it is taken.
    Endless(&'static [u8], &'static [u8]),
    /// Reads the request; then the first, then the second one octet at a time, every few milliseconds, again and again.
    Drips(&'static [u8], &'static [u8]),
    Hangs,
    Closes,
    Resets,
    /// Resets without reading anything.
    ResetsAtOnce,
}

/// Serves on a port of its own; the request is what comes first and ends with `end`.
async fn listen_to(target: Target, end: &'static [u8]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(behave(stream, target, end));
        }
    });
    port
}

async fn listen(target: Target) -> u16 {
    listen_to(target, b"\r\n\r\n").await
}

async fn behave(mut stream: TcpStream, target: Target, end: &'static [u8]) {
    if matches!(target, Target::ResetsAtOnce) {
        return stream.set_zero_linger().unwrap();
    }
    let mut request = Vec::new();
    while !request.ends_with(end) {
        match stream.read_u8().await {
            Ok(octet) => request.push(octet),
            Err(_) => return,
        }
    }
    match target {
        Target::Says(answer) => {
            stream.write_all(answer).await.unwrap();
            stream.shutdown().await.ok();
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
        }
        Target::Endless(first, rest) => {
            stream.write_all(first).await.ok();
            while stream.write_all(rest).await.is_ok() {}
        }
        Target::Drips(first, rest) => {
            stream.write_all(first).await.ok();
            let mut tick = tokio::time::interval(Duration::from_millis(5));
            for octet in rest.iter().cycle() {
                tick.tick().await;
                if stream.write_u8(*octet).await.is_err() {
                    return;
                }
            }
        }
        Target::Hangs => {
            tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
        }
        Target::Closes => {}
        Target::Resets | Target::ResetsAtOnce => stream.set_zero_linger().unwrap(),
    }
}

fn registration(body: &Value) -> Registration {
    let check = CheckDefaults { timeout: Span::from_secs(10), ..CheckDefaults::default() };
    let defaults = Defaults { check, ..Defaults::default() };
    Registration::from_json(body, &defaults, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap()
}

/// The finding of the first check of a registration.
async fn find(body: &Value) -> Finding {
    let registration = registration(body);
    let prober = Prober::new(Setting::default(), &Roots::none(), 8);
    timeout(GUARD, prober.probe(&registration, &registration.checks()[0])).await.expect("a probe ends by itself")
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
        assert_eq!(ask(Target::Says(answer.as_bytes()), check).await, (passed, detail.to_owned()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_target_that_misbehaves_costs_its_timeout_at_most() {
    for (target, detail) in [
        (Target::Hangs, "no answer within 200ms"),
        (Target::Drips(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "the answer did not end within 200ms"),
        (Target::Drips(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), "the answer did not end within 200ms"),
    ] {
        let found = ask(target, json!({"kind": "http", "timeout": "200ms"})).await;
        assert_eq!(found, (false, detail.to_owned()), "{target:?}");
    }
    for (target, detail) in [
        (Target::Says(b"HTTP/1.1 200"), "connection closed without an answer"),
        (Target::Closes, "connection closed without an answer"),
        (Target::Resets, "connection reset"),
        (Target::ResetsAtOnce, "connection reset"),
        (Target::Says(b"SSH-2.0-OpenSSH_9.2\r\n"), "the answer is not HTTP/1"),
        (Target::Says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: \x1b[2J\0\r\n\r\n"), "the answer is not HTTP/1"),
        (Target::Endless(b"\0\x7f", b"garbage"), "the answer is not HTTP/1"),
        (Target::Endless(b"HTTP/1.1 200 OK\r\n", b"x: y\r\n"), "the head of the answer is too large"),
        (Target::Endless(b"HTTP/1.1 200 OK\r\nx: ", b"yyyyyyyy"), "the head of the answer is too large"),
        (Target::Endless(b"", b"HTTP/1.1 102 Processing\r\n\r\n"), "the answer is too long"),
    ] {
        assert_eq!(ask(target, json!({"kind": "http"})).await, (false, detail.to_owned()), "{target:?}");
    }
}

/// The queue of connections that nobody accepts is full, so that a further one is not even begun.
#[tokio::test]
async fn a_target_that_does_not_accept_is_told_from_one_that_does_not_answer() {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let port = listener.local_addr().unwrap().port();
    let body = json!({"address": "127.0.0.1", "port": port, "checks": [{"kind": "http", "timeout": "300ms"}]});
    assert_eq!(find(&body).await.to_string(), "no answer within 300ms");
    let mut queued = Vec::new();
    while let Ok(Ok(stream)) =
        timeout(Duration::from_millis(300), TcpStream::connect((Ipv4Addr::LOCALHOST, port))).await
    {
        queued.push(stream);
    }
    assert_eq!(find(&body).await.to_string(), "no connection within 300ms");
}

#[tokio::test]
async fn a_target_that_does_not_read_is_told_so() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket2::SockRef::from(&listener).set_recv_buffer_size(1).unwrap();
    let port = listener.local_addr().unwrap().port();
    let headers: serde_json::Map<_, _> = (0..32).map(|n| (format!("x-{n}"), json!("y".repeat(4000)))).collect();
    let check = json!({"kind": "http", "timeout": "300ms", "headers": headers});
    let body = json!({"address": "127.0.0.1", "port": port, "checks": [check]});
    let (finding, _open) = tokio::join!(find(&body), listener.accept());
    let found = finding.to_string();
    assert!(["the request was not taken within 300ms", "no answer within 300ms"].contains(&found.as_str()), "{found}");
}

#[tokio::test]
async fn the_body_is_not_read() {
    for endless in [
        Target::Endless(b"HTTP/1.1 200 OK\r\n\r\n", b"body"),
        Target::Endless(b"HTTP/1.1 200 OK\r\ncontent-length: 9223372036854775807\r\n\r\n", b"body"),
        Target::Endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", b"body"),
        Target::Says(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno chunk"),
    ] {
        assert_eq!(ask(endless, json!({"kind": "http"})).await, (true, "200 OK".to_owned()), "{endless:?}");
    }
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
    let port = listen(Target::Says(b"HTTP/1.1 200 OK\r\n\r\n")).await;
    let both = json!({"addresses": ["127.0.0.1", "127.0.0.2"], "port": port, "checks": [{"kind": "http"}]});
    assert_eq!(find(&both).await.to_string(), "127.0.0.2: connection refused");
    let own_port = json!({"address": "127.0.0.1", "port": 1, "checks": [{"kind": "http", "port": port}]});
    assert_eq!(find(&own_port).await.to_string(), "200 OK");
}

/// `localhost` has an IPv6 address on most systems, on which nobody listens here.
#[tokio::test]
async fn any_address_of_a_name_is_enough() {
    let port = listen(Target::Says(b"HTTP/1.1 200 OK\r\n\r\n")).await;
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
