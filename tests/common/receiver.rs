//! A callback: a small HTTP server on loopback that keeps what is posted to it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use serde_json::Value;

use super::eventually;

/// A server that takes JSON events and can be told to fail.
pub struct Receiver {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    behaviour: Behaviour,
    /// The first line of each request.
    requests: Vec<String>,
    /// The events that got a 200.
    taken: Vec<Value>,
    /// Those that are kept open without an answer.
    hanging: Vec<TcpStream>,
    closing: bool,
}

enum Behaviour {
    Replies(u16),
    /// Replies 422 to what has this in its body.
    Refuses(String),
    Redirects(String),
    Hangs,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self::Replies(200)
    }
}

impl Receiver {
    /// On a free port of an address of its own, so that nobody takes the port while it is closed.
    pub fn on(address: [u8; 4]) -> Self {
        Self::serve(TcpListener::bind((IpAddr::from(address), 0)).expect("a free port"), Arc::default())
    }

    fn serve(listener: TcpListener, shared: Arc<Mutex<Shared>>) -> Self {
        let address = listener.local_addr().expect("a bound listener");
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread) }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Replies `status` from now on.
    pub fn reply(&self, status: u16) {
        lock(&self.shared).behaviour = Behaviour::Replies(status);
    }

    /// Refuses what has `words` in its body from now on.
    pub fn refuse(&self, words: &str) {
        lock(&self.shared).behaviour = Behaviour::Refuses(words.to_owned());
    }

    /// Sends everybody elsewhere from now on.
    pub fn redirect(&self, location: &str) {
        lock(&self.shared).behaviour = Behaviour::Redirects(location.to_owned());
    }

    /// Takes requests from now on, and answers none.
    pub fn hang(&self) {
        lock(&self.shared).behaviour = Behaviour::Hangs;
    }

    /// The first lines of all requests.
    pub fn requests(&self) -> Vec<String> {
        lock(&self.shared).requests.clone()
    }

    /// Waits until there were `count` requests, answered or not.
    #[track_caller]
    pub fn asked(&self, count: usize) {
        eventually(&format!("{count} requests"), || {
            let requests = self.requests();
            if requests.len() >= count { Ok(()) } else { Err(format!("{requests:?}")) }
        });
    }

    /// Waits until `count` events were taken; all that were taken by then.
    #[track_caller]
    pub fn taken(&self, count: usize) -> Vec<Value> {
        eventually(&format!("{count} events"), || {
            let taken = lock(&self.shared).taken.clone();
            if taken.len() >= count { Ok(taken) } else { Err(format!("{taken:?}")) }
        })
    }

    /// Closes the port: when this returns, connections are refused.
    pub fn close(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        lock(&self.shared).closing = true;
        // Wakes the thread out of its accept; when that fails, the thread is awake already.
        let _ = TcpStream::connect(self.address);
        thread.join().expect("a receiver does not panic");
    }

    /// Opens the port again after [`Receiver::close`].
    pub fn reopen(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        lock(&self.shared).closing = false;
        *self = Self::serve(listener, Arc::clone(&self.shared));
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A test that fails shows its own message.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One connection after the other, which is how srvd posts to one callback.
fn accept(listener: &TcpListener, shared: &Mutex<Shared>) {
    for connection in listener.incoming() {
        if lock(shared).closing {
            return;
        }
        // One that breaks off has no one to tell.
        let _ = connection.and_then(|connection| serve(connection, shared));
    }
}

fn serve(mut connection: TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection.try_clone()?);
    let (first, mut length) = (line(&mut reader)?, 0);
    loop {
        let field = line(&mut reader)?.to_ascii_lowercase();
        match field.strip_prefix("content-length:") {
            Some(octets) => length = octets.trim().parse().unwrap_or_default(),
            None if field.is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    let mut shared = lock(shared);
    shared.requests.push(first);
    let (status, location) = match &shared.behaviour {
        Behaviour::Replies(status) => (*status, String::new()),
        Behaviour::Refuses(words) if String::from_utf8_lossy(&body).contains(words) => (422, String::new()),
        Behaviour::Refuses(_) => (200, String::new()),
        Behaviour::Redirects(location) => (307, format!("Location: {location}\r\n")),
        Behaviour::Hangs => {
            shared.hanging.push(connection);
            return Ok(());
        }
    };
    if status == 200 {
        shared.taken.push(serde_json::from_slice(&body).expect("events are JSON"));
    }
    drop(shared);
    write!(connection, "HTTP/1.1 {status} Test\r\n{location}Content-Length: 0\r\nConnection: close\r\n\r\n")?;
    connection.shutdown(Shutdown::Write)
}

/// A line without its end.
fn line(reader: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}
