//! Prometheus as a consumer: targets from SRV and A records, and from the list that srvd has for it.
//!
//! srvd itself is what is scraped, at three addresses. Prometheus looks at what it has discovered every five seconds.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tempfile::TempDir;

use crate::common::namespace::Namespace;
use crate::common::process::Process;
use crate::common::{Setup, documents, eventually};

const PORT: u16 = 8053;

/// The jobs of the documents.
const SRV: &str = "by-srv";
const A: &str = "by-address";
const LIST: &str = "by-list";

/// What is scraped with success, by job.
type Scraped = BTreeMap<String, BTreeSet<String>>;

struct Prometheus {
    namespace: Namespace,
    _process: Process,
    _directory: TempDir,
}

impl Prometheus {
    /// With a configuration of the documents.
    fn start(text: &str) -> Self {
        // Prometheus has no setting for the resolver: port 53 and `/etc/resolv.conf` it is.
        let setup = Setup::new().dns("127.0.0.1:53").http("127.0.0.1:8053,127.0.0.2:8053,127.0.0.3:8053");
        let namespace = Namespace::start(setup, "nameserver 127.0.0.1\n");
        for host in 1..=3 {
            namespace.register("web", &format!("i-{host}"), [127, 0, 0, host], PORT, 1);
        }
        let directory = TempDir::new().expect("a temporary directory");
        let file = directory.path().join("prometheus.yml");
        // Only sooner than a person would want it.
        let text = text.replace("_interval: 5s", "_interval: 1s");
        fs::write(&file, &text).expect("a configuration can be written");
        let mut command = namespace.command("prometheus", "prometheus");
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!("--storage.tsdb.path={}", directory.path().join("data").display()));
        command.arg("--web.listen-address=127.0.0.1:9090");
        let process = namespace.start_inside(command, &text);
        Self { namespace, _process: process, _directory: directory }
    }

    fn targets(&self) -> Option<Vec<Value>> {
        let reply = self.namespace.curl(&["http://127.0.0.1:9090/api/v1/targets?state=active"]);
        let reply: Value = serde_json::from_str(&reply).ok()?;
        reply["data"]["activeTargets"].as_array().cloned()
    }

    /// Waits until exactly these targets are scraped with success.
    #[track_caller]
    fn eventually_scrapes(&self, expected: &[(&str, &[&str])]) {
        let text = |&(job, addresses): &(&str, &[&str])| {
            (job.to_owned(), addresses.iter().map(|address| format!("http://{address}:{PORT}/metrics")).collect())
        };
        let expected: Scraped = expected.iter().map(text).collect();
        eventually(&format!("Prometheus scrapes {expected:?}"), || {
            let targets = self.targets().ok_or("no reply")?;
            let mut seen = Scraped::new();
            for target in &targets {
                let (job, url) = (target["scrapePool"].as_str(), target["scrapeUrl"].as_str());
                if target["health"] == "up" {
                    let urls = seen.entry(job.unwrap_or_default().to_owned()).or_default();
                    urls.insert(url.unwrap_or_default().to_owned());
                }
            }
            if seen == expected { Ok(()) } else { Err(Value::from(targets).to_string()) }
        });
    }
}

#[test]
fn the_list_of_the_readme_is_scraped() {
    let block = documents::block("README.md", "HAProxy, nginx, Prometheus and everything else", "yaml");
    let prometheus = Prometheus::start(&format!("global:\n  scrape_interval: 5s\n{block}"));
    prometheus.eventually_scrapes(&[("services", &["127.0.0.1", "127.0.0.2", "127.0.0.3"])]);
}

#[test]
fn targets_follow_the_registry() {
    let prometheus = Prometheus::start(&documents::block("docs/consumers.md", "Prometheus", "yaml"));
    let namespace = &prometheus.namespace;
    let names = ["i-1.web.svc.local", "i-2.web.svc.local", "i-3.web.svc.local"];
    let addresses = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];
    prometheus.eventually_scrapes(&[(SRV, &names), (A, &addresses), (LIST, &addresses)]);
    // What is unhealthy leaves DNS, and stays in the list with its status; what is deregistered leaves both.
    namespace.says("web", "i-2", "unhealthy");
    namespace.deregister("web", "i-3");
    prometheus.eventually_scrapes(&[(SRV, &names[..1]), (A, &addresses[..1]), (LIST, &addresses[..2])]);
    let targets = prometheus.targets().expect("Prometheus replies");
    let labels = targets.iter().find(|target| target["labels"]["instance"] == "i-2").map(|target| &target["labels"]);
    assert!(labels.is_some_and(|labels| labels["service"] == "web" && labels["status"] == "unhealthy"), "{targets:?}");
    // An empty answer ends all targets, as NXDOMAIN would.
    namespace.says("web", "i-1", "unhealthy");
    prometheus.eventually_scrapes(&[(LIST, &addresses[..2])]);
    namespace.says("web", "i-1", "healthy");
    prometheus.eventually_scrapes(&[(SRV, &names[..1]), (A, &addresses[..1]), (LIST, &addresses[..2])]);
}
