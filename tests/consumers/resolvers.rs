//! The resolvers that programs are linked with: glibc's, and those of Python, Node.js, Go and Java.
//!
//! Each finds srvd in `/etc/resolv.conf`, by the program that the documents give for its language. Such a program prints
//! what it finds for each name it is given, one line for each record: the name, a blank, and the record or the failure.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::common::namespace::Namespace;
use crate::common::process::tool;
use crate::common::{Setup, documents};

const PORT: u16 = 8053;
/// More addresses and targets than 512 or 1232 octets hold.
const LARGE: usize = 120;

/// Names, with something of each kind that a resolver can meet.
const QUESTIONS: &[&str] = &[
    "web.svc.local",
    "dual.svc.local",
    "large.svc.local",
    "down.svc.local",
    "nothing.svc.local",
    "_web._tcp.svc.local",
    "_large._tcp.svc.local",
    "_down._tcp.svc.local",
    "_nothing._tcp.svc.local",
];

/// What was printed for each name, sorted.
type Found = BTreeMap<String, Vec<String>>;

/// srvd on port 53, with three instances of `web` where it listens for HTTP itself.
fn populated() -> Namespace {
    let setup = Setup::new().dns("127.0.0.1:53").http("127.0.0.1:8053,127.0.0.2:8053,127.0.0.3:8053");
    let namespace = Namespace::start(setup, &documents::block("docs/consumers.md", "Applications", "resolv.conf"));
    let instance = |service: &str, id: String, addresses: &[String]| json!({"service": service, "id": id, "addresses": addresses, "port": PORT, "ttl": "none"});
    let web = (1..=3).map(|host| instance("web", format!("i-{host}"), &[format!("127.0.0.{host}")]));
    let large = (1..=LARGE).map(|host| instance("large", format!("i-{host}"), &[format!("127.0.1.{host}")]));
    let dual = instance("dual", "a".to_owned(), &["127.0.0.1".to_owned(), "::1".to_owned()]);
    let down: Value = instance("down", "a".to_owned(), &["127.0.0.1".to_owned()]);
    namespace.register_all(web.chain(large).chain([dual, down]));
    namespace.says("down", "a", "unhealthy");
    namespace
}

/// Writes a program of the documents into a directory of its own.
fn program(text: &str, file: &str) -> (TempDir, PathBuf) {
    let directory = TempDir::new().expect("a temporary directory");
    let path = directory.path().join(file);
    fs::write(&path, text).expect("a program can be written");
    (directory, path)
}

fn found(printed: &str) -> Found {
    let mut found = Found::new();
    for (name, record) in printed.lines().filter_map(|line| line.split_once(' ')) {
        found.entry(name.to_owned()).or_default().push(record.to_owned());
    }
    found.values_mut().for_each(|records| records.sort_unstable());
    found
}

/// Runs `command` with all names, and asserts what it found; `failures` is what it says of an empty answer to A, of a
/// name that is not there, and of the same for SRV.
#[track_caller]
fn finds_everything(namespace: &Namespace, mut command: Command, failures: [&str; 4]) {
    command.args(QUESTIONS);
    let printed = namespace.printed(command);
    let found = found(&printed);
    let of = |name: &str| found.get(name).unwrap_or_else(|| panic!("nothing of {name}: {printed}")).as_slice();
    assert_eq!(of("web.svc.local"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    let dual: Vec<&str> = of("dual.svc.local").iter().map(|address| address.split('%').next().unwrap_or("")).collect();
    assert!(
        matches!(dual[..], ["127.0.0.1", "::1" | "0:0:0:0:0:0:0:1"] | ["0:0:0:0:0:0:0:1", "127.0.0.1"]),
        "{dual:?}"
    );
    assert_eq!(of("large.svc.local").len(), LARGE, "{printed}");
    let targets: Vec<&str> = of("_web._tcp.svc.local").iter().map(|target| target.trim_end_matches('.')).collect();
    assert_eq!(targets, ["1 8053 i-1.web.svc.local", "1 8053 i-2.web.svc.local", "1 8053 i-3.web.svc.local"]);
    assert_eq!(of("_large._tcp.svc.local").len(), LARGE, "{printed}");
    let names = ["down.svc.local", "nothing.svc.local", "_down._tcp.svc.local", "_nothing._tcp.svc.local"];
    for (name, failure) in names.iter().zip(failures) {
        assert!(of(name).len() == 1 && of(name)[0].contains(failure), "{name}: {failure}: {printed}");
    }
}

#[test]
fn glibc_and_curl() {
    let namespace = populated();
    let addresses = |name: &str| {
        let mut command = namespace.command("getent", "libc-bin");
        command.args(["ahosts", name]);
        let printed = namespace.printed(command);
        let streams = printed.lines().filter(|line| line.contains("STREAM"));
        let mut found: Vec<String> = streams.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        found.sort_unstable();
        found
    };
    assert_eq!(addresses("web.svc.local"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    // By the search list of the file.
    assert_eq!(addresses("web"), ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    assert_eq!(addresses("i-2.web.svc.local"), ["127.0.0.2"]);
    assert_eq!(addresses("dual.svc.local"), ["127.0.0.1", "::1"]);
    assert_eq!(addresses("large.svc.local").len(), LARGE);
    assert!(addresses("down.svc.local").is_empty());
    assert!(addresses("nothing.svc.local").is_empty());
    let reached =
        |url: &str| namespace.curl(&["--output", "/dev/null", "--write-out", "%{http_code} %{remote_ip}", url]);
    assert_eq!(reached("http://i-3.web:8053/healthz"), "200 127.0.0.3");
    assert_eq!(reached("http://down:8053/healthz"), "000 ");
    namespace.says("web", "i-1", "unhealthy");
    namespace.says("web", "i-3", "unhealthy");
    assert_eq!(reached("http://web.svc.local:8053/healthz"), "200 127.0.0.2");
}

#[test]
fn python() {
    let (_directory, path) = program(&documents::block("docs/consumers.md", "Applications", "python"), "find.py");
    let namespace = populated();
    let mut command = namespace.command("env", "coreutils");
    // Debian's own, which has Debian's dnspython.
    command.arg("/usr/bin/python3").arg(path);
    finds_everything(&namespace, command, ["No address", "not known", "NoAnswer", "NXDOMAIN"]);
}

#[test]
fn node() {
    let (_directory, path) = program(&documents::block("docs/consumers.md", "Applications", "javascript"), "find.js");
    let namespace = populated();
    let mut command = namespace.command("node", "nodejs");
    command.arg(path);
    finds_everything(&namespace, command, ["ENOTFOUND", "ENOTFOUND", "ENODATA", "ENOTFOUND"]);
}

#[test]
fn go() {
    let (directory, path) = program(&documents::block("docs/consumers.md", "Applications", "go"), "find.go");
    let binary = directory.path().join("find");
    // Without C it is Go's own resolver, which reads the same file.
    let mut build = Command::new(tool("go", "golang-go"));
    build.args(["build", "-o"]).arg(&binary).arg(path).env("CGO_ENABLED", "0").env("GOTOOLCHAIN", "local");
    let built = build.output().expect("go starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let namespace = populated();
    let mut command = namespace.command("env", "coreutils");
    command.arg(binary);
    finds_everything(&namespace, command, ["no such host"; 4]);
}

#[test]
fn java() {
    let (_directory, path) = program(&documents::block("docs/consumers.md", "Applications", "java"), "Find.java");
    // A single file is compiled as it is run, which a runtime alone cannot do.
    tool("javac", "default-jdk-headless");
    let namespace = populated();
    let mut command = namespace.command("java", "default-jdk-headless");
    command.args(["-XX:TieredStopAtLevel=1", "-Xshare:auto"]).arg(path);
    finds_everything(&namespace, command, ["No address", "not known", "no SRV", "NameNotFound"]);
}
