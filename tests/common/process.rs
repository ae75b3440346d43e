//! A child process that ends with its test and explains itself when the test fails.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::eventually;

/// How long a process may take to print the line it was started for.
const FIRST_LINE: Duration = Duration::from_secs(30);

/// A running or ended child. Dropping it kills it (by its id, never by name) and, in a failing test, prints its report.
pub struct Process {
    child: Child,
    command: String,
    notes: Vec<String>,
    stdout: Receiver<String>,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts `command` with no input and both outputs collected.
    pub fn start(command: &mut Command) -> Self {
        let text = format!("{command:?}");
        let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = started.unwrap_or_else(|error| panic!("cannot start {text}: {error}"));
        let log = Arc::new(Mutex::new(String::new()));
        let (lines, stdout) = channel();
        let printed = BufReader::new(child.stdout.take().expect("stdout is piped"));
        let logged = child.stderr.take().expect("stderr is piped");
        let readers = vec![
            thread::spawn(move || printed.lines().map_while(Result::ok).for_each(|line| drop(lines.send(line)))),
            thread::spawn({
                let log = Arc::clone(&log);
                move || collect(logged, &log)
            }),
        ];
        Self { child, command: text, notes: Vec::new(), stdout, log, readers }
    }

    /// Adds something to the report: a configuration, the bound ports.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// The next line on standard output, or `None` when the process closed it or stays silent.
    pub fn stdout_line(&self) -> Option<String> {
        self.stdout.recv_timeout(FIRST_LINE).ok()
    }

    /// What it wrote to standard error so far; all of it once [`Process::wait`] has returned.
    pub fn log(&self) -> String {
        self.log.lock().expect("the reader does not panic").clone()
    }

    /// Its id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends the signal `name` (`TERM`, `INT`, `HUP`) to this process alone.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s \"$1\" \"$2\"", "sh", name, &id]).status();
        assert!(sent.is_ok_and(|status| status.success()), "cannot send {name} to {id}");
    }

    /// Ends the process as power loss would: without a chance to do anything.
    pub fn kill9(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.wait();
    }

    /// Asks the process to end and waits until it has, if it has not ended already.
    pub fn terminate(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.signal("TERM");
            self.wait();
        }
    }

    /// Waits until the process has ended by itself or by a signal.
    pub fn wait(&mut self) -> ExitStatus {
        let status = eventually("the process ends", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            Ok(None) => Err("still running".to_owned()),
            Err(error) => Err(error.to_string()),
        });
        for reader in self.readers.drain(..) {
            reader.join().expect("a reader does not panic");
        }
        status
    }

    /// Command line, notes and log.
    pub fn report(&self) -> String {
        let notes = self.notes.join("\n");
        format!("=== {} (process {})\n{notes}\n--- standard error\n{}", self.command, self.child.id(), self.log())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only for a child that has been waited for, which is then gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
        if thread::panicking() {
            eprintln!("{}", self.report());
        }
    }
}

/// The path of a program that the tests use.
///
/// # Panics
///
/// When it is not installed, with the Debian package that has it: a test without its tool has tested nothing.
pub fn tool(program: &str, package: &str) -> PathBuf {
    let path = env::var_os("PATH").unwrap_or_default();
    let searched = env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    let found = searched.map(|directory| directory.join(program)).find(|file| file.is_file());
    found
        .unwrap_or_else(|| panic!("{program} is not installed: `apt-get install {package}` (Debian package {package})"))
}

fn collect(mut source: impl Read, log: &Mutex<String>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = source.read(&mut buffer) {
        log.lock().expect("no holder panics").push_str(&String::from_utf8_lossy(&buffer[..length]));
    }
}
