//! Binding the sockets that DNS is served on.

use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};

/// Attempts to find a port that is free for both UDP and TCP, when any will do.
const PORT_ATTEMPTS: usize = 32;
const BACKLOG: i32 = 1024;
/// Octets that the kernel may hold for a UDP socket that is not being read.
const RECEIVE_BUFFER: usize = 4 << 20;

/// The sockets of one listening address: one for TCP, and one for each UDP worker on the same port.
#[derive(Debug)]
pub struct Sockets {
    pub address: SocketAddr,
    pub tcp: TcpListener,
    pub udp: Vec<UdpSocket>,
}

/// An address that could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("{address} cannot be bound for {transport}: {source}")]
pub struct BindError {
    pub address: SocketAddr,
    pub transport: &'static str,
    pub source: io::Error,
}

/// Binds one address for TCP and for `workers` UDP workers. Port 0 becomes one free port for both.
///
/// The TCP socket is bound without sharing, so that another server on the address is noticed although UDP sockets of
/// one user may share theirs.
pub fn bind(address: SocketAddr, workers: usize) -> Result<Sockets, BindError> {
    let attempts = if address.port() == 0 { PORT_ATTEMPTS } else { 1 };
    let mut last = None;
    for _ in 0..attempts {
        match bind_once(address, workers) {
            Ok(sockets) => return Ok(sockets),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("at least one attempt was made"))
}

fn bind_once(address: SocketAddr, workers: usize) -> Result<Sockets, BindError> {
    let failed = |address, transport| move |source| BindError { address, transport, source };
    let tcp = tcp(address).map_err(failed(address, "TCP"))?;
    let bound = tcp.local_addr().map_err(failed(address, "TCP"))?;
    let udp = (0..workers.max(1)).map(|_| udp(bound)).collect::<io::Result<_>>().map_err(failed(bound, "UDP"))?;
    Ok(Sockets { address: bound, tcp, udp })
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // A port whose last connections are still winding down is free (it is not with a live listener on it).
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_port(true)?;
    // The kernel grants what its own limit allows; less is no error.
    socket.set_recv_buffer_size(RECEIVE_BUFFER).ok();
    socket.bind(&address.into())?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_port_is_one_port_for_both() {
        let sockets = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_ne!(sockets.address.port(), 0);
        assert_eq!(sockets.udp.len(), 2);
        for udp in &sockets.udp {
            assert_eq!(udp.local_addr().unwrap(), sockets.address);
        }
    }

    #[test]
    fn an_address_in_use_is_noticed() {
        let first = bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let error = bind(first.address, 1).unwrap_err();
        assert_eq!((error.address, error.source.kind()), (first.address, io::ErrorKind::AddrInUse));
    }
}
