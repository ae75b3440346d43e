//! What needs a terminal, in a pseudo terminal of script(1): the live view, and Ctrl-C.

mod common;

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use common::process::tool;
use common::{Server, Setup, documents, eventually};
use serde_json::json;

/// A command in a terminal of 120 columns and 30 lines.
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Arc<Mutex<String>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    fn start(server: &Server, line: &str) -> Self {
        let line = format!("stty rows 30 cols 120; exec {line}");
        let mut command = Command::new(tool("script", "bsdutils"));
        command.args(["--quiet", "--flush", "--return", "--command", &line, "/dev/null"]);
        command
            .env("SRVD_SERVER", format!("http://{}", server.http[0]))
            .env("TERM", "xterm-256color")
            .env_remove("NO_COLOR");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("script starts");
        let (keys, mut output) = (child.stdin.take().expect("its input"), child.stdout.take().expect("its output"));
        let shown = Arc::new(Mutex::new(String::new()));
        let reader = std::thread::spawn({
            let shown = Arc::clone(&shown);
            move || {
                let mut buffer = [0; 4096];
                while let Ok(length @ 1..) = output.read(&mut buffer) {
                    shown.lock().expect("no holder panics").push_str(&String::from_utf8_lossy(&buffer[..length]));
                }
            }
        });
        Self { child, keys, shown, reader }
    }

    fn type_in(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).and_then(|()| self.keys.flush()).expect("the terminal takes keys");
    }

    #[track_caller]
    fn shows(&self, words: &str) {
        eventually(&format!("the terminal shows {words:?}"), || match self.shown.lock().expect("no holder panics") {
            shown if shown.contains(words) => Ok(()),
            shown => Err(shown.clone()),
        });
    }

    fn wait(mut self) -> (ExitStatus, String) {
        let status = eventually("the command ends", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}: {}", self.shown.lock().expect("no holder panics"))),
        });
        self.reader.join().expect("the reader does not panic");
        (status, Arc::into_inner(self.shown).expect("the reader has ended").into_inner().expect("no holder panics"))
    }
}

const ALTERNATE_SCREEN: [&str; 2] = ["\x1b[?1049h", "\x1b[?1049l"];

/// Only what differs from the picture before is drawn, so that words are looked for which stand on empty ground.
#[test]
fn top_is_looked_at_and_left() {
    let server = Server::start();
    server.register("zebra", "a", json!({"address": "10.0.0.7", "port": 80}));
    let mut terminal = Terminal::start(&server, &format!("{} top --every 200ms", env!("CARGO_BIN_EXE_srvd")));
    terminal.shows("zebra");
    terminal.type_in("\r");
    terminal.shows("10.0.0.7");
    terminal.type_in("d");
    terminal.shows("DNS?");
    terminal.type_in("y");
    eventually("it is drained", || match server.instance("zebra", "a")["status"].as_str() {
        Some("draining") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    terminal.shows("draining");
    terminal.type_in("q");
    let (status, shown) = terminal.wait();
    assert!(status.success(), "{status}");
    let [entered, left] = ALTERNATE_SCREEN.map(|sequence| shown.rfind(sequence));
    assert!(entered.is_some() && left > entered, "{shown:?}");
}

/// The commands for the eye, as they stand in the documents.
#[test]
fn what_is_there_to_look_at() {
    let server = Server::start();
    server.register("zebra", "a", json!({"address": "10.0.0.7", "port": 80}));
    let block = documents::block("docs/command-line.md", "Looking", "sh");
    let lines: Vec<String> =
        block.lines().map(|line| line.replacen("srvd ", &format!("{} ", env!("CARGO_BIN_EXE_srvd")), 1)).collect();
    let [top, doctor] = &lines[..] else { panic!("two commands: {block}") };
    let mut terminal = Terminal::start(&server, top);
    terminal.shows("zebra");
    terminal.type_in("q");
    let (status, shown) = terminal.wait();
    assert!(status.success(), "{shown:?}");
    let (status, shown) = Terminal::start(&server, doctor).wait();
    // Nobody told this host's resolver of a server on a port of this test's.
    assert_eq!(status.code(), Some(1), "{shown}");
    assert!(shown.contains("cannot resolve zebra.svc.local.") && shown.contains("Domains=~svc.local"), "{shown}");
}

#[test]
fn top_ends_with_control_c() {
    let server = Server::start();
    let mut terminal = Terminal::start(&server, &format!("{} top", env!("CARGO_BIN_EXE_srvd")));
    terminal.shows("ready");
    terminal.type_in("\x03");
    let (status, shown) = terminal.wait();
    assert!(status.success() && shown.contains(ALTERNATE_SCREEN[1]), "{status} {shown:?}");
}

#[test]
fn colours_are_for_terminals_without_no_color() {
    let server = Server::start();
    server.register("web", "a", json!({"address": "10.0.0.7", "port": 80}));
    for (before, coloured) in [("", true), ("env NO_COLOR=1 ", false), ("env TERM=dumb ", false)] {
        let (status, shown) =
            Terminal::start(&server, &format!("{before}{} services", env!("CARGO_BIN_EXE_srvd"))).wait();
        assert!(status.success() && shown.contains("healthy"), "{shown}");
        assert_eq!(shown.contains("\x1b["), coloured, "{before}: {shown:?}");
    }
}

#[test]
fn control_c_reaches_a_program_once() {
    let server = Setup::new().set("dns.record_ttl", 1).start();
    // Told by the terminal, and by nobody else.
    let program = "trap \"echo caught; exit 9\" INT; echo started; while :; do sleep 0.1; done";
    let line = format!(
        "{} run --service web --port 53 --protocol udp --id a -- sh -c '{program}'",
        env!("CARGO_BIN_EXE_srvd")
    );
    let mut terminal = Terminal::start(&server, &line);
    terminal.shows("started");
    terminal.shows("web/a is registered");
    terminal.type_in("\x03");
    let (status, shown) = terminal.wait();
    assert_eq!((status.code(), shown.matches("caught").count()), (Some(9), 1), "{shown:?}");
    server.api.get("/v1/services/web/instances/a").expect(404);
}
