//! The `srvd` program.

use std::process::ExitCode;

use clap::Parser;
use srvd::cli::{Cli, Command, completions, doctor, run, run_client, top};
use srvd::server;

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => server::serve(args),
        Command::Check(args) => server::check(args),
        Command::Client(command) => run_client(&command),
        Command::Run(args) => run(*args),
        Command::Top(args) => top(&args),
        Command::Doctor(args) => doctor(&args),
        Command::Completions(args) => completions(&args),
    }
}
