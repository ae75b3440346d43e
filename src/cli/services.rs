//! `srvd services`: what is registered, a line for each service.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::repeat::Repeat;
use super::show;
use super::target::Target;

/// Which services.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ServicesArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    repeat: Repeat,
    /// Only services that have the tag
    #[arg(long)]
    tag: Option<String>,
    /// Only services whose name begins so
    #[arg(long)]
    prefix: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Only services after that name, to go on where `--limit` ended
    #[arg(long, value_name = "NAME")]
    after: Option<String>,
}

impl Ask for ServicesArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services"])
            .with_each("tag", &self.tag)
            .with_each("prefix", &self.prefix)
            .with_each("limit", self.limit.map(|limit| limit.to_string()))
            .with_each("after", &self.after);
        Ok(Call::new("", Method::GET, target))
    }

    fn every(&self) -> Option<Duration> {
        self.repeat.every()
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::services(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd services
  srvd services --tag canary --prefix shop-
  srvd services --limit 100 --after web
  srvd services --watch
  srvd services --output json";
