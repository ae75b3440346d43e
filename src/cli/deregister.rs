//! `srvd deregister`: take an instance out of the registry.

use std::io::Read;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::target::Target;

/// Which instance.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct DeregisterArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
}

impl Ask for DeregisterArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service, "instances", &self.id]);
        Ok(Call::new(format!("{}/{}", self.service, self.id), Method::DELETE, target))
    }

    fn show(&self, _: &Value, _: Page) -> String {
        format!("deregistered {}/{}", self.service, self.id)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd deregister web a
  srvd deregister web a --server http://10.0.0.2:8053";
