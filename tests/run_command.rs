//! `srvd run` around a real program, beside the real server: when it registers, what the program hears, how both end.

mod common;

use std::net::{SocketAddr, TcpListener};
use std::process::Command;

use common::process::{Process, tool};
use common::{Server, Setup, eventually};
use serde_json::Value;

/// A program that tells what it hears, listens once it gets SIGUSR1, and ends with 7 on SIGTERM and SIGINT and with 3 on
/// SIGUSR2, and whenever who started it is gone.
const PROGRAM: &str = r#"
import os, signal, socket, sys, threading, time
parent = os.getppid()
def watch():
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)
threading.Thread(target=watch, daemon=True).start()
listens = threading.Event()
def heard(number, frame):
    print("got", signal.Signals(number).name, flush=True)
    if number == signal.SIGUSR1:
        listens.set()
    if number == signal.SIGUSR2:
        sys.exit(3)
    if number in (signal.SIGTERM, signal.SIGINT):
        sys.exit(7)
for name in ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2"):
    signal.signal(getattr(signal, name), heard)
print("started", flush=True)
while not listens.wait(0.05):
    pass
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    server.accept()[0].close()
"#;

/// A server whose answers caches may keep for a second.
fn server() -> Server {
    Setup::new().set("dns.record_ttl", 1).set("dns.negative_ttl", 1).start()
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}

/// `srvd run` with the program, as web/a.
fn command(server: SocketAddr, port: u16, options: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    command.args(["run", "--server", &format!("http://{server}"), "--service", "web", "--id", "a"]);
    command.args(["--port", &port.to_string(), "--address", "127.0.0.1"]).args(options.split_whitespace());
    command.arg("--").arg(tool("python3", "python3")).args(["-c", PROGRAM, &port.to_string()]);
    command
}

/// Starts it, and waits until the program runs.
#[track_caller]
fn start(server: SocketAddr, options: &str) -> Process {
    let process = Process::start(&mut command(server, free_port(), options));
    assert_eq!(process.stdout_line().as_deref(), Some("started"));
    process
}

/// Has the program listen, and waits until it is registered.
#[track_caller]
fn listen(process: &Process, server: &Server) {
    process.signal("USR1");
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGUSR1"));
    assert_eq!(process.stdout_line().as_deref(), Some("listening"));
    registered(server);
}

#[track_caller]
fn registered(server: &Server) {
    eventually("the instance is registered", || match server.api.get("/v1/services/web/instances/a") {
        reply if reply.status == 200 && reply.json()["status"] == "healthy" => Ok(()),
        reply => Err(reply.to_string()),
    });
}

#[track_caller]
fn gone(server: &Server) {
    server.api.get("/v1/services/web/instances/a").expect(404);
}

#[test]
fn a_program_from_its_start_to_its_end() {
    let server = server();
    let mut process = start(server.http[0], "--weight 5 --tag v2 --meta team=shop --ttl 10s");
    gone(&server);
    listen(&process, &server);
    let instance = server.instance("web", "a");
    assert_eq!((&instance["weight"], &instance["tags"][0], &instance["ttl"]), (&5.into(), &"v2".into(), &"10s".into()));
    assert_eq!(server.dig("web.svc.local A").data("A"), ["127.0.0.1"]);
    process.signal("HUP");
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGHUP"));

    process.signal("TERM");
    // The program hears of it when nobody can come any more.
    eventually("it is taken out of DNS", || match server.dig("web.svc.local A").data("A").len() {
        0 => Ok(()),
        answers => Err(answers.to_string()),
    });
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGTERM"));
    gone(&server);
    assert_eq!(process.wait().code(), Some(7));
    let log = process.log();
    assert!(log.contains("web/a is registered") && log.contains("web/a is leaving"), "{log}");
}

#[test]
fn a_program_that_ends_by_itself_is_deregistered_at_once() {
    let server = server();
    let mut process = start(server.http[0], "");
    listen(&process, &server);
    process.signal("USR2");
    assert_eq!(process.wait().code(), Some(3));
    gone(&server);
    assert!(process.log().contains("web/a is deregistered"), "{}", process.log());
}

#[test]
fn what_happens_is_told_to_programs_in_lines() {
    let server = server();
    let mut process = start(server.http[0], "--output json");
    listen(&process, &server);
    process.terminate();
    let log = process.log();
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("JSON and nothing else: {log}")))
        .collect();
    let told: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(told, ["registered", "leaving"], "{log}");
    for event in &events {
        assert_eq!((&event["service"], &event["id"]), (&"web".into(), &"a".into()), "{event}");
        assert!(event["at"].as_str().is_some_and(|at| at.parse::<jiff::Timestamp>().is_ok()), "{event}");
    }
    // What goes wrong is a line, too, and is told even to those who want nothing else.
    let away = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    let mut process = start(away, "--output json --quiet");
    process.signal("USR1");
    eventually("it is told", || match process.log().lines().next().map(serde_json::from_str::<Value>) {
        Some(Ok(event)) if event["event"] == "not_registered" => Ok(()),
        other => Err(format!("{other:?}")),
    });
    process.terminate();
}

#[test]
fn a_second_signal_is_passed_on_at_once() {
    let server = Setup::new().set("dns.record_ttl", 3600).start();
    let mut process = start(server.http[0], "--drain 10m");
    listen(&process, &server);
    process.signal("TERM");
    eventually("it is draining", || match server.instance("web", "a")["status"].as_str() {
        Some("draining") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    process.signal("TERM");
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGTERM"));
    assert_eq!(process.wait().code(), Some(7));
    gone(&server);
}

#[test]
fn a_signal_before_it_is_registered_reaches_the_program() {
    let server = server();
    let mut process = start(server.http[0], "");
    process.signal("INT");
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGINT"));
    assert_eq!(process.wait().code(), Some(7));
    gone(&server);
}

#[test]
fn the_program_outlives_the_server_and_is_registered_with_the_next() {
    let setup = Setup::new().set("store.kind", "memory");
    let mut server = setup.start();
    let process = start(server.http[0], "--ttl 2s");
    listen(&process, &server);
    let place = server.http[0];
    server.process.kill9();
    eventually("the loss is told", || match process.log() {
        log if log.contains("a heartbeat was not taken") => Ok(()),
        log => Err(log),
    });
    // It has kept nothing.
    let server = setup.http(&place.to_string()).start();
    registered(&server);
    process.signal("HUP");
    assert_eq!(process.stdout_line().as_deref(), Some("got SIGHUP"));
}

#[test]
fn a_server_that_comes_later() {
    let place = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let process = start(place, "");
    process.signal("USR1");
    eventually("the absence is told", || match process.log() {
        log if log.contains("not registered: ") && log.contains("the program runs on") => Ok(()),
        log => Err(log),
    });
    registered(&Setup::new().http(&place.to_string()).start());
}

/// How `srvd run` ends around `line`, with nobody to register with.
fn ended(line: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    command.args(["run", "--server", "http://127.0.0.1:1", "--service", "web", "--port", "1", "--"]);
    let output = command.args(["sh", "-c", line]).output().expect("srvd runs");
    assert!(output.stdout.is_empty());
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn exit_codes_are_the_programs() {
    for (line, code) in [("exit 0", 0), ("exit 42", 42), ("kill -9 $$", 137), ("kill -TERM $$", 143)] {
        assert_eq!(ended(line), (Some(code), String::new()), "{line}");
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    let output =
        command.args(["run", "--service", "web", "--port", "1", "--", "/nonexistent"]).output().expect("srvd runs");
    assert_eq!(output.status.code(), Some(127));
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("srvd: cannot run /nonexistent: "));
    let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
    let output = command.args(["run", "--service", "web", "--port", "0", "--", "true"]).output().expect("srvd runs");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn input_and_output_are_the_programs() {
    let mut command = Command::new("sh");
    let run = format!(
        "echo in | {} run --service web --port 1 -- sh -c 'read word; echo $word out; echo err >&2'",
        env!("CARGO_BIN_EXE_srvd")
    );
    let output = command.args(["-c", &run]).env("SRVD_SERVER", "http://127.0.0.1:1").output().expect("sh runs");
    assert_eq!((output.stdout.as_slice(), output.stderr.as_slice()), (&b"in out\n"[..], &b"err\n"[..]));
}
