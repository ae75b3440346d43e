//! Server-sent events as a test reads them, one after the other.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// A stream that stays silent for longer, where something is expected, fails the test.
const SILENCE: Duration = Duration::from_secs(30);

/// An open stream.
pub struct Events {
    lines: BufReader<TcpStream>,
    /// The head of the response.
    pub head: String,
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub name: String,
    pub id: u64,
    pub data: Value,
}

impl Events {
    /// Opens the stream at `path` with more header fields, each with its line end. HTTP/1.0, so that the body comes as it
    /// is, without chunks.
    #[track_caller]
    pub fn open(server: SocketAddr, path: &str, fields: &str) -> Self {
        let mut connection = TcpStream::connect(server).expect("the server listens");
        connection.set_read_timeout(Some(SILENCE)).expect("a timeout above zero");
        write!(connection, "GET {path} HTTP/1.0\r\nHost: {server}\r\n{fields}\r\n").expect("the server reads");
        let mut events = Self { lines: BufReader::new(connection), head: String::new() };
        while let Some(line) = events.line().filter(|line| !line.is_empty()) {
            events.head += &format!("{line}\n");
        }
        assert!(
            events.head.starts_with("HTTP/1.1 200 ") || events.head.starts_with("HTTP/1.0 200 "),
            "{}",
            events.head
        );
        events
    }

    /// The next event; comments and hints are passed over.
    #[track_caller]
    pub fn next(&mut self) -> Event {
        self.next_or_end().expect("the stream goes on")
    }

    /// The next event, or `None` when the stream has ended.
    #[track_caller]
    pub fn next_or_end(&mut self) -> Option<Event> {
        let (mut name, mut id, mut data) = (None, None, None);
        loop {
            let line = self.line()?;
            match line.split_once(": ") {
                Some(("event", value)) => name = Some(value.to_owned()),
                Some(("id", value)) => id = value.parse().ok(),
                Some(("data", value)) => data = serde_json::from_str(value).ok(),
                None if line.is_empty() && data.is_some() => break,
                _ => {}
            }
        }
        Some(Event { name: name.expect("a name"), id: id.expect("an id"), data: data.expect("data") })
    }

    /// A line without its end; `None` at the end of the stream.
    #[track_caller]
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        match self.lines.read_line(&mut line).expect("the server goes on writing") {
            0 => None,
            _ => Some(line.trim_end_matches(['\r', '\n']).to_owned()),
        }
    }
}
