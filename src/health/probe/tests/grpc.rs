//! `grpc` checks against the gRPC library of Google, and against targets that speak HTTP/2 badly or not at all.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};

use super::*;

/// A server whose health service knows `up`, `down` and, as the whole server, "". It has another service without health.
const SERVER: &str = r#"
import sys, grpc
from concurrent import futures
STATUS = {b"": 1, b"\n\x02up": 1, b"\n\x04down": 2, b"\n\x05blank": 0, b"\n\x05mixed": 3}
def check(request, context):
    if request == b"\n\x04slow":
        import time; time.sleep(60)
    if request not in STATUS:
        context.abort(grpc.StatusCode.NOT_FOUND, "secret\x07")
    return bytes([8, STATUS[request]]) if STATUS[request] else b""
server = grpc.server(futures.ThreadPoolExecutor(4))
if sys.argv[1] == "health":
    method = grpc.unary_unary_rpc_method_handler(check)
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": method})])
print(server.add_insecure_port("127.0.0.1:0"), flush=True)
server.start()
server.wait_for_termination()
"#;

/// Debian's Python, for which `python3-grpcio` is.
async fn python(kind: &str) -> (tokio::process::Child, u16) {
    let mut command = tokio::process::Command::new("/usr/bin/python3");
    command.args(["-c", SERVER, kind]).kill_on_drop(true).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 is not installed: `apt-get install python3`");
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = timeout(GUARD, lines.next_line()).await.expect("the server starts").unwrap();
    let port = line.expect("is grpc there? `apt-get install python3-grpcio`").parse().unwrap();
    (child, port)
}

async fn check(port: u16, check: Value) -> (bool, String) {
    let finding = find(&json!({"address": "127.0.0.1", "port": port, "checks": [check]})).await;
    (matches!(finding.outcome(), Outcome::Passed(_)), finding.to_string())
}

#[tokio::test]
async fn a_server_says_how_its_services_are() {
    let (_server, port) = python("health").await;
    let unknown = "gRPC status NOT_FOUND (the target does not know the service)";
    for (service, passed, detail) in [
        ("", true, "SERVING"),
        ("up", true, "SERVING"),
        ("down", false, "NOT_SERVING"),
        ("blank", false, "UNKNOWN"),
        ("mixed", false, "SERVICE_UNKNOWN"),
        ("other", false, unknown),
    ] {
        let found = check(port, json!({"kind": "grpc", "service": service})).await;
        assert_eq!(found, (passed, detail.to_owned()), "{service}");
    }
    let slow = check(port, json!({"kind": "grpc", "service": "slow", "timeout": "300ms"})).await;
    let ends = ["the answer did not end within 300ms", "gRPC status DEADLINE_EXCEEDED"];
    assert!(!slow.0 && ends.contains(&slow.1.as_str()), "{slow:?}");
}

#[tokio::test]
async fn a_server_without_health_fails() {
    let (_server, port) = python("none").await;
    let detail = "gRPC status UNIMPLEMENTED (the target has no grpc.health.v1.Health)";
    assert_eq!(check(port, json!({"kind": "grpc"})).await, (false, detail.to_owned()));
}

/// The end of the connection preface (RFC 9113 §3.4).
const PREFACE: &[u8] = b"SM\r\n\r\n";
/// An empty SETTINGS frame, as every server begins.
const SETTINGS: &[u8] = b"\0\0\0\x04\0\0\0\0\0";

#[tokio::test]
async fn a_target_that_misbehaves_costs_its_timeout_at_most() {
    let short = json!({"kind": "grpc", "timeout": "200ms"});
    let long = json!({"kind": "grpc"});
    for (target, check, detail) in [
        (Target::Hangs, &short, "no answer within 200ms"),
        (Target::Drips(SETTINGS, SETTINGS), &short, "the answer did not end within 200ms"),
        (Target::Closes, &long, "connection reset"),
        (Target::ResetsAtOnce, &long, "connection reset"),
        (Target::Says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), &long, "the answer is not HTTP/2"),
        (Target::Endless(b"", b"garbage!"), &long, "the answer is not HTTP/2"),
        // SETTINGS, PING and WINDOW_UPDATE without end.
        (Target::Endless(SETTINGS, SETTINGS), &long, "the answer is too long"),
        (Target::Endless(SETTINGS, b"\0\0\x08\x06\0\0\0\0\0srvdsrvd"), &long, "the answer is too long"),
        // A head that goes on in CONTINUATION frames without end.
        (
            Target::Endless(b"\0\0\0\x04\0\0\0\0\0\0\0\0\x01\0\0\0\0\x01", b"\0\0\0\x09\0\0\0\0\x01"),
            &long,
            "the answer is not HTTP/2",
        ),
        // Status 103 without end.
        (Target::Endless(SETTINGS, b"\0\0\x05\x01\x04\0\0\0\x01\x08\x03103"), &long, "the answer is too long"),
        // GOAWAY with ENHANCE_YOUR_CALM, and RST_STREAM with REFUSED_STREAM.
        (
            Target::Says(b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b"),
            &long,
            "HTTP/2 error: detected excessive load generating behavior",
        ),
        (
            Target::Drips(b"\0\0\0\x04\0\0\0\0\0\0\0\x04\x03\0\0\0\0\x01\0\0\0\x07", SETTINGS),
            &long,
            "HTTP/2 error: refused stream before processing any application logic",
        ),
        // Status 404, and 200 without a word of gRPC.
        (Target::Drips(b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x8d", SETTINGS), &long, "404 Not Found"),
        (
            Target::Drips(b"\0\0\0\x04\0\0\0\0\0\0\0\x01\x01\x05\0\0\0\x01\x88", SETTINGS),
            &long,
            "the answer is not gRPC",
        ),
    ] {
        let port = listen_to(target, PREFACE).await;
        let finding = find(&json!({"address": "127.0.0.1", "port": port, "checks": [check]})).await;
        assert_eq!(finding.to_string(), detail, "{target:?}");
        assert!(matches!(finding.outcome(), Outcome::Failed(_)), "{target:?}");
    }
}
