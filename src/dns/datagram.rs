//! A UDP socket that answers from the address that was asked.
//!
//! A socket on one address does so anyhow. One on the wildcard address has to know where each datagram went and say so
//! when it answers (IP_PKTINFO, RFC 3542 §6), or a client that asked the second address of a host would hear from the
//! first and drop the answer.
//!
//! What is longer than the path takes goes out in fragments, and no ICMP message can make it shorter: such messages are
//! easily forged, and one that is heeded costs the answer that it speaks of (IP_PMTUDISC_OMIT, as in BIND and NSD).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use nix::sys::socket::sockopt::Ipv6DontFrag;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};

/// A bound socket, blocking.
#[derive(Debug)]
pub struct Datagrams {
    socket: UdpSocket,
    /// For the wildcard address only.
    wildcard: Option<UdpSocketState>,
}

/// What came in one go: one datagram, or several of one sender that the kernel put together.
#[derive(Debug, Clone, Copy)]
pub struct Received {
    pub client: SocketAddr,
    octets: usize,
    /// Octets of each datagram but the last.
    stride: usize,
    asked: Option<IpAddr>,
}

impl Received {
    /// The datagrams in `buffer`, where they were received.
    pub fn datagrams<'a>(&self, buffer: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        buffer[..self.octets].chunks(self.stride.max(1))
    }
}

impl Datagrams {
    /// `patience` is the longest that [`Self::receive`] blocks.
    pub fn new(socket: UdpSocket, patience: Duration) -> io::Result<Self> {
        let is_wildcard = socket.local_addr()?.ip().is_unspecified();
        let wildcard = is_wildcard.then(|| UdpSocketState::new((&socket).into())).transpose()?;
        // Behind the wildcard's state, which forbids fragments.
        allow_fragments(&socket)?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(patience))?;
        Ok(Self { socket, wildcard })
    }

    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Received> {
        let Some(state) = &self.wildcard else {
            let (octets, client) = self.socket.recv_from(buffer)?;
            return Ok(Received { client, octets, stride: octets, asked: None });
        };
        let mut meta = [RecvMeta::default()];
        state.recv((&self.socket).into(), &mut [IoSliceMut::new(buffer)], &mut meta)?;
        let [meta] = meta;
        Ok(Received { client: meta.addr, octets: meta.len, stride: meta.stride, asked: meta.dst_ip })
    }

    /// Answers one of the datagrams that were `received`.
    pub fn answer(&self, received: &Received, contents: &[u8]) -> io::Result<()> {
        let Some(state) = &self.wildcard else {
            return self.socket.send_to(contents, received.client).map(|_| ());
        };
        let transmit =
            Transmit { destination: received.client, ecn: None, contents, segment_size: None, src_ip: received.asked };
        state.try_send((&self.socket).into(), &transmit)
    }
}

fn allow_fragments(socket: &UdpSocket) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::OMIT)?;
    } else {
        sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::OMIT)?;
        nix::sys::socket::setsockopt(socket, Ipv6DontFrag, &false)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_may_be_fragmented() {
        for bound in ["0.0.0.0:0", "127.0.0.1:0"] {
            let socket = Datagrams::new(UdpSocket::bind(bound).unwrap(), Duration::from_secs(30)).unwrap().socket;
            assert_eq!(sockopt::ip_mtu_discover(&socket).unwrap(), Ipv4PathMtuDiscovery::OMIT, "{bound}");
        }
        for bound in ["[::]:0", "[::1]:0"] {
            let socket = Datagrams::new(UdpSocket::bind(bound).unwrap(), Duration::from_secs(30)).unwrap().socket;
            assert_eq!(sockopt::ipv6_mtu_discover(&socket).unwrap(), Ipv6PathMtuDiscovery::OMIT, "{bound}");
            assert!(!nix::sys::socket::getsockopt(&socket, Ipv6DontFrag).unwrap(), "{bound}");
        }
    }

    #[test]
    fn the_address_that_was_asked_answers() {
        for (bound, asked) in
            [("0.0.0.0:0", "127.0.0.2"), ("0.0.0.0:0", "127.0.0.1"), ("127.0.0.3:0", "127.0.0.3"), ("[::]:0", "::1")]
        {
            let server = Datagrams::new(UdpSocket::bind(bound).unwrap(), Duration::from_secs(30)).unwrap();
            let port = server.socket.local_addr().unwrap().port();
            let asked = SocketAddr::new(asked.parse().unwrap(), port);
            let client = UdpSocket::bind(if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
            // A connected socket takes in only what comes from the address that it asked.
            client.connect(asked).unwrap();
            client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
            client.send(b"question").unwrap();
            let mut buffer = [0; 512];
            let received = server.receive(&mut buffer).unwrap();
            assert_eq!(received.datagrams(&buffer).collect::<Vec<_>>(), [b"question"]);
            server.answer(&received, b"answer").unwrap();
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"answer", "{bound} asked at {asked}");
        }
    }

    #[test]
    fn nothing_in_time_is_an_error_that_passes() {
        for bound in ["0.0.0.0:0", "127.0.0.1:0"] {
            let server = Datagrams::new(UdpSocket::bind(bound).unwrap(), Duration::from_millis(1)).unwrap();
            assert_eq!(server.receive(&mut [0; 512]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}
