//! The commands that speak to a running server, as whole processes: what they print, and what they exit with.

mod common;

use std::io::Write;
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};

use common::process::Process;
use common::{Server, eventually};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_srvd");

/// Runs a command against a server, with `input` on its standard input.
fn srvd_with(server: &str, line: &str, input: &str) -> Output {
    let mut command = Command::new(BINARY);
    command.args(line.split(' ')).env("SRVD_SERVER", server);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("srvd starts");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("it takes its input");
    child.wait_with_output().expect("srvd ends")
}

fn srvd(server: &Server, line: &str) -> Output {
    srvd_with(&format!("http://{}", server.http[0]), line, "")
}

/// What a command printed that was done.
#[track_caller]
fn done(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// What a command complained about, with its exit code.
fn complaint(output: &Output) -> (Option<i32>, String) {
    assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn an_instance_from_registration_to_deregistration() {
    let server = Server::start();
    let line = "register web --id a --address 10.0.0.1 --port 80 --weight 3 --tag v2 --meta team=shop --ttl none";
    let table = done(&srvd(&server, line));
    assert!(table.contains("web/a") && table.contains("healthy") && table.contains("10.0.0.1"), "{table}");
    assert_eq!(server.dig("web.svc.local A").data("A"), ["10.0.0.1"]);
    assert_eq!(server.instance("web", "a")["metadata"]["team"], "shop");

    let json: Value = serde_json::from_str(&done(&srvd(&server, "instances web --output json"))).expect("JSON");
    assert_eq!((&json["service"], &json["instances"][0]["weight"]), (&"web".into(), &3.into()));
    let services = done(&srvd(&server, "services"));
    assert!(services.lines().any(|line| line.starts_with("web") && line.contains("healthy")), "{services}");

    assert_eq!(done(&srvd(&server, "heartbeat web a --status unhealthy --message full")), "renewed web/a\n");
    assert!(server.dig("web.svc.local A").data("A").is_empty());
    let instances = done(&srvd(&server, "instances web --status unhealthy"));
    assert!(instances.contains("full"), "{instances}");

    assert_eq!(done(&srvd(&server, "deregister web a")), "deregistered web/a\n");
    assert_eq!(server.dig("web.svc.local A").status, "NXDOMAIN");
}

#[test]
fn an_answer_explained() {
    let server = Server::start();
    done(&srvd(&server, "register web --id a --address 10.0.0.1 --port 80"));
    done(&srvd(&server, "drain web a"));
    let table = done(&srvd(&server, "explain web.svc.local"));
    assert!(table.contains("NOERROR") && table.contains("draining: taken out by an operator"), "{table}");
    let json = done(&srvd(&server, "explain web.svc.local SRV --client 192.0.2.1 --output json"));
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["type"], &json["client"]), (&"SRV".into(), &"192.0.2.1".into()));
    let (code, errors) = complaint(&srvd(&server, "explain web.svc.local NONSENSE"));
    assert!(code == Some(1) && errors.contains("`type`"), "{errors}");
}

#[test]
fn an_instance_without_an_id_gets_one() {
    let server = Server::start();
    let json = done(&srvd(&server, "register web --address 10.0.0.1 --port 80 --output json"));
    let id = serde_json::from_str::<Value>(&json).expect("JSON")["id"].as_str().map(str::to_owned).expect("an id");
    assert_eq!(server.dig(&format!("{id}.web.svc.local A")).data("A"), ["10.0.0.1"]);
}

#[test]
fn a_registration_from_standard_input() {
    let server = Server::start();
    let registration = r#"{"id": "f", "address": "10.0.0.1", "port": 80, "tags": ["v2"]}"#;
    let output = srvd_with(&format!("http://{}", server.http[0]), "register web --file - --weight 9", registration);
    done(&output);
    let instance = server.instance("web", "f");
    assert_eq!((&instance["weight"], &instance["tags"][0]), (&9.into(), &"v2".into()));
}

#[test]
fn members_that_are_updated() {
    let server = Server::start();
    done(&srvd(&server, "register web --id a --address 10.0.0.1 --port 80 --version 1 --meta team=shop --meta env=eu"));
    let table = done(&srvd(&server, "update web a --weight 9 --unset version --unset metadata.env --address 10.0.0.2"));
    assert!(table.contains("10.0.0.2") && table.contains("team=shop"), "{table}");
    let instance = server.instance("web", "a");
    assert_eq!((&instance["weight"], &instance["port"], &instance["version"]), (&9.into(), &80.into(), &Value::Null));
    assert_eq!(instance["metadata"], serde_json::json!({"team": "shop"}));
    done(&srvd(&server, "update web a --address 10.0.0.3 --address ::1"));
    assert_eq!(server.dig("web.svc.local AAAA").data("AAAA"), ["::1"]);
    let (code, errors) = complaint(&srvd(&server, "update web nobody --weight 1"));
    assert!(code == Some(1) && errors.contains("there is no instance web/nobody"), "{errors}");
}

#[test]
fn many_registrations_from_a_file() {
    let server = Server::start();
    let url = format!("http://{}", server.http[0]);
    let entry =
        |number: u32| format!(r#"{{"service":"s{}","id":"i{number}","address":"10.0.0.1","port":80}}"#, number % 7);
    let lines: String = (0..4500).map(|number| entry(number) + "\n").collect();
    let output = done(&srvd_with(&url, "register --file - --ttl none", &lines));
    assert_eq!(output, "4500 registered: 4500 new, 0 replaced\n");
    assert_eq!(server.api.get("/v1/status").expect(200).json()["instances"]["healthy"], 4500);
    assert_eq!(server.instance("s3", "i3")["ttl"], "none");

    let array = format!("[{},{},{{\"service\":\"s0\",\"id\":\"x\"}}]", entry(7), entry(9000));
    let output = srvd_with(&url, "register --file -", &array);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "2 registered: 1 new, 1 replaced; 1 refused\n");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.starts_with("srvd: entry 3 (s0/x): ") && errors.contains("`address`"), "{errors}");
}

#[test]
fn a_listing_that_follows() {
    let server = Server::start();
    let mut command = Command::new(BINARY);
    command.args(["services", "--watch=100ms"]).env("SRVD_SERVER", format!("http://{}", server.http[0]));
    let process = common::process::Process::start(&mut command);
    assert_eq!(process.stdout_line().as_deref(), Some("no services"));
    server.register("web", "a", serde_json::json!({"address": "10.0.0.1", "port": 80}));
    assert!(process.stdout_line().is_some_and(|line| line.starts_with("SERVICE")));
    assert!(process.stdout_line().is_some_and(|line| line.starts_with("web") && line.contains("healthy")));
}

#[test]
fn completions_for_shells() {
    for (shell, mark) in [("bash", "complete -F _srvd"), ("zsh", "#compdef srvd"), ("fish", "complete -c srvd")] {
        let script = done(&srvd_with("http://127.0.0.1:1", &format!("completions {shell}"), ""));
        assert!(script.contains(mark) && script.contains("maintenance"), "{shell}");
    }
    let script = srvd_with("http://127.0.0.1:1", "completions bash", "").stdout;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash starts");
    bash.stdin.take().expect("its input").write_all(&script).expect("bash reads");
    assert!(bash.wait().expect("bash ends").success());
}

#[test]
fn what_is_refused_or_not_there_exits_with_1() {
    let server = Server::start();
    done(&srvd(&server, "register web --id a --address 10.0.0.1 --port 80"));
    for (line, part) in [
        ("register web --id b --address 10.0.0.1 --port 70000", "`port` must be 1 to 65535"),
        ("register web --id b --address 0.0.0.0 --port 80", "`address`"),
        ("register web --id a --address 10.0.0.1 --port 80 --if-absent", "registered already"),
        ("register web --id b --address 10.0.0.1 --port 80 --tag a", "both an instance and a tag"),
        ("heartbeat web nobody", "there is no instance web/nobody"),
        ("deregister web nobody", "there is no instance web/nobody"),
        ("instances nothing", "there is no service nothing"),
    ] {
        let (code, errors) = complaint(&srvd(&server, line));
        assert_eq!(code, Some(1), "{line}: {errors}");
        assert!(errors.starts_with("srvd: ") && errors.contains(part), "{line}: {errors}");
    }
}

#[test]
fn usage_exits_with_2() {
    for line in ["register", "heartbeat web", "instances web --status fine", "services --server nonsense", "nonsense"] {
        assert_eq!(complaint(&srvd_with("http://127.0.0.1:1", line, "")).0, Some(2), "{line}");
    }
}

#[test]
fn a_server_that_is_not_there_exits_with_3() {
    // Bound and never accepted from would hang; bound and dropped is refused.
    let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
    let url = format!("http://127.0.0.1:{port}");
    let (code, errors) = complaint(&srvd_with(&url, "services", ""));
    assert_eq!(code, Some(3), "{errors}");
    assert!(errors.contains(&url) && errors.contains("srvd serve"), "{errors}");
}

#[test]
fn the_live_view_is_lines_for_programs() {
    let mut server = Server::start();
    server.register("web", "a", json!({"address": "10.0.0.7", "port": 80}));
    let url = format!("http://{}", server.http[0]);
    let top = |options: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_srvd"));
        command.args(["top", "--every", "200ms", "--server", &url]).args(options.split_whitespace());
        command
    };
    let process = Process::start(&mut top("--output json"));
    let line = || -> Value {
        let line = process.stdout_line().unwrap_or_else(|| panic!("a line: {}", process.report()));
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    };
    let [first, second] = [line(), line()];
    assert_eq!(first["queries"], Value::Null, "one look is no rate: {first}");
    assert!(second["queries"]["per_second"].is_number(), "{second}");
    assert_eq!(
        (&second["services"][0]["service"], &second["status"]["ready"]),
        (&json!("web"), &json!(true)),
        "{second}"
    );
    assert_eq!(second["events"][0]["change"], "registered", "{second}");
    server.kill9();
    eventually("it is told that the server is away", || match line() {
        line if line["error"].as_str().is_some_and(|error| error.contains("refused")) => Ok(()),
        line => Err(line.to_string()),
    });
    for (options, code, words) in [("--output json --once", 3, "refused"), ("--once", 2, "--output json")] {
        let output = top(options).output().expect("srvd runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(code) && said.contains(words), "{options}: {output:?}");
    }
}
