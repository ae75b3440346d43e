//! Bringing the registry to its store: what a batch holds, how many revisions are reserved, and the last batch of all.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::{PATIENCE, Runner};
use crate::engine::writers::Underway;
use crate::engine::{Batch, Store, Write, describe};
use crate::model::Revision;
use crate::registry::RecordName;

/// Revisions reserved ahead in the store; as many at most are skipped by a crash.
const BLOCK: u64 = 8192;
/// Records that are written along with others, or together when nothing else is written: more of them keep a client
/// waiting that has nothing to do with them.
const ALONG: usize = 4096;
/// So long the end of the process waits for what is not written.
const LAST: Duration = Duration::from_secs(5);

impl<S: Store> Runner<S> {
    /// Begins to write the present state of `touched` and of of what is not written yet.
    pub(super) fn begin(&mut self, touched: BTreeSet<RecordName>) {
        let revision = self.registry.revision().0;
        let reserve = (revision + BLOCK / 2 > self.reserved.0).then_some(Revision(revision + BLOCK));
        self.begin_with(touched, reserve);
    }

    /// Begins to write `names`, and of what is not written yet the first part.
    fn begin_with(&mut self, mut names: BTreeSet<RecordName>, reserve: Option<Revision>) {
        let rest = self.unsaved.iter().nth(ALONG).cloned();
        let rest = rest.map_or_else(BTreeSet::new, |first| self.unsaved.split_off(&first));
        names.append(&mut std::mem::replace(&mut self.unsaved, rest));
        let state = |name: &RecordName| match self.registry.record(name) {
            Some(record) => Write::Put(record),
            None => Write::Remove(name.clone()),
        };
        let batch = Batch { writes: names.iter().map(state).collect(), reserve };
        self.underway = Underway { names, reserve, ..Underway::default() };
        self.save_at = (!self.unsaved.is_empty()).then(Instant::now);
        self.commits.begin(batch);
    }

    /// Takes in that the commit under way has succeeded, and returns what is durable by it.
    pub(super) fn committed(&mut self, took: Duration) -> BTreeSet<RecordName> {
        self.metrics.commits.observe(took);
        let Underway { names, reserve, .. } = std::mem::take(&mut self.underway);
        self.reserved = reserve.unwrap_or(self.reserved);
        names
    }

    /// Begins to write what is not written yet.
    pub(super) fn save(&mut self) {
        self.begin(BTreeSet::new());
    }

    /// Sees to it that revisions which were given out are not given out again after a crash, before anybody sees them.
    /// If the store fails or is slow, answers that are right now matter more than the serial after a crash.
    pub(super) async fn reserve(&mut self) {
        // At most what is under way, and then the reservation.
        for _ in 0..2 {
            if self.registry.revision() <= self.reserved || self.underway.writers.is_some() {
                return;
            }
            if self.commits.since().is_none() {
                self.save();
            }
            let Some((took, result)) = self.commits.ended_within(PATIENCE).await else { return };
            self.ended(took, result).await;
            if self.save_at.is_some() {
                return;
            }
        }
    }

    /// Lets what still waits know, and gives back the revisions that were reserved and not used.
    pub(super) async fn finish(mut self) {
        self.writes.close();
        self.notes.close();
        std::iter::from_fn(|| self.writes.try_recv().ok().or_else(|| self.notes.try_recv().ok())).for_each(drop);
        if self.commits.since().is_some() && self.last_chance().await.is_err() {
            return;
        }
        loop {
            let before = self.unsaved.len();
            self.begin_with(BTreeSet::new(), Some(self.registry.revision()));
            // What failed is there again.
            if self.last_chance().await.is_err() || self.unsaved.is_empty() || self.unsaved.len() >= before {
                return;
            }
        }
    }

    /// Waits once more for what is under way.
    async fn last_chance(&mut self) -> Result<(), ()> {
        while let Some(since) = self.commits.since() {
            let waiting = self.underway.names.len();
            let Some((took, result)) = self.commits.ended_within(since.elapsed() + LAST).await else {
                tracing::error!(waiting, "the last status changes are lost: the store does not answer");
                return Err(());
            };
            if let Err(error) = &result {
                tracing::error!(error = describe(error), waiting, "the last status changes are lost");
            }
            self.ended(took, result).await;
        }
        Ok(())
    }
}
