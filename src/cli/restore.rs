//! `srvd restore`: a backup in the place of a stopped server's state.
//!
//! The directory is locked meanwhile, as it is by a server that runs on it. A running server is not restored into: what
//! its clients were told would be gone without a word to them.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::ConfigArgs;
use super::exit::Exit;
use super::progress::Progress;
use crate::engine::StoreError;
use crate::server;
use crate::store::{Restoration, RestoreError};

/// What, and where to.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct RestoreArgs {
    /// The backup, of either form
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Configuration file, which says where the state is
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Directory of the durable state
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Put the backup in the place of a registry that is there
    #[arg(long)]
    replace: bool,
}

/// Carries it out. The exit code is that of [`Exit`]; what went wrong is on standard error by then.
pub fn restore(args: &RestoreArgs) -> ExitCode {
    let config = ConfigArgs { config: args.config.clone(), data: args.data.clone(), ..ConfigArgs::default() };
    let directory = match server::store_directory(config) {
        Ok(directory) => directory,
        Err(error) => return server::failed(&error).into(),
    };
    let octets = args.file.metadata().ok().map(|file| file.len());
    let progress = Progress::of_octets("restoring", octets, io::stderr().is_terminal());
    let mut done = 0;
    let restoration = Restoration { copy: args.file.clone(), directory: directory.clone(), replace: args.replace };
    let restored = restoration.carry_out(|octets| {
        done += octets;
        progress.at(done);
    });
    progress.finish();
    match restored {
        Ok(outcome) => {
            let (records, revision) = (outcome.records, outcome.revision.0);
            println!("{}: {records} records, at revision {revision}", directory.display());
            Exit::Done.into()
        }
        Err(RestoreError::Store(StoreError::InUse { path })) => {
            eprintln!("srvd: {path} is in use by a running server; stop it first");
            Exit::Refused.into()
        }
        Err(error) => {
            eprintln!("srvd: {:#}", anyhow::Error::from(error));
            Exit::Refused.into()
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd restore /var/backups/srvd.backup --data /var/lib/srvd
  srvd restore registry.json --config /etc/srvd/config.toml --replace";
