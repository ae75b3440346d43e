//! A call made again and again (`--watch`): on a terminal the reply takes the place of the one before, elsewhere it is
//! printed when it differs.
//!
//! The first call decides: when no server is there, or it refuses, the command ends. From then on a failure is shown
//! and the call made again, for a server is started anew, and services come and go.

use std::time::Duration;

use clap::Args;

use super::ask::{self, Ask, Streams};
use super::connection::Output;
use super::exit::{Exit, Failure};
use super::table::Screen;
use crate::model::{Reason, Span};

/// How often a call may be made, in milliseconds.
const EVERY: std::ops::RangeInclusive<u64> = 100..=3_600_000;

/// Whether to go on, and how often to look.
#[derive(Debug, Clone, Args)]
pub struct Repeat {
    /// Show it again as it changes, looking every 2s unless another span is given, until interrupted
    #[arg(long, value_name = "SPAN", num_args = 0..=1, require_equals = true, default_missing_value = "2s", value_parser = span, help_heading = "Server")]
    watch: Option<Span>,
}

impl Repeat {
    /// The time between two calls, if there is more than one.
    pub(super) fn every(&self) -> Option<Duration> {
        self.watch.map(Span::as_duration)
    }
}

fn span(text: &str) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(EVERY)
}

/// Makes the call of `ask` every so often, until nobody reads any more.
///
/// # Errors
/// When the first call fails, or nothing can be printed.
pub(super) fn run(ask: &dyn Ask, every: Duration, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let mut page = Page { last: None, every };
    loop {
        let text = match ask::answer(ask, streams.input, streams.screen) {
            Ok(text) => text,
            Err(failure) if page.last.is_none() => return Err(failure),
            Err(failure) => failure.told(ask.connection().output).into_bytes(),
        };
        let is_read = match ask.connection().output {
            Output::Table if streams.screen.is_terminal() => {
                streams.screen = Screen::of_standard_output();
                page.redraw(&text, streams)
            }
            _ => page.append(text, streams),
        };
        if !is_read.map_err(Failure::Output)? {
            return Ok(Exit::Done);
        }
        std::thread::sleep(every);
    }
}

struct Page {
    last: Option<Vec<u8>>,
    every: Duration,
}

impl Page {
    /// Says whether anybody still reads.
    fn append(&mut self, text: Vec<u8>, streams: &mut Streams<'_>) -> std::io::Result<bool> {
        if self.last.as_ref() == Some(&text) {
            return Ok(true);
        }
        let is_read = ask::print(streams.output, &text);
        self.last = Some(text);
        is_read
    }

    fn redraw(&mut self, text: &[u8], streams: &mut Streams<'_>) -> std::io::Result<bool> {
        self.last = Some(Vec::new());
        let head = format!("every {}, Ctrl-C ends", Span::from_millis(self.every.as_millis() as u64));
        ask::print(streams.output, frame(&head, &String::from_utf8_lossy(text), streams.screen).as_bytes())
    }
}

/// What makes a terminal show `text` and nothing else, below a line that says how it comes about.
fn frame(head: &str, text: &str, screen: Screen) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    // The head, and the line that the cursor rests on.
    let room = screen.height().map_or(usize::MAX, |height| usize::from(height).saturating_sub(2));
    let mut shown: Vec<String> = lines.iter().take(room).map(|line| (*line).to_owned()).collect();
    if lines.len() > room {
        shown.pop();
        shown.push(format!("... {} more lines", lines.len() - shown.len()));
    }
    // Home, then each line with what was right of it cleared, the last with everything below: no flicker. It ends as every
    // reply does, in one line feed.
    let body = std::iter::once(head.to_owned()).chain(shown).collect::<Vec<_>>().join("\x1b[K\n");
    format!("\x1b[H{body}\x1b[J\n")
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};

    use clap::Parser;

    use super::*;
    use crate::cli::responder::Responder;
    use crate::cli::{Cli, ClientCommand, Command};

    /// Takes so many writes that are more than a line feed, then nobody reads any more.
    struct Reader(Vec<u8>, usize);

    impl Write for Reader {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            if octets.len() > 1 {
                self.1 = self.1.checked_sub(1).ok_or(io::ErrorKind::BrokenPipe)?;
            }
            self.0.extend(octets);
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn watched(responder: &Responder, words: &[&str], reads: usize) -> (Result<Exit, String>, String) {
        let server = responder.url().to_string();
        let line = ["srvd"].iter().chain(words).copied().chain(["--server", &server]);
        let Command::Client(command) = Cli::try_parse_from(line).unwrap().command else { panic!("{words:?}") };
        let (mut output, mut errors) = (Reader(Vec::new(), reads), Vec::new());
        let screen = Screen::PLAIN;
        let mut streams = Streams { input: &mut io::empty(), output: &mut output, errors: &mut errors, screen };
        let ended = run(command.ask(), Duration::ZERO, &mut streams).map_err(|failure| failure.to_string());
        (ended, String::from_utf8(output.0).unwrap())
    }

    fn reply(status: &str, body: &str) -> String {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    #[test]
    fn what_changes_is_printed_again_whatever_happens_meanwhile() {
        let one = reply("200 OK", r#"{"instances":[{"id":"a"}]}"#);
        let two = reply("200 OK", r#"{"instances":[{"id":"b"}]}"#);
        let gone = reply("404 Not Found", r#"{"detail":"there is no service web"}"#);
        let responder = Responder::each(&[&one, &one, &two, &gone, &one]);
        let (ended, printed) = watched(&responder, &["instances", "web", "--watch"], 3);
        assert_eq!(ended, Ok(Exit::Done));
        assert_eq!(printed, "INSTANCE\na\nINSTANCE\nb\nsrvd: there is no service web\n");
        responder.request();
        // Programs get lines of JSON and nothing else.
        let responder = Responder::each(&[&one, &gone, &one]);
        let (ended, printed) = watched(&responder, &["instances", "web", "--watch", "--output", "json"], 2);
        assert_eq!(ended, Ok(Exit::Done));
        let gone = r#"{"error":"there is no service web","problem":{"detail":"there is no service web"}}"#;
        assert_eq!(printed, format!("{{\"instances\":[{{\"id\":\"a\"}}]}}\n{gone}\n"));
        responder.request();
    }

    #[test]
    fn the_first_call_decides() {
        let responder = Responder::json("404 Not Found", r#"{"detail":"none"}"#);
        let (ended, printed) = watched(&responder, &["instances", "web", "--watch=5s"], 9);
        assert_eq!((ended, printed.as_str()), (Err("web: none".to_owned()), ""));
    }

    #[test]
    fn spans_between_calls() {
        for (words, every) in [
            ("services", Some(None)),
            ("services --watch", Some(Some(Duration::from_secs(2)))),
            ("status --watch=500ms", Some(Some(Duration::from_millis(500)))),
            ("status --watch=1ms", None),
            ("status --watch=soon", None),
        ] {
            let parsed = Cli::try_parse_from(["srvd"].into_iter().chain(words.split(' '))).ok();
            let got = parsed.map(|cli| match cli.command {
                Command::Client(ClientCommand::Services(args)) => args.every(),
                Command::Client(ClientCommand::Status(args)) => args.every(),
                other => panic!("{other:?}"),
            });
            assert_eq!(got, every, "{words}");
        }
    }

    #[test]
    fn a_page_fits_the_terminal() {
        let text: String = (1..=9).map(|line| format!("{line}\n")).collect();
        let page = frame("head", &text, Screen::sized(80, 6));
        assert_eq!(page, "\x1b[Hhead\x1b[K\n1\x1b[K\n2\x1b[K\n3\x1b[K\n... 6 more lines\x1b[J\n");
        assert_eq!(frame("head", "1\n", Screen::sized(80, 6)), "\x1b[Hhead\x1b[K\n1\x1b[J\n");
    }
}
