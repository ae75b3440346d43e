//! A small HTTP/1.1 client: one request on one connection, over TCP or a Unix socket.
//!
//! It has no opinions: any header, any body and any framing can be sent, which is what tests of refusals need.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// A read or write that takes longer fails the test.
const SILENCE: Duration = Duration::from_secs(20);

/// Calls to one server.
#[derive(Debug, Clone, Copy)]
pub struct Client {
    address: SocketAddr,
}

impl Client {
    pub fn new(address: SocketAddr) -> Self {
        Self { address }
    }

    /// Host and port, as the `Host` and `Origin` headers have them.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Reply {
        self.send(Request::new("GET", path))
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: Value) -> Reply {
        self.send(Request::new("PUT", path).json(&body))
    }

    /// A PUT without a body: a bare heartbeat.
    #[track_caller]
    pub fn put_empty(&self, path: &str) -> Reply {
        self.send(Request::new("PUT", path))
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: Value) -> Reply {
        self.send(Request::new("POST", path).json(&body))
    }

    #[track_caller]
    pub fn patch(&self, path: &str, body: Value) -> Reply {
        self.send(Request::new("PATCH", path).json(&body))
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Reply {
        self.send(Request::new("DELETE", path))
    }

    #[track_caller]
    pub fn send(&self, request: Request) -> Reply {
        let line = request.line();
        self.try_send(&request).unwrap_or_else(|error| panic!("{line} to {}: {error}", self.address))
    }

    /// Sends a request to a server that may go away.
    pub fn try_send(&self, request: &Request) -> io::Result<Reply> {
        let connection = TcpStream::connect(self.address)?;
        connection.set_read_timeout(Some(SILENCE))?;
        connection.set_write_timeout(Some(SILENCE))?;
        exchange(connection, request, &self.authority())
    }
}

/// A GET to the server behind the Unix socket at `path`, which may be away or still starting.
pub fn get_over_unix(socket: &Path, path: &str) -> io::Result<Reply> {
    let connection = UnixStream::connect(socket)?;
    connection.set_read_timeout(Some(SILENCE))?;
    exchange(connection, &Request::new("GET", path), "localhost")
}

/// One request, as it will be on the wire.
#[derive(Debug, Clone)]
pub struct Request {
    method: &'static str,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    chunked: bool,
}

impl Request {
    pub fn new(method: &'static str, path: &str) -> Self {
        Self { method, path: path.to_owned(), headers: Vec::new(), body: None, chunked: false }
    }

    /// Sets a header, in place of the one that would be sent.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.header("Content-Type", "application/json").body(body.to_string())
    }

    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// Sends the body in chunks, so that its length is not known from the start.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    fn head(&self, host: &str) -> String {
        let mut head = format!("{} HTTP/1.1\r\nConnection: close\r\n", self.line());
        if !self.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {host}\r\n");
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        match &self.body {
            Some(_) if self.chunked => head += "Transfer-Encoding: chunked\r\n",
            Some(body) => head += &format!("Content-Length: {}\r\n", body.len()),
            None => {}
        }
        head + "\r\n"
    }

    fn write(&self, host: &str, connection: &mut impl Write) -> io::Result<()> {
        connection.write_all(self.head(host).as_bytes())?;
        match &self.body {
            Some(body) if self.chunked => write_chunks(body, connection),
            Some(body) => connection.write_all(body),
            None => Ok(()),
        }
    }
}

/// A response, with the request that led to it for messages.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    request: String,
}

impl Reply {
    /// The value of a header, if it was sent.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The registry's revision, which comes with every read.
    #[track_caller]
    pub fn revision(&self) -> u64 {
        let value = self.header("Srvd-Revision").unwrap_or_else(|| panic!("no Srvd-Revision: {self}"));
        value.parse().unwrap_or_else(|_| panic!("Srvd-Revision {value:?} is no number"))
    }

    /// Asserts the status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self}");
        self
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {} {}", self.request, self.status, self.text())
    }
}

fn exchange(mut connection: impl Read + Write, request: &Request, host: &str) -> io::Result<Reply> {
    // A server may refuse a body before it has read it; what it said then still has to be read.
    let written = request.write(host, &mut connection).and_then(|()| connection.flush());
    let mut received = Vec::new();
    let read = read_whole(&mut connection, &mut received);
    parse(&received, request).ok_or_else(|| {
        let reason =
            written.and(read.map(drop)).err().map_or_else(|| "cut short".to_owned(), |error| error.to_string());
        io::Error::other(format!("no response ({reason}): {:?}", String::from_utf8_lossy(&received)))
    })
}

/// Reads to the end of the response; not every server closes the connection then, though it was asked to.
fn read_whole(connection: &mut impl Read, received: &mut Vec<u8>) -> io::Result<()> {
    let (mut buffer, mut octets) = ([0; 16 * 1024], None);
    while octets.is_none_or(|octets| received.len() < octets) {
        match connection.read(&mut buffer)? {
            0 => break,
            length => received.extend_from_slice(&buffer[..length]),
        }
        octets = octets.or_else(|| announced(received));
    }
    Ok(())
}

/// The octets of the whole response, where its head says how many there are.
fn announced(received: &[u8]) -> Option<usize> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&received[..end]).to_ascii_lowercase();
    let length: usize = head.lines().find_map(|line| line.strip_prefix("content-length:"))?.trim().parse().ok()?;
    Some(end + 4 + length)
}

fn parse(received: &[u8], request: &Request) -> Option<Reply> {
    let end = received.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&received[..end]).ok()?;
    let mut lines = head.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers: Vec<(String, String)> =
        lines.filter_map(|line| line.split_once(':')).map(|(n, v)| (n.to_owned(), v.trim().to_owned())).collect();
    let mut reply = Reply { status, headers, body: Vec::new(), request: request.line() };
    reply.body = match (reply.header("Transfer-Encoding"), reply.header("Content-Length")) {
        (Some("chunked"), _) => unchunk(&received[end + 4..])?,
        (_, Some(length)) => received[end + 4..].get(..length.parse().ok()?)?.to_vec(),
        _ => received[end + 4..].to_vec(),
    };
    Some(reply)
}

fn write_chunks(body: &[u8], connection: &mut impl Write) -> io::Result<()> {
    for chunk in body.chunks(16 * 1024) {
        write!(connection, "{:x}\r\n", chunk.len())?;
        connection.write_all(chunk)?;
        connection.write_all(b"\r\n")?;
    }
    connection.write_all(b"0\r\n\r\n")
}

fn unchunk(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let length = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?, 16).ok()?;
        rest = &rest[end + 2..];
        if length == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(..length)?);
        rest = rest.get(length + 2..)?;
    }
}
