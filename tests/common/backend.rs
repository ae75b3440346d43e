//! Small HTTP servers on loopback for what stands behind srvd: targets of checks and of proxies.

use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A client that says nothing for so long is left.
const SILENCE: Duration = Duration::from_secs(5);

/// A server that replies its own name to every request, with a status that can be switched while it runs.
pub struct Backend {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    name: String,
    status: AtomicU16,
    /// Requests that still get a 500 before `status` counts again.
    failures: AtomicUsize,
    requests: AtomicUsize,
    closing: AtomicBool,
}

impl Backend {
    /// On a free port of 127.0.0.1, replying 200.
    pub fn start(name: &str) -> Self {
        Self::on(name, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
    }

    fn on(name: &str, listener: TcpListener) -> Self {
        let shared = Arc::new(Shared {
            name: name.to_owned(),
            status: AtomicU16::new(200),
            failures: AtomicUsize::new(0),
            requests: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
        });
        let address = listener.local_addr().expect("a bound listener");
        let thread = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Replies `status` from now on.
    pub fn reply(&self, status: u16) {
        self.shared.status.store(status, Ordering::SeqCst);
    }

    /// Fails the next `requests` and then goes on as before.
    pub fn fail_next(&self, requests: usize) {
        self.shared.failures.store(requests, Ordering::SeqCst);
    }

    /// How many requests have been answered.
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::SeqCst)
    }

    /// Closes the port: when this returns, connections are refused.
    pub fn close(&mut self) {
        let Some(thread) = self.thread.take() else { return };
        self.shared.closing.store(true, Ordering::SeqCst);
        // Wakes the thread out of its accept; when that fails, the thread is awake already.
        let _ = TcpStream::connect(self.address);
        thread.join().expect("a backend does not panic");
    }

    /// Opens the port again after [`Backend::close`].
    pub fn reopen(&mut self) {
        let listener = TcpListener::bind(self.address).expect("the port is still free");
        let name = self.shared.name.clone();
        *self = Self::on(&name, listener);
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.close();
    }
}

/// Backends on one port of the addresses 127.0.`net`.2, .3 and so on, named after `names`.
///
/// Different values of `net` keep tests that run at once apart.
pub fn on_one_port(net: u8, names: &[&str]) -> Vec<Backend> {
    let listeners = (0..100).find_map(|_| listeners_on_one_port(net, names.len()));
    let listeners = listeners.expect("some port is free on all addresses");
    names.iter().zip(listeners).map(|(name, listener)| Backend::on(name, listener)).collect()
}

/// A backend on an address of its own, so that nobody takes its port while it is closed.
pub fn alone_on(address: [u8; 4], name: &str) -> Backend {
    Backend::on(name, TcpListener::bind((IpAddr::from(address), 0)).expect("a free port"))
}

fn listeners_on_one_port(net: u8, count: usize) -> Option<Vec<TcpListener>> {
    let first = TcpListener::bind((Ipv4Addr::new(127, 0, net, 2), 0)).ok()?;
    let port = first.local_addr().ok()?.port();
    let mut listeners = vec![first];
    for host in (3..).take(count - 1) {
        listeners.push(TcpListener::bind((Ipv4Addr::new(127, 0, net, host), port)).ok()?);
    }
    Some(listeners)
}

fn accept(listener: &TcpListener, shared: &Shared) {
    for connection in listener.incoming() {
        if shared.closing.load(Ordering::SeqCst) {
            return;
        }
        // One that breaks off has no one to tell.
        let _ = connection.and_then(|connection| serve(connection, shared));
    }
}

fn serve(mut connection: TcpStream, shared: &Shared) -> std::io::Result<()> {
    connection.set_read_timeout(Some(SILENCE))?;
    let mut head = BufReader::new(connection.try_clone()?).lines();
    // A check that only connects sends nothing, and is no request.
    if head.next().transpose()?.is_none() {
        return Ok(());
    }
    for line in head {
        if line?.is_empty() {
            break;
        }
    }
    let failing = shared.failures.try_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
    let status = if failing { 500 } else { shared.status.load(Ordering::SeqCst) };
    let (name, length) = (&shared.name, shared.name.len());
    write!(connection, "HTTP/1.1 {status} Test\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{name}")?;
    shared.requests.fetch_add(1, Ordering::SeqCst);
    Ok(())
}
