//! What the thread of an engine does, whatever keeps its state.

use super::{Runner, Standstill, Store, StoreError};

/// An engine's task before it runs.
pub trait Work: Send + 'static {
    /// Reads the state from the store and shows it. Every lease begins anew.
    fn load(&mut self) -> impl Future<Output = Result<(), StoreError>>;

    /// Gives all leases their full time again whenever this tells that the process stood still.
    fn heed(&mut self, standstill: Standstill);

    /// Works until every [`super::Engine`] handle is gone or `stop` comes, then writes what is not written yet.
    fn run(self, stop: impl Future<Output = ()>) -> impl Future<Output = ()>;
}

impl<S: Store> Work for Runner<S> {
    async fn load(&mut self) -> Result<(), StoreError> {
        Self::load(self).await
    }

    fn heed(&mut self, standstill: Standstill) {
        Self::heed(self, standstill);
    }

    async fn run(self, stop: impl Future<Output = ()>) {
        Self::run(self, stop).await;
    }
}
