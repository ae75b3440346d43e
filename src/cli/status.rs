//! `srvd status`: how the server itself is.

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

/// Which server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct StatusArgs {
    #[command(flatten)]
    connection: Connection,
    #[command(flatten)]
    repeat: Repeat,
}

impl Ask for StatusArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        Ok(Call::new("", Method::GET, Target::v1(&["status"])))
    }

    fn every(&self) -> Option<Duration> {
        self.repeat.every()
    }

    fn show(&self, reply: &Value, page: Page) -> String {
        show::status(reply, page)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd status
  srvd status --watch
  srvd status --server http://192.0.2.7:8053 --output json";
