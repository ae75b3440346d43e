//! `srvd register`: an instance under its id, or under one that the server makes.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::{Map, Value};

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::target::Target;
use super::{check_flag, pair, registration, show};

/// The largest registration file in octets; the server takes no larger body.
const MAX_FILE: u64 = 1 << 20;

/// The registration, member by member; the server judges the values.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RegisterArgs {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Service to register under
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub(super) service: String,
    /// Id of the instance; without it the server makes one
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) id: Option<String>,
    /// IP address, host name, or `auto` for the one the request comes from; repeat for several IP addresses
    #[arg(long, value_name = "ADDR")]
    pub(super) address: Vec<String>,
    /// Main port
    #[arg(long)]
    pub(super) port: Option<u64>,
    /// Named port; may be repeated
    #[arg(long, value_name = "NAME=PORT", value_parser = pair::port)]
    pub(super) ports: Vec<(String, u64)>,
    /// Transport protocol: tcp or udp
    #[arg(long)]
    pub(super) protocol: Option<String>,
    /// Scheme of the instance's URL
    #[arg(long)]
    pub(super) scheme: Option<String>,
    /// Version of what runs there
    #[arg(long)]
    pub(super) version: Option<String>,
    /// Share of the traffic; 0 is last resort
    #[arg(long)]
    pub(super) weight: Option<u64>,
    /// SRV priority; the lowest is used first
    #[arg(long)]
    pub(super) priority: Option<u64>,
    /// Tag; may be repeated
    #[arg(long)]
    pub(super) tag: Vec<String>,
    /// Metadata as text, or as JSON (a number, boolean or list) with `:=`; may be repeated
    #[arg(long, value_name = "KEY=TEXT|KEY:=JSON", value_parser = pair::metadata)]
    pub(super) meta: Vec<(String, Value)>,
    /// How long the lease lasts without a heartbeat, as 30s, or `none` for ever
    #[arg(long)]
    pub(super) ttl: Option<String>,
    /// Check that the server runs: tcp, http:/PATH, or a JSON object; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = check_flag::check)]
    pub(super) check: Vec<Value>,
    /// Registration in JSON, `-` for standard input; an option replaces the whole member it names
    #[arg(long)]
    pub(super) file: Option<PathBuf>,
    /// Only if there is no such instance yet
    #[arg(long)]
    pub(super) if_absent: bool,
}

impl Ask for RegisterArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, input: &mut dyn Read) -> anyhow::Result<Call> {
        let file = match &self.file {
            None => Map::new(),
            Some(path) => read(path, input).with_context(|| format!("--file {}", path.display()))?,
        };
        let (id, body) = registration::build(self, file)?;
        if self.if_absent && id.is_none() {
            bail!("--if-absent: an id that the server makes is always new; name one with --id");
        }
        let mut call = match &id {
            Some(id) => {
                let target = Target::v1(&["services", &self.service, "instances", id]);
                Call::new(format!("{}/{id}", self.service), Method::PUT, target)
            }
            None => {
                let target = Target::v1(&["services", &self.service, "instances"]);
                Call::new(&self.service, Method::POST, target)
            }
        };
        call.if_absent = self.if_absent;
        call.body = Some(body);
        Ok(call)
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::instance(reply, page)
    }
}

/// The JSON object in the file at `path`, or in `input` when that is `-`.
fn read(path: &Path, input: &mut dyn Read) -> anyhow::Result<Map<String, Value>> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        input.take(MAX_FILE + 1).read_to_end(&mut text)?;
    } else {
        File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    }
    if text.len() as u64 > MAX_FILE {
        bail!("more than {MAX_FILE} octets, which no registration has");
    }
    serde_json::from_slice(&text).context("not a JSON object")
}

const EXAMPLES: &str = r#"Examples:
  srvd register web --id a --address 10.0.0.7 --port 8080 --check http:/health
  srvd register web --address auto --port 8080 --ports metrics=9100 --tag canary
  srvd register db --address db.example.net --port 5432 --ttl none --check tcp
  srvd register web --id a --address 10.0.0.7 --port 8080 \
      --meta team=shop --meta 'max_connections:=1000'
  srvd register web --id a --file web.json --weight 0 --if-absent
  srvd register web --id a --address 10.0.0.7 --port 8080 \
      --check '{"kind":"http","path":"/health","interval":"2s","port":9000}'"#;
