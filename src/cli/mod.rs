//! The command line: what `srvd` takes, and the commands that talk to a running server.
//!
//! Everything here is read by clap into plain values. `serve` and `check` are only described ([`ConfigArgs`]); whoever
//! composes the server acts on them. A client command is one HTTP call, of which the reply may be a stream: it says what to ask and how the answer looks to
//! people (the trait `Ask`); the rest, from the connection to the exit code, is common to all of them.

mod ask;
mod backup;
mod check_flag;
mod client;
mod completions;
mod connection;
mod deregister;
mod doctor;
mod document;
mod drain;
mod exit;
mod explain;
mod filters;
mod follow;
mod heartbeat;
mod instances;
mod members;
mod pair;
mod pick;
mod probe;
mod problem;
mod progress;
mod register;
mod register_many;
mod registration;
mod repeat;
mod restore;
mod run;
mod services;
mod show;
mod status;
mod table;
mod top;
mod update;
mod watch;

#[cfg(test)]
mod responder;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::client::{sse, target};
pub use backup::{BackupArgs, backup};
pub use completions::{CompletionsArgs, completions};
pub use connection::{Connection, Output, ServerUrl};
pub use deregister::DeregisterArgs;
pub use doctor::{DoctorArgs, doctor};
pub use drain::{DrainArgs, MaintenanceArgs, ResumeArgs};
pub use exit::Exit;
pub use explain::ExplainArgs;
pub use heartbeat::HeartbeatArgs;
pub use instances::InstancesArgs;
pub use pick::PickArgs;
pub use probe::ProbeArgs;
pub use register::RegisterArgs;
pub use restore::{RestoreArgs, restore};
pub use run::{RunArgs, run};
pub use services::ServicesArgs;
pub use status::StatusArgs;
pub use top::{TopArgs, top};
pub use update::UpdateArgs;
pub use watch::WatchArgs;

/// An authoritative DNS server that answers from a live service registry.
#[derive(Debug, Parser)]
#[command(name = "srvd", version, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands, by who carries them out.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the server
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ConfigArgs),
    /// Check the configuration and the zone files, and start nothing
    #[command(after_help = CHECK_EXAMPLES)]
    Check(ConfigArgs),
    /// Save everything that a running server has registered
    ///
    /// The backup is small and has checksums. With --output json it is text that people can read and edit, one record on a
    /// line. `srvd restore` takes both.
    Backup(BackupArgs),
    /// Put a backup in the place of a stopped server's state
    ///
    /// Nothing that is there is touched before the whole backup was read, and the revision goes on from the higher of
    /// both, so that it never goes back. Every lease begins anew when the server starts.
    Restore(RestoreArgs),
    /// A command that asks a running server; see [`run_client`].
    #[command(flatten)]
    Client(ClientCommand),
    /// Run a program as an instance of a service
    #[command(long_about = run::ABOUT)]
    Run(Box<RunArgs>),
    /// Watch services, queries and changes on the whole screen
    #[command(long_about = top::ABOUT)]
    Top(TopArgs),
    /// Find out whether this host's resolver reaches the zone, and what to change
    #[command(long_about = doctor::ABOUT)]
    Doctor(DoctorArgs),
    /// Print the script with which a shell completes this command line
    Completions(CompletionsArgs),
}

/// Where the configuration of `serve` and `check` comes from, as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ConfigArgs {
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Addresses to answer DNS on, joined by commas
    #[arg(long, value_name = "ADDR,...")]
    pub dns: Option<String>,
    /// Addresses to answer HTTP on, joined by commas
    #[arg(long, value_name = "ADDR,...")]
    pub http: Option<String>,
    /// Directory of the durable state
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Set one configuration key; may be repeated
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    pub set: Vec<String>,
}

/// The commands that are one call to a running server.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Register an instance, or replace its registration; or all that a file has
    Register(Box<RegisterArgs>),
    /// Change members of a registration, and leave the others
    Update(Box<UpdateArgs>),
    /// Remove an instance
    Deregister(DeregisterArgs),
    /// Renew the lease of an instance
    Heartbeat(HeartbeatArgs),
    /// Take an instance out of DNS, still registered
    #[command(long_about = drain::DRAIN)]
    Drain(DrainArgs),
    /// Put an instance back into DNS: end its drain and its maintenance
    #[command(long_about = drain::RESUME)]
    Resume(ResumeArgs),
    /// Take an instance out of DNS until this is lifted, whatever it does meanwhile
    #[command(long_about = drain::MAINTENANCE)]
    Maintenance(MaintenanceArgs),
    /// Run the checks of an instance now, and show what they find
    Probe(ProbeArgs),
    /// List the services
    Services(ServicesArgs),
    /// List the instances of a service
    Instances(InstancesArgs),
    /// Have the server pick one instance of a service
    Pick(PickArgs),
    /// Show how DNS answers a question, and why each instance is in the answer or not
    Explain(ExplainArgs),
    /// Print every change as it happens
    Watch(WatchArgs),
    /// Show how the server is
    Status(StatusArgs),
}

impl ClientCommand {
    fn carry_out(&self, streams: &mut ask::Streams<'_>) -> Exit {
        let many = match self {
            Self::Register(args) => register_many::file(args).map(|path| path.map(|path| (args, path))),
            _ => Ok(None),
        };
        let form = self.ask().connection().output;
        match many.map_err(exit::Failure::Usage) {
            Ok(None) => ask::run(self.ask(), streams),
            Ok(Some((args, path))) => ask::finish(register_many::run(args, path, streams), form, streams.errors),
            Err(failure) => ask::finish(Err(failure), form, streams.errors),
        }
    }

    fn ask(&self) -> &dyn ask::Ask {
        match self {
            Self::Register(args) => args.as_ref(),
            Self::Update(args) => args.as_ref(),
            Self::Deregister(args) => args,
            Self::Heartbeat(args) => args,
            Self::Drain(args) => args,
            Self::Resume(args) => args,
            Self::Maintenance(args) => args,
            Self::Probe(args) => args,
            Self::Services(args) => args,
            Self::Instances(args) => args,
            Self::Pick(args) => args,
            Self::Explain(args) => args,
            Self::Watch(args) => args,
            Self::Status(args) => args,
        }
    }
}

/// Carries out `command` on the standard streams. The exit code is that of [`Exit`]; what went wrong is on standard
/// error by then.
pub fn run_client(command: &ClientCommand) -> ExitCode {
    let mut streams = ask::Streams {
        input: &mut std::io::stdin(),
        output: &mut std::io::stdout(),
        errors: &mut std::io::stderr(),
        screen: table::Screen::of_standard_output(),
    };
    command.carry_out(&mut streams).into()
}

const EXIT_CODES: &str = "\
Exit codes: 0 done, 1 refused or not found, 2 usage, 3 server not reachable; run exits with its program's.";

const SERVE_EXAMPLES: &str = "\
Examples:
  srvd serve
  srvd serve --config /etc/srvd/config.toml
  srvd serve --dns 127.0.0.1:5300,[::1]:5300 --data /var/lib/srvd
  srvd serve --set dns.zone=svc.example.net --set leases.ttl=1m";

const CHECK_EXAMPLES: &str = "\
Examples:
  srvd check --config /etc/srvd/config.toml
  srvd check --config config.toml --set dns.zone=svc.example.net";
