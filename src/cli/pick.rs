//! `srvd pick`: one instance of a service, chosen by the server.

use std::io::Read;

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser};
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::filters::Filters;
use super::show;
use super::target::Target;
use crate::model::Strategy;

/// From which instances, and how.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct PickArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service to pick an instance of
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// How to pick; the service's own setting unless given
    #[arg(long, value_parser = PossibleValuesParser::new(Strategy::NAMES))]
    strategy: Option<String>,
    /// What consistent_hash goes by, such as a user's name
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    filters: Filters,
}

impl Ask for PickArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service, "pick"])
            .with_each("strategy", &self.strategy)
            .with_each("key", &self.key);
        Ok(Call::new(&self.service, Method::GET, self.filters.onto(target)))
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::instance(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd pick web
  srvd pick web --strategy least_loaded --tag canary
  srvd pick web --strategy consistent_hash --key user-7 --output json";
