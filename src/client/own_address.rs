//! The address under which this host is reached: the one from which it would speak to a server.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{UdpSocket, lookup_host};

use super::ServerUrl;

/// The address of the interface on the route to `server`. No packet is sent: connecting a UDP socket only asks the
/// system for the route.
///
/// # Errors
/// When the name of the server does not resolve, or there is no route to any of its addresses.
pub async fn own_address(server: &ServerUrl) -> io::Result<IpAddr> {
    let (host, port) = server.host_and_port();
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    for address in lookup_host((host, port)).await? {
        match towards(address).await {
            Ok(own) => return Ok(own),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

async fn towards(address: SocketAddr) -> io::Result<IpAddr> {
    let any: IpAddr = match address {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(address).await?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_way_to_this_host_is_this_host() {
        for (server, own) in [("http://127.0.0.1:8053", "127.0.0.1"), ("http://127.0.0.9", "127.0.0.1")] {
            let found = own_address(&server.parse().unwrap()).await.unwrap();
            // The system answers from the address that was asked, or from the first of the interface.
            let asked = server.trim_start_matches("http://").split(':').next().unwrap();
            assert!([own, asked].contains(&found.to_string().as_str()), "{found}");
        }
        assert!(own_address(&"http://nobody.invalid".parse().unwrap()).await.is_err());
    }
}
