//! `srvd backup`: everything that a running server has registered, in a file.
//!
//! What comes is written beside the file under another name, read again from there with all its checksums, and takes
//! the file's place only when it is whole and on the disk. So a backup that fails leaves the last one alone.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufReader, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use http_body_util::BodyExt;
use hyper::{Method, Response, body::Incoming};

use super::client::{Call, Client, ClientError};
use super::connection::{Connection, Output};
use super::exit::{self, Exit, Failure};
use super::problem::Problem;
use super::progress::Progress;
use super::target::Target;
use crate::archive::{Coder, Fault, LineReader, Reader};
use crate::client::TransportError;
use crate::model::Revision;

/// A server that says nothing for so long is taken for gone.
const SILENCE: Duration = Duration::from_secs(30);

/// Where to, and from which server.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub struct BackupArgs {
    /// File to write; one that is there is replaced once the new one is whole
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    connection: Connection,
}

/// What a backup holds.
struct Held {
    records: u64,
    revision: Revision,
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
enum Unsaved {
    #[error(transparent)]
    Asked(#[from] Failure),
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("what {server} sent is no whole backup: {fault}")]
    NotWhole { server: String, fault: Fault },
}

/// Carries it out. The exit code is that of [`Exit`]; what went wrong is on standard error by then.
pub fn backup(args: &BackupArgs) -> ExitCode {
    match args.save() {
        Ok(Held { records, revision }) => {
            let file = args.file.display();
            println!("{file}: {records} records at revision {}", revision.0);
            Exit::Done.into()
        }
        Err(error) => {
            let form = args.connection.output;
            let (told, exit) = match &error {
                Unsaved::Asked(failure) => (failure.told(form), failure.exit()),
                Unsaved::File { .. } | Unsaved::NotWhole { .. } => {
                    (exit::told(&error.to_string(), form), Exit::Refused)
                }
            };
            eprintln!("{told}");
            exit.into()
        }
    }
}

impl BackupArgs {
    fn save(&self) -> Result<Held, Unsaved> {
        let mut name = self.file.file_name().map_or_else(OsString::new, OsString::from);
        name.push(".part");
        let part = self.file.with_file_name(name);
        let saved = self.fetch(&part).and_then(|()| self.put_in_place(&part));
        if saved.is_err() {
            fs::remove_file(&part).ok();
        }
        saved
    }

    /// Writes what the server sends.
    fn fetch(&self, part: &Path) -> Result<(), Unsaved> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::from(ClientError::Runtime(error)))?;
        let fetched = runtime.block_on(async {
            let client = Client::new(self.connection.server.clone());
            let target = Target::v1(&["snapshot"]).with("format", self.format());
            let response = client.open(Call::new("", Method::GET, target), None).await.map_err(Failure::from)?;
            if !response.status().is_success() {
                let status = response.status();
                let body = client.whole(response.into_body()).await.map_err(Failure::from)?;
                let problem = Problem::read(status, &body);
                return Err(Failure::Refused { subject: "the backup".to_owned(), status, problem }.into());
            }
            self.receive(response, part).await
        });
        // A name lookup that hangs cannot be cancelled; it must not hold up the exit.
        runtime.shutdown_background();
        fetched
    }

    async fn receive(&self, response: Response<Incoming>, part: &Path) -> Result<(), Unsaved> {
        let failed = |source| Unsaved::File { path: part.to_owned(), source };
        let server = || self.connection.server.clone();
        let mut file = File::create(part).map_err(failed)?;
        let progress = Progress::of_octets("saving", None, io::stderr().is_terminal());
        let (mut body, mut octets) = (response.into_body(), 0);
        loop {
            let frame = tokio::time::timeout(SILENCE, body.frame()).await;
            let frame = frame.map_err(|_| {
                Failure::from(ClientError::from(TransportError::TimedOut { server: server(), limit: SILENCE }))
            })?;
            let Some(frame) = frame else { break };
            let broken = |error: hyper::Error| TransportError::Broken { server: server(), source: error.into() };
            if let Ok(octets_more) = frame.map_err(|error| Failure::from(ClientError::from(broken(error))))?.into_data()
            {
                file.write_all(&octets_more).map_err(failed)?;
                octets += octets_more.len() as u64;
                progress.at(octets);
            }
        }
        progress.finish();
        file.sync_all().map_err(failed)
    }

    /// Reads what was written, and gives it the name that was asked for.
    fn put_in_place(&self, part: &Path) -> Result<Held, Unsaved> {
        let server = self.connection.server.to_string();
        let held = self.read(part).map_err(|fault| Unsaved::NotWhole { server, fault })?;
        let failed = |source| Unsaved::File { path: self.file.clone(), source };
        fs::rename(part, &self.file).map_err(failed)?;
        let directory = self.file.parent().filter(|directory| !directory.as_os_str().is_empty());
        let directory = directory.unwrap_or(Path::new("."));
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed)?;
        Ok(held)
    }

    fn read(&self, part: &Path) -> Result<Held, Fault> {
        let (file, mut records) = (File::open(part)?, 0);
        match self.connection.output {
            Output::Table => {
                let reader = Reader::open(file)?;
                let (revision, mut coder) = (reader.head().revision, Coder::default());
                reader.each(|entry| {
                    coder.read(entry).map_err(Fault::Record)?;
                    records += 1;
                    Ok::<bool, Fault>(true)
                })?;
                Ok(Held { records, revision })
            }
            Output::Json => {
                let mut lines = LineReader::open(BufReader::new(file))?;
                while lines.next_record()?.is_some() {
                    records += 1;
                }
                Ok(Held { records, revision: lines.revision() })
            }
        }
    }

    fn format(&self) -> &'static str {
        match self.connection.output {
            Output::Table => "binary",
            Output::Json => "json",
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  srvd backup /var/backups/srvd.backup
  srvd backup registry.json --output json --server http://192.0.2.7:8053";
