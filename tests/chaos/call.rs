//! Calls that may fail, as those of clients whose servers come and go.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use crate::common::message::{Response, query};

/// How long a client waits before it turns to another server.
const PATIENCE: Duration = Duration::from_secs(1);
const SRV: u16 = 33;

/// The status and the body of a reply.
pub fn http(server: SocketAddr, method: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let mut connection = TcpStream::connect_timeout(&server, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head = format!("{method} {path} HTTP/1.0\r\nHost: {server}\r\nConnection: close\r\n");
    write!(connection, "{head}{kind}Content-Length: {length}\r\n\r\n{body}")?;
    let mut reply = String::new();
    connection.read_to_string(&mut reply)?;
    let status = reply.get(9..12).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other("no reply"))?;
    Ok((status, reply.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()))
}

/// The ports of the instances that DNS serves, which tell them apart.
pub fn dns(server: SocketAddr) -> io::Result<Vec<u16>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect(server)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let question = query(7, "chaos.svc.local", SRV, Some(1232));
    socket.send(&question)?;
    let mut buffer = [0; 4096];
    let length = socket.recv(&mut buffer)?;
    if buffer[..length] == question[..] {
        // The socket got the port of a server that is dead, and talks to itself.
        return Err(io::Error::other("the question came back"));
    }
    let response = Response::read(&buffer[..length], &question);
    let ports = response.answer.iter().filter_map(|record| record.data.split(' ').nth(2)?.parse().ok());
    if response.rcode == "NOERROR" { Ok(ports.collect()) } else { Err(io::Error::other(response.rcode)) }
}
