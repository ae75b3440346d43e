//! The port to whoever runs the checks: ask for results now, see how the checks are doing.
//!
//! The engine does not check anything itself. [`Checks::new`] makes both ends; the health checks take the one with the
//! requests, and everybody else asks through the other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::CheckMetrics;
use crate::model::{CheckResult, CheckSpec, Key, Span, Tick, Verdict};

/// Requests that may wait to be taken up.
const WAITING: usize = 64;

/// A handle to the checks; cheap to clone.
#[derive(Debug, Clone)]
pub struct Checks {
    requests: mpsc::Sender<CheckRequest>,
    state: Arc<ChecksState>,
}

/// What whoever runs the checks gets.
#[derive(Debug)]
pub struct CheckRequests {
    pub queue: mpsc::Receiver<CheckRequest>,
    pub state: Arc<ChecksState>,
}

/// Someone wants the checks of an instance to run now.
#[derive(Debug)]
pub struct CheckRequest {
    pub key: Key,
    /// Takes one entry for each check of the instance, in its order; those that were taken out meanwhile are not there.
    pub reply: oneshot::Sender<Result<Vec<Checked>, CheckError>>,
}

/// What a run on request came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub check: CheckSpec,
    pub result: CheckResult,
    /// With this result counted.
    pub verdict: Verdict,
}

/// Why there are no results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    #[error("there is no instance {0}")]
    Unknown(Key),
    #[error("too many others wait for checks")]
    Busy,
    #[error("the server is stopping")]
    Stopping,
}

/// How the checks are doing; written by whoever runs them.
#[derive(Debug, Default)]
pub struct ChecksState {
    total: AtomicUsize,
    in_flight: AtomicUsize,
    late_ms: AtomicU64,
    upcoming: Mutex<Vec<Upcoming>>,
    pub metrics: CheckMetrics,
}

/// A check that waits for its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    pub due: Tick,
    pub key: Key,
    /// The word for the kind of the check.
    pub kind: &'static str,
}

impl ChecksState {
    /// How many of the next checks are told.
    pub const UPCOMING: usize = 10;

    /// Publishes the state: what each part means stands at its reader. Of the `upcoming` checks the first are kept.
    pub fn set(&self, total: usize, in_flight: usize, late: Span, upcoming: impl Iterator<Item = Upcoming>) {
        self.total.store(total, Ordering::Relaxed);
        self.in_flight.store(in_flight, Ordering::Relaxed);
        self.late_ms.store(late.as_millis(), Ordering::Relaxed);
        let mut kept = self.upcoming.lock();
        kept.clear();
        kept.extend(upcoming.take(Self::UPCOMING));
    }

    /// Checks of registered instances.
    pub fn total(&self) -> usize {
        self.total.load(Ordering::Relaxed)
    }

    /// Checks that run at this moment.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// The longest that a check of the last seconds has waited after it was due.
    pub fn late(&self) -> Span {
        Span::from_millis(self.late_ms.load(Ordering::Relaxed))
    }

    /// The checks that fall due next, in their order.
    pub fn upcoming(&self) -> Vec<Upcoming> {
        self.upcoming.lock().clone()
    }
}

impl Checks {
    /// Both ends of the port.
    pub fn new() -> (Self, CheckRequests) {
        let (requests, queue) = mpsc::channel(WAITING);
        let state = Arc::<ChecksState>::default();
        (Self { requests, state: Arc::clone(&state) }, CheckRequests { queue, state })
    }

    pub fn state(&self) -> &ChecksState {
        &self.state
    }

    /// Runs every check of an instance now, all at the same time, and waits for the results, which count like any other.
    ///
    /// # Errors
    /// When there is no such instance, too many others wait for the same, or nobody runs checks any more.
    pub async fn run(&self, key: Key) -> Result<Vec<Checked>, CheckError> {
        let (reply, results) = oneshot::channel();
        self.requests.try_send(CheckRequest { key, reply }).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CheckError::Busy,
            mpsc::error::TrySendError::Closed(_) => CheckError::Stopping,
        })?;
        results.await.map_err(|_| CheckError::Stopping)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, ServiceName};

    fn key() -> Key {
        Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse("a").unwrap() }
    }

    #[tokio::test]
    async fn too_many_callers_are_told() {
        let (checks, mut requests) = Checks::new();
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..WAITING {
            let checks = checks.clone();
            callers.spawn(async move { checks.run(key()).await });
        }
        while requests.queue.len() < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(checks.run(key()).await, Err(CheckError::Busy));
        requests.queue.recv().await.unwrap().reply.send(Ok(Vec::new())).unwrap();
        assert_eq!(callers.join_next().await.unwrap().unwrap(), Ok(Vec::new()));
        drop(requests);
        assert_eq!(callers.join_next().await.unwrap().unwrap(), Err(CheckError::Stopping));
        assert_eq!(checks.run(key()).await, Err(CheckError::Stopping));
    }
}
