//! How a client command ends: the exit codes, and the failures behind them.
//!
//! The rule that tells the codes apart: *usage* is what can be seen to be wrong before anything is sent, *unreachable*
//! is that no whole HTTP reply came, *refused* is any reply but the one that was asked for.

use std::io;
use std::process::ExitCode;

use hyper::StatusCode;
use serde_json::json;

use super::client::ClientError;
use super::connection::Output;
use super::problem::Problem;
use crate::client::TransportError;

/// The exit code of a client command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// The server did what it was asked.
    Done = 0,
    /// The server refused, or there is no such thing.
    Refused = 1,
    /// The command line cannot be carried out as it stands.
    Usage = 2,
    /// No server answered.
    Unreachable = 3,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Why a client command did not end in [`Exit::Done`].
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{0:#}")]
    Usage(anyhow::Error),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("{}", .problem.about(.subject))]
    Refused { subject: String, status: StatusCode, problem: Problem },
    #[error("{subject}: {why}")]
    Short { subject: String, why: String },
    #[error("{server} answered {status}, but not in JSON; is it a srvd server?")]
    NotJson { server: String, status: u16 },
    #[error("standard output: {0}")]
    Output(io::Error),
}

/// What went wrong, on one line: words for people, for programs an object.
pub(super) fn told(words: &str, form: Output) -> String {
    match form {
        Output::Table => format!("srvd: {words}"),
        Output::Json => json!({"error": words}).to_string(),
    }
}

impl Failure {
    /// The same, with the problem document for programs where the server sent one.
    pub(super) fn told(&self, form: Output) -> String {
        let words = self.to_string();
        match (form, self) {
            (Output::Json, Self::Refused { problem: Problem { document: Some(document), .. }, .. }) => {
                json!({"error": words, "problem": document}).to_string()
            }
            _ => told(&words, form),
        }
    }

    /// The exit code that says so.
    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Client(error) => match error {
                ClientError::Transport(TransportError::Target(_)) => Exit::Usage,
                ClientError::Transport(TransportError::TooLarge { .. }) => Exit::Refused,
                ClientError::Runtime(_)
                | ClientError::Transport(
                    TransportError::Unreachable { .. }
                    | TransportError::Broken { .. }
                    | TransportError::TimedOut { .. },
                ) => Exit::Unreachable,
            },
            Self::Refused { .. } | Self::Short { .. } | Self::NotJson { .. } | Self::Output(_) => Exit::Refused,
        }
    }
}
