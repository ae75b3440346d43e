//! The engine's task: takes what has gathered, applies it, makes it durable, publishes it, answers.
//!
//! While a batch is being committed the next one gathers, so the number of commits follows the speed of the store and
//! not the number of clients (group commit).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::watch::Hub;
use super::{Batch, Clock, Engine, Index, Request, Store, StoreError, Write, WriteError};
use crate::answer::{Live, ServiceView};
use crate::model::{Key, Moment, Revision, ServiceName};
use crate::registry::{Command, Done, Event, Refusal, Registry, Rules};

/// Commands taken at once.
const BATCH: usize = 4096;
/// Revisions reserved ahead in the store; as many at most are skipped by a crash.
const BLOCK: u64 = 8192;
/// From a change that srvd noticed to its writing, when no client's write takes it along sooner.
const SOON: Duration = Duration::from_millis(200);
/// From a failed writing to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// The owner of the registry and its store.
#[derive(Debug)]
pub struct Runner<S> {
    registry: Registry,
    store: S,
    rules: Rules,
    index: Arc<Index>,
    clock: Clock,
    hub: Arc<Hub>,
    writes: mpsc::Receiver<Request>,
    notes: mpsc::Receiver<Request>,
    /// The store knows that revisions up to here are in use.
    reserved: Revision,
    /// Keys whose newest state the store does not have yet.
    unsaved: BTreeSet<Key>,
    save_at: Option<Instant>,
}

impl<S: Store> Runner<S> {
    pub(super) fn new(
        engine: &Engine,
        store: S,
        rules: Rules,
        writes: mpsc::Receiver<Request>,
        notes: mpsc::Receiver<Request>,
    ) -> Self {
        Self {
            registry: Registry::new(rules.clone(), Revision::ZERO),
            store,
            rules,
            index: Arc::clone(&engine.index),
            clock: engine.clock.clone(),
            hub: Arc::clone(&engine.hub),
            writes,
            notes,
            reserved: Revision::ZERO,
            unsaved: BTreeSet::new(),
            save_at: None,
        }
    }

    /// Reads the state from the store and publishes it. Every lease begins anew.
    pub async fn load(&mut self) -> Result<(), StoreError> {
        let loaded = self.store.load().await?;
        let now = self.clock.now();
        self.registry = Registry::new(self.rules.clone(), loaded.revision);
        for stored in loaded.instances {
            self.registry.restore(stored, now);
        }
        self.reserved = self.registry.revision();
        self.hub.begin(self.reserved);
        let names: BTreeSet<ServiceName> = self.registry.services().cloned().collect();
        self.publish(&names);
        self.index.set_loaded();
        Ok(())
    }

    /// Works until every [`Engine`] handle is gone or `stop` comes, then writes what is not written yet.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let (mut notes, mut writes) = (Vec::new(), Vec::new());
            let deadline = self.registry.next_deadline().map(|due| self.clock.instant(due));
            // In no fixed order: neither a flood of notes nor one of writes keeps the rest waiting.
            tokio::select! {
                () = &mut stop => break,
                () = at(deadline) => self.expire().await,
                taken = self.notes.recv_many(&mut notes, BATCH) => match taken {
                    0 => break,
                    _ => self.note(notes).await,
                },
                taken = self.writes.recv_many(&mut writes, BATCH) => match taken {
                    0 => break,
                    _ => self.write(writes).await,
                },
                () = at(self.save_at) => self.save().await,
            }
        }
        self.finish().await;
    }

    async fn expire(&mut self) {
        let mut events = Vec::new();
        self.registry.expire(self.clock.now(), &mut events);
        self.noticed(events).await;
    }

    async fn note(&mut self, requests: Vec<Request>) {
        let mut events = Vec::new();
        let replies = self.apply(requests, self.clock.now(), &mut events);
        self.noticed(events).await;
        for (reply, result) in replies {
            reply.send(result.map_err(WriteError::from)).ok();
        }
    }

    /// Publishes what srvd noticed by itself, and sees to it that it is written soon.
    async fn noticed(&mut self, events: Vec<Event>) {
        // The revision can move by itself.
        if events.is_empty() && self.registry.revision() == self.index.revision() {
            return;
        }
        self.unsaved.extend(events.iter().map(|event| event.key.clone()));
        if self.registry.revision() > self.reserved {
            // These revisions must not be given out again after a crash, so the reservation comes first. If the store
            // fails, answers that are right now matter more than the serial after a crash.
            self.save().await;
        }
        self.publish_events(events);
        if !self.unsaved.is_empty() && self.save_at.is_none() {
            self.save_at = Some(Instant::now() + SOON);
        }
    }

    async fn write(&mut self, requests: Vec<Request>) {
        let now = self.clock.now();
        let mut events = Vec::new();
        let replies = self.apply(requests, now, &mut events);
        let touched: BTreeSet<Key> = events.iter().map(|event| event.key.clone()).collect();
        let committed = if events.is_empty() { Ok(()) } else { self.commit(&touched).await };
        let failure = match committed {
            Ok(()) => {
                self.publish_events(events);
                None
            }
            Err(error) => {
                let detail = super::describe(&error);
                tracing::error!(error = detail, writes = touched.len(), "writes refused: the store does not take them");
                self.registry.undo(&events, now);
                // It may have reached the disk all the same; what is true now is written again.
                self.unsaved.extend(touched);
                self.save_at.get_or_insert(Instant::now() + RETRY);
                Some(Arc::<str>::from(detail))
            }
        };
        for (reply, result) in replies {
            let result = match (&failure, result) {
                (Some(detail), Ok(_)) => Err(WriteError::NotDurable(Arc::clone(detail))),
                (_, result) => result.map_err(WriteError::from),
            };
            reply.send(result).ok();
        }
    }

    fn apply(&mut self, requests: Vec<Request>, now: Moment, events: &mut Vec<Event>) -> Replies {
        let mut replies = Vec::with_capacity(requests.len());
        for Request { command, reply } in requests {
            let is_verdict = matches!(command, Command::Observe(_));
            let result = self.registry.apply(command, now, events);
            if let (true, Err(refusal)) = (is_verdict, &result) {
                tracing::debug!(%refusal, "verdict comes too late");
            }
            if let Some(reply) = reply {
                replies.push((reply, result));
            }
        }
        replies
    }

    /// Writes the present state of `touched` and of everything that is not written yet.
    async fn commit(&mut self, touched: &BTreeSet<Key>) -> Result<(), StoreError> {
        let revision = self.registry.revision().0;
        let reserve = (revision + BLOCK / 2 > self.reserved.0).then_some(Revision(revision + BLOCK));
        self.commit_with(touched, reserve).await
    }

    async fn commit_with(&mut self, touched: &BTreeSet<Key>, reserve: Option<Revision>) -> Result<(), StoreError> {
        let keys: BTreeSet<&Key> = touched.iter().chain(&self.unsaved).collect();
        let state = |key: &&Key| match self.registry.instance(key) {
            Some(instance) => Write::Put(Arc::clone(instance)),
            None => Write::Remove((*key).clone()),
        };
        let batch = Batch { writes: keys.iter().map(state).collect(), reserve };
        self.store.commit(batch).await?;
        self.reserved = reserve.unwrap_or(self.reserved);
        self.unsaved.clear();
        self.save_at = None;
        Ok(())
    }

    async fn save(&mut self) {
        self.save_at = None;
        if let Err(error) = self.commit(&BTreeSet::new()).await {
            let waiting = self.unsaved.len();
            tracing::error!(error = super::describe(&error), waiting, "status changes are not written yet");
            self.save_at = Some(Instant::now() + RETRY);
        }
    }

    fn publish_events(&self, events: Vec<Event>) {
        let names = events.iter().map(|event| event.key.service.clone()).collect();
        self.publish(&names);
        events.iter().for_each(log);
        self.hub.publish(events, self.clock.now().wall);
    }

    fn publish(&self, names: &BTreeSet<ServiceName>) {
        for name in names {
            let service = self.registry.service(name);
            let view =
                service.map(|(revision, instances)| ServiceView::new(name.clone(), revision, instances.cloned()));
            self.index.publish(name, view);
        }
        self.index.set_revision(self.registry.revision());
    }

    /// Answers what still waits, and gives back the revisions that were reserved and not used.
    async fn finish(mut self) {
        self.writes.close();
        self.notes.close();
        for request in std::iter::from_fn(|| self.writes.try_recv().ok().or_else(|| self.notes.try_recv().ok())) {
            request.reply.and_then(|reply| reply.send(Err(WriteError::Stopping)).ok());
        }
        let used = Some(self.registry.revision());
        if let Err(error) = self.commit_with(&BTreeSet::new(), used).await {
            let unsaved = self.unsaved.len();
            tracing::error!(error = super::describe(&error), unsaved, "the last status changes are lost");
        }
    }
}

type Replies = Vec<(tokio::sync::oneshot::Sender<Result<Done, WriteError>>, Result<Done, Refusal>)>;

/// Waits for an instant, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

fn log(event: &Event) {
    let status = event.after.as_ref().map_or("gone", |after| after.status().as_str());
    tracing::debug!(instance = %event.key, change = ?event.change, status, revision = event.revision.0, "changed");
}
