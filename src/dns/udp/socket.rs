//! How a UDP socket that answers is set up.
//!
//! What is longer than the path takes goes out in fragments, and no ICMP message can make it shorter: such messages are
//! easily forged, and one that is heeded costs the answer that it speaks of (IP_PMTUDISC_OMIT, as in BIND and NSD).

use std::io;
use std::net::UdpSocket;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6DontFrag, Ipv6RecvPacketInfo};
use rustix::net::sockopt::{self, Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery};

/// Sets up a bound socket that waits for datagrams, each time as long as `patience`. Gives whether it is bound to the
/// wildcard address and tells where each datagram went.
pub fn set_up(socket: &UdpSocket, patience: Duration) -> io::Result<bool> {
    let address = socket.local_addr()?;
    let on_wildcard = address.ip().is_unspecified();
    if address.is_ipv4() {
        sockopt::set_ip_mtu_discover(socket, Ipv4PathMtuDiscovery::OMIT)?;
        setsockopt(socket, Ipv4PacketInfo, &on_wildcard)?;
    } else {
        sockopt::set_ipv6_mtu_discover(socket, Ipv6PathMtuDiscovery::OMIT)?;
        setsockopt(socket, Ipv6DontFrag, &false)?;
        setsockopt(socket, Ipv6RecvPacketInfo, &on_wildcard)?;
    }
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(patience))?;
    Ok(on_wildcard)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_answers_may_be_fragmented() {
        for bound in ["0.0.0.0:0", "127.0.0.1:0", "[::]:0", "[::1]:0"] {
            let socket = UdpSocket::bind(bound).unwrap();
            let is_ipv4 = socket.local_addr().unwrap().is_ipv4();
            set_up(&socket, Duration::from_secs(30)).unwrap();
            if is_ipv4 {
                assert_eq!(sockopt::ip_mtu_discover(&socket).unwrap(), Ipv4PathMtuDiscovery::OMIT, "{bound}");
            } else {
                assert_eq!(sockopt::ipv6_mtu_discover(&socket).unwrap(), Ipv6PathMtuDiscovery::OMIT, "{bound}");
                assert!(!nix::sys::socket::getsockopt(&socket, Ipv6DontFrag).unwrap(), "{bound}");
            }
        }
    }
}
