//! `srvd top`: the services of a server as they are this moment, on the whole screen.
//!
//! Two threads ask the server, one again and again ([`poll`]), one for changes as they happen ([`changes`]); the thread
//! of the screen takes in what they bring, and the keys. What is shown follows from [`state::State`] alone, which knows neither
//! a terminal nor a server.

mod changes;
mod figures;
mod poll;
mod screen;
mod state;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Args;

use super::ask;
use super::connection::ServerUrl;
use super::exit::Failure;
use crate::model::{Reason, Span};

/// How often the server may be asked, in milliseconds.
const EVERY: std::ops::RangeInclusive<u64> = 200..=60_000;

/// Which server, and how often to ask it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct TopArgs {
    /// The server to ask
    #[arg(
        long,
        value_name = "URL",
        env = "SRVD_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:8053"
    )]
    server: ServerUrl,
    /// The time between two looks
    #[arg(long, value_name = "SPAN", default_value = "1s", value_parser = every)]
    every: Span,
}

fn every(text: &str) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(EVERY)
}

/// Shows the view until it is quit.
pub fn top(args: &TopArgs) -> ExitCode {
    let done = match io::stdin().is_terminal() && io::stdout().is_terminal() {
        true => screen::run(&args.server, args.every.as_duration()),
        false => Err(Failure::Usage(anyhow::anyhow!(
            "top needs a terminal; `srvd services --watch` and `srvd status --output json` go anywhere"
        ))),
    };
    ask::finish(done, &mut io::stderr()).into()
}

pub(super) const ABOUT: &str = "\
Watch a server on the whole screen: its services and their health, queries a second, the latest changes and the slowest \
checks. Keys: up and down choose, Enter opens a service and Esc leaves it, / filters by name, d drains the chosen instance \
and r puts it back (both ask first), q quits.";

const EXAMPLES: &str = "\
Examples:
  srvd top
  srvd top --every 5s
  srvd top --server http://10.0.0.2:8053";
