//! The commands that the documents show are run: the tour with its output, all others to their end.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::process::{Process, tool};
use common::{Server, documents, eventually};
use serde_json::json;

const BINARY: &str = env!("CARGO_BIN_EXE_srvd");
const END: &str = "--- end of output ---";

/// A shell that commands are typed into, one after the other.
struct Shell {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Shell {
    fn start(server: &Server) -> Self {
        let mut command = Command::new("bash");
        // Job control, for the `%1` of the README.
        command.args(["-m", "-s"]).env("SRVD_SERVER", format!("http://{}", server.http[0]));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("bash starts");
        let (input, output) = (child.stdin.take().expect("its input"), child.stdout.take().expect("its output"));
        Self { child, input, output: BufReader::new(output) }
    }

    /// What a command prints.
    fn run(&mut self, command: &str) -> String {
        // What is printed need not end with its line; the mark is on one of its own.
        writeln!(self.input, "{command}\nprintf '\\n%s\\n' '{END}'").expect("bash reads");
        let mut printed = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(self.output.read_line(&mut line).expect("bash writes"), 0, "bash ended at {command}");
            if line.trim_end() == END {
                printed.pop();
                return printed;
            }
            printed.push_str(&line);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // What it left running in the background is ended by itself, then the shell.
        writeln!(self.input, "kill $(jobs -p) 2>/dev/null; exit").ok();
        self.child.wait().ok();
    }
}

/// A command of a console block and what it prints there.
fn steps(block: &str) -> Vec<(String, String)> {
    let mut steps: Vec<(String, String)> = Vec::new();
    for line in block.lines() {
        match (line.strip_prefix("$ "), steps.last_mut()) {
            (Some(command), _) => steps.push((command.to_owned(), String::new())),
            (None, Some((_, output))) => *output += &format!("{line}\n"),
            (None, None) => panic!("a console block begins with a command: {line}"),
        }
    }
    steps
}

/// Times of day as one word, and words one blank apart: what is left is the same for everybody.
fn comparable(text: &str) -> String {
    let timeless: Vec<&str> =
        text.split('"').map(|part| if part.parse::<jiff::Timestamp>().is_ok() { "TIME" } else { part }).collect();
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n";
    timeless.join("\"").lines().map(words).collect()
}

#[test]
fn the_tour_of_the_readme() {
    for (program, package) in [("curl", "curl"), ("dig", "bind9-dnsutils"), ("python3", "python3")] {
        tool(program, package);
    }
    let server = Server::start();
    // A port that is free on the address that the tour's server takes.
    let port = TcpListener::bind("127.0.0.3:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let mine = |text: &str| {
        text.replace("127.0.0.1:8053", &server.http[0].to_string())
            .replace("-p 5300", &format!("-p {}", server.dns[0].port()))
            .replace("9001", &port.to_string())
            .replace("target/release/srvd", BINARY)
    };
    let mut shell = Shell::start(&server);
    let blocks = documents::blocks("README.md", "A tour in three minutes", "console");
    assert!(blocks.len() >= 4, "the tour has its blocks");
    for (command, output) in blocks.iter().flat_map(|block| steps(block)) {
        let (command, expected) = (mine(&command), comparable(&mine(&output)));
        // Questions are asked again until what was caused before has come about; everything else is done once.
        let question = command.starts_with("dig ") || command.starts_with(BINARY);
        if question {
            eventually(&format!("{command} prints\n{expected}"), || match comparable(&shell.run(&command)) {
                printed if printed == expected => Ok(()),
                printed => Err(printed),
            });
        } else {
            assert_eq!(comparable(&shell.run(&command)), expected, "{command}");
        }
    }
}

/// A directory with `srvd` in it, and a search path that begins there.
fn with_srvd() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    symlink(BINARY, directory.path().join("srvd")).expect("a link");
    let path = format!("{}:{}", directory.path().display(), std::env::var("PATH").unwrap_or_default());
    (directory, path)
}

/// Runs a block as one script, which ends with the first command that fails.
#[track_caller]
fn run(block: &str, at: &Path, path: &str, server: &str) -> String {
    let mut command = Command::new("sh");
    command.args(["-exc", block]).current_dir(at).env("PATH", path).env("SRVD_SERVER", server);
    let output = command.stdin(Stdio::null()).output().expect("sh runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    said
}

/// What stands for `cargo` where a test runs: the program is built already.
const CARGO: &str = "#!/bin/sh
[ \"$1 $2 $3\" = 'run --release --' ] || exit 9
shift 3
exec srvd \"$@\"
";

#[test]
fn the_two_commands() {
    let blocks = documents::blocks("README.md", "Two commands", "sh");
    let [serve, check] = &blocks[..] else { panic!("two commands: {blocks:?}") };
    let (directory, path) = with_srvd();
    let cargo = directory.path().join("cargo");
    std::fs::write(&cargo, CARGO).expect("a script");
    std::fs::set_permissions(&cargo, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    tool("ip", "iproute2");
    // A host of its own, where the ports are free: nothing of the command is changed.
    let mut command = Command::new(tool("unshare", "util-linux"));
    command.args(["--map-root-user", "--net", "sh", "-c", &format!("ip link set lo up\nexec {serve}")]);
    let process = Process::start(command.current_dir(directory.path()).env("PATH", path));
    let ready = process.stdout_line();
    let expected = "srvd ready dns=127.0.0.1:5300 http=127.0.0.1:8053";
    assert_eq!(ready.as_deref(), Some(expected), "{}", process.report());
    assert!(directory.path().join("data").is_dir(), "its state is where it says");
    // The other one runs this test, here and wherever changes are checked.
    assert_eq!(check.trim(), "./tests/run");
    assert!(documents::read(".ci/run").trim_end().ends_with("exec ./tests/run"));
    let mode = std::fs::metadata(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run")).expect("it is there");
    assert_ne!(mode.permissions().mode() & 0o111, 0, "it can be run");
}

#[test]
fn the_configuration_is_looked_at_as_the_readme_says() {
    let (_directory, path) = with_srvd();
    let block = documents::block("README.md", "Configuration", "sh");
    let said = run(&block, Path::new(env!("CARGO_MANIFEST_DIR")), &path, "");
    assert_eq!(said.matches("srvd: the configuration is right").count(), 2, "{said}");
}

#[test]
fn the_command_line_by_hand_and_for_programs() {
    let server = Server::start();
    let (directory, path) = with_srvd();
    let run = |block: &str| run(block, directory.path(), &path, &format!("http://{}", server.http[0]));
    let by_hand = documents::block("docs/command-line.md", "By hand", "sh");
    let said = run(&by_hand.replace("8053", &server.http[0].port().to_string()));
    for part in ["canary", "connected", "new disk", "team", "NOERROR"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = run(&documents::block("docs/command-line.md", "From a file", "sh"));
    assert!(said.contains("3 registered: 3 new"), "{said}");
    assert!(std::fs::read_to_string(directory.path().join("srvd.bash")).expect("a file").contains("complete -F"));
    server.register("web", "a", json!({ "address": "10.0.0.7", "port": 8080 }));
    for line in documents::block("docs/command-line.md", "For programs", "sh").lines() {
        // Whether this host reaches the zone is its own affair.
        let may_fail = line.starts_with("srvd doctor ");
        let mut command = Command::new("sh");
        command.args(["-c", line]).env("PATH", &path).env("SRVD_SERVER", format!("http://{}", server.http[0]));
        let output = command.stdin(Stdio::null()).output().expect("sh runs");
        let printed: Result<serde_json::Value, _> = serde_json::from_slice(&output.stdout);
        assert!(may_fail || output.status.success(), "{line}: {output:?}");
        assert!(printed.is_ok_and(|printed| printed.is_object()), "{line}: {output:?}");
    }
}

#[test]
fn a_program_is_made_a_service() {
    tool("python3", "python3");
    let server = Server::start();
    let (directory, path) = with_srvd();
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let block = documents::block("docs/command-line.md", "A program as a service", "sh");
    let block = block.replace("8000", &listener.expect("a free port").port().to_string());
    let mut command = Command::new("sh");
    // In this process, so that it gets the signal.
    command.args(["-c", &format!("exec {block}")]).current_dir(directory.path()).env("PATH", path);
    let mut process = Process::start(command.env("SRVD_SERVER", format!("http://{}", server.http[0])));
    eventually("it is a service", || match server.api.get("/v1/services/files").status {
        200 => Ok(()),
        status => Err(format!("{status}: {}", process.report())),
    });
    process.terminate();
    server.api.get("/v1/services/files").expect(404);
}

/// What is measured is measured by a command that `tests/run` tries out.
#[test]
fn the_measurements_have_their_command() {
    let block = documents::block("docs/measurements.md", "Beside NSD and Knot DNS", "sh");
    assert!(documents::read("tests/run").contains(&format!("step {} --smoke ", block.trim())), "{block}");
}
