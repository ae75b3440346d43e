//! `srvd probe`: have the checks of an instance run now.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::Value;

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::show;
use super::target::Target;

/// The longest wait: a check that is asked for may have to wait for its own last run, and each may take five minutes.
const PATIENCE: Duration = Duration::from_secs(11 * 60);

/// Which instance.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct ProbeArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
}

impl Ask for ProbeArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service, "instances", &self.id, "check"]);
        let call = Call::new(format!("{}/{}", self.service, self.id), Method::POST, target);
        Ok(Call { patience: Some(PATIENCE), ..call })
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::results(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd probe web a
  srvd probe web a --output json";
