//! All instances at one moment, for readers that start over.
//!
//! They come in the order of their last changes, and each stands for its last change. So who was told of the first few
//! is where it would be if it had read the log that far, and can go on from there: a snapshot is the log without what
//! was overwritten later.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::answer::{Live, ServiceView};
use crate::engine::Index;
use crate::model::{Instance, Revision, ServiceName};

/// The instances of one service, or all, in the order of their revisions.
#[derive(Debug)]
pub struct Snapshot {
    revision: Revision,
    /// The place in the log after which changes are told again.
    place: u64,
    instances: Box<[Arc<Instance>]>,
    /// Services that changed after `revision` and are shown as they were then.
    ahead: Arc<HashMap<ServiceName, Revision>>,
}

impl Snapshot {
    /// What the index has; all changes up to `revision` must be in it.
    pub(super) fn new(revision: Revision, place: u64, index: &Index, service: Option<&ServiceName>) -> Self {
        let views: Vec<Arc<ServiceView>> = match service {
            Some(name) => index.service(name.as_str()).into_iter().collect(),
            None => index.views(),
        };
        let later = views.iter().filter(|view| view.revision() > revision);
        let ahead = Arc::new(later.map(|view| (view.name().clone(), view.revision())).collect());
        let mut instances: Box<[Arc<Instance>]> =
            views.iter().flat_map(|view| view.instances()).map(Arc::clone).collect();
        instances.sort_unstable_by_key(|instance| instance.revision);
        Self { revision, place, instances, ahead }
    }

    /// The revision after which changes are told again.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn place(&self) -> u64 {
        self.place
    }

    pub fn instances(&self) -> &[Arc<Instance>] {
        &self.instances
    }

    /// The revision that a reader has come to who was told of the first `count` instances: one that goes on after it
    /// misses nothing.
    pub fn reached(&self, count: usize) -> Revision {
        let next = match self.instances.get(count) {
            // Those of its revision that were told already are told once more.
            Some(next) => Revision(next.revision.0.saturating_sub(1)),
            None => self.revision,
        };
        let last = count.checked_sub(1).and_then(|last| self.instances.get(last)).map(|last| last.revision);
        last.map_or(next, |last| last.min(next)).min(self.revision)
    }

    pub(super) fn ahead(&self) -> &Arc<HashMap<ServiceName, Revision>> {
        &self.ahead
    }
}

/// The snapshot that readers who start over at about the same time share.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<Weak<Snapshot>>);

impl Shared {
    /// The one that others are reading, if every change after it is still known: `begins_after` says since when. So
    /// there is at most one for each time that the whole log was replaced while somebody read.
    pub fn get_or_make(&self, begins_after: u64, make: impl FnOnce() -> Snapshot) -> Arc<Snapshot> {
        let mut shared = self.0.lock();
        if let Some(snapshot) = shared.upgrade().filter(|snapshot| snapshot.place >= begins_after) {
            return snapshot;
        }
        let snapshot = Arc::new(make());
        *shared = Arc::downgrade(&snapshot);
        snapshot
    }
}
