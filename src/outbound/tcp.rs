//! Connecting: the whole of a `tcp` check, and the beginning of every other kind.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{Failure, Fault};

/// Connects to `address`. The caller limits the time; dropping what this returns closes the connection.
///
/// It closes with a reset: a connection that is closed in order waits a minute in TIME-WAIT (RFC 9293 §3.6), and at
/// thousands of checks a second those would use up the kernel's table and, towards one address, the ports. Nothing is
/// lost by it, because a check has what it wants before it closes.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).await.map_err(|error| Failure::from(&error))?;
    // Without it the connection is only closed more slowly.
    stream.set_zero_linger().ok();
    // A connection to a port of this host on which nobody listens may meet itself, if the system chose that very port
    // to connect from (simultaneous open, RFC 9293 §3.5).
    match stream.local_addr() {
        Ok(local) if local == address => Err(Fault::ConnectionRefused.into()),
        _ => Ok(stream),
    }
}
