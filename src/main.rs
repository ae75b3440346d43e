//! The `srvd` program.

use std::process::ExitCode;

use clap::Parser;
use srvd::cli::{Cli, Command, backup, restore, run_client};
use srvd::server;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => server::serve(args),
        Command::Check(args) => server::check(args),
        Command::Backup(args) => backup(&args),
        Command::Restore(args) => restore(&args),
        Command::Client(command) => run_client(&command),
    }
}
