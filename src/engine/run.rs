//! The engine's task: takes what has gathered, applies it, makes it durable, publishes it, answers.
//!
//! While a batch is being committed the next one gathers, so the number of commits follows the speed of the store and
//! not the number of clients (group commit).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::caches::Caches;
use super::expiries::{Questions, TOLD};
use super::publish::Publisher;
use super::{Batch, Clock, Engine, Metrics, Request, Results, Standstill, Store, StoreError, Write, WriteError};
use crate::model::{LoadRules, Moment, Revision, Tick};
use crate::registry::{Changes, Command, Done, RecordName, Registry, Rules};

/// Commands taken at once; those that came together stay together.
const BATCH: usize = 4096;
/// Revisions reserved ahead in the store; as many at most are skipped by a crash.
const BLOCK: u64 = 8192;
/// From a change that srvd noticed to its writing, when no client's write takes it along sooner.
const SOON: Duration = Duration::from_millis(200);
/// Records that are written along with others, or together when nothing else is written: more of them keep a client
/// waiting that has nothing to do with them.
const ALONG: usize = 4096;
/// From a failed writing to the next attempt.
const RETRY: Duration = Duration::from_secs(1);

/// The owner of the registry and its store.
#[derive(Debug)]
pub struct Runner<S> {
    registry: Registry,
    store: S,
    rules: Rules,
    publisher: Publisher,
    caches: Arc<Caches>,
    load_rules: Arc<RwLock<LoadRules>>,
    clock: Clock,
    metrics: Arc<Metrics>,
    standstill: Option<Standstill>,
    writes: mpsc::Receiver<Request>,
    notes: mpsc::Receiver<Request>,
    questions: Questions,
    /// The store knows that revisions up to here are in use.
    reserved: Revision,
    /// Records whose newest state the store does not have yet.
    unsaved: BTreeSet<RecordName>,
    save_at: Option<Instant>,
}

impl<S: Store> Runner<S> {
    pub(super) fn new(
        engine: &Engine,
        store: S,
        rules: Rules,
        writes: mpsc::Receiver<Request>,
        notes: mpsc::Receiver<Request>,
        questions: Questions,
    ) -> Self {
        Self {
            registry: Registry::new(rules.clone(), Revision::ZERO),
            store,
            rules,
            publisher: Publisher::new(engine),
            caches: Arc::clone(&engine.caches),
            load_rules: Arc::clone(&engine.load_rules),
            clock: engine.clock.clone(),
            metrics: Arc::clone(&engine.metrics),
            standstill: None,
            writes,
            notes,
            questions,
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
        for record in loaded.records {
            self.registry.restore_record(record);
        }
        for stored in loaded.instances {
            self.registry.restore(stored, now);
        }
        self.reserved = self.registry.revision();
        self.publisher.begin(&self.registry, loaded.revision);
        Ok(())
    }

    /// Gives all leases their full time again whenever this tells that the process stood still.
    pub fn heed(&mut self, standstill: Standstill) {
        self.standstill = Some(standstill);
    }

    /// Works until every [`Engine`] handle is gone or `stop` comes, then writes what is not written yet.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        loop {
            let deadline = self.registry.next_deadline().map(|due| self.clock.instant(due));
            // In no fixed order: neither a flood of notes nor one of writes keeps the rest waiting.
            tokio::select! {
                () = &mut stop => break,
                () = at(deadline) => self.expire().await,
                notes = gather(&mut self.notes) => match notes {
                    None => break,
                    Some(notes) => self.note(notes).await,
                },
                writes = gather(&mut self.writes) => match writes {
                    None => break,
                    Some(writes) => self.write(writes).await,
                },
                () = at(self.save_at) => self.save().await,
                Some(asked) = self.questions.recv() => drop(asked.send(self.registry.next_expiries(TOLD))),
            }
        }
        self.finish().await;
    }

    async fn expire(&mut self) {
        let (now, since) = (self.clock.now(), Instant::now());
        if let Some(stood) = self.standstill.as_ref().and_then(Standstill::since_last_asked) {
            self.metrics.standstills.increment();
            let ago = stood.until.elapsed();
            tracing::warn!(long = ?stood.long, ?ago, "the server stood still: every lease gets its full time again");
            // It may be long ago that it went on: what came to be heard since then counts as ever.
            self.registry.grant_time(Tick(now.tick.0.saturating_sub(ago.as_millis() as u64)));
        }
        let mut changes = Changes::default();
        self.registry.expire(now, &mut changes);
        self.noticed(changes, since).await;
        self.publisher.holds(&self.registry);
    }

    async fn note(&mut self, requests: Vec<Request>) {
        let mut changes = Changes::default();
        let since = oldest(&requests);
        let replies = self.apply(requests, self.clock.now(), &mut changes);
        self.noticed(changes, since).await;
        for (reply, results) in replies {
            reply.send(results).ok();
        }
    }

    /// Publishes what srvd noticed by itself, and sees to it that it is written soon.
    async fn noticed(&mut self, changes: Changes, since: Instant) {
        // The revision can move by itself.
        if changes.is_empty() && self.registry.revision() == self.publisher.revision() {
            return;
        }
        self.unsaved.extend(changes.names());
        if self.registry.revision() > self.reserved {
            // These revisions must not be given out again after a crash, so the reservation comes first. If the store
            // fails, answers that are right now matter more than the serial after a crash.
            self.save().await;
        }
        self.publisher.changes(&self.registry, changes, since);
        if !self.unsaved.is_empty() && self.save_at.is_none() {
            self.save_at = Some(Instant::now() + SOON);
        }
    }

    async fn write(&mut self, requests: Vec<Request>) {
        let (now, since) = (self.clock.now(), oldest(&requests));
        let mut changes = Changes::default();
        let replies = self.apply(requests, now, &mut changes);
        let touched = each_once(changes.names().collect());
        let committed = if changes.is_empty() { Ok(()) } else { self.commit(&touched).await };
        let failure = match committed {
            Ok(()) => {
                self.publisher.changes(&self.registry, changes, since);
                None
            }
            Err(error) => {
                let detail = super::describe(&error);
                tracing::error!(error = detail, writes = touched.len(), "writes refused: the store does not take them");
                self.registry.undo(&changes, now);
                // It may have reached the disk all the same; what is true now is written again.
                self.unsaved.extend(touched);
                self.save_at.get_or_insert(Instant::now() + RETRY);
                Some(Arc::<str>::from(detail))
            }
        };
        for (reply, mut results) in replies {
            if let Some(detail) = &failure {
                let undone = results.iter_mut().filter(|result| result.is_ok());
                undone.for_each(|result| *result = Err(WriteError::NotDurable(Arc::clone(detail))));
            }
            reply.send(results).ok();
        }
    }

    fn apply(&mut self, requests: Vec<Request>, now: Moment, changes: &mut Changes) -> Replies {
        let mut replies = Vec::with_capacity(requests.len());
        for Request { commands, reply, .. } in requests {
            let results = commands.into_iter().map(|command| self.apply_one(command, now, changes)).collect();
            replies.extend(reply.map(|reply| (reply, results)));
        }
        replies
    }

    fn apply_one(&mut self, command: Command, now: Moment, changes: &mut Changes) -> Result<Done, WriteError> {
        if let Command::Reconfigure { rules, .. } = &command {
            self.caches.set_record_ttl(rules.record_ttl, now.tick);
            *self.load_rules.write() = rules.load;
        }
        let is_verdict = matches!(command, Command::Observe(_));
        let result = self.registry.apply(command, now, changes);
        if let (true, Err(refusal)) = (is_verdict, &result) {
            tracing::debug!(%refusal, "verdict comes too late");
        }
        result.map_err(WriteError::from)
    }

    /// Writes the present state of `touched` and of what is not written yet, or the first part of it.
    async fn commit(&mut self, touched: &[RecordName]) -> Result<(), StoreError> {
        let revision = self.registry.revision().0;
        let reserve = (revision + BLOCK / 2 > self.reserved.0).then_some(Revision(revision + BLOCK));
        self.commit_with(touched, reserve).await
    }

    async fn commit_with(&mut self, touched: &[RecordName], reserve: Option<Revision>) -> Result<(), StoreError> {
        let names = each_once(touched.iter().chain(self.unsaved.iter().take(ALONG)).collect());
        let state = |name: &&RecordName| match self.registry.record(name) {
            Some(record) => Write::Put(record),
            None => Write::Remove((*name).clone()),
        };
        let batch = Batch { writes: names.iter().map(state).collect(), reserve };
        let began = Instant::now();
        self.store.commit(batch).await.inspect_err(|_| self.metrics.failed_commits.increment())?;
        self.metrics.commits.observe(began.elapsed());
        self.reserved = reserve.unwrap_or(self.reserved);
        let written: Vec<RecordName> = names.into_iter().filter(|name| self.unsaved.contains(*name)).cloned().collect();
        for name in written {
            self.unsaved.remove(&name);
        }
        self.save_at = (!self.unsaved.is_empty()).then(Instant::now);
        Ok(())
    }

    async fn save(&mut self) {
        self.save_at = None;
        if let Err(error) = self.commit(&[]).await {
            let waiting = self.unsaved.len();
            tracing::error!(error = super::describe(&error), waiting, "status changes are not written yet");
            self.save_at = Some(Instant::now() + RETRY);
        }
    }

    /// Lets what still waits know, and gives back the revisions that were reserved and not used.
    async fn finish(mut self) {
        self.writes.close();
        self.notes.close();
        std::iter::from_fn(|| self.writes.try_recv().ok().or_else(|| self.notes.try_recv().ok())).for_each(drop);
        let used = Some(self.registry.revision());
        loop {
            if let Err(error) = self.commit_with(&[], used).await {
                let unsaved = self.unsaved.len();
                tracing::error!(error = super::describe(&error), unsaved, "the last status changes are lost");
                return;
            }
            if self.unsaved.is_empty() {
                return;
            }
        }
    }
}

/// When the first of these was handed over.
fn oldest(requests: &[Request]) -> Instant {
    requests.iter().map(|request| request.since).min().unwrap_or_else(Instant::now)
}

/// In order, none of them twice.
fn each_once<T: Ord>(mut all: Vec<T>) -> Vec<T> {
    all.sort_unstable();
    all.dedup();
    all
}

type Replies = Vec<(oneshot::Sender<Results>, Results)>;

/// Waits for a request, and takes those along that wait behind it as long as there is room for their commands; `None`
/// when there will be no more. Dropped while it waits, it has taken nothing.
async fn gather(queue: &mut mpsc::Receiver<Request>) -> Option<Vec<Request>> {
    let mut taken = vec![queue.recv().await?];
    let mut commands = taken[0].commands.len();
    while commands < BATCH {
        let Ok(next) = queue.try_recv() else { break };
        commands += next.commands.len();
        taken.push(next);
    }
    Some(taken)
}

/// Waits for an instant, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
