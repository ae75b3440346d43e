//! Asking the engine's task which leases run out next: nobody else knows their order.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Engine;
use crate::model::{Key, Tick};

/// When each lease runs out, and whose it is.
pub type Expiries = Vec<(Tick, Key)>;

/// Leases that are told.
pub const TOLD: usize = 10;
/// Who may wait for an answer; there are no more.
const WAITING: usize = 64;
/// From a question to giving up: the task may be waiting for its store.
const PATIENCE: Duration = Duration::from_millis(250);

pub(super) type Questions = mpsc::Receiver<oneshot::Sender<Expiries>>;
pub(super) type Ask = mpsc::Sender<oneshot::Sender<Expiries>>;

/// Both ends of the queue.
pub(super) fn questions() -> (Ask, Questions) {
    mpsc::channel(WAITING)
}

impl Engine {
    /// The leases that run out next, at most ten, the earliest first; of very many that were all renewed since, the
    /// earliest of the first thousand. `None` when the engine's task has no time for it: it waits for its store, too many
    /// ask, or it has stopped.
    pub async fn next_expiries(&self) -> Option<Expiries> {
        let (reply, answer) = oneshot::channel();
        self.questions.try_send(reply).ok()?;
        timeout(PATIENCE, answer).await.ok()?.ok()
    }
}
