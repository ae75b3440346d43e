//! The real `srvd`, started on free ports in a directory of its own.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;

use super::dig::{Dig, dig};
use super::http::{Client, Reply};
use super::process::Process;

/// What a server is started with. Cheap to clone; clones share the directory, and so the registrations in it.
#[derive(Clone)]
pub struct Setup {
    directory: Arc<TempDir>,
    dns: Vec<String>,
    http: Vec<String>,
    sets: Vec<String>,
    environment: Vec<(String, String)>,
    config: Option<String>,
    /// What runs the program, with its own arguments.
    through: Vec<String>,
}

impl Setup {
    /// One DNS and one HTTP listener on 127.0.0.1, nothing else set.
    pub fn new() -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        fs::create_dir(directory.path().join("zones")).expect("a directory for zones");
        Self {
            directory: Arc::new(directory),
            dns: vec!["127.0.0.1:0".to_owned()],
            http: vec!["127.0.0.1:0".to_owned()],
            sets: Vec::new(),
            environment: Vec::new(),
            config: None,
            through: Vec::new(),
        }
    }

    /// Adds `--set key=value`.
    pub fn set(mut self, key: &str, value: impl ToString) -> Self {
        self.sets.push(format!("{key}={}", value.to_string()));
        self
    }

    /// Adds a variable to the server's environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Has `program` run the server; what it is given after these arguments is the server's command line.
    pub fn through(mut self, program: &[&str]) -> Self {
        self.through = program.iter().map(|&word| word.to_owned()).collect();
        self
    }

    /// Adds a DNS listener.
    pub fn also_dns(mut self, address: &str) -> Self {
        self.dns.push(address.to_owned());
        self
    }

    /// Listens for DNS on `address` only.
    pub fn dns(mut self, address: &str) -> Self {
        self.dns = vec![address.to_owned()];
        self
    }

    /// Listens for HTTP on `address` only.
    pub fn http(mut self, address: &str) -> Self {
        self.http = vec![address.to_owned()];
        self
    }

    /// Writes the master file `name` into the zones directory.
    pub fn zone(self, name: &str, text: &str) -> Self {
        // As every careful editor does: a server that reads meanwhile sees the old file or the new one.
        let (written, place) = (self.zones().join("written"), self.zones().join(name));
        fs::write(&written, text).and_then(|()| fs::rename(written, place)).expect("a zone file can be written");
        self
    }

    /// Where the master files are.
    pub fn zones(&self) -> PathBuf {
        self.directory.path().join("zones")
    }

    /// Writes `config.toml` where the server looks for it.
    pub fn config(mut self, text: &str) -> Self {
        fs::write(self.directory.path().join("config.toml"), text).expect("a configuration can be written");
        self.config = Some(text.to_owned());
        self
    }

    /// Where the server keeps its state.
    pub fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Starts the server and waits for its ready line.
    #[track_caller]
    pub fn start(&self) -> Server {
        self.ready(self.spawn())
    }

    /// Starts the server and does not wait for anything.
    pub fn launch(&self) -> Process {
        self.spawn()
    }

    /// The server that `process` has become, once it prints its ready line.
    #[track_caller]
    pub fn ready(&self, mut process: Process) -> Server {
        let Some(line) = process.stdout_line() else {
            panic!("srvd printed no ready line");
        };
        let (dns, http) = ready(&line).unwrap_or_else(|| panic!("not a ready line: {line:?}"));
        process.note(line);
        let api = Client::new(http[0]);
        Server { process, dns, http, api, setup: self.clone() }
    }

    /// Starts a server that is expected to give up before it is ready, and waits for its end.
    #[track_caller]
    pub fn start_refused(&self) -> Refusal {
        let mut process = self.spawn();
        if let Some(line) = process.stdout_line() {
            panic!("srvd should have refused to start, and printed {line:?}");
        }
        let status = process.wait();
        assert!(!status.success(), "srvd refused to start, and its exit status says success");
        Refusal { status, stderr: process.log(), process }
    }

    fn spawn(&self) -> Process {
        let mut process = Process::start(&mut self.command());
        if let Some(config) = &self.config {
            process.note(format!("--- config.toml\n{config}"));
        }
        process
    }

    fn command(&self) -> Command {
        let directory = self.directory.path();
        let words: Vec<&str> = self.through.iter().map(String::as_str).chain([env!("CARGO_BIN_EXE_srvd")]).collect();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SRVD_")) {
            command.env_remove(name);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.current_dir(directory).arg("serve");
        command.args(["--dns", &self.dns.join(","), "--http", &self.http.join(",")]);
        command.arg("--data").arg(self.data());
        command.arg("--set").arg(format!("dns.zones_dir={}", directory.join("zones").display()));
        command.args(self.sets.iter().flat_map(|set| ["--set", set]));
        command
    }
}

/// A start that ended before the ready line, with what it said.
pub struct Refusal {
    pub status: ExitStatus,
    pub stderr: String,
    process: Process,
}

impl Refusal {
    /// Asserts that the message holds each of `parts`.
    #[track_caller]
    pub fn names(&self, parts: &[&str]) -> &Self {
        for part in parts {
            assert!(self.stderr.contains(part), "standard error does not name {part:?}:\n{}", self.stderr);
        }
        self
    }
}

/// A server that has printed its ready line.
pub struct Server {
    pub process: Process,
    /// The bound DNS addresses (UDP and TCP), in the order they were asked for.
    pub dns: Vec<SocketAddr>,
    /// The bound HTTP addresses.
    pub http: Vec<SocketAddr>,
    pub api: Client,
    setup: Setup,
}

impl Server {
    /// A server with nothing set.
    #[track_caller]
    pub fn start() -> Self {
        Setup::new().start()
    }

    /// Registers an instance, new or replaced.
    #[track_caller]
    pub fn register(&self, service: &str, id: &str, instance: Value) -> Reply {
        let reply = self.api.put(&format!("/v1/services/{service}/instances/{id}"), instance);
        assert!(matches!(reply.status, 200 | 201), "registration of {service}/{id}: {reply}");
        reply
    }

    /// Sends the verdict that an instance passes on itself.
    #[track_caller]
    pub fn says(&self, service: &str, id: &str, status: &str) {
        let path = format!("/v1/services/{service}/instances/{id}/heartbeat");
        self.api.put(&path, serde_json::json!({ "status": status })).expect(204);
    }

    /// The registration, as the server replies it.
    #[track_caller]
    pub fn instance(&self, service: &str, id: &str) -> Value {
        self.api.get(&format!("/v1/services/{service}/instances/{id}")).expect(200).json()
    }

    /// Asks the first DNS listener: `server.dig("web.svc.local A +tcp")`.
    #[track_caller]
    pub fn dig(&self, question: &str) -> Dig {
        dig(self.dns[0], question)
    }

    /// The serial in the SOA record of `svc.local`.
    #[track_caller]
    pub fn serial(&self) -> u32 {
        let soa = self.dig("svc.local SOA").data("SOA").remove(0);
        soa.split(' ').nth(2).and_then(|serial| serial.parse().ok()).expect("a serial")
    }

    /// The registry's revision.
    #[track_caller]
    pub fn revision(&self) -> u64 {
        self.api.get("/v1/services").expect(200).revision()
    }

    /// Where this server keeps its state.
    pub fn data(&self) -> PathBuf {
        self.setup.data()
    }

    /// What it was started with, to start another one like it or on the same directory.
    pub fn setup(&self) -> Setup {
        self.setup.clone()
    }

    /// Asks it to end and waits until it has.
    pub fn sigterm(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait()
    }

    /// Ends it as power loss would.
    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Ends it cleanly and starts it on the same directory, on new ports.
    #[track_caller]
    pub fn restart(mut self) -> Self {
        let status = self.sigterm();
        assert!(status.success(), "srvd ended with {status} on SIGTERM");
        self.setup.start()
    }
}

/// `path` as a message shows it.
pub fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The addresses in `srvd ready dns=A[,A] http=A[,A]`.
fn ready(line: &str) -> Option<(Vec<SocketAddr>, Vec<SocketAddr>)> {
    let (dns, http) = line.strip_prefix("srvd ready dns=")?.split_once(" http=")?;
    let addresses = |list: &str| list.split(',').map(|address| address.parse().ok()).collect::<Option<Vec<_>>>();
    Some((addresses(dns)?, addresses(http)?))
}
