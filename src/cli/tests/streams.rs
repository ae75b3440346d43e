//! Replies that do not end: what is printed of them, and where they go on.

use std::io::Write;

use clap::Parser;

use super::srvd;
use crate::cli::ask::{Streams, run};
use crate::cli::responder::Responder;
use crate::cli::table::Screen;
use crate::cli::{Cli, Command, Exit};

/// The head of a stream, and what of it comes before the connection ends.
fn stream(events: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n{events}")
}

#[test]
fn a_stream_is_printed_and_goes_on_where_it_broke() {
    let first =
        stream("retry: 0\nevent: put\nid: 7\ndata: {\"service\":\"web\",\"id\":\"a\"}\n\n:\n\nid: 8\ndata: cut");
    let busy = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";
    let second = stream("event: reset\nid: 9\ndata: {\"revision\":9}\n\n");
    let end = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";
    let told = "{\"service\":\"web\",\"id\":\"a\"}\n{\"revision\":9}\n";
    for (form, printed) in [("table", "web/a\nall there is, as of revision 9:\n"), ("json", told)] {
        let responder = Responder::each(&[&first, busy, &second, end]);
        let url = responder.url();
        let outcome = srvd(&url, &["watch", "web", "--since", "5", "--output", form], b"");
        assert_eq!((outcome.exit, outcome.output.as_str()), (Exit::Refused, printed));
        let ended = format!("the connection to {url} ended; opening another");
        let refused = "web: the server answered 404 Not Found without saying why";
        let told = [&ended, &ended, refused].map(|words| match form {
            "json" => format!("{{\"error\":\"{words}\"}}\n"),
            _ => format!("srvd: {words}\n"),
        });
        assert_eq!(outcome.errors, told.concat());
        let requests = responder.request();
        let heads: Vec<&str> = requests.split_terminator("\r\n\r\n").collect();
        assert!(
            heads.iter().all(|head| head.starts_with("GET /v1/watch?service=web&since=5 HTTP/1.1\r\n")),
            "{requests}"
        );
        let ids: Vec<_> =
            heads.iter().map(|head| head.lines().find_map(|line| line.strip_prefix("last-event-id: "))).collect();
        assert_eq!(ids, [None, Some("7"), Some("7"), Some("9")]);
    }
}

#[test]
fn a_stream_that_nobody_reads_any_more_is_left() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let responder = Responder::once(&stream("id: 7\ndata: {}\n\n"));
    let server = responder.url().to_string();
    let Command::Client(command) = Cli::try_parse_from(["srvd", "watch", "--server", &server]).unwrap().command else {
        panic!("a client command")
    };
    let (mut errors, mut input) = (Vec::new(), std::io::empty());
    let mut streams = Streams { input: &mut input, output: &mut Gone, errors: &mut errors, screen: Screen::PLAIN };
    assert_eq!((run(command.ask(), &mut streams), errors.len()), (Exit::Done, 0));
}
