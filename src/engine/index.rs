//! What readers see: the view of every service, each replaced by one swap.
//!
//! Only the engine publishes. Readers take no lock, and hold the view that they found for as long as they like; they
//! never see half of a change, because a view is of one revision of its service.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use crate::answer::{Live, ServiceView};
use crate::model::{Instance, Key, Protocol, Revision, ServiceName};

/// The published views.
#[derive(Debug, Default)]
pub struct Index {
    services: papaya::HashMap<ServiceName, Arc<ServiceView>, foldhash::fast::RandomState>,
    /// How many services have instances of each protocol: the names `_tcp` and `_udp` exist below the apex as long.
    protocols: [AtomicUsize; 2],
    revision: AtomicU64,
    loaded: AtomicBool,
}

impl Index {
    /// Whether the state has been read from the store; before, nothing here means anything.
    pub fn is_loaded(&self) -> bool {
        self.loaded.load(Ordering::Acquire)
    }

    pub fn instance(&self, key: &Key) -> Option<Arc<Instance>> {
        self.service(key.service.as_str())?.instance(key.id.as_str()).cloned()
    }

    /// All views, in the order of their names.
    pub fn views(&self) -> Vec<Arc<ServiceView>> {
        let mut views: Vec<_> = self.services.pin().values().cloned().collect();
        views.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        views
    }

    pub(super) fn publish(&self, name: &ServiceName, view: Option<ServiceView>) {
        let services = self.services.pin();
        let new = view.map(Arc::new);
        let has = |view: Option<&Arc<ServiceView>>, protocol| view.is_some_and(|view| view.has_protocol(protocol));
        // Names come into being before the view that needs them, and go after it.
        let gained = [Protocol::Tcp, Protocol::Udp].map(|protocol| has(new.as_ref(), protocol));
        self.count(gained, |counter| counter.fetch_add(1, Ordering::AcqRel));
        let old = match new {
            Some(view) => services.insert(name.clone(), view).cloned(),
            None => services.remove(name).cloned(),
        };
        let lost = [Protocol::Tcp, Protocol::Udp].map(|protocol| has(old.as_ref(), protocol));
        self.count(lost, |counter| counter.fetch_sub(1, Ordering::AcqRel));
    }

    fn count(&self, which: [bool; 2], change: impl Fn(&AtomicUsize) -> usize) {
        for (counter, applies) in self.protocols.iter().zip(which) {
            if applies {
                change(counter);
            }
        }
    }

    pub(super) fn set_revision(&self, revision: Revision) {
        self.revision.store(revision.0, Ordering::Release);
    }

    pub(super) fn set_loaded(&self) {
        self.loaded.store(true, Ordering::Release);
    }
}

impl Live for Index {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.services.pin().get(name).cloned()
    }

    fn has_protocol(&self, protocol: Protocol) -> bool {
        let at = match protocol {
            Protocol::Tcp => 0,
            Protocol::Udp => 1,
        };
        self.protocols[at].load(Ordering::Acquire) > 0
    }

    fn revision(&self) -> Revision {
        Revision(self.revision.load(Ordering::Acquire))
    }
}
