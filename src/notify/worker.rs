//! The task of one subscription: takes in changes at once, and tells them one after the other.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::sleep;

use super::backlog::{Backlog, Message, News, Overflow, Subject};
use super::post::Poster;
use crate::engine::{self, Engine, Progress, Published, Told};
use crate::model::{Instance, InstanceId, Subscription, SubscriptionId};
use crate::outbound::{Backoff, Failure, Fault};
use crate::render;

/// Attempts at one time, of callbacks that took what they were sent last, and of those that did not.
const SLOTS: usize = 128;
/// The pauses after attempts that failed.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What all tasks share.
#[derive(Debug)]
pub struct Shared {
    pub engine: Engine,
    pub poster: Poster,
    pub slots: Slots,
}

/// Room for attempts, handed out in the order in which it is asked for.
#[derive(Debug)]
pub struct Slots {
    working: Semaphore,
    failing: Semaphore,
}

impl Default for Slots {
    fn default() -> Self {
        Self { working: Semaphore::new(SLOTS), failing: Semaphore::new(SLOTS) }
    }
}

/// Tells one callback.
#[derive(Debug)]
pub struct Worker {
    shared: Arc<Shared>,
    subscription: Arc<Subscription>,
    waiting: Waiting,
    backoff: Backoff,
    /// For the log.
    id: SubscriptionId,
}

/// What there is to tell, and what is still to come. It takes changes in whatever else goes on.
#[derive(Debug)]
struct Waiting {
    changes: engine::Subscription,
    backlog: Backlog<Content>,
    progress: Progress,
}

/// What there is to say of an instance.
#[derive(Debug, Clone)]
enum Content {
    /// It was there when the callback was told to start over.
    Present(Arc<Instance>),
    Change(Arc<Published>),
}

impl Worker {
    pub fn new(
        shared: Arc<Shared>,
        id: SubscriptionId,
        subscription: Arc<Subscription>,
        changes: engine::Subscription,
        progress: Progress,
    ) -> Self {
        let waiting = Waiting { changes, backlog: Backlog::default(), progress };
        Self { shared, subscription, waiting, backoff: Backoff::new(FIRST_PAUSE, LONGEST_PAUSE), id }
    }

    /// Tells of every change, until it is dropped.
    pub async fn run(mut self) {
        loop {
            self.waiting.until_something().await;
            let shared = Arc::clone(&self.shared);
            // First, so that what is told is the newest when its turn comes.
            let slot = self.waiting.meanwhile(shared.slots.take(self.backoff.is_failing())).await;
            let Some(message) = self.waiting.backlog.next() else { continue };
            let (subscription, json) = (Arc::clone(&self.subscription), self.spell(&message));
            // Large, and there for moments: a task that waits shall be small.
            let attempt = Box::pin(shared.poster.post(&subscription.callback, json));
            let outcome = self.waiting.meanwhile(attempt).await;
            drop(slot);
            match outcome {
                Ok(()) => self.told(&message),
                Err(failure) => self.failed(&message, &failure).await,
            }
        }
    }

    fn told(&mut self, message: &Message<Content>) {
        if self.backoff.is_failing() {
            tracing::info!(subscription = %self.id, "the callback takes changes again");
        }
        self.backoff.reset();
        self.waiting.backlog.told(message);
        self.waiting.progress.delivered(self.shared.engine.clock().now().wall);
        self.waiting.count();
    }

    /// Waits until the next attempt may be made.
    async fn failed(&mut self, message: &Message<Content>, failure: &Failure) {
        // Once: what fails goes on failing for a while.
        if !self.backoff.is_failing() {
            tracing::warn!(subscription = %self.id, callback = %self.subscription.callback, %failure, "the callback failed");
        }
        if let Failure::Failed(Fault::Status(status)) = failure {
            self.refused(message, *status);
        }
        self.waiting.progress.failed(failure.to_string());
        let pause = self.backoff.next(rand::random());
        self.waiting.meanwhile(sleep(pause)).await;
    }

    /// What a callback does not want to hear shall not keep it from the rest.
    fn refused(&mut self, message: &Message<Content>, status: StatusCode) {
        match message.subject {
            Subject::Instance(..) if status.is_client_error() => self.waiting.backlog.put_off(message),
            // It has no idea what a reset is.
            Subject::Reset(_) if matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY) => {
                self.waiting.backlog.told(message);
            }
            _ => {}
        }
        self.waiting.count();
    }

    fn spell(&self, message: &Message<Content>) -> Bytes {
        let now = self.shared.engine.clock().now();
        let event: Value = match &message.subject {
            Subject::Reset(revision) => render::reset(&self.subscription.service, *revision, now),
            Subject::Instance(_, News { content: Content::Present(instance), .. }) => render::present(instance, now),
            Subject::Instance(_, News { content: Content::Change(change), .. }) => render::change(change, now),
        };
        event.to_string().into()
    }
}

impl Waiting {
    /// Waits until there is something to tell.
    async fn until_something(&mut self) {
        while self.backlog.len() == 0 {
            let told = self.changes.next().await;
            self.take(told);
        }
    }

    /// What `work` comes to. Changes are taken in until then.
    async fn meanwhile<T>(&mut self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => return done,
                told = self.changes.next() => self.take(told),
            }
        }
    }

    fn take(&mut self, told: Told) {
        match told {
            Told::Change(change) => {
                let (revision, is_removed) = (change.revision, change.after.is_none());
                let news = News { revision, is_removed, content: Content::Change(Arc::clone(&change)) };
                if let Err(Overflow) = self.backlog.take(change.key.id.clone(), news) {
                    self.start_over();
                }
            }
            Told::Reset => self.start_over(),
        }
        self.count();
    }

    fn start_over(&mut self) {
        let snapshot = self.changes.snapshot();
        let news = |instance: &Arc<Instance>| -> (InstanceId, News<Content>) {
            let content = Content::Present(Arc::clone(instance));
            (instance.key.id.clone(), News { revision: instance.revision, is_removed: false, content })
        };
        self.backlog.start_over(snapshot.revision(), snapshot.instances().iter().map(news));
    }

    fn count(&self) {
        self.progress.set_pending(self.backlog.len());
    }
}

impl Slots {
    async fn take(&self, is_failing: bool) -> SemaphorePermit<'_> {
        let slots = if is_failing { &self.failing } else { &self.working };
        match slots.acquire().await {
            Ok(slot) => slot,
            // It is never closed.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn callbacks_that_fail_take_no_room_from_those_that_work() {
        let slots = Slots::default();
        let failing: Vec<_> = (0..SLOTS).map(|_| slots.take(true).now_or_never().expect("room")).collect();
        assert!(slots.take(true).now_or_never().is_none());
        assert!(slots.take(false).now_or_never().is_some());
        drop(failing);
        assert!(slots.take(true).now_or_never().is_some());
    }
}
