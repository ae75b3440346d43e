//! How many watch or wait at one time.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use super::serve;

/// The places of those who watch or wait; cheap to clone. There are fewer than connections, so that however many watch,
/// heartbeats still come in.
#[derive(Debug, Clone)]
pub struct Watchers {
    free: Arc<Semaphore>,
    places: usize,
}

impl Default for Watchers {
    fn default() -> Self {
        Self::up_to(serve::connections() / 4 * 3)
    }
}

impl Watchers {
    /// Room for so many.
    pub fn up_to(places: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(places)), places }
    }

    /// Takes a place, which is free again when it is dropped.
    ///
    /// # Errors
    /// When there is none.
    pub fn enter(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let detail = || format!("{} clients watch or wait already", self.places);
        let place = Arc::clone(&self.free).try_acquire_owned();
        place.map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail()))
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.places - self.free.available_permits()
    }
}
