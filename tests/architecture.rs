//! The direction of dependencies, and house rules that no lint expresses.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Modules by layer, from the values up; a file may use its own layer and those below it, but in layer 4 no neighbour.
const LAYERS: &[&[&str]] = &[
    &["model"],
    &["registry", "cluster", "answer", "select", "zone", "wire"],
    &["config", "telemetry", "outbound", "client"],
    &["engine", "render", "archive"],
    &["dns", "http", "health", "notify", "store"],
    &["cli", "server"],
];
/// The layer whose modules know nothing of each other.
const ADAPTERS: usize = 4;

/// Crates that stay in the modules they serve.
const CONFINED: &[(&str, &[&str])] = &[
    ("axum", &["http"]),
    ("redb", &["store"]),
    ("crc32fast", &["archive"]),
    ("tonic", &["store"]),
    ("tonic_prost", &["store"]),
    ("prost", &["store"]),
    ("clap", &["cli"]),
    ("comfy_table", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("ratatui", &["cli"]),
    ("signal_hook", &["cli"]),
    ("toml", &["config"]),
    ("tracing_subscriber", &["telemetry"]),
    ("opentelemetry", &["telemetry"]),
    ("opentelemetry_http", &["telemetry"]),
    ("opentelemetry_otlp", &["telemetry"]),
    ("opentelemetry_sdk", &["telemetry"]),
    ("tracing_opentelemetry", &["telemetry"]),
    ("socket2", &["dns"]),
    ("libc", &["dns"]),
    ("siphasher", &["dns", "store"]),
    ("nix", &["dns"]),
    ("rustix", &["cli", "dns", "server", "telemetry"]),
    ("papaya", &["engine"]),
    ("h2", &["outbound"]),
    ("tokio_rustls", &["outbound"]),
    ("rustls_native_certs", &["outbound"]),
    ("anyhow", &["cli", "server"]),
];

/// What pure code does not touch: clocks, sockets, files, tasks, randomness, logs.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::Tcp",
    "std::net::Udp",
    "SystemTime",
    "Instant::now",
    "Timestamp::now",
    "rand::",
    "tracing::",
];
const PURE: &[&str] = &["model", "registry", "cluster", "answer", "select", "zone", "wire"];
/// Files that are as pure in a module that is not.
const PURE_FILES: &[&str] = &[
    "client/breaker.rs",
    "client/choice.rs",
    "client/dns/message.rs",
    "client/event.rs",
    "client/instance.rs",
    "client/knowledge.rs",
    "client/lru.rs",
    "client/registration.rs",
    "client/ring.rs",
    "client/sse.rs",
    "client/target.rs",
    "outbound/backoff.rs",
];

fn sources() -> Vec<(PathBuf, String)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, String)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 50, "the sources were not found");
    found
}

/// The top-level module of a file; `None` for `main.rs` and `lib.rs`.
fn module(path: &Path) -> Option<String> {
    let inside = path.strip_prefix(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    let first = inside.components().next()?.as_os_str().to_str()?.to_owned();
    (!first.ends_with(".rs")).then_some(first)
}

fn layer(module: &str) -> usize {
    LAYERS.iter().position(|layer| layer.contains(&module)).unwrap_or_else(|| panic!("{module} is in no layer"))
}

/// The code without its unit tests and comments.
fn code(text: &str) -> String {
    let end = text.find("\n#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn is_test(path: &Path) -> bool {
    path.ends_with("tests.rs")
        || path.ends_with("responder.rs") && path.parent().is_some_and(|dir| dir.ends_with("cli"))
}

/// The modules of this crate that a text names.
fn uses(text: &str) -> BTreeSet<String> {
    let named = |rest: &str| rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect::<String>();
    let mut found: BTreeSet<String> = text.split("crate::").skip(1).map(named).collect();
    found.retain(|name| LAYERS.concat().contains(&name.as_str()));
    found
}

#[test]
fn dependencies_point_down() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(own) = module(&path) else { continue };
        for other in uses(&code(&text)) {
            let (from, to) = (layer(&own), layer(&other));
            if to > from || (from == ADAPTERS && to == ADAPTERS && own != other) {
                wrong.push(format!("{} uses {other}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Whether a path in `code` begins with this crate: `nix` is not in `unix::`.
fn names(code: &str, name: &str) -> bool {
    let before = |at: usize| code[..at].chars().next_back();
    let path = format!("{name}::");
    code.match_indices(&path).any(|(at, _)| !before(at).is_some_and(|before| before.is_alphanumeric() || before == '_'))
}

#[test]
fn foreign_crates_stay_where_they_serve() {
    let mut wrong = Vec::new();
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let Some(own) = module(&path) else { continue };
        let code = code(&text);
        for (name, places) in CONFINED {
            if names(&code, name) && !places.contains(&own.as_str()) {
                wrong.push(format!("{} names {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_code_is_pure() {
    let (mut wrong, mut files) = (Vec::new(), 0);
    for (path, text) in sources().into_iter().filter(|(path, _)| !is_test(path)) {
        let is_pure_file = PURE_FILES.iter().any(|file| path.ends_with(file));
        files += usize::from(is_pure_file);
        if !is_pure_file && module(&path).is_none_or(|own| !PURE.contains(&own.as_str())) {
            continue;
        }
        let code = code(&text);
        wrong.extend(
            IMPURE.iter().filter(|word| code.contains(**word)).map(|word| format!("{} names {word}", path.display())),
        );
    }
    assert_eq!(files, PURE_FILES.len(), "a file that is named is gone");
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> =
        sources().into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|(path, _)| path).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

#[test]
fn the_rules_would_notice() {
    assert_eq!(
        uses("use crate::model::Key; crate::dns::bind(); crate::unheard::of()"),
        ["dns", "model"].map(str::to_owned).into()
    );
    assert_eq!(code("a\n// crate::b\n#[cfg(test)]\nmod tests {\ncrate::c"), "a");
    assert!(layer("dns") > layer("registry"));
}
