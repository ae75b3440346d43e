//! Questions over UDP, each with a wait that ends.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::facts::Asked;
use super::message::{Reply, question};
use crate::wire::{Name, RecordType};

/// The longest wait for one reply.
const WAIT: Duration = Duration::from_millis(1500);
/// Datagrams get lost.
const ATTEMPTS: u32 = 2;

/// Asks `server` for the SOA record of `zone`.
pub(super) fn soa(server: SocketAddr, zone: &Name) -> Asked {
    let (packet, reply) = match exchange(server, zone, RecordType::SOA) {
        Ok(exchanged) => exchanged,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
            return Asked::Silent;
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            return Asked::Failed("nobody listens there".to_owned());
        }
        Err(error) => return Asked::Failed(error.to_string()),
    };
    match reply.soa_server(&packet, zone) {
        Some(server) if reply.rcode == 0 => Asked::Served { server, authoritative: reply.authoritative },
        _ => Asked::Answered(reply.rcode),
    }
}

/// The addresses that `server` answers for `name`, both families together; none where it does not answer.
pub(super) fn addresses(server: SocketAddr, name: &Name) -> Vec<IpAddr> {
    let of_type = |rtype| exchange(server, name, rtype).map(|(packet, reply)| reply.addresses(&packet));
    [RecordType::A, RecordType::AAAA].into_iter().filter_map(|rtype| of_type(rtype).ok()).flatten().collect()
}

fn exchange(server: SocketAddr, name: &Name, rtype: RecordType) -> io::Result<(Vec<u8>, Reply)> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0))?;
    // Then datagrams of others are not taken, and one that nobody took comes back as an error.
    socket.connect(server)?;
    let mut buffer = vec![0; 4096];
    let mut last = io::Error::from(io::ErrorKind::TimedOut);
    for _ in 0..ATTEMPTS {
        let id = rand::random();
        let ends = Instant::now() + WAIT;
        if let Err(error) = socket.send(&question(id, name, rtype)) {
            last = error;
            continue;
        }
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            socket.set_read_timeout(Some(left))?;
            match socket.recv(&mut buffer) {
                Ok(length) => {
                    if let Some(reply) = Reply::read(&buffer[..length], id) {
                        buffer.truncate(length);
                        return Ok((buffer, reply));
                    }
                }
                Err(error) => {
                    last = error;
                    break;
                }
            }
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_there() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let deserted = socket.local_addr().unwrap();
        let zone = Name::parse("svc.local").unwrap();
        drop(socket);
        assert_eq!(soa(deserted, &zone), Asked::Failed("nobody listens there".to_owned()));
        assert!(addresses(deserted, &zone).is_empty());
    }
}
