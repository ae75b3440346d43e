//! The commit that is under way: at most one, and nobody has to wait for it.
//!
//! The store is lent to the commit and comes back with its result. So the engine goes on while a disk is slow, and finds
//! out between two other things that the commit has ended.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use tracing::Span;
use tracing::field::Empty;

use super::{Batch, Loaded, Store, StoreError, describe};
use crate::telemetry::traces;

/// A commit that gives the store back.
type Commit<S> = Pin<Box<dyn Future<Output = (S, Result<(), StoreError>)> + Send>>;

/// What a commit of so many records is for the traces: a part of what is being done.
pub(super) fn commit_span(records: usize) -> Span {
    tracing::info_span!(
        target: traces::TARGET,
        "store commit",
        records = records as i64,
        otel.status_code = Empty,
        otel.status_description = Empty,
    )
}

/// A store, and the commit that it is at.
pub(super) struct Commits<S> {
    /// Away while a commit is under way.
    store: Option<S>,
    under_way: Option<(Instant, Commit<S>)>,
}

impl<S> fmt::Debug for Commits<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Commits").field("since", &self.since()).finish_non_exhaustive()
    }
}

impl<S> Commits<S> {
    pub fn to(store: S) -> Self {
        Self { store: Some(store), under_way: None }
    }

    /// When the commit began that is under way.
    pub fn since(&self) -> Option<Instant> {
        self.under_way.as_ref().map(|(since, _)| *since)
    }
}

impl<S: Store> Commits<S> {
    /// Everything that was committed, in parts. Nothing is under way before it was asked for.
    ///
    /// # Errors
    /// Those of [`Store::load_in_parts`].
    pub async fn load(&mut self, take: impl FnMut(Loaded) + Send) -> Result<(), StoreError> {
        match &mut self.store {
            Some(store) => store.load_in_parts(take).await,
            None => Ok(()),
        }
    }

    /// Begins to commit a batch; to be called when nothing is under way.
    pub fn begin(&mut self, batch: Batch) {
        debug_assert!(self.under_way.is_none(), "calls of a store never overlap");
        if let Some(mut store) = self.store.take() {
            let span = commit_span(batch.writes.len());
            let commit = async move {
                let result = store.commit(batch).await;
                result.as_ref().err().inspect(|error| traces::failed(&span, describe(*error)));
                (store, result)
            };
            self.under_way = Some((Instant::now(), Box::pin(commit)));
        }
    }

    /// Waits until the commit has ended that is under way, for ever when none is, and returns what it took. It goes on
    /// when this is dropped.
    pub async fn ended(&mut self) -> (Duration, Result<(), StoreError>) {
        let Some((since, commit)) = &mut self.under_way else { return std::future::pending().await };
        let (store, result) = commit.await;
        let took = since.elapsed();
        self.store = Some(store);
        self.under_way = None;
        (took, result)
    }

    /// The same, but only until the commit has been under way for so long; `None` when it still is.
    pub async fn ended_within(&mut self, patience: Duration) -> Option<(Duration, Result<(), StoreError>)> {
        let left = patience.saturating_sub(self.since()?.elapsed());
        timeout(left, self.ended()).await.ok()
    }
}
