//! `srvd heartbeat`: renew a lease and, if there is something to say, say how the instance is.

use std::io::Read;

use clap::Args;
use clap::builder::{NonEmptyStringValueParser, PossibleValuesParser, TypedValueParser};
use hyper::Method;
use serde_json::{Map, Value};

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::target::Target;
use crate::client::OwnStatus;

/// Whose lease, and what the instance says of itself.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct HeartbeatArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
    /// What the instance says of itself from now on
    #[arg(long, value_parser = own_status())]
    status: Option<OwnStatus>,
    /// Words that go with it
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
}

/// The words of the API, in their order there.
fn own_status() -> impl TypedValueParser<Value = OwnStatus> {
    let words = OwnStatus::ALL.map(OwnStatus::as_str);
    PossibleValuesParser::new(words).try_map(|word| {
        OwnStatus::ALL.into_iter().find(|status| status.as_str() == word).ok_or("is no status of its own")
    })
}

impl Ask for HeartbeatArgs {
    fn connection(&self) -> &Connection {
        &self.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let target = Target::v1(&["services", &self.service, "instances", &self.id, "heartbeat"]);
        let mut call = Call::new(format!("{}/{}", self.service, self.id), Method::PUT, target);
        let mut body = Map::new();
        if let Some(status) = self.status {
            body.insert("status".to_owned(), status.as_str().into());
        }
        if let Some(message) = &self.message {
            body.insert("message".to_owned(), message.as_str().into());
        }
        call.body = (!body.is_empty()).then_some(body);
        Ok(call)
    }

    fn show(&self, _: &Value, _: Page) -> String {
        format!("renewed {}/{}", self.service, self.id)
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd heartbeat web a
  srvd heartbeat web a --status unhealthy --message 'queue is full'
  srvd heartbeat web a --status draining";
