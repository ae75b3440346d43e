//! `srvd run`: any program as a service, for as long as it runs.
//!
//! ```text
//! start the program ─► wait until it accepts ─► register ─► heartbeats … ─► take out of DNS, wait ─► pass the signal on
//!        │                                                     │                                           │
//!        └──────────────────────── it ends by itself ──────────┴────► deregister ◄──────── it ends ────────┘
//! ```
//!
//! The program matters more than its registration: whatever becomes of srvd, it runs on, and keeps its input, its output
//! and its exit code.

mod life;
mod names;
mod ready;
mod signals;
mod tell;

use std::ffi::OsString;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde_json::{Map, Value};

use super::ask;
use super::connection::{Output, ServerUrl};
use super::exit::Failure;
use super::members::Members;
use crate::config::Config;
use crate::model::{self, Defaults, InstanceId, Reason, ServiceName, Span, limits};
use tell::Teller;

/// What to run, and what to register it as.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RunArgs {
    /// Servers to register with, joined by commas: each stands in for the others
    #[arg(
        long,
        value_name = "URL,...",
        env = "SRVD_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8053",
        value_delimiter = ',',
        help_heading = "Server"
    )]
    server: Vec<ServerUrl>,
    /// Service to register under
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance; the name of this host and the port, as in host-8080, unless given
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    id: Option<String>,
    /// When it is asked to end: how long caches get to forget it before the program is told, at most
    #[arg(long, value_name = "SPAN", default_value = "8s", value_parser = span)]
    drain: Span,
    /// Say nothing but what goes wrong
    #[arg(long, short)]
    quiet: bool,
    /// What is told on standard error: words for people, or a line of JSON for each event
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Output::Table)]
    output: Output,
    /// Program to run, and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
    #[command(flatten)]
    members: Members,
}

fn span(text: &str) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(limits::WAIT)
}

/// A program, and the instance that it is.
#[derive(Debug)]
struct Plan {
    servers: Vec<ServerUrl>,
    service: String,
    id: String,
    /// The members of the registration; without an address it is found out.
    body: Map<String, Value>,
    /// The registration as the server will understand it, for what is checked here.
    registration: model::Registration,
    drain: Duration,
    teller: Teller,
    command: Vec<OsString>,
}

/// Runs the program to its end. The exit code is the program's.
pub fn run(args: RunArgs) -> ExitCode {
    let form = args.output;
    match plan(args).map_err(Failure::Usage) {
        Ok(plan) => life::run(plan),
        Err(failure) => ask::finish(Err(failure), form, &mut std::io::stderr()).into(),
    }
}

/// Everything that can be seen to be wrong is, before the program is started.
fn plan(args: RunArgs) -> anyhow::Result<Plan> {
    let RunArgs { server, service, id, members, drain, quiet, output, command } = args;
    let service = ServiceName::parse(&service).map_err(anyhow::Error::from).context("--service")?;
    let mut body = Map::new();
    members.set_in(&mut body)?;
    let registration = registration(&body)?;
    let id = match id {
        Some(id) => InstanceId::parse(&id).map_err(anyhow::Error::from).context("--id")?.as_str().to_owned(),
        None => names::id(&names::host(), registration.port.number(), rand::random()),
    };
    let service = service.as_str().to_owned();
    let teller = Teller { service: service.clone(), id: id.clone(), form: output, is_quiet: quiet };
    Ok(Plan { servers: server, service, id, body, registration, drain: drain.as_duration(), teller, command })
}

/// Reads the members as the server does. An address that is not known here yet stands as loopback.
fn registration(body: &Map<String, Value>) -> anyhow::Result<model::Registration> {
    let mut body = body.clone();
    if !body.contains_key("port") && body.get("ports").is_none_or(|ports| ports.as_object().map(Map::len) != Some(1)) {
        bail!("name the port that the program listens on with --port");
    }
    if !body.contains_key("address") && !body.contains_key("addresses") {
        body.insert("address".to_owned(), "auto".into());
    }
    let config = Config::default();
    let defaults = Defaults { ttl: config.leases.ttl, check: config.health.check_defaults(), checks: Vec::new() };
    let here = std::net::Ipv4Addr::LOCALHOST.into();
    Ok(model::Registration::from_json(&Value::Object(body), &defaults, here)?)
}

pub(super) const ABOUT: &str = "\
Run a program as an instance of a service. It is registered once its port accepts connections, or its checks pass where \
any are given; heartbeats keep it registered. Signals go to the program. On SIGTERM and SIGINT the instance is first taken \
out of DNS and caches get the time of --drain to forget it; a second signal is passed on at once. When the program ends, by \
itself or not, it is deregistered, and srvd exits with its code, or with 128 and the number of the signal that ended it. The \
program runs on whatever becomes of srvd; it is registered as soon as a server lets it. What happens is told on standard \
error; with --output json in lines of JSON with `at`, `event`, `service`, `id` and `detail`.";

const EXAMPLES: &str = "\
Examples:
  srvd run --service web --port 8080 -- ./web --listen :8080
  srvd run --service web --port 8080 --check http:/health --ttl 10s -- ./web
  srvd run --service web --port 8080 --weight 10 --tag canary -- python3 app.py
  srvd run --service web --port 8080 --output json -- ./web 2>web.events
  srvd run --service dns --port 53 --protocol udp --address 10.0.0.7 -- ./dns
  srvd run --server http://10.0.0.1:8053,http://10.0.0.2:8053 \\
      --service web --port 8080 -- ./web";

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn planned(line: &str) -> Result<Plan, String> {
        let words = format!("srvd run {line} -- true");
        let Command::Run(args) = Cli::try_parse_from(words.split_whitespace()).unwrap().command else {
            panic!("{line}")
        };
        plan(*args).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn plans() {
        let plan = planned("--service Web --port 8080 --id A --weight 5 --server http://a,http://b").unwrap();
        assert_eq!((plan.service.as_str(), plan.id.as_str(), plan.servers.len()), ("web", "a", 2));
        assert_eq!(Value::Object(plan.body), serde_json::json!({"port": 8080, "weight": 5}));
        assert_eq!(plan.drain, Duration::from_secs(8));
        let plan = planned("--service web --ports http=81 --drain 0s").unwrap();
        assert_eq!((plan.registration.port.number(), plan.drain), (81, Duration::ZERO));
        assert!(plan.id.ends_with("81") || plan.id.len() == 8, "{}", plan.id);
    }

    #[test]
    fn what_is_wrong_is_seen_before_anything_is_started() {
        for (line, words) in [
            ("--service web", "name the port"),
            ("--service web --ports a=1 --ports b=2", "name the port"),
            ("--service a.b --port 80", "--service: "),
            ("--service web --port 80 --id a.b", "--id: "),
            ("--service web --port 70000", "`port` must be 1 to 65535"),
            ("--service web --port 80 --address 0.0.0.0", "`address`"),
            ("--service web --port 80 --check {\"kind\":\"http\",\"pth\":\"/\"}", "pth"),
            ("--service web --port 80 --ttl soon", "`ttl`"),
        ] {
            let error = planned(line).unwrap_err();
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
