//! Connecting: the whole of a `tcp` check, and the beginning of every other kind.

use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::{Fault, Outcome};

/// Connects to `address`. The caller limits the time; dropping what this returns closes the connection.
pub async fn connect(address: SocketAddr) -> Result<TcpStream, Outcome> {
    let stream = TcpStream::connect(address).await?;
    // A connection to a port of this host on which nobody listens may meet itself, if the system chose that very port
    // to connect from (simultaneous open, RFC 9293 §3.5).
    match stream.local_addr() {
        Ok(local) if local == address => Err(Fault::ConnectionRefused.into()),
        _ => Ok(stream),
    }
}
