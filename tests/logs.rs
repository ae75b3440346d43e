//! The log: calls and queries where they are switched on, and what `docs/logs.md` says of its lines.

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::documents;
use common::message::{A, SRV, Tcp, Udp};
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

fn instance() -> Value {
    json!({ "address": "10.0.0.7", "port": 8080, "ttl": "none" })
}

/// The JSON lines of a target, once there are `count` of them.
#[track_caller]
fn lines(server: &Server, target: &str, count: usize) -> Vec<Value> {
    eventually(&format!("{count} lines of {target}"), || {
        let log = server.process.log();
        let parsed = log.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is an object"));
        let found: Vec<Value> = parsed.filter(|line| line["target"] == target).collect();
        if found.len() == count { Ok(found) } else { Err(log) }
    })
}

#[test]
fn calls_and_queries_make_lines_where_they_are_wanted() {
    let setup = Setup::new().set("log.format", "json").set("log.level", "error");
    let server = setup.set("log.access", true).set("log.queries", true).start();
    server.register("web", "a", instance());
    server.api.get("/v1/services/none").expect(404);
    server.api.get("/nowhere").expect(404);
    Udp::to(server.dns[0]).ask("Web.svc.local", A, None);
    Tcp::to(server.dns[0]).ask("none.svc.local", SRV, None);
    let calls = lines(&server, "srvd::access", 3);
    let told = |line: &Value| ["method", "route", "status"].map(|field| line[field].to_string().replace('"', ""));
    assert_eq!(told(&calls[0]), ["PUT", "/v1/services/{service}/instances/{id}", "201"]);
    assert_eq!(told(&calls[1]), ["GET", "/v1/services/{service}", "404"]);
    assert_eq!(told(&calls[2]), ["GET", "none", "404"]);
    assert!(calls[0]["client"].as_str().is_some_and(|client| client.starts_with("127.0.0.1:")), "{}", calls[0]);
    assert!(calls[0]["took_us"].as_u64().is_some_and(|took| took > 0) && calls[0]["message"] == "call");
    let queries = lines(&server, "srvd::queries", 2);
    let told = |line: &Value| {
        ["transport", "name", "type", "rcode", "client"].map(|field| line[field].to_string().replace('"', ""))
    };
    assert_eq!(told(&queries[0]), ["udp", "Web.svc.local.", "A", "NOERROR", "127.0.0.1"]);
    assert_eq!(told(&queries[1]), ["tcp", "none.svc.local.", "SRV", "NXDOMAIN", "127.0.0.1"]);
}

#[test]
fn one_query_in_so_many_makes_a_line_and_a_reload_switches() {
    let text = |log: &str| format!("[dns]\nworkers = 1\n[log]\n{log}\n");
    let setup = Setup::new().config(&text("queries = true\nquery_sample = 5"));
    let server = setup.start();
    let mut udp = Udp::to(server.dns[0]);
    let mut ask = |name: &str, count: usize| (0..count).for_each(|_| drop(udp.ask(name, A, None)));
    let logged = |name: &str| server.process.log().lines().filter(|line| line.contains(name)).count();
    ask("sampled.svc.local", 20);
    eventually("four of twenty", || match logged("sampled.svc.local") {
        4 => Ok(()),
        other => Err(other.to_string()),
    });
    let reloads = |count: usize| {
        server.process.signal("HUP");
        eventually("it is reloaded", || match logged(" reloaded") {
            found if found == count => Ok(()),
            _ => Err(server.process.log()),
        });
    };
    setup.clone().config(&text("queries = false\naccess = true"));
    reloads(1);
    ask("unlogged.svc.local", 20);
    server.api.get("/v1/services").expect(200);
    eventually("the call is logged", || {
        if logged("route=\"/v1/services\"") == 1 { Ok(()) } else { Err(server.process.log()) }
    });
    setup.clone().config(&text("queries = true"));
    reloads(2);
    ask("all.svc.local", 3);
    eventually("each of three", || match logged("name=\"all.svc.local.\"") {
        3 => Ok(()),
        _ => Err(server.process.log()),
    });
    assert_eq!(logged("unlogged.svc.local"), 0);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn sources(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        match path.extension().is_some_and(|extension| extension == "rs") {
            true => found.push(std::fs::read_to_string(path).expect("a source")),
            false if path.is_dir() => sources(&path, found),
            false => {}
        }
    }
}

/// What stands before the parenthesis that closes a call, none of which is in a text.
fn arguments(call: &str) -> &str {
    let (mut depth, mut is_text) = (0, false);
    let end = call.find(|character| {
        is_text ^= character == '"';
        match character {
            '(' if !is_text => depth += 1,
            ')' if !is_text => depth -= 1,
            _ => {}
        }
        depth < 0
    });
    &call[..end.expect("a call has an end")]
}

/// The message of each warning and error in the sources: the last text of its macro. What only passes on the words of
/// something else is left out.
fn messages() -> BTreeSet<(String, &'static str)> {
    let mut files = Vec::new();
    sources(&root().join("src"), &mut files);
    let mut found = BTreeSet::new();
    for (name, level) in [("tracing::warn!(", "warn"), ("tracing::error!(", "error")] {
        for call in files.iter().flat_map(|text| text.split(name).skip(1)) {
            let message = arguments(call).rsplit('"').nth(1).expect("a call has a message");
            if !message.starts_with('{') {
                found.insert((message.to_owned(), level));
            }
        }
    }
    found
}

#[test]
fn every_warning_and_error_is_explained() {
    let text = std::fs::read_to_string(root().join("docs/logs.md")).expect("docs/logs.md");
    let rows = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let level = ["warn", "error"].into_iter().find(|level| cells.get(1) == Some(level))?;
        assert!(cells.len() == 4 && cells.iter().all(|cell| !cell.is_empty()), "{line}");
        Some((cells[0].trim_matches('`').to_owned(), level))
    });
    let (explained, logged) = (rows.collect::<BTreeSet<_>>(), messages());
    assert!(logged.len() > 15, "{logged:?}");
    let missing: Vec<_> = logged.difference(&explained).collect();
    let gone: Vec<_> = explained.difference(&logged).collect();
    assert!(missing.is_empty() && gone.is_empty(), "not explained: {missing:#?}\nnot logged any more: {gone:#?}");
}

/// Those that the README has are lines that there are.
#[test]
fn the_lines_of_the_readme_are_logged() {
    let (readme, logged) = (documents::read("README.md"), messages());
    let table = readme.split("| line | what to do |\n|---|---|\n").nth(1).expect("the table");
    let rows: Vec<&str> = table.lines().map_while(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    assert!(rows.len() >= 4, "{rows:?}");
    for row in rows {
        assert!(logged.iter().any(|(message, _)| message == row), "{row}");
    }
}

#[test]
fn the_configuration_for_shipping_reads() {
    let block = documents::block("docs/logs.md", "Keeping and shipping them", "toml");
    let table: toml::Table = block.parse().expect("it is TOML");
    for part in ["sources", "transforms", "sinks"] {
        assert!(table.contains_key(part), "{part}");
    }
}
