//! How a host name becomes addresses, without ever holding up a check that has none.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::lookup_host;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Fault, Hindrance, Outcome};
use crate::model::{HostName, limits};

/// Names that are resolved at the same time. The system's resolver cannot be interrupted, so one that hangs keeps its
/// place after the check has timed out.
const LOOKUPS: usize = 64;

/// Turns host names into addresses by the system's resolver, a bounded number at a time.
#[derive(Debug)]
pub struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolver {
    /// A place among the look-ups at one time. Waiting for it is nobody's fault but that of the names before.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit, Outcome> {
        Arc::clone(&self.0).acquire_owned().await.map_err(|_| Hindrance::ResolverBusy.into())
    }

    /// The addresses of a name: at least one, and at most as many as an instance may have.
    pub async fn resolve(
        &self,
        permit: OwnedSemaphorePermit,
        host: &HostName,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Outcome> {
        let unresolved = || Outcome::from(Fault::Unresolved);
        let name = host.as_str().to_owned();
        // In a task of its own: when the check gives up, the look-up still holds its permit until it ends.
        let lookup = tokio::spawn(async move {
            let found = lookup_host((name, port)).await;
            drop(permit);
            found.map(|addresses| addresses.take(*limits::ADDRESSES.end()).collect::<Vec<_>>())
        });
        match lookup.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(unresolved()),
        }
    }
}
