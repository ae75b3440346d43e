//! One attempt to tell a callback: a POST on a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use ipnet::IpNet;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::config::Setting;
use crate::model::reach::callback_refusal;
use crate::model::{Callback, Host, Span, Trust};
use crate::outbound::{Dialer, Failure, Fault, Limit, Roots, http, metered};

/// How long an attempt may take in all.
const PATIENCE: Span = Span::from_secs(5);
/// Attempts that may wait for the address of a name at one time.
const NAMING: usize = 256;

/// Posts to callbacks.
#[derive(Debug)]
pub struct Poster {
    dialer: Dialer,
}

impl Poster {
    /// Callbacks may be in the prefixes in `allow` although they are loopback, link-local, or hold a metadata service; `https` ones
    /// are believed when their certificates lead to `roots`.
    pub fn new(allow: Setting<Vec<IpNet>>, roots: &Roots) -> Self {
        Self { dialer: Dialer::new(callback_refusal, allow, roots, NAMING) }
    }

    /// Posts JSON. Any status of success (RFC 9110 §15.3) is one; nothing is followed. Dropping it closes the connection.
    ///
    /// # Errors
    /// When the callback did not take it, or may not be connected to.
    pub async fn post(&self, callback: &Callback, json: Bytes) -> Result<(), Failure> {
        let limit = Limit::of(Instant::now(), PATIENCE);
        let stream = self.connect(callback, limit).await?;
        let (authority, target) = (callback.authority(), callback.target());
        let status = if callback.is_encrypted() {
            let stream = self.dialer.encrypt(Trust::Verified, authority, stream, limit).await?;
            let mut stream = metered(stream);
            let posted = http::post(&mut stream, authority, &target, json, limit).await;
            posted.map_err(|failure| stream.explain(failure))?
        } else {
            let mut stream = metered(stream);
            let posted = http::post(&mut stream, authority, &target, json, limit).await;
            posted.map_err(|failure| stream.explain(failure))?
        };
        if status.is_success() { Ok(()) } else { Err(Fault::Status(status).into()) }
    }

    /// Connects to the first address that can be, each getting an equal part of the time that is left.
    async fn connect(&self, callback: &Callback, limit: Limit) -> Result<TcpStream, Failure> {
        let name = match callback.host() {
            Host::Address(ip) => return self.dialer.connect(SocketAddr::new(*ip, callback.port()), limit).await,
            Host::Name(name) => name,
        };
        let addresses = self.dialer.resolve(name, callback.port(), limit).await?;
        let mut failure = Fault::Unresolved.into();
        for (at, address) in addresses.iter().enumerate() {
            match self.dialer.connect(*address, limit.part_of(addresses.len() - at)).await {
                Ok(stream) => return Ok(stream),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }
}
