//! `srvd top`: the services of a server as they are this moment, on the whole screen.
//!
//! Two threads ask the server, one again and again ([`poll`]), one for changes as they happen ([`changes`]); the thread
//! of the screen takes in what they bring, and the keys. What is shown follows from [`state::State`] alone, which knows neither
//! a terminal nor a server.

mod changes;
mod figures;
mod lines;
mod poll;
mod screen;
mod state;
mod view;

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::ask;
use super::connection::{Output, ServerUrl};
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
    /// The screen for people, or an object of JSON for each look, one a line
    #[arg(long, value_name = "FORM", value_enum, default_value_t = Form::Screen)]
    output: Form,
    /// One object, once the time between two looks is over, and no more
    #[arg(long)]
    once: bool,
}

/// The form of what is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people.
    #[value(alias = "table")]
    Screen,
    /// For programs.
    Json,
}

fn every(text: &str) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(EVERY)
}

/// Shows the view until it is quit.
pub fn top(args: &TopArgs) -> ExitCode {
    let every = args.every.as_duration();
    let done = match (args.output, io::stdin().is_terminal() && io::stdout().is_terminal()) {
        (Form::Json, _) => lines::run(&args.server, every, args.once, &mut io::stdout()),
        (Form::Screen, _) if args.once => {
            Err(Failure::Usage(anyhow::anyhow!("--once is for programs; give --output json too")))
        }
        (Form::Screen, true) => screen::run(&args.server, every),
        (Form::Screen, false) => Err(Failure::Usage(anyhow::anyhow!(
            "top needs a terminal; `srvd top --output json` and `srvd services --watch` go anywhere"
        ))),
    };
    let form = if args.output == Form::Json { Output::Json } else { Output::Table };
    ask::finish(done, form, &mut io::stderr()).into()
}

pub(super) const ABOUT: &str = "\
Watch a server on the whole screen: its services and their health, queries a second, the latest changes and the slowest \
checks. Keys: up and down choose, Enter opens a service and Esc leaves it, / filters by name, d drains the chosen instance \
and r puts it back (both ask first), q quits. With --output json it prints one object for each look, with status, \
services, queries a second, the slowest checks and the latest events, and needs no terminal.";

const EXAMPLES: &str = "\
Examples:
  srvd top
  srvd top --every 5s
  srvd top --output json --once
  srvd top --server http://10.0.0.2:8053";
