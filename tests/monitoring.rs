//! The alert rules and the dashboard of `packaging/`, in the real Prometheus.

mod common;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::http::Client;
use common::message::{A, Udp};
use common::process::{Process, tool};
use common::{Server, Setup, eventually};
use serde_json::{Value, json};

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(shipped(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A Prometheus that scrapes a server with the configuration that is shipped.
struct Prometheus {
    api: Client,
    #[expect(dead_code, reason = "lives as long as this")]
    process: Process,
    #[expect(dead_code, reason = "lives as long as this")]
    directory: tempfile::TempDir,
}

impl Prometheus {
    #[track_caller]
    fn of(server: &Server) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        // The same files, but for the address and the pace.
        let config = read("prometheus/prometheus.yml").replace("127.0.0.1:8053", &server.http[0].to_string());
        let config = config.replace("interval: 15s", "interval: 200ms");
        let rules = read("prometheus/srvd.rules.yml").replace("for: 1m", "for: 0s");
        std::fs::write(directory.path().join("prometheus.yml"), config).expect("a file");
        std::fs::write(directory.path().join("srvd.rules.yml"), rules).expect("a file");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address: SocketAddr = listener.local_addr().expect("an address");
        drop(listener);
        let mut command = Command::new(tool("prometheus", "prometheus"));
        command.current_dir(directory.path()).args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        command.arg(format!("--web.listen-address={address}"));
        let process = Process::start(&mut command);
        eventually("Prometheus listens", || std::net::TcpStream::connect(address));
        let prometheus = Self { api: Client::new(address), process, directory };
        eventually("Prometheus is ready", || match prometheus.api.get("/-/ready") {
            reply if reply.status == 200 => Ok(()),
            reply => Err(reply.to_string()),
        });
        prometheus
    }

    #[track_caller]
    fn get(&self, path: &str) -> Value {
        self.api.get(path).expect(200).json()["data"].clone()
    }

    /// What an expression gives, or why it is none.
    #[track_caller]
    fn query(&self, expression: &str) -> Result<Vec<Value>, String> {
        let reply = self.api.get(&format!("/api/v1/query?query={}", percent(expression)));
        let body = reply.json();
        match (reply.status, body["data"]["result"].as_array()) {
            (200, Some(result)) => Ok(result.clone()),
            _ => Err(format!("{expression}: {body}")),
        }
    }

    /// Waits until an alert fires, with its labels.
    #[track_caller]
    fn fires(&self, alert: &str) -> Value {
        eventually(&format!("{alert} fires"), || {
            let alerts = self.get("/api/v1/alerts");
            let named = |entry: &&Value| entry["labels"]["alertname"] == alert && entry["state"] == "firing";
            let found = alerts["alerts"].as_array().and_then(|all| all.iter().find(named).cloned());
            found.ok_or(alerts)
        })
    }
}

fn percent(text: &str) -> String {
    text.bytes().map(|octet| format!("%{octet:02X}")).collect()
}

#[test]
fn prometheus_takes_the_rules_and_its_own_configuration() {
    for (check, file) in [("rules", "prometheus/srvd.rules.yml"), ("config", "prometheus/prometheus.yml")] {
        let mut command = Command::new(tool("promtool", "prometheus"));
        let output = command.args(["check", check]).arg(shipped(file)).output().expect("promtool runs");
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
    }
}

/// What fires when, and what it says, sample by sample; and nothing of that is left out.
#[test]
fn every_rule_fires_for_what_it_is_for_and_for_nothing_else() {
    let (rules, tests) = ("prometheus/srvd.rules.yml", "prometheus/srvd.rules.test.yml");
    let output = Command::new(tool("promtool", "prometheus")).args(["test", "rules"]).arg(shipped(tests)).output();
    let output = output.expect("promtool runs");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let (rules, tests) = (read(rules), read(tests));
    let alerts: Vec<&str> = rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() >= 13, "{alerts:?}");
    for alert in alerts {
        assert!(tests.contains(&format!("        alertname: {alert}\n        exp_alerts:\n")), "{alert} fires");
        assert!(tests.contains(&format!(", alertname: {alert} }}\n")), "{alert} does not fire");
    }
}

#[test]
fn a_rule_fires_and_the_dashboard_shows_what_is_scraped() {
    let server = Setup::new().set("health.panic_threshold", 0.5).start();
    let metered =
        json!({ "address": "127.0.0.1", "port": 80, "ttl": "none", "ports": {"metrics": server.http[0].port()} });
    server.register("web", "a", metered.clone());
    server.register("db", "a", metered);
    server.says("db", "a", "unhealthy");
    Udp::to(server.dns[0]).ask("web.svc.local", A, None);
    let prometheus = Prometheus::of(&server);
    eventually("srvd and what is registered with it are scraped", || {
        let targets = prometheus.get("/api/v1/targets?state=active")["activeTargets"].clone();
        let up = |job: &str| {
            let all = targets.as_array().into_iter().flatten();
            all.filter(|target| target["labels"]["job"] == job && target["health"] == "up").count()
        };
        if (up("srvd"), up("services")) == (1, 2) { Ok(()) } else { Err(targets.to_string()) }
    });
    // Both of what is wrong, and nothing of what is not.
    assert_eq!(prometheus.fires("SrvdServiceDown")["labels"]["service"], "db");
    prometheus.fires("SrvdPanic");
    let alerts = prometheus.get("/api/v1/alerts")["alerts"].clone();
    for alert in alerts.as_array().expect("alerts") {
        let name = alert["labels"]["alertname"].as_str().unwrap_or_default();
        let expected = (name, alert["labels"]["service"].as_str().unwrap_or("db"));
        assert!(["SrvdServiceDown", "SrvdPanic"].contains(&name) && expected.1 == "db", "{alert}");
    }
    server.says("db", "a", "healthy");
    eventually("nothing fires", || match prometheus.get("/api/v1/alerts")["alerts"].as_array() {
        Some(alerts) if alerts.is_empty() => Ok(()),
        alerts => Err(format!("{alerts:?}")),
    });
    every_expression_of_the_dashboard(&prometheus);
}

fn every_expression_of_the_dashboard(prometheus: &Prometheus) {
    let dashboard: Value = serde_json::from_str(&read("grafana/srvd.json")).expect("the dashboard is JSON");
    let mut expressions = vec![dashboard["annotations"]["list"][0]["expr"].clone()];
    for panel in dashboard["panels"].as_array().expect("panels") {
        let targets = panel["targets"].as_array().expect("targets");
        expressions.extend(targets.iter().map(|target| target["expr"].clone()));
    }
    assert!(expressions.len() > 30, "{}", expressions.len());
    for expression in expressions {
        let expression = expression.as_str().expect("an expression").replace("$job", "srvd").replace("$instance", ".*");
        let expression = expression.replace("$__rate_interval", "1m");
        assert!(!expression.contains('$'), "{expression}");
        let result = prometheus.query(&expression).unwrap_or_else(|why| panic!("{why}"));
        // What nothing has happened of has no samples; every other name is one that srvd has.
        let may_be_empty = expression.starts_with("ALERTS");
        assert!(may_be_empty || !result.is_empty(), "nothing for {expression}");
    }
}

/// Every name in the rules and the dashboard is one that the server tells.
#[test]
fn only_names_that_there_are_are_used() {
    let server = Server::start();
    let told = server.api.get("/metrics").expect(200).text();
    let families: Vec<&str> = told.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let used = read("prometheus/srvd.rules.yml") + &read("grafana/srvd.json");
    let mut found = 0;
    for name in used.split(|character: char| !character.is_ascii_alphanumeric() && character != '_') {
        if name.starts_with("srvd_") || name.starts_with("process_") {
            let family = name.strip_suffix("_bucket").unwrap_or(name);
            assert!(families.contains(&family), "{name}");
            found += 1;
        }
    }
    assert!(found > 40, "{found}");
}
