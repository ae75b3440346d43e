//! `srvd register --file FILE` without a service: all the registrations of a file, many in one call.
//!
//! Each registration names its own service and id, and is done or refused by itself. The file is read as it is sent, so
//! that neither its length nor that of the replies matters; to run it again does no harm, for what is registered already
//! is only renewed.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::ask::{self, Streams};
use super::client::{Call, Client, Reply};
use super::connection::Output;
use super::document::{self, Ended};
use super::exit::{self, Exit, Failure};
use super::problem::Problem;
use super::progress::Progress;
use super::register::RegisterArgs;
use super::show::text;
use super::target::Target;

/// Registrations in one call: enough that a call costs little beside them, few enough that progress shows.
const CHUNK: usize = 2000;
/// Octets of the file after which a call is made however few registrations it has.
const CHUNK_OCTETS: u64 = 8 << 20;
/// Octets of one registration: more than the server takes.
const ENTRY_OCTETS: u64 = 2 << 20;
/// The longest wait for the reply to one call.
const PATIENCE: Duration = Duration::from_secs(120);
/// Refusals that are told one by one.
const TOLD: usize = 20;

/// Registers all that the file of `args` has.
pub(super) fn run(args: &RegisterArgs, path: &Path, streams: &mut Streams<'_>) -> Result<Exit, Failure> {
    let wrong = |error: io::Error| Failure::Usage(anyhow::Error::from(error).context(shown(path)));
    let progress = |octets| Progress::of_octets("registering", octets, streams.screen.is_terminal());
    if path == Path::new("-") {
        let work = Work::new(args, progress(None));
        return work.run(&mut *streams.input, path, streams.output, streams.errors);
    }
    let file = File::open(path).map_err(wrong)?;
    let octets = file.metadata().map_err(wrong)?.len();
    Work::new(args, progress(Some(octets))).run(file, path, streams.output, streams.errors)
}

fn shown(path: &Path) -> String {
    format!("--file {}", path.display())
}

/// A file that tells how far it is read, and that ends early when one entry is longer than any can be.
struct Metered<'a, R> {
    source: R,
    read: &'a Cell<u64>,
    limit: &'a Cell<u64>,
}

impl<R: Read> Read for Metered<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let octets = self.source.read(buffer)?;
        self.read.set(self.read.get() + octets as u64);
        if self.read.get() > self.limit.get() {
            return Err(io::Error::other(format!("it has more than {ENTRY_OCTETS} octets, which no registration has")));
        }
        Ok(octets)
    }
}

/// What came of the entries so far.
#[derive(Debug, Default)]
struct Tally {
    new: u64,
    replaced: u64,
    refused: u64,
    told: Vec<String>,
}

impl Tally {
    fn add(&mut self, number: u64, name: &str, result: &Value) {
        match result["status"].as_u64() {
            Some(201) => self.new += 1,
            Some(200) => self.replaced += 1,
            status => {
                self.refused += 1;
                if self.told.len() < TOLD {
                    self.told.push(format!("entry {number} ({name}): {}", why(status, &result["problem"])));
                }
            }
        }
    }

    fn in_words(&self) -> String {
        let done = format!("{} registered: {} new, {} replaced", self.new + self.replaced, self.new, self.replaced);
        match self.refused {
            0 => done,
            refused => format!("{done}; {refused} refused"),
        }
    }
}

/// Why one entry was refused, in the words of the server but for where in the call it stood.
fn why(status: Option<u64>, problem: &Value) -> String {
    let status = status.and_then(|status| StatusCode::from_u16(status.try_into().ok()?).ok());
    let words = Problem::read(status.unwrap_or(StatusCode::BAD_GATEWAY), problem.to_string().as_bytes()).about("");
    let Some((before, rest)) = words.split_once("operations[") else { return words };
    match rest.split_once("].register") {
        Some((_, member)) => format!("{before}{}", member.strip_prefix('.').unwrap_or(member)),
        None => words,
    }
}

struct Work<'a> {
    args: &'a RegisterArgs,
    client: Client,
    progress: Progress,
    tally: Tally,
    /// The entries of the next call, and the names they go by.
    operations: Vec<Value>,
    names: Vec<String>,
    /// How many entries were sent in calls before.
    sent: u64,
}

impl<'a> Work<'a> {
    fn new(args: &'a RegisterArgs, progress: Progress) -> Self {
        let client = Client::new(args.connection.server.clone());
        Self { args, client, progress, tally: Tally::default(), operations: Vec::new(), names: Vec::new(), sent: 0 }
    }

    fn run(
        mut self,
        source: impl Read,
        path: &Path,
        output: &mut dyn io::Write,
        errors: &mut dyn io::Write,
    ) -> Result<Exit, Failure> {
        let (read, limit, sent) = (Cell::new(0), Cell::new(ENTRY_OCTETS), Cell::new(0));
        let source = Metered { source, read: &read, limit: &limit };
        let ended = document::entries(source, |_, entry| {
            limit.set(read.get() + ENTRY_OCTETS);
            self.take(entry).map_err(Failure::Usage)?;
            if self.operations.len() == CHUNK || read.get() - sent.get() > CHUNK_OCTETS {
                sent.set(read.get());
                self.send(output)?;
                self.progress.at(read.get());
            }
            Ok(())
        });
        let ended = match ended {
            Ok(()) if !self.operations.is_empty() => self.send(output),
            Ok(()) => Ok(()),
            Err(Ended::Taker(failure)) => Err(failure),
            Err(Ended::File(error)) => Err(Failure::Usage(error.context(shown(path)))),
        };
        self.progress.finish();
        self.tell(ended, output, errors)
    }

    /// Puts one registration into the next call.
    fn take(&mut self, mut entry: Map<String, Value>) -> anyhow::Result<()> {
        self.args.members.set_in(&mut entry)?;
        self.names.push([&entry.get("service"), &entry.get("id")].map(|name| name.map_or("?".into(), text)).join("/"));
        self.operations.push(json!({ "register": entry }));
        Ok(())
    }

    fn send(&mut self, output: &mut dyn io::Write) -> Result<(), Failure> {
        let (operations, names) = (std::mem::take(&mut self.operations), std::mem::take(&mut self.names));
        let subject = format!("entries {} to {}", self.sent + 1, self.sent + names.len() as u64);
        let mut call = Call::new(subject.clone(), Method::POST, Target::v1(&["batch"]));
        call.body = Some(Map::from_iter([("operations".to_owned(), operations.into())]));
        call.patience = Some(PATIENCE);
        let Reply { status, body, .. } = self.client.send(call)?;
        if !status.is_success() {
            return Err(Failure::Refused { subject, status, problem: Problem::read(status, &body) });
        }
        let server = &self.args.connection.server;
        let not_json = || Failure::NotJson { server: server.to_string(), status: status.as_u16() };
        let reply: Value = serde_json::from_slice(&body).map_err(|_| not_json())?;
        let results = reply["results"].as_array().filter(|results| results.len() == names.len());
        for (name, result) in names.iter().zip(results.ok_or_else(not_json)?) {
            self.sent += 1;
            self.tally.add(self.sent, name, result);
        }
        if self.args.connection.output == Output::Json {
            ask::print(output, &body).map_err(Failure::Output)?;
        }
        Ok(())
    }

    fn tell(
        self,
        ended: Result<(), Failure>,
        output: &mut dyn io::Write,
        errors: &mut dyn io::Write,
    ) -> Result<Exit, Failure> {
        let Self { args, tally, sent, .. } = self;
        let form = args.connection.output;
        // Nobody is left to be told when standard error is gone, too.
        let mut tell = |words: &str| drop(writeln!(errors, "{}", exit::told(words, form)));
        tally.told.iter().for_each(|refusal| tell(refusal));
        let untold = tally.refused - tally.told.len() as u64;
        if untold > 0 {
            tell(&format!("{untold} more were refused"));
        }
        if let Err(failure) = ended {
            if sent > 0 {
                let so_far = tally.in_words();
                tell(&format!("stopped after entry {sent} ({so_far}); it does no harm to run this again"));
            }
            return Err(failure);
        }
        if form == Output::Table {
            ask::print(output, tally.in_words().as_bytes()).map_err(Failure::Output)?;
        }
        Ok(if tally.refused == 0 { Exit::Done } else { Exit::Refused })
    }
}

/// The file that `args` names, if it is one of many registrations.
///
/// # Errors
/// Options that only make sense for one.
pub(super) fn file(args: &RegisterArgs) -> anyhow::Result<Option<&Path>> {
    if args.service.is_some() {
        return Ok(None);
    }
    anyhow::ensure!(args.id.is_none(), "--id: name a SERVICE, too; without one, every entry of --file has its own id");
    anyhow::ensure!(!args.if_absent, "--if-absent: name a SERVICE, too; many at once replace what is there");
    args.file.as_deref().map(Some).context("name a SERVICE, or a --file with registrations")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::responder::{Responder, held_port};
    use crate::cli::tests::srvd;

    #[test]
    fn many_registrations_in_one_call() {
        let entries = "{\"service\":\"web\",\"id\":\"a\"}\n{\"service\":\"web\",\"id\":\"b\",\"weight\":5}\n{}\n";
        let results = r#"{"results":[{"status":201},{"status":200},{"status":422,"problem":{"detail":"`operations[2].register.service` is missing","field":"operations[2].register.service"}}]}"#;
        for (form, printed) in
            [("table", "2 registered: 1 new, 1 replaced; 1 refused\n".to_owned()), ("json", format!("{results}\n"))]
        {
            let responder = Responder::json("200 OK", results);
            let line = ["register", "--file", "-", "--weight", "7", "--output", form];
            let outcome = srvd(&responder.url(), &line, entries.as_bytes());
            assert_eq!((outcome.exit, outcome.output), (Exit::Refused, printed));
            let why = "entry 3 (?/?): `service` is missing";
            let told = if form == "json" { format!("{{\"error\":\"{why}\"}}") } else { format!("srvd: {why}") };
            assert_eq!(outcome.errors, told + "\n");
            let request = responder.request();
            let body = r#"{"operations":[{"register":{"service":"web","id":"a","weight":7}},{"register":{"service":"web","id":"b","weight":7}},{"register":{"weight":7}}]}"#;
            assert!(request.starts_with("POST /v1/batch ") && request.ends_with(body), "{request}");
        }
    }

    #[test]
    fn many_registrations_that_end_early() {
        let entry = r#"{"service":"web","id":"a"}"#;
        let chunk = format!("{}{entry}", format!("{entry}\n").repeat(2000));
        let results = format!(r#"{{"results":[{}]}}"#, vec![r#"{"status":200}"#; 2000].join(","));
        let done =
            format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{results}", results.len());
        let away = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
        let so_far = "srvd: stopped after entry 2000 (2000 registered: 0 new, 2000 replaced); it does no harm to run this again\n";
        let responder = Responder::each(&[&done, away]);
        let outcome = srvd(&responder.url(), &["register", "--file", "-"], chunk.as_bytes());
        let why = "srvd: entries 2001 to 2001: the server answered 503 Service Unavailable without saying why\n";
        assert_eq!((outcome.exit, outcome.errors), (Exit::Refused, format!("{so_far}{why}")));
        let responder = Responder::each(&[&done]);
        let outcome = srvd(&responder.url(), &["register", "--file", "-"], format!("{chunk}\n7").as_bytes());
        assert_eq!(outcome.exit, Exit::Usage);
        assert!(
            outcome.errors.starts_with(&format!("{so_far}srvd: --file -: entry 2002 is no JSON object")),
            "{}",
            outcome.errors
        );
    }

    #[test]
    fn a_registration_that_is_too_long_to_be_one() {
        let (url, _held) = held_port();
        let endless = format!("{{\"a\":\"{}\"}}", "x".repeat(3 << 20));
        let outcome = srvd(&url, &["register", "--file", "-"], endless.as_bytes());
        assert!(
            outcome.exit == Exit::Usage && outcome.errors.contains("more than 2097152 octets"),
            "{}",
            outcome.errors
        );
    }
}
