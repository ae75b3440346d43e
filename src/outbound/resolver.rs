//! How a host name becomes addresses, without ever holding up a check that has none.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::lookup_host;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::{Failure, Fault, Hindrance};
use crate::model::{HostName, limits};

/// Names that are resolved at the same time. The system's resolver cannot be interrupted, so one that hangs keeps its
/// place, and a thread, after the check has timed out.
const LOOKUPS: usize = 64;

/// Turns host names into addresses by the system's resolver, a bounded number at a time.
#[derive(Debug)]
pub struct Resolver {
    lookups: Arc<Semaphore>,
    waiting: Semaphore,
}

/// The right to one look-up.
#[derive(Debug)]
pub struct Turn<'a> {
    lookup: OwnedSemaphorePermit,
    _waiting: SemaphorePermit<'a>,
}

impl Resolver {
    /// At most `waiting` checks may wait for a name; there should be as many slots again for checks that do not.
    pub fn new(waiting: usize) -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS)), waiting: Semaphore::new(waiting) }
    }

    /// A place among the look-ups at one time. Waiting for it is nobody's fault but that of the names before, so it is
    /// no time-out of the target; and when too many wait already, it fails at once.
    pub async fn turn(&self) -> Result<Turn<'_>, Failure> {
        let busy = || Failure::from(Hindrance::ResolverBusy);
        let waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let lookup = Arc::clone(&self.lookups).acquire_owned().await.map_err(|_| busy())?;
        Ok(Turn { lookup, _waiting: waiting })
    }

    /// The addresses of a name: at least one, and at most as many as an instance may have.
    pub async fn resolve(&self, turn: Turn<'_>, host: &HostName, port: u16) -> Result<Vec<SocketAddr>, Failure> {
        let name = host.as_str().to_owned();
        let lookup = turn.lookup;
        // In a task of its own: when the check gives up, the look-up still holds its permit until it ends.
        let found = tokio::spawn(async move {
            let found = lookup_host((name, port)).await;
            drop(lookup);
            found.map(|addresses| addresses.take(*limits::ADDRESSES.end()).collect::<Vec<_>>())
        });
        match found.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(Fault::Unresolved.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_that_hang_hold_up_no_more_than_their_share() {
        let resolver = Resolver::new(LOOKUPS + 2);
        let mut hanging = Vec::new();
        for _ in 0..LOOKUPS {
            hanging.push(resolver.turn().await.unwrap());
        }
        let (one, two) = (resolver.turn(), resolver.turn());
        tokio::pin!(one, two);
        assert!(futures_util::poll!(&mut one).is_pending() && futures_util::poll!(&mut two).is_pending());
        let refused = resolver.turn().await.unwrap_err();
        assert_eq!(refused, Hindrance::ResolverBusy.into());
        hanging.pop();
        one.await.unwrap();
    }
}
