//! `srvd register`: an instance under its id, or under one that the server makes.

use std::io::Read;
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::{Map, Value};

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::members::Members;
use super::target::Target;
use super::{document, registration, show};

/// The registration, member by member; the server judges the values.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RegisterArgs {
    #[command(flatten)]
    pub(super) connection: Connection,
    /// Service to register under; without it, --file has registrations that name their own
    #[arg(value_parser = NonEmptyStringValueParser::new(), required_unless_present = "file")]
    pub(super) service: Option<String>,
    /// Id of the instance; without it the server makes one
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub(super) id: Option<String>,
    /// Registration in JSON, or without SERVICE many: an array, or one after the other; `-` for standard input. An option
    /// replaces the whole member it names
    #[arg(long)]
    pub(super) file: Option<PathBuf>,
    /// Only if there is no such instance yet
    #[arg(long)]
    pub(super) if_absent: bool,
    #[command(flatten)]
    pub(super) members: Members,
}

impl Ask for RegisterArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, input: &mut dyn Read) -> anyhow::Result<Call> {
        let file = match &self.file {
            None => Map::new(),
            Some(path) => document::object(path, input).with_context(|| format!("--file {}", path.display()))?,
        };
        let (id, body) = registration::build(self, file)?;
        if self.if_absent && id.is_none() {
            bail!("--if-absent: an id that the server makes is always new; name one with --id");
        }
        let service = self.service.as_deref().context("name a SERVICE")?;
        let mut call = match &id {
            Some(id) => {
                let target = Target::v1(&["services", service, "instances", id]);
                Call::new(format!("{service}/{id}"), Method::PUT, target)
            }
            None => {
                let target = Target::v1(&["services", service, "instances"]);
                Call::new(service, Method::POST, target)
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

const EXAMPLES: &str = r#"Examples:
  srvd register web --id a --address 10.0.0.7 --port 8080 --check http:/health
  srvd register web --address auto --port 8080 --ports metrics=9100 --tag canary
  srvd register db --address db.example.net --port 5432 --ttl none --check tcp
  srvd register web --id a --address 10.0.0.7 --port 8080 \
      --meta team=shop --meta 'max_connections:=1000'
  srvd register web --id a --file web.json --weight 0 --if-absent
  srvd register --file all.json
  srvd register web --id a --address 10.0.0.7 --port 8080 \
      --check '{"kind":"http","path":"/health","interval":"2s","port":9000}'"#;
