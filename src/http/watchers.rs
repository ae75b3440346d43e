//! How many watch or wait at one time.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;

/// The places of those who watch or wait; cheap to clone.
#[derive(Debug, Clone)]
pub struct Watchers {
    free: Arc<Semaphore>,
    places: usize,
}

impl Watchers {
    /// Room for three of four connections, so that however many watch, heartbeats still come in.
    pub fn among(connections: usize) -> Self {
        let places = connections / 4 * 3;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_given_back() {
        let watchers = Watchers::among(8);
        let held: Vec<_> = (0..6).map(|_| watchers.enter().unwrap()).collect();
        assert_eq!((watchers.count(), watchers.enter().is_err()), (6, true));
        drop(held);
        assert_eq!((watchers.count(), watchers.enter().is_ok()), (0, true));
    }
}
