//! What is told of a program's registration, on standard error: words for people, or a line of JSON for each event.

use std::io::{self, Write};

use jiff::Timestamp;
use serde_json::json;

use crate::cli::connection::Output;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    Registered,
    /// It is going to be out of DNS before the program is told to end.
    Leaving,
    Deregistered,
    /// Heartbeats are taken again.
    Renewed,
    /// The program does not accept, or its checks do not pass.
    NotReady,
    NotRegistered,
    NotRenewed,
    NotDeregistered,
    /// It is deregistered, and caches may hold it a while longer.
    Lingers,
    /// This process or its program cannot do what it should.
    Failed,
}

impl Event {
    fn as_str(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Leaving => "leaving",
            Self::Deregistered => "deregistered",
            Self::Renewed => "renewed",
            Self::NotReady => "not_ready",
            Self::NotRegistered => "not_registered",
            Self::NotRenewed => "not_renewed",
            Self::NotDeregistered => "not_deregistered",
            Self::Lingers => "lingers",
            Self::Failed => "failed",
        }
    }

    /// Whether all is as it should be.
    fn is_well(self) -> bool {
        matches!(self, Self::Registered | Self::Leaving | Self::Deregistered | Self::Renewed)
    }
}

/// Tells of one instance.
#[derive(Debug, Clone)]
pub(super) struct Teller {
    pub service: String,
    pub id: String,
    pub form: Output,
    /// Tells only what goes wrong.
    pub is_quiet: bool,
}

impl Teller {
    pub(super) fn tell(&self, event: Event, words: &str) {
        if !(self.is_quiet && event.is_well()) {
            // Nobody is left to be told when standard error is gone.
            let _ = writeln!(io::stderr(), "{}", self.line(event, words, Timestamp::now()));
        }
    }

    fn line(&self, event: Event, words: &str, at: Timestamp) -> String {
        let Self { service, id, .. } = self;
        match self.form {
            Output::Table if event.is_well() => format!("srvd: {service}/{id} {words}"),
            Output::Table => format!("srvd: {words}"),
            Output::Json => {
                let event = event.as_str();
                json!({"at": at.to_string(), "event": event, "service": service, "id": id, "detail": words}).to_string()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_a_line_in_either_form() {
        let teller = |form| Teller { service: "web".into(), id: "a".into(), form, is_quiet: false };
        let at = "2026-07-01T10:00:00Z".parse().unwrap();
        let line = |form, event, words| teller(form).line(event, words, at);
        assert_eq!(line(Output::Table, Event::Registered, "is registered"), "srvd: web/a is registered");
        assert_eq!(line(Output::Table, Event::NotReady, "not ready yet"), "srvd: not ready yet");
        assert_eq!(
            line(Output::Json, Event::NotRenewed, "connection \"refused\""),
            r#"{"at":"2026-07-01T10:00:00Z","event":"not_renewed","service":"web","id":"a","detail":"connection \"refused\""}"#
        );
    }
}
