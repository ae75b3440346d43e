//! A store that forgets everything when the process ends.

use crate::engine::{Batch, Loaded, Store, StoreError};

/// Keeps nothing.
#[derive(Debug, Default)]
pub struct Memory;

impl Store for Memory {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}
