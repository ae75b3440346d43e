//! What a transport knows of a query beside its octets: who asks, and over what.

use std::net::IpAddr;
use std::time::Duration;

/// The sender of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Client {
    pub address: IpAddr,
    pub transport: Transport,
}

/// How a query came, which bounds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// A datagram. Nothing says that its sender's address is its own.
    Udp,
    /// A connection. `idle` is how long it may rest before the server closes it, which a client may ask for (RFC 7828).
    Tcp { idle: Duration },
}
