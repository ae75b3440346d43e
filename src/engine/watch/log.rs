//! Changes that were published, and how far back they are kept.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use jiff::Timestamp;

use super::Window;
use crate::model::{CheckKind, Instance, Key, Revision, Status};
use crate::registry::{Change, Event};

/// A change that readers can see. All who are told of it share this one.
#[derive(Debug)]
pub struct Published {
    pub revision: Revision,
    /// Whether another change follows in the same revision, as a store that many share may have it.
    continues: bool,
    /// Its place among all changes; see [`Log`].
    order: u64,
    pub key: Key,
    pub change: Change,
    /// The status before the change, if the instance was there.
    pub previous: Option<Status>,
    pub at: Timestamp,
    /// The instance after the change, if it is still there.
    pub after: Option<Arc<Instance>>,
    /// Octets that it may take in memory.
    octets: usize,
    text: OnceLock<Bytes>,
}

/// Octets of a change with its instance, without what the client may make longer: some structures and twice some numbers
/// and times in JSON.
const BARE: usize = 1024;

impl Published {
    pub(super) fn new(event: Event, order: u64, continues: bool, now: Timestamp) -> Self {
        let Event { revision, key, change, before, after } = event;
        let octets = BARE + after.as_deref().map_or(0, texts);
        let at = after.as_ref().map_or(now, |after| after.changed_at.timestamp());
        let previous = before.map(|before| before.status());
        Self { revision, continues, order, key, change, previous, at, after, octets, text: OnceLock::new() }
    }

    /// The revision to come back with for whoever was told everything up to this change, and no more.
    pub fn resume_after(&self) -> Revision {
        Revision(self.revision.0 - u64::from(self.continues))
    }

    /// The change as it is sent: made by the first who asks, and shared by the others.
    pub fn text(&self, spell: impl FnOnce(&Self) -> Bytes) -> Bytes {
        self.text.get_or_init(|| spell(self)).clone()
    }
}

/// About the octets of what a client may make long: once in the registration, and once and a bit as JSON.
fn texts(instance: &Instance) -> usize {
    let registration = &instance.registration;
    let tags: usize = registration.tags().iter().map(|tag| tag.as_str().len() + 24).sum();
    let metadata: usize = registration.metadata().texts().map(|(key, value)| key.len() + value.len() + 64).sum();
    let checks: usize = registration.checks().iter().map(|check| 256 + asked(&check.kind)).sum();
    3 * (tags + metadata + checks)
}

fn asked(kind: &CheckKind) -> usize {
    match kind {
        CheckKind::Http { path, headers, .. } => {
            path.len() + headers.iter().map(|(name, value)| name.len() + value.len() + 48).sum::<usize>()
        }
        _ => 0,
    }
}

/// Changes in the order in which they were published, without a gap after the revision that [`Log::begins_after`] names.
/// Several may be of one revision, so each has a place of its own: the count of all changes up to it.
#[derive(Debug)]
pub(super) struct Log {
    changes: VecDeque<Arc<Published>>,
    begins_after: Revision,
    /// The place of the last change that is not here any more.
    forgotten: u64,
    octets: usize,
}

/// Before every place.
pub(super) const LONG_AGO: u64 = 0;

impl Log {
    /// A log that will hold every change after `revision`, and after the place `order`.
    pub fn after(revision: Revision, order: u64) -> Self {
        Self { changes: VecDeque::new(), begins_after: revision, forgotten: order, octets: 0 }
    }

    pub fn push(&mut self, change: Arc<Published>) {
        self.octets += change.octets;
        self.changes.push_back(change);
    }

    /// Forgets the oldest change.
    pub fn pop(&mut self) -> Option<Arc<Published>> {
        let oldest = self.changes.pop_front()?;
        self.octets -= oldest.octets;
        (self.begins_after, self.forgotten) = (oldest.revision, oldest.order);
        Some(oldest)
    }

    /// The oldest changes, at most so many.
    pub fn oldest(&self, at_most: usize) -> impl Iterator<Item = &Arc<Published>> {
        self.changes.iter().take(at_most)
    }

    pub fn is_larger_than(&self, window: Window) -> bool {
        self.changes.len() > window.changes || self.octets > window.octets
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// The revision after which no change is missing.
    pub fn begins_after(&self) -> Revision {
        self.begins_after
    }

    /// The place after which no change is missing.
    pub fn begins_after_place(&self) -> u64 {
        self.forgotten
    }

    /// The revision of the newest change, or the one that the log begins after.
    pub fn latest(&self) -> Revision {
        self.changes.back().map_or(self.begins_after, |change| change.revision)
    }

    /// The changes from the newest to the oldest.
    pub fn newest_first(&self) -> impl Iterator<Item = &Arc<Published>> {
        self.changes.iter().rev()
    }

    /// The place of the newest change, or the one that the log begins after.
    pub fn latest_place(&self) -> u64 {
        self.changes.back().map_or(self.forgotten, |change| change.order)
    }

    /// The place of the last change of `revision` or before; [`LONG_AGO`] when a later one may have been forgotten.
    pub fn place_of(&self, revision: Revision) -> u64 {
        if revision < self.begins_after {
            return LONG_AGO;
        }
        let count = self.changes.partition_point(|change| change.revision <= revision);
        count.checked_sub(1).and_then(|last| self.changes.get(last)).map_or(self.forgotten, |change| change.order)
    }

    /// The first change after the place `cursor`.
    ///
    /// # Errors
    /// When it may have been forgotten.
    pub fn next_after(&self, cursor: u64) -> Result<Option<&Arc<Published>>, Forgotten> {
        if cursor < self.forgotten {
            return Err(Forgotten);
        }
        Ok(self.changes.get(self.changes.partition_point(|change| change.order <= cursor)))
    }
}

impl Published {
    /// Its place among all changes.
    pub(super) fn order(&self) -> u64 {
        self.order
    }
}

/// What comes after a place is not known any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forgotten;
