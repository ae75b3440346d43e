//! Connections that srvd makes because a client said so: for checks and callbacks.
//!
//! A [`Dialer`] judges the very address that it is about to connect to, so whatever a name resolves to, nobody is led
//! where `health.allow` does not let them. Nothing here takes longer than its [`Limit`], reads more than it was told to
//! ([`Metered`]), or outlives its caller: dropping what is under way closes its sockets.

mod backoff;
mod failure;
pub mod grpc;
pub mod http;
mod limit;
mod metered;
mod post;
mod resolver;
mod roots;
mod tcp;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub use backoff::Backoff;
pub use failure::{Failure, Fault, Hindrance, show_status};
pub use limit::{Limit, Phase};
pub use metered::Metered;
pub use roots::{Roots, RootsError};

use crate::config::Setting;
use crate::model::reach::Judge;
use crate::model::{HostName, Trust};
use resolver::Resolver;
use tls::Tls;

/// Octets that an answer may have, with everything that comes before it.
const ANSWER: u64 = 64 * 1024;
/// Octets that TLS may need for that, handshake included, which alone may have 64 KiB.
const ENCRYPTED: u64 = 3 * ANSWER;
/// How srvd calls itself to others.
const AGENT: &str = concat!("srvd/", env!("CARGO_PKG_VERSION"));

/// Makes connections. Each has a resolver of its own, so that who waits for names keeps nobody else from theirs.
#[derive(Debug)]
pub struct Dialer {
    judge: Judge,
    allow: Setting<Vec<IpNet>>,
    resolver: Resolver,
    tls: Option<Tls>,
}

impl Dialer {
    /// Connections may go where `judge` lets them with the prefixes in `allow`, TLS believes `roots`, and no more than
    /// `naming` callers wait for a name at one time.
    pub fn new(judge: Judge, allow: Setting<Vec<IpNet>>, roots: &Roots, naming: usize) -> Self {
        Self { judge, allow, resolver: Resolver::new(naming), tls: Tls::new(Arc::clone(&roots.0)).ok() }
    }

    /// The addresses of a name: at least one, and at most as many as an instance may have. None of them is judged yet.
    pub async fn resolve(&self, host: &HostName, port: u16, limit: Limit) -> Result<Vec<SocketAddr>, Failure> {
        // Too many others wait: that says nothing about this name.
        let turn = limit.hold(Phase::Resolve, self.resolver.turn()).await.map_err(|_| Hindrance::ResolverBusy)?;
        limit.hold(Phase::Resolve, self.resolver.resolve(turn, host, port)).await
    }

    /// Connects to `address`, if that is allowed.
    pub async fn connect(&self, address: SocketAddr, limit: Limit) -> Result<TcpStream, Failure> {
        match (self.judge)(address.ip(), &self.allow.get()) {
            Some(refusal) => Err(Fault::Forbidden(refusal).into()),
            None => limit.hold(Phase::Connect, tcp::connect(address)).await,
        }
    }

    /// Shakes hands on `stream` with the server called `name`, which may have a port, as in a `Host` field.
    pub async fn encrypt(
        &self,
        trust: Trust,
        name: &str,
        stream: TcpStream,
        limit: Limit,
    ) -> Result<TlsStream<Metered<TcpStream>>, Failure> {
        let tls = self.tls.as_ref().ok_or(Hindrance::NoTls)?;
        limit.hold(Phase::Tls, tls.connect(trust, name, Metered::new(stream, ENCRYPTED))).await
    }
}

/// A stream on which one question is asked.
pub fn metered<S: AsyncRead + AsyncWrite>(stream: S) -> Metered<S> {
    Metered::new(stream, ANSWER)
}
