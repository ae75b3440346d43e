//! The documents hold: the README's tour is taken, `config.toml` is the defaults, and what is named exists.

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use common::process::tool;
use common::{Server, eventually, readme};
use srvd::config::{Config, Sources};

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
    let blocks = readme::blocks("console");
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

#[test]
fn the_configuration_file_is_the_defaults() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml").into();
    let loaded = Config::load(&Sources { file: Some(file), ..Sources::default() }).expect("it is right");
    let mut expected = Config::default();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    expected.dns.zones_dir = root.join("zones");
    expected.store.path = root.join("data");
    assert_eq!(loaded.config, expected);
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
}

/// Leaving a key out of the file changes nothing, so each must be told apart by its absence from the file's own text:
/// a second value for it is a duplicate only if it is there.
#[test]
fn the_configuration_file_names_every_key() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).expect("config.toml");
    let debug = format!("{:#?}", Config::default());
    // Fields of the sections stand four blanks deeper than the sections themselves.
    let keys: Vec<&str> = debug
        .lines()
        .filter_map(|line| line.strip_prefix("        ")?.split_once(": "))
        .filter(|(name, _)| !name.starts_with(' '))
        .map(|(name, _)| name)
        .collect();
    assert!(keys.len() > 35, "{keys:?}");
    for key in keys {
        assert!(text.lines().any(|line| line.starts_with(&format!("{key} = "))), "config.toml does not name {key}");
    }
}

#[test]
fn a_key_that_is_not_known_is_refused_in_every_table() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/config.toml")).expect("config.toml");
    let sections: Vec<&str> = text.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(sections.len(), 8);
    for section in sections {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("config.toml");
        std::fs::write(&file, format!("{section}\nbogus = 1\n")).expect("a file");
        let output = Command::new(BINARY).arg("check").arg("--config").arg(&file).output().expect("srvd runs");
        let errors = String::from_utf8_lossy(&output.stderr);
        let key = format!("{}.bogus", section.trim_matches(['[', ']']));
        assert_eq!(output.status.code(), Some(1), "{section}");
        assert!(errors.contains("config.toml:2") && errors.contains(&key), "{section}: {errors}");
    }
}

#[test]
fn the_files_of_the_repository_pass_the_check() {
    let mut command = Command::new(BINARY);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("check");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SRVD_")) {
        command.env_remove(name);
    }
    let output = command.output().expect("srvd runs");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "srvd: the configuration is right; 2 zone files read\n");
}

#[test]
fn the_readme_names_every_command() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("the README");
    let output = Command::new(BINARY).arg("--help").output().expect("srvd runs");
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let commands: Vec<&str> = help
        .lines()
        .skip_while(|line| !line.starts_with("Commands:"))
        .skip(1)
        .map_while(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|command| *command != "help")
        .collect();
    assert!(commands.len() >= 7, "{help}");
    for command in commands {
        assert!(text.contains(&format!("`{command}`")) || text.contains(&format!("`srvd {command}`")), "{command}");
    }
}

/// Each file of `tests/rfc/` is run, and has a row that begins with its RFC.
#[test]
fn the_readme_lists_the_tests_by_rfc() {
    let root = env!("CARGO_MANIFEST_DIR");
    let read = |path: &str| {
        std::fs::read_to_string(format!("{root}/{path}")).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    let rows = read("README.md");
    let mut listed: Vec<&str> = Vec::new();
    for row in rows.lines().filter(|row| row.ends_with(".rs` |")) {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(str::trim).collect();
        let [rfcs, _, file] = cells[..] else { panic!("a row has three cells: {row}") };
        let file = file.trim_matches('`');
        let first = rfcs.split(',').next().unwrap_or_default();
        assert_eq!(format!("rfc{first}.rs"), file);
        for rfc in rfcs.split(", ") {
            assert!(read(&format!("tests/rfc/{file}")).contains(&format!("RFC {rfc}")), "{file} names RFC {rfc}");
        }
        assert!(read("tests/rfc/main.rs").contains(&format!("mod rfc{first};")), "{file} is run");
        listed.push(file);
    }
    let files = std::fs::read_dir(format!("{root}/tests/rfc"))
        .expect("the directory")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"));
    let mut files: Vec<String> = files.filter(|file| file.starts_with("rfc")).collect();
    files.sort();
    assert_eq!(listed, files);
}
