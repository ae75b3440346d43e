//! `srvd instances`: the instances of one service, whatever their status.

use std::io::Read;

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::target::Target;
use super::{pair, show};

/// What `--status` takes: each status, and the one for no filter.
const STATUSES: [&str; 7] = ["all", "healthy", "starting", "unhealthy", "lapsed", "draining", "maintenance"];

/// Which instances.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InstancesArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service whose instances to list
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Only those with that status
    #[arg(long, value_parser = PossibleValuesParser::new(STATUSES))]
    status: Option<String>,
    /// Only those that carry the tag; repeat for all of several
    #[arg(long)]
    tag: Vec<String>,
    /// Only those of that version
    #[arg(long)]
    version: Option<String>,
    /// Only those with that metadata; repeat for all of several
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair::text)]
    meta: Vec<(String, String)>,
}

impl Ask for InstancesArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service])
            .with_each("status", &self.status)
            .with_each("tag", &self.tag)
            .with_each("version", &self.version);
        let target = self.meta.iter().fold(target, |target, (key, value)| target.with(&format!("meta.{key}"), value));
        Ok(Call::new(&self.service, Method::GET, target))
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::instances(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd instances web
  srvd instances web --status healthy --tag canary --tag eu
  srvd instances web --version 2.1.0 --meta team=shop --output json";
