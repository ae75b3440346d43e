//! How a server ends when it is asked to: what is under way is finished, and everybody is told.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;

use common::{Server, eventually};
use serde_json::json;

/// A request of which the server has everything but the last octet of its body.
struct Unfinished {
    connection: TcpStream,
    last: u8,
}

impl Unfinished {
    fn send(server: &Server, path: &str, body: &str) -> Self {
        let mut connection = TcpStream::connect(server.http[0]).expect("the server listens");
        let head = format!("PUT {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n", server.http[0]);
        // The interim reply says that the request is being worked on.
        let head = format!("{head}Expect: 100-continue\r\nContent-Length: {}\r\n\r\n", body.len());
        connection.write_all(head.as_bytes()).expect("the server reads");
        let mut interim = [0; 25];
        connection.read_exact(&mut interim).expect("an interim reply");
        assert!(interim.starts_with(b"HTTP/1.1 100 "), "{}", String::from_utf8_lossy(&interim));
        let (last, rest) = body.as_bytes().split_last().expect("a body");
        connection.write_all(rest).expect("the server reads");
        Self { connection, last: *last }
    }

    fn finish(mut self) -> String {
        self.connection.write_all(&[self.last]).expect("the server reads");
        let mut reply = String::new();
        self.connection.read_to_string(&mut reply).expect("a reply and the end");
        reply
    }
}

#[track_caller]
fn eventually_logs(server: &Server, what: &str) {
    eventually(&format!("the log says {what}"), || {
        let log = server.process.log();
        if log.lines().any(|line| line.ends_with(what)) { Ok(()) } else { Err(log) }
    });
}

#[test]
fn what_is_under_way_is_finished_and_kept() {
    let mut server = Server::start();
    let body = json!({ "address": "10.0.0.1", "port": 80 }).to_string();
    let unfinished = Unfinished::send(&server, "/v1/services/web/instances/a", &body);
    server.process.signal("TERM");
    eventually_logs(&server, "stopping");
    let ready = server.api.get("/readyz").expect(503);
    assert!(ready.to_string().contains("stopping"), "{ready}");
    server.dig("svc.local SOA").has("aa");
    let reply = unfinished.finish();
    assert!(reply.starts_with("HTTP/1.1 201 ") && reply.contains("connection: close"), "{reply}");
    assert!(server.process.wait().success());
    let server = server.setup().start();
    server.dig("web.svc.local A").answers("A", &["10.0.0.1"]);
}

/// Who asks a moment later is a matter of time, and of a test on the paused clock beside the code.
#[test]
fn who_asks_as_the_server_stops_is_answered() {
    for are_taken in [true, false] {
        let server = Server::start();
        let connect = || (0..20).map(|_| TcpStream::connect(server.http[0]).expect("the system takes it")).collect();
        let taken: Vec<_> = if are_taken { connect() } else { Vec::new() };
        // Connections are taken in their order: these have been.
        server.api.get("/readyz").expect(200);
        // It finds the requests and the signal at once.
        server.process.signal("STOP");
        all_are_answered(if are_taken { taken } else { connect() }, server);
    }
}

/// All of `connections` ask a server that stands still, and has to end when it goes on.
fn all_are_answered(mut connections: Vec<TcpStream>, mut server: Server) {
    for connection in &mut connections {
        connection.write_all(b"GET /readyz HTTP/1.1\r\nHost: srvd\r\n\r\n").expect("the system keeps it");
    }
    server.process.signal("TERM");
    server.process.signal("CONT");
    for mut connection in connections {
        let mut reply = String::new();
        connection.read_to_string(&mut reply).expect("a reply and the end");
        assert!(reply.starts_with("HTTP/1.1 "), "{reply:?}");
    }
    assert!(server.process.wait().success());
}

#[test]
fn who_never_finishes_does_not_keep_the_server() {
    for signal in ["TERM", "INT"] {
        let mut server = Server::start();
        let unfinished = Unfinished::send(&server, "/v1/services/web/instances/a", "{ }");
        let idle = TcpStream::connect(server.dns[0]).expect("TCP is always on");
        server.process.signal(signal);
        eventually_logs(&server, "stopping");
        // Not now any more: it neither reloads nor ends without a word.
        server.process.signal("HUP");
        assert!(server.process.wait().success());
        let log = server.process.log();
        assert!(log.contains("did not end in time") && log.contains("stopped") && !log.contains("reloaded"), "{log}");
        drop((unfinished, idle));
    }
}
