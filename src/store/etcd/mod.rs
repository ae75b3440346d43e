//! The store in etcd, which any number of servers share: version 3.4 of etcd and later.
//!
//! ```text
//!  engine ──transactions──► writer ──► link (one member at a time) ◄── session ──news──► engine
//!                                                                        └── alive (the lease of this server)
//! ```
//!
//! What is in etcd, [`layout`] says. A server has one lease in etcd, that of its announcement; the leases of instances are
//! the servers' own affair, so that heartbeats cost etcd nothing. A transaction is at most 128 operations and 1.5 MiB,
//! which are etcd's own bounds.

mod alive;
#[cfg(test)]
mod alone;
mod backoff;
pub mod layout;
mod link;
mod messages;
mod session;
mod writer;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};

use crate::cluster::ServerId;
use crate::engine::shared::{Duty, News, SharedStore};
use layout::Layout;
use link::Credentials;
use session::Session;
use writer::EtcdWriter;

#[cfg(test)]
pub use alone::Alone;

/// News that may wait for the engine; beyond that, they wait in etcd.
const WAITING: usize = 256;

/// What the configuration says of etcd.
#[derive(Clone)]
pub struct Settings {
    /// URLs of the members; at least one.
    pub endpoints: Vec<String>,
    pub prefix: String,
    /// Empty: nobody in particular.
    pub user: String,
    pub password: String,
    /// The longest that one request may take.
    pub timeout: Duration,
    /// PEM text of the certificates that members lead back to; those of the system when `None`.
    pub roots: Option<Vec<u8>>,
    /// PEM texts of the certificate that is shown to members, and of its key.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
}

/// A registry in etcd.
pub struct Etcd {
    settings: Settings,
    id: ServerId,
    runtime: Handle,
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd").field("endpoints", &self.settings.endpoints).finish_non_exhaustive()
    }
}

impl Etcd {
    /// The registry that `settings` name, for a server of this id. What goes on in the background does so on `runtime`.
    pub fn new(settings: Settings, id: ServerId, runtime: Handle) -> Self {
        Self { settings, id, runtime }
    }
}

impl SharedStore for Etcd {
    type Writer = EtcdWriter;

    fn id(&self) -> ServerId {
        self.id
    }

    fn open(self, duty: Duty) -> (EtcdWriter, mpsc::Receiver<News>) {
        let Settings { endpoints, prefix, user, password, timeout, roots, identity } = self.settings;
        let (news, hear) = mpsc::channel(WAITING);
        let (announced, seen) = watch::channel(None);
        let layout = Arc::new(Layout::under(&prefix));
        let credentials = Arc::new(Credentials { user, password, tls: link::tls(roots, identity) });
        let first = rand::random_range(0..endpoints.len().max(1));
        let session = Session {
            id: self.id,
            layout: Arc::clone(&layout),
            endpoints,
            credentials,
            timeout,
            news,
            announced,
            heard: alive::Heard::by(duty),
            lease: None,
            come_to: None,
        };
        self.runtime.spawn(session.run(first));
        (EtcdWriter { layout, id: self.id, announced: seen }, hear)
    }
}
