//! What each kind of check makes of its target, be it good, bad or hostile, and where checks do not go.

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use common::backend::Backend;
use common::http::Request;
use common::process::{Process, tool};
use common::{Server, Setup, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Between two octets of a target that drips.
const DRIP: Duration = Duration::from_millis(10);

/// Registers `web/{id}` with one check that runs by itself once and not again while a test lasts.
fn register(server: &Server, id: &str, address: &str, port: u16, check: Value) {
    let mut check = check;
    check["interval"] = "24h".into();
    server.register("web", id, json!({ "address": address, "port": port, "ttl": "none", "checks": [check] }));
}

/// Waits for the first result of the only check of `web/{id}`, and gives the status and what was found.
fn found(server: &Server, id: &str) -> (String, String) {
    let instance = eventually(&format!("web/{id} is checked"), || {
        let instance = server.instance("web", id);
        if instance["status"] == "starting" { Err(instance) } else { Ok(instance) }
    });
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    (text(&instance["status"]), text(&instance["checks"][0]["last_result"]["detail"]))
}

fn pair(status: &str, detail: &str) -> (String, String) {
    (status.to_owned(), detail.to_owned())
}

/// What a target does with a connection.
type Behaviour = fn(TcpStream);

/// A target on a port of its own that gives each connection to `behave`, in a thread for each.
fn target(behave: Behaviour) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = listener.local_addr().expect("a bound listener").port();
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| drop(thread::spawn(move || behave(stream)))));
    port
}

/// Reads until what has come ends with `end`; whether it did.
fn reads(stream: &mut TcpStream, end: &[u8]) -> bool {
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(end) {
        if stream.read_exact(&mut octet).is_err() {
            return false;
        }
        request.push(octet[0]);
    }
    true
}

fn hangs(mut stream: TcpStream) {
    while stream.read(&mut [0; 1024]).is_ok_and(|octets| octets > 0) {}
}

/// A head that would be whole after an hour.
fn drips(mut stream: TcpStream) {
    if reads(&mut stream, b"\r\n\r\n") && stream.write_all(b"HTTP/1.1 200 OK\r\nx: ").is_ok() {
        while stream.write_all(b"y").is_ok() {
            thread::sleep(DRIP);
        }
    }
}

fn sends_garbage(mut stream: TcpStream) {
    let garbage: Vec<u8> = (0..=255_u8).cycle().take(4096).collect();
    if reads(&mut stream, b"\r\n\r\n") {
        while stream.write_all(&garbage).is_ok() {}
    }
}

fn sends_headers_without_end(mut stream: TcpStream) {
    if reads(&mut stream, b"\r\n\r\n") && stream.write_all(b"HTTP/1.1 200 OK\r\n").is_ok() {
        while stream.write_all(b"x: y\r\n").is_ok() {}
    }
}

fn sends_a_body_without_end(mut stream: TcpStream) {
    if reads(&mut stream, b"\r\n\r\n") && stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").is_ok() {
        while stream.write_all(&[b'y'; 4096]).is_ok() {}
    }
}

fn redirects(mut stream: TcpStream) {
    if reads(&mut stream, b"\r\n\r\n") {
        // To itself, so that who follows it never ends.
        stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /health\r\ncontent-length: 0\r\n\r\n").ok();
    }
}

#[test]
fn hostile_targets_cost_their_timeout_and_nobody_else() {
    let server = Server::start();
    let patience = json!({ "kind": "http", "timeout": "300ms" });
    let plain = json!({ "kind": "http" });
    let targets: [(&str, Behaviour, &Value, _); 6] = [
        ("hangs", hangs, &patience, pair("unhealthy", "no answer within 300ms")),
        ("drips", drips, &patience, pair("unhealthy", "the answer did not end within 300ms")),
        ("garbage", sends_garbage, &plain, pair("unhealthy", "the answer is not HTTP/1")),
        ("headers", sends_headers_without_end, &plain, pair("unhealthy", "the head of the answer is too large")),
        ("body", sends_a_body_without_end, &plain, pair("healthy", "200 OK")),
        ("redirects", redirects, &plain, pair("unhealthy", "302 Found")),
    ];
    for (id, behave, check, _) in &targets {
        register(&server, id, "127.0.0.1", target(*behave), (*check).clone());
    }
    let good = Backend::start("good");
    register(&server, "good", "127.0.0.1", good.address.port(), plain.clone());
    assert_eq!(found(&server, "good"), pair("healthy", "200 OK"));
    for (id, _, _, expected) in targets {
        assert_eq!(found(&server, id), expected, "{id}");
        let path = format!("/v1/services/web/instances/{id}/check");
        let again = server.api.send(Request::new("POST", &path)).expect(200).json();
        assert_eq!(again["results"][0]["detail"], expected.1, "{again}");
    }
    eventually("no slot is taken", || {
        let checks = server.api.get("/v1/status").expect(200).json()["checks"].clone();
        if checks["in_flight"] == 0 { Ok(()) } else { Err(checks) }
    });
}

/// A certificate for 127.0.0.1 that nobody but itself vouches for, and its key.
fn certificate(directory: &Path) {
    let mut command = Command::new(tool("openssl", "openssl"));
    command.current_dir(directory).args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    command.args(["-nodes", "-keyout", "key.pem", "-out", "certificate.pem", "-days", "30", "-subj", "/CN=target"]);
    command.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    let done = command.output().expect("openssl starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// OpenSSL answering each request with 200, and its port.
fn https(directory: &Path) -> (Process, u16) {
    let mut command = Command::new(tool("openssl", "openssl"));
    command.current_dir(directory).args(["s_server", "-accept", "127.0.0.1:0", "-www"]);
    let process = Process::start(command.args(["-cert", "certificate.pem", "-key", "key.pem"]));
    loop {
        let line = process.stdout_line().expect("openssl says where it listens");
        // `ACCEPT 127.0.0.1:40123`
        if let Some(port) = line.strip_prefix("ACCEPT").and_then(|rest| rest.rsplit(':').next()?.parse().ok()) {
            return (process, port);
        }
    }
}

#[test]
fn certificates_count_unless_told_otherwise() {
    let directory = TempDir::new().expect("a temporary directory");
    certificate(directory.path());
    let (_target, port) = https(directory.path());
    let strict = json!({ "kind": "http", "scheme": "https", "path": "/" });
    let any = json!({ "kind": "http", "scheme": "https", "path": "/", "verify": false });
    let server = Server::start();
    register(&server, "strict", "127.0.0.1", port, strict.clone());
    register(&server, "any", "127.0.0.1", port, any);
    let unknown = "the certificate is from an unknown issuer (see health.ca_file)";
    assert_eq!(found(&server, "strict"), pair("unhealthy", unknown));
    assert_eq!(found(&server, "any"), pair("healthy", "200 OK"));
    let server = Setup::new().set("health.ca_file", directory.path().join("certificate.pem").display()).start();
    register(&server, "strict", "127.0.0.1", port, strict.clone());
    register(&server, "named", "localhost", port, strict);
    assert_eq!(found(&server, "strict"), pair("healthy", "200 OK"));
    assert_eq!(found(&server, "named").0, "unhealthy", "the certificate is not for localhost");
}

/// Answers a call about `shop.Cart` with a status, in the frames of RFC 9113 and with HPACK's literals.
fn says(mut stream: TcpStream, serving: u8) {
    if !reads(&mut stream, b"\x0a\x09shop.Cart") {
        return;
    }
    let frames: [&[u8]; 4] = [
        // SETTINGS, and their acknowledgement.
        b"\0\0\0\x04\0\0\0\0\0\0\0\0\x04\x01\0\0\0\0",
        // HEADERS: status 200, content-type.
        b"\0\0\x14\x01\x04\0\0\0\x01\x88\x0f\x10\x10application/grpc",
        // DATA: one message, field 1.
        &[0, 0, 7, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 2, 8, serving],
        // HEADERS as trailers.
        b"\0\0\x0f\x01\x05\0\0\0\x01\0\x0bgrpc-status\x010",
    ];
    if stream.write_all(&frames.concat()).is_ok() {
        hangs(stream);
    }
}

/// Answers the connection preface as a server does that knows nothing newer.
fn speaks_http1(mut stream: TcpStream) {
    if reads(&mut stream, b"SM\r\n\r\n") && stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").is_ok() {
        hangs(stream);
    }
}

#[test]
fn a_grpc_service_says_how_it_is() {
    let server = Server::start();
    let targets: [(&str, Behaviour, &str, &str); 4] = [
        ("up", |stream| says(stream, 1), "healthy", "SERVING"),
        ("down", |stream| says(stream, 2), "unhealthy", "NOT_SERVING"),
        ("odd", |stream| says(stream, 9), "unhealthy", "the answer is not gRPC"),
        ("http1", speaks_http1, "unhealthy", "the answer is not HTTP/2"),
    ];
    for (id, behave, ..) in targets {
        register(&server, id, "127.0.0.1", target(behave), json!({ "kind": "grpc", "service": "shop.Cart" }));
    }
    for (id, _, status, detail) in targets {
        assert_eq!(found(&server, id), pair(status, detail), "{id}");
    }
}

#[test]
fn checks_stay_away_from_the_link_unless_allowed() {
    let tcp = || json!({ "kind": "tcp", "timeout": "200ms" });
    let link = "not checked: the address is link-local (see health.allow)";
    let metadata = "not checked: the address is a cloud metadata service (see health.allow)";
    let server = Server::start();
    for (id, address) in [("link", "169.254.77.77"), ("metadata", "169.254.169.254"), ("name", "0xa9fea9fe")] {
        register(&server, id, address, 80, tcp());
    }
    assert_eq!(found(&server, "link"), pair("unhealthy", link));
    assert_eq!(found(&server, "metadata"), pair("unhealthy", metadata));
    // The system's resolver reads such a name as an address; what counts is what it resolves to.
    assert_eq!(found(&server, "name"), pair("unhealthy", &format!("169.254.169.254: {metadata}")));
    let server = Setup::new().set("health.allow", r#"["169.254.77.0/24"]"#).start();
    register(&server, "link", "169.254.77.77", 80, tcp());
    register(&server, "metadata", "169.254.169.254", 80, tcp());
    assert_eq!(found(&server, "metadata"), pair("unhealthy", metadata));
    // Whatever is found there, it was looked for.
    assert!(!found(&server, "link").1.starts_with("not checked"));
}
