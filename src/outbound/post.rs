//! One POST to a URL, on a connection of its own.

use std::net::SocketAddr;

use bytes::Bytes;
use hyper::{HeaderMap, StatusCode};
use tokio::net::TcpStream;

use super::{Dialer, Failure, Fault, Limit, http, metered};
use crate::model::{Callback, Host, Trust};

impl Dialer {
    /// Posts a body, which `headers` tell the type of, and gives the status of the answer. Nothing is followed. Dropping
    /// it closes the connection.
    ///
    /// # Errors
    /// When there was no answer, or `url` may not be connected to.
    pub async fn post(
        &self,
        url: &Callback,
        headers: HeaderMap,
        body: Bytes,
        limit: Limit,
    ) -> Result<StatusCode, Failure> {
        let stream = self.connect_to(url, limit).await?;
        let (authority, target) = (url.authority(), url.target());
        if url.is_encrypted() {
            let mut stream = metered(self.encrypt(Trust::Verified, authority, stream, limit).await?);
            let posted = http::post(&mut stream, authority, &target, (headers, body), limit).await;
            posted.map_err(|failure| stream.explain(failure))
        } else {
            let mut stream = metered(stream);
            let posted = http::post(&mut stream, authority, &target, (headers, body), limit).await;
            posted.map_err(|failure| stream.explain(failure))
        }
    }

    /// Connects to the first address that can be, each getting an equal part of the time that is left.
    async fn connect_to(&self, url: &Callback, limit: Limit) -> Result<TcpStream, Failure> {
        let name = match url.host() {
            Host::Address(ip) => return self.connect(SocketAddr::new(*ip, url.port()), limit).await,
            Host::Name(name) => name,
        };
        let addresses = self.resolve(name, url.port(), limit).await?;
        let mut failure = Fault::Unresolved.into();
        for (at, address) in addresses.iter().enumerate() {
            match self.connect(*address, limit.part_of(addresses.len() - at)).await {
                Ok(stream) => return Ok(stream),
                Err(other) => failure = other,
            }
        }
        Err(failure)
    }
}
