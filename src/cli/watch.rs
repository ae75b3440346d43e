//! `srvd watch`: a line for every change, until it is interrupted.

use std::io::Read;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::show;
use super::target::Target;

/// Which changes.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct WatchArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service to watch; all unless given
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: Option<String>,
    /// Begin with what changed after that revision, in place of what changes from now on
    #[arg(long, value_name = "REVISION")]
    since: Option<u64>,
}

impl Ask for WatchArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["watch"])
            .with_each("service", &self.service)
            .with_each("since", self.since.map(|since| since.to_string()));
        Ok(Call::new(self.service.as_deref().unwrap_or_default(), Method::GET, target))
    }

    fn is_stream(&self) -> bool {
        true
    }

    fn show(&self, change: &Value, _: Page) -> String {
        show::change(change)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd watch
  srvd watch web
  srvd watch web --since 41 --output json";
