//! A server and its clients in network and mount namespaces of their own: ports below 1024, and an own
//! `/etc/resolv.conf`, which has no room for a port.
//!
//! Nothing of it can be seen outside, so ports may be fixed there, and the configurations of documents are used as they
//! stand. The namespaces end with their last process. A user namespace lets everybody make them, root or not; who is in
//! it is root, and nobody else is known there.

use std::net::IpAddr;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::process::{Process, tool};
use super::server::{Server, Setup};

/// Becomes the command behind the file, in namespaces that were made before.
const PREPARE: &str = r#"ip link set lo up && mount --bind "$1" /etc/resolv.conf && shift && exec "$@""#;

/// A running server in namespaces of its own.
pub struct Namespace {
    server: Server,
    _directory: TempDir,
}

impl Namespace {
    /// Starts `setup` where `/etc/resolv.conf` has this text.
    #[track_caller]
    pub fn start(setup: Setup, resolv_conf: &str) -> Self {
        tool("ip", "iproute2");
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("resolv.conf");
        std::fs::write(&file, resolv_conf).expect("a file can be written");
        let unshare = tool("unshare", "util-linux").display().to_string();
        let file = file.display().to_string();
        let words = [&unshare, "--map-root-user", "--net", "--mount", "sh", "-c", PREPARE, "sh", &file];
        Self { server: setup.through(&words).start(), _directory: directory }
    }

    /// A program of a Debian package, to be run inside.
    pub fn command(&self, program: &str, package: &str) -> Command {
        let mut command = Command::new(tool("nsenter", "util-linux"));
        command.arg(format!("--target={}", self.server.process.id()));
        // The path is made absolute here: inside, the search begins anew in the same directories.
        command.args(["--user", "--preserve-credentials", "--net", "--mount"]).arg(tool(program, package));
        command
    }

    /// Runs `command` to its end, and returns what it printed, whether it succeeded or not.
    #[track_caller]
    pub fn printed(&self, mut command: Command) -> String {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    }

    /// What curl, called with `arguments`, prints.
    #[track_caller]
    pub fn curl(&self, arguments: &[&str]) -> String {
        let mut command = self.command("curl", "curl");
        command.args(["--silent", "--max-time", "20"]).args(arguments);
        self.printed(command)
    }

    /// What dig prints for a question to the resolver of `/etc/resolv.conf`: records in full, one on a line.
    #[track_caller]
    pub fn dig(&self, name: &str, kind: &str) -> String {
        let mut command = self.command("dig", "bind9-dnsutils");
        command.args(["+noall", "+comments", "+answer", "+authority", name, kind]);
        self.printed(command)
    }

    /// Calls the HTTP interface, which has to reply one of `statuses`.
    #[track_caller]
    fn call(&self, method: &str, path: &str, body: Option<&Value>) {
        let url = self.url(path);
        let body = body.map(Value::to_string);
        let mut arguments = vec!["--request", method, "--write-out", "\n%{http_code}", &url];
        arguments.extend(body.iter().flat_map(|body| ["--json", body.as_str()]));
        let printed = self.curl(&arguments);
        let status = printed.rsplit('\n').next().unwrap_or_default();
        assert!(status.len() == 3 && status.starts_with('2'), "{method} {path}: {printed}");
    }

    /// The address of `path` on the server's HTTP interface.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.http[0])
    }

    /// Registers an instance without a lease.
    #[track_caller]
    pub fn register(&self, service: &str, id: &str, address: impl Into<IpAddr>, port: u16, weight: u16) {
        let (path, address) = (format!("/v1/services/{service}/instances/{id}"), address.into());
        self.call("PUT", &path, Some(&json!({ "address": address, "port": port, "weight": weight, "ttl": "none" })));
    }

    /// Registers any number of instances with one call.
    #[track_caller]
    pub fn register_all(&self, instances: impl Iterator<Item = Value>) {
        let operations: Vec<Value> = instances.map(|instance| json!({ "register": instance })).collect();
        self.call("POST", "/v1/batch", Some(&json!({ "operations": operations })));
    }

    #[track_caller]
    pub fn deregister(&self, service: &str, id: &str) {
        self.call("DELETE", &format!("/v1/services/{service}/instances/{id}"), None);
    }

    /// Sends the verdict that an instance passes on itself.
    #[track_caller]
    pub fn says(&self, service: &str, id: &str, status: &str) {
        let path = format!("/v1/services/{service}/instances/{id}/heartbeat");
        self.call("PUT", &path, Some(&json!({ "status": status })));
    }

    /// How many questions the server has had that it answered with `rcode`, of every type and transport.
    #[track_caller]
    pub fn questions(&self, rcode: &str) -> u64 {
        let text = self.curl(&[&self.url("/metrics")]);
        let label = format!("rcode=\"{rcode}\"");
        let counters = text.lines().filter(|line| line.starts_with("srvd_dns_queries_total{") && line.contains(&label));
        counters.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum()
    }

    /// Starts a server inside; `note` is shown when the test fails.
    pub fn start_inside(&self, mut command: Command, note: &str) -> Process {
        let mut process = Process::start(&mut command);
        process.note(note);
        process
    }
}
