//! Backups of a running server, and what is restored from them.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use common::{Server, Setup, documents};
use serde_json::{Value, json};

/// A server with a record of each kind.
fn populated() -> Server {
    let server = Server::start();
    for id in 0..300 {
        // Those that are marked below have none, so that nothing moves them but that.
        let checks = if id < 3 { json!([]) } else { json!([{"kind": "tcp", "interval": "1h"}]) };
        let body = json!({"address": format!("10.0.{}.{}", id / 250, id % 250), "port": 80, "ttl": "none",
                          "metadata": {"number": id}, "checks": checks});
        server.register("web", &format!("i{id}"), body);
    }
    server.api.put("/v1/services/web", json!({"record_ttl": 7, "description": "the front"})).expect(200);
    server.api.put("/v1/services/web/instances/i1/maintenance", json!({"reason": "new disk"})).expect(200);
    server.api.put_empty("/v1/services/web/instances/i2/drain").expect(200);
    let callback = json!({"service": "web", "callback": "http://192.0.2.1/changed"});
    server.api.put("/v1/subscriptions/front", callback).expect(200);
    server
}

fn srvd(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_srvd")).args(arguments).env_remove("SRVD_SERVER").output().expect("srvd runs")
}

#[track_caller]
fn backup(server: &Server, file: &Path, output: &str) {
    let url = format!("http://{}", server.http[0]);
    let saved = srvd(&["backup", shown(file), "--server", &url, "--output", output]);
    assert!(saved.status.success(), "{saved:?}");
    let said = String::from_utf8_lossy(&saved.stdout).into_owned();
    assert!(said.contains("303 records"), "{said}");
}

fn shown(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

fn restore(file: &Path, data: &Path, more: &[&str]) -> (Option<i32>, String) {
    let restored = srvd(&[&["restore", shown(file), "--data", shown(data)], more].concat());
    (restored.status.code(), String::from_utf8_lossy(&restored.stderr).into_owned())
}

/// What a server has, without what a restart changes, or the first result of a check.
fn state(server: &Server) -> (Vec<Value>, Value, Value) {
    let service = server.api.get("/v1/services/web").expect(200).json();
    let mut instances = service["instances"].as_array().expect("instances").clone();
    for instance in &mut instances {
        let instance = instance.as_object_mut().expect("an object");
        for member in ["last_heartbeat", "expires_at"] {
            instance.remove(member);
        }
        if instance["checks"] != json!([]) {
            for member in ["status", "reason", "changed_at", "revision"] {
                instance.remove(member);
            }
        }
        for check in instance["checks"].as_array_mut().expect("checks") {
            let check = check.as_object_mut().expect("an object");
            check.retain(|member, _| !["last_result", "next_check", "verdict"].contains(&member.as_str()));
        }
    }
    (
        instances,
        service["settings"].clone(),
        server.api.get("/v1/subscriptions/front").expect(200).json()["callback"].clone(),
    )
}

#[test]
fn a_backup_is_everything_and_comes_back() {
    let server = populated();
    let (files, before, revision) = (tempfile::tempdir().expect("a directory"), state(&server), server.revision());
    for output in ["table", "json"] {
        let file = files.path().join(output);
        backup(&server, &file, output);
        let setup = Setup::new();
        let (code, said) = restore(&file, &setup.data(), &[]);
        assert_eq!(code, Some(0), "{said}");
        let restored = setup.start();
        assert_eq!(state(&restored), before, "{output}");
        assert!(restored.revision() >= revision, "no revision goes back");
        restored.register("web", "new", json!({"address": "10.1.0.1", "port": 80}));
    }
    let left: Vec<PathBuf> =
        std::fs::read_dir(files.path()).expect("it is there").map(|it| it.unwrap().path()).collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

#[test]
fn the_commands_of_the_readme() {
    let (server, files) = (populated(), tempfile::tempdir().expect("a directory"));
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_srvd"), files.path().join("srvd")).expect("a link");
    // The same commands, in places that are this test's.
    let block = documents::block("README.md", "Operations", "sh");
    let place = shown(files.path());
    let mine = block.replace("/var/backups/", &format!("{place}/")).replace("/var/lib/srvd", &format!("{place}/data"));
    assert!(!mine.contains("/var/"), "{mine}");
    let path = format!("{place}:{}", std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-ec", &mine]).env("PATH", path).env("SRVD_SERVER", format!("http://{}", server.http[0]));
    let output = shell.output().expect("sh runs");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(said.matches("303 records").count(), 2, "saved and restored: {output:?}");
}

#[test]
fn no_registry_is_lost_to_a_restore() {
    let (server, files) = (populated(), tempfile::tempdir().expect("a directory"));
    let file = files.path().join("backup");
    backup(&server, &file, "table");
    let other = Server::start();
    other.register("db", "a", json!({"address": "10.0.0.9", "port": 5432, "ttl": "none"}));
    let data = other.data();
    let (code, said) = restore(&file, &data, &["--replace"]);
    assert!(code == Some(1) && said.contains("stop it first"), "{said}");
    let mut other = other;
    other.sigterm();
    let (code, said) = restore(&file, &data, &[]);
    assert!(code == Some(1) && said.contains("--replace"), "{said}");
    let whole = std::fs::read(&file).expect("the backup");
    let cut = files.path().join("cut");
    std::fs::write(&cut, &whole[..whole.len() - 1]).expect("it can be written");
    let (code, said) = restore(&cut, &data, &["--replace"]);
    assert!(code == Some(1) && said.contains("cut short"), "{said}");
    let other = other.setup().start();
    other.api.get("/v1/services/db/instances/a").expect(200);
    let (setup, mut other) = (other.setup(), other);
    other.sigterm();
    assert_eq!(restore(&file, &data, &["--replace"]).0, Some(0));
    let other = setup.start();
    other.api.get("/v1/services/db").expect(404);
    other.api.get("/v1/services/web/instances/i299").expect(200);
}

#[test]
fn a_configuration_that_is_wrong_ends_a_restore_as_it_ends_a_check() {
    let files = tempfile::tempdir().expect("a directory");
    let (config, data) = (files.path().join("config.toml"), files.path().join("data"));
    for (text, says, is_checked) in [
        ("[store]\nkind = \"none\"\n", "store.kind", true),
        ("[store]\nkind = \"memory\"\n", "nowhere to restore to", false),
    ] {
        std::fs::write(&config, text).expect("it can be written");
        let (code, said) = restore(&files.path().join("backup"), &data, &["--config", shown(&config)]);
        assert!(code == Some(1) && said.contains(says), "{code:?}: {said}");
        let checked = srvd(&["check", "--config", shown(&config)]);
        assert_eq!(checked.status.code(), Some(i32::from(is_checked)), "{checked:?}");
    }
}

#[test]
fn a_backup_that_fails_leaves_the_last_one() {
    let files = tempfile::tempdir().expect("a directory");
    let file = files.path().join("backup");
    std::fs::write(&file, "the last one").expect("it can be written");
    let mut server = Server::start();
    let url = format!("http://{}", server.http[0]);
    server.sigterm();
    let saved = srvd(&["backup", shown(&file), "--server", &url]);
    assert_eq!(saved.status.code(), Some(3), "{saved:?}");
    assert_eq!(std::fs::read_to_string(&file).expect("it is there"), "the last one");
    assert_eq!(std::fs::read_dir(files.path()).expect("it is there").count(), 1, "nothing is left over");
}

#[test]
fn a_snapshot_says_what_it_is() {
    let server = populated();
    let reply = server.api.get("/v1/snapshot").expect(200);
    assert_eq!(reply.header("Content-Type"), Some("application/octet-stream"));
    assert_eq!(reply.revision(), server.revision());
    assert!(reply.body.starts_with(b"srvd\r\n\x1a\n"));
    let reply = server.api.get("/v1/snapshot?format=json").expect(200);
    assert_eq!(reply.header("Content-Type"), Some("application/x-ndjson"));
    let lines: Vec<Value> = reply.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!((lines.len(), &lines[304]), (305, &json!({"end": true})));
    assert_eq!(lines[0]["records"], 303);
    let refused = server.api.get("/v1/snapshot?format=xml").expect(422).json();
    assert_eq!(refused["field"], "format");
}
