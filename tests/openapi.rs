//! `GET /openapi.json`: what the server does is what it says, whatever it is sent.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Server, Setup};
use serde_json::{Value, json};

/// schemathesis, as `tests/run` installs it.
fn schemathesis() -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let program = target.join("schemathesis/bin/schemathesis");
    assert!(program.is_file(), "{} is not there; `tests/run` installs it", program.display());
    program
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

#[test]
fn nothing_that_is_sent_leads_out_of_the_description() {
    let server = Setup::new().set("store.kind", "memory").start();
    let checked = json!({"address": "127.0.0.1", "port": 9, "ttl": "none", "tags": ["canary"],
                         "checks": [{"kind": "tcp", "interval": "24h", "timeout": "1s"}]});
    server.register("web", "a", checked);
    let mut command = Command::new(schemathesis());
    command.current_dir(root().join("tests/schemathesis"));
    // Hypothesis would keep notes in the directory that it runs in.
    let notes = tempfile::tempdir().expect("a temporary directory");
    command.env("HYPOTHESIS_STORAGE_DIRECTORY", notes.path()).env("PYTHONDONTWRITEBYTECODE", "1");
    command.args(["--config-file", "schemathesis.toml", "run", "--no-color"]);
    command.arg(format!("http://{}/openapi.json", server.http[0]));
    let output = command.output().expect("schemathesis runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let generated = said.lines().find_map(|line| line.trim().split_once(" generated, ")?.0.parse::<u32>().ok());
    assert!(generated.is_some_and(|generated| generated > 1_000), "{said}");
    assert!(!server.process.log().contains("panicked"), "the server panicked");
}

#[test]
fn the_document_has_every_route_and_every_route_answers() {
    let server = Server::start();
    let reply = server.api.get("/openapi.json").expect(200);
    assert_eq!(reply.header("Content-Type"), Some("application/json"));
    let document = reply.json();
    assert_eq!(document["openapi"], "3.1.0");
    let paths = document["paths"].as_object().expect("paths");
    for (path, methods) in paths {
        let filled = path.replace("{service}", "web").replace("{id}", "a");
        // What is not described is refused with 405, and the refusal names exactly what is.
        let refused = server.api.send(common::http::Request::new("MADEUP", &filled)).expect(405);
        let mut allowed: Vec<String> =
            refused.header("Allow").expect("it is named").split(',').map(|name| name.trim().to_owned()).collect();
        allowed.retain(|name| name != "HEAD");
        allowed.sort();
        let mut described: Vec<String> =
            methods.as_object().expect("methods").keys().map(|name| name.to_uppercase()).collect();
        described.sort();
        assert_eq!(allowed, described, "{path}");
    }
    let calls = paths.values().map(|methods| methods.as_object().map_or(0, serde_json::Map::len)).sum::<usize>();
    assert!(calls >= 33, "{calls}");
}

/// Each call of the documents' table is in the document of the API.
#[test]
fn the_calls_of_the_documents_are_described() {
    let server = Server::start();
    let document = server.api.get("/openapi.json").expect(200).json();
    let text = common::documents::read("docs/registering.md");
    let calls = text.lines().filter(|line| line.starts_with("| `")).flat_map(|line| {
        let cell = line.split('|').nth(1).unwrap_or_default();
        cell.split('`').filter_map(|call| call.split_once(' ')).collect::<Vec<_>>()
    });
    let mut found = 0;
    for (method, path) in calls.filter(|(_, path)| path.starts_with('/')) {
        let path = path.split('?').next().unwrap_or_default();
        let described: &Value = &document["paths"][path][method.to_lowercase()];
        assert!(described.is_object(), "{method} {path}");
        found += 1;
    }
    assert!(found >= 20, "{found}");
}
