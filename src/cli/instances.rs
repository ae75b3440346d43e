//! `srvd instances`: the instances of one service, whatever their status.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::filters::Filters;
use super::repeat::Repeat;
use super::show;
use super::target::Target;

/// Which instances.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct InstancesArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    repeat: Repeat,
    /// Service whose instances to list
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    #[command(flatten)]
    filters: Filters,
}

impl Ask for InstancesArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = self.filters.onto(Target::v1(&["services", &self.service]));
        Ok(Call::new(&self.service, Method::GET, target))
    }

    fn every(&self) -> Option<Duration> {
        self.repeat.every()
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::instances(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd instances web
  srvd instances web --status healthy --tag canary --tag eu
  srvd instances web --watch=1s
  srvd instances web --version 2.1.0 --meta team=shop --output json";
