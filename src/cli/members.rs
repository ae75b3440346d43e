//! The options that say what an instance is, and the members of a registration that they set.
//!
//! Nothing is judged here but an option that contradicts itself: the values are the server's to judge.

use anyhow::bail;
use clap::Args;
use serde_json::{Map, Value};

use super::{check_flag, pair};

/// What an instance is, member by member.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Registration")]
pub struct Members {
    /// IP address, host name, or `auto` for the one the request comes from; repeat for several IP addresses
    #[arg(long, value_name = "ADDR")]
    pub(super) address: Vec<String>,
    /// Main port
    #[arg(long)]
    pub(super) port: Option<u64>,
    /// Named port; may be repeated
    #[arg(long, value_name = "NAME=PORT", value_parser = pair::port)]
    pub(super) ports: Vec<(String, u64)>,
    /// Transport protocol: tcp or udp
    #[arg(long)]
    pub(super) protocol: Option<String>,
    /// Scheme of the instance's URL
    #[arg(long)]
    pub(super) scheme: Option<String>,
    /// Version of what runs there
    #[arg(long)]
    pub(super) version: Option<String>,
    /// Share of the traffic; 0 is last resort
    #[arg(long)]
    pub(super) weight: Option<u64>,
    /// SRV priority; the lowest is used first
    #[arg(long)]
    pub(super) priority: Option<u64>,
    /// Tag; may be repeated
    #[arg(long)]
    pub(super) tag: Vec<String>,
    /// Metadata as text, or as JSON (a number, boolean or list) with `:=`; may be repeated
    #[arg(long, value_name = "KEY=TEXT|KEY:=JSON", value_parser = pair::metadata)]
    pub(super) meta: Vec<(String, Value)>,
    /// How long the lease lasts without a heartbeat, as 30s, or `none` for ever
    #[arg(long, value_name = "SPAN")]
    pub(super) ttl: Option<String>,
    /// How long it may be unhealthy before it is removed, as 1h
    #[arg(long, value_name = "SPAN")]
    pub(super) deregister_after: Option<String>,
    /// How long its weight takes to come up after it turned healthy, as 1m
    #[arg(long, value_name = "SPAN")]
    pub(super) slow_start: Option<String>,
    /// Check that the server runs: tcp, http:/PATH, or a JSON object; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = check_flag::check)]
    pub(super) check: Vec<Value>,
}

impl Members {
    /// Sets the members of `body` that options name; each replaces the whole member.
    ///
    /// # Errors
    /// A name of `--ports` or a key of `--meta` given twice.
    pub(super) fn set_in(&self, body: &mut Map<String, Value>) -> anyhow::Result<()> {
        set_addresses(body, &self.address);
        set(body, "port", self.port);
        set(body, "ports", object("--ports", &self.ports)?);
        set(body, "protocol", self.protocol.clone());
        set(body, "scheme", self.scheme.clone());
        set(body, "version", self.version.clone());
        set(body, "weight", self.weight);
        set(body, "priority", self.priority);
        set(body, "tags", list(&self.tag));
        set(body, "metadata", object("--meta", &self.meta)?);
        set(body, "ttl", self.ttl.clone());
        set(body, "deregister_after", self.deregister_after.clone());
        set(body, "slow_start", self.slow_start.clone());
        set(body, "checks", list(&self.check));
        Ok(())
    }
}

fn set(body: &mut Map<String, Value>, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        body.insert(member.to_owned(), value.into());
    }
}

/// One address and several are different members, of which a registration has one.
fn set_addresses(body: &mut Map<String, Value>, addresses: &[String]) {
    match addresses {
        [] => (),
        [one] => {
            body.remove("addresses");
            set(body, "address", Some(one.clone()));
        }
        several => {
            body.remove("address");
            set(body, "addresses", Some(several));
        }
    }
}

fn list<T: Clone + Into<Value>>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

fn object<T: Clone + Into<Value>>(option: &str, pairs: &[(String, T)]) -> anyhow::Result<Option<Map<String, Value>>> {
    let mut members = Map::new();
    for (name, value) in pairs {
        if members.insert(name.clone(), value.clone().into()).is_some() {
            bail!("{option}: {name:?} is given twice");
        }
    }
    Ok((!pairs.is_empty()).then_some(members))
}
