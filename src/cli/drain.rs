//! `srvd drain`, `srvd maintenance` and `srvd resume`: take an instance out of DNS, and put it back.

use std::io::Read;
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use hyper::Method;
use serde_json::{Map, Value};

use super::ask::{Ask, Page};
use super::client::Call;
use super::connection::Connection;
use super::show;
use super::target::Target;
use crate::model::{Reason, Span, limits};

/// What the network and the server may take beside the wait.
const SLACK: Duration = Duration::from_secs(10);

/// Which instance, and how long to wait.
#[derive(Debug, Args)]
#[command(after_help = DRAIN_EXAMPLES)]
pub struct DrainArgs {
    #[command(flatten)]
    instance: InstanceArgs,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Which instance, and why.
#[derive(Debug, Args)]
#[command(after_help = MAINTENANCE_EXAMPLES)]
pub struct MaintenanceArgs {
    #[command(flatten)]
    instance: InstanceArgs,
    /// Why; shown with the instance
    #[arg(long, value_name = "TEXT", conflicts_with = "off")]
    reason: Option<String>,
    /// End the maintenance; a drain stays
    #[arg(long, conflicts_with = "wait")]
    off: bool,
    #[command(flatten)]
    wait: WaitArgs,
}

/// Which instance.
#[derive(Debug, Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub struct ResumeArgs {
    #[command(flatten)]
    instance: InstanceArgs,
}

#[derive(Debug, Args)]
struct InstanceArgs {
    #[command(flatten)]
    connection: Connection,
    /// Service of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    service: String,
    /// Id of the instance
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    id: String,
}

#[derive(Debug, Args)]
struct WaitArgs {
    /// Return when no cache holds the instance any more, or fail after this long, at most 10m
    #[arg(long, value_name = "SPAN", num_args = 0..=1, require_equals = true, default_missing_value = "10m", value_parser = span)]
    wait: Option<Span>,
}

impl InstanceArgs {
    fn name(&self) -> String {
        format!("{}/{}", self.service, self.id)
    }

    fn call(&self, method: Method, rest: &str, wait: Option<Span>) -> Call {
        let mut target = Target::v1(&["services", &self.service, "instances", &self.id, rest]);
        if let Some(wait) = wait {
            target = target.with("wait", &wait.to_string());
        }
        let mut call = Call::new(self.name(), method, target);
        call.patience = wait.map(|wait| wait.as_duration() + SLACK);
        call
    }
}

impl Ask for DrainArgs {
    fn connection(&self) -> &Connection {
        &self.instance.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        Ok(self.instance.call(Method::PUT, "drain", self.wait.wait))
    }

    fn falls_short(&self, reply: &Value) -> Option<String> {
        self.wait.wait.and_then(|_| not_safe(reply))
    }

    fn show(&self, reply: &Value, _: Page) -> String {
        format!("draining {}; {}", self.instance.name(), safety(reply))
    }
}

impl Ask for MaintenanceArgs {
    fn connection(&self) -> &Connection {
        &self.instance.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        let method = if self.off { Method::DELETE } else { Method::PUT };
        let mut call = self.instance.call(method, "maintenance", self.wait.wait);
        call.body = self.reason.as_ref().map(|reason| Map::from_iter([("reason".to_owned(), reason.as_str().into())]));
        Ok(call)
    }

    fn falls_short(&self, reply: &Value) -> Option<String> {
        self.wait.wait.and_then(|_| not_safe(reply))
    }

    fn show(&self, reply: &Value, _: Page) -> String {
        match self.off {
            true => standing(&self.instance, reply),
            false => format!("{} is in maintenance; {}", self.instance.name(), safety(reply)),
        }
    }
}

impl Ask for ResumeArgs {
    fn connection(&self) -> &Connection {
        &self.instance.connection
    }

    fn call(&self, _: &mut dyn Read) -> anyhow::Result<Call> {
        Ok(self.instance.call(Method::PUT, "resume", None))
    }

    fn show(&self, reply: &Value, _: Page) -> String {
        standing(&self.instance, reply)
    }
}

/// A span that a reply may be held for.
fn span(text: &str) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(limits::WAIT)
}

/// When the instance may be stopped.
fn safety(reply: &Value) -> String {
    match reply["safe_at"].as_str() {
        Some(safe_at) if reply["safe"] != true => format!("safe to stop at {}", show::printable(safe_at)),
        _ => "safe to stop".to_owned(),
    }
}

fn not_safe(reply: &Value) -> Option<String> {
    let safe_at = show::printable(reply["safe_at"].as_str().unwrap_or_default());
    (reply["safe"] != true).then(|| format!("caches may hold it until {safe_at}; do not stop it before"))
}

/// What an instance that was put back is now.
fn standing(instance: &InstanceArgs, reply: &Value) -> String {
    let name = instance.name();
    let Some(status) = reply["instance"]["status"].as_str() else {
        return format!("nothing holds {name} back; it is not registered");
    };
    let reason = reply["instance"]["reason"].as_str().map(|reason| format!(": {reason}")).unwrap_or_default();
    show::printable(&format!("{name} is {status}{reason}"))
}

pub(super) const DRAIN: &str = "\
Take an instance out of DNS, still registered. It stays out until it is resumed or its registration ends. With --wait \
the command succeeds when the instance is safe to stop.";

pub(super) const MAINTENANCE: &str = "\
Take an instance out of DNS until this is lifted, whatever it does meanwhile. The mark belongs to the name: it stays when \
the instance registers anew, or goes and comes back.";

pub(super) const RESUME: &str = "\
Put an instance back into DNS: end its drain, whoever asked for it, and its maintenance.";

const DRAIN_EXAMPLES: &str = "\
Examples:
  srvd drain web a
  srvd drain web a --wait
  srvd drain web a --wait=30s --output json";

const MAINTENANCE_EXAMPLES: &str = "\
Examples:
  srvd maintenance web a --reason 'new disk'
  srvd maintenance web a --wait
  srvd maintenance web a --off";

const RESUME_EXAMPLES: &str = "\
Examples:
  srvd resume web a
  srvd resume web a --server http://10.0.0.2:8053";
