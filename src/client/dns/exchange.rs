//! One question to one DNS server: over UDP, and over TCP when the answer is cut.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::DnsError;
use super::message::{self, Answer, MessageError, PAYLOAD};
use crate::wire::{Name, RecordType};

/// How long a server may take over UDP, and how often it is asked.
const UDP_LIMIT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 2;
/// How long it may take over TCP in all.
const TCP_LIMIT: Duration = Duration::from_secs(5);

/// Asks `server` for the records of one type at `name`.
pub async fn ask(server: SocketAddr, name: &Name, rtype: RecordType) -> Result<Answer, DnsError> {
    let answer = ask_by_udp(server, name, rtype).await?;
    if !answer.is_cut {
        return Ok(answer);
    }
    ask_by_tcp(server, name, rtype).await
}

async fn ask_by_udp(server: SocketAddr, name: &Name, rtype: RecordType) -> Result<Answer, DnsError> {
    for _ in 0..ATTEMPTS {
        // Another port and number each time, so that nobody can guess both (RFC 5452 §9.2).
        let attempt = attempt(server, name, rtype);
        if let Ok(answer) = timeout(UDP_LIMIT, attempt).await {
            return answer.map_err(|source| DnsError::Io { server, source });
        }
    }
    Err(DnsError::TimedOut { server, limit: UDP_LIMIT * ATTEMPTS })
}

/// Asks once, and waits for the answer for ever: what comes and is none says nothing.
async fn attempt(server: SocketAddr, name: &Name, rtype: RecordType) -> io::Result<Answer> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Only what comes from there is taken.
    socket.connect(server).await?;
    let id = rand::random();
    socket.send(&message::query(id, name, rtype)).await?;
    let mut octets = [0; PAYLOAD as usize];
    loop {
        let length = socket.recv(&mut octets).await?;
        if let Ok(answer) = message::read(&octets[..length], id, name, rtype) {
            return Ok(answer);
        }
    }
}

/// The same over TCP alone.
pub async fn ask_by_tcp(server: SocketAddr, name: &Name, rtype: RecordType) -> Result<Answer, DnsError> {
    let id = rand::random();
    let octets = timeout(TCP_LIMIT, exchange_by_tcp(server, &message::query(id, name, rtype))).await;
    let octets = octets
        .map_err(|_| DnsError::TimedOut { server, limit: TCP_LIMIT })?
        .map_err(|source| DnsError::Io { server, source })?;
    let garbled = |reason: MessageError| DnsError::Garbled { server, reason };
    message::read(&octets, id, name, rtype).map_err(garbled)
}

/// Sends a message and reads one, each with its length before it (RFC 1035 §4.2.2).
async fn exchange_by_tcp(server: SocketAddr, query: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = query.len() as u16;
    // In one write, as some servers want it (RFC 7766 §8).
    stream.write_all(&[&length.to_be_bytes(), query].concat()).await?;
    let length = stream.read_u16().await?;
    let mut octets = vec![0; length.into()];
    stream.read_exact(&mut octets).await?;
    Ok(octets)
}
