//! One call from beginning to end: ask, judge the reply, print it, choose the exit code.
//!
//! Everything the outside contributes (streams, the terminal's width) comes in as [`Streams`], so that tests see what a
//! person would. A reader that goes away (`srvd services | head`) is no failure.

use std::io::{self, Read, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::client::{Call, Client, Reply};
use super::connection::{Connection, Output};
use super::exit::{Exit, Failure};
use super::follow;
use super::problem::Problem;
use super::repeat;
use super::table::Screen;

/// A command that is one call to the server.
pub(super) trait Ask {
    /// Which server, and in which form its reply is printed.
    fn connection(&self) -> &Connection;

    /// The call to make. An error is one of usage.
    fn call(&self, input: &mut dyn Read) -> anyhow::Result<Call>;

    /// Whether the reply is a stream of events that goes on until the command is interrupted; [`Ask::show`] shows one.
    fn is_stream(&self) -> bool {
        false
    }

    /// The time after which the call is made again, if it is not made only once.
    fn every(&self) -> Option<Duration> {
        None
    }

    /// Why a reply is not what was asked for although the server did not refuse.
    fn falls_short(&self, _reply: &Value) -> Option<String> {
        None
    }

    /// The reply for people, without the last line feed. `reply` is null when the server had nothing to say.
    fn show(&self, reply: &Value, page: Page) -> String;
}

/// What the form of a printed reply depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Page {
    pub(super) screen: Screen,
    /// The server's clock where it told it, so that remaining times are right on a host whose clock is not.
    pub(super) now: Timestamp,
}

/// The streams of the process, or those of a test.
pub(super) struct Streams<'a> {
    pub(super) input: &'a mut dyn Read,
    pub(super) output: &'a mut dyn Write,
    pub(super) errors: &'a mut dyn Write,
    pub(super) screen: Screen,
}

/// Carries out `ask`, prints its reply or what went wrong, and says how it ended.
pub(super) fn run(ask: &dyn Ask, streams: &mut Streams<'_>) -> Exit {
    let done = match (ask.is_stream(), ask.every()) {
        (true, _) => follow::run(ask, streams),
        (false, Some(every)) => repeat::run(ask, every, streams),
        (false, None) => answer(ask, streams.input, streams.screen)
            .and_then(|text| print(streams.output, &text).map(|_| Exit::Done).map_err(Failure::Output)),
    };
    finish(done, ask.connection().output, streams.errors)
}

/// Tells what went wrong, if anything did, and says how it ended.
pub(super) fn finish(done: Result<Exit, Failure>, form: Output, errors: &mut dyn Write) -> Exit {
    match done {
        Ok(exit) => exit,
        Err(failure) => {
            // Nobody is left to be told when standard error is gone, too.
            let _ = writeln!(errors, "{}", failure.told(form));
            failure.exit()
        }
    }
}

/// The text of one reply.
pub(super) fn answer(ask: &dyn Ask, input: &mut dyn Read, screen: Screen) -> Result<Vec<u8>, Failure> {
    let connection = ask.connection();
    let call = ask.call(input).map_err(Failure::Usage)?;
    let subject = call.subject.clone();
    let reply = Client::new(connection.server.clone()).send(call)?;
    if !reply.status.is_success() {
        let problem = Problem::read(reply.status, &reply.body);
        return Err(Failure::Refused { subject, status: reply.status, problem });
    }
    if let Some(why) = ask.falls_short(&json(connection, &reply)?) {
        return Err(Failure::Short { subject, why });
    }
    match connection.output {
        Output::Json => Ok(reply.body.into()),
        Output::Table => {
            let page = Page { screen, now: reply.date.unwrap_or_else(Timestamp::now) };
            Ok(ask.show(&json(connection, &reply)?, page).into_bytes())
        }
    }
}

fn json(connection: &Connection, reply: &Reply) -> Result<Value, Failure> {
    if reply.body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&reply.body)
        .map_err(|_| Failure::NotJson { server: connection.server.to_string(), status: reply.status.as_u16() })
}

/// Writes `text` and, unless it is empty or has one, a line feed. Says whether anybody still reads.
pub(super) fn print(output: &mut dyn Write, text: &[u8]) -> io::Result<bool> {
    let end: &[u8] = if text.is_empty() || text.ends_with(b"\n") { b"" } else { b"\n" };
    let written = output.write_all(text).and_then(|()| output.write_all(end)).and_then(|()| output.flush());
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        other => other.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Broken(io::ErrorKind);

    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn output_ends_in_one_line_feed() {
        for (text, printed) in [("", ""), ("a", "a\n"), ("a\n", "a\n")] {
            let mut output = Vec::new();
            assert!(print(&mut output, text.as_bytes()).unwrap());
            assert_eq!(output, printed.as_bytes());
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        assert!(matches!(print(&mut Broken(io::ErrorKind::BrokenPipe), b"a"), Ok(false)));
        assert!(print(&mut Broken(io::ErrorKind::StorageFull), b"a").is_err());
    }
}
