//! The engine's task: takes what has gathered, applies it, makes it durable, publishes it, answers.
//!
//! While a batch is being committed the next one gathers, so the number of commits follows the speed of the store and
//! not the number of clients (group commit).
//!
//! What is applied is published in the order of its revisions, so nothing else can be applied while writes that are not
//! durable yet stand in the registry. A commit that takes longer than [`PATIENCE`] must not keep leases from lapsing,
//! though. Then its writes are taken back, and verdicts and lapses go on over what is durable; once the commit has
//! succeeded after all, the writes are applied anew and published. If it takes longer than [`GIVE_UP`], its writes are
//! refused, and so are further ones until the store answers again.
//!
//! ```text
//! writes ─► apply ─► commit ──in time──────────────────────► publish, reply
//!                      ├──late──► take back ──succeeds─────► apply, publish, reply
//!                      │              ├──fails─────────────► refuse, write what is true
//!                      │              └──hangs──► refuse ──► once it ends: write what is true
//!                      └──fails─► take back ───────────────► refuse, write what is true
//! ```

mod saving;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::field::Empty;
use tracing::{Instrument, Span};

use super::caches::Caches;
use super::commits::Commits;
use super::expiries::{Questions, TOLD};
use super::gather::{BATCH, gather, has_room, take_along};
use super::pace::Pace;
use super::publish::Publisher;
use super::writers::{Commands, HANGS, Replies, Underway, Writers, refuse};
use super::{Clock, Engine, Loaded, Metrics, Queues, Request, Results, Standstill, Store, StoreError, WriteError};
use crate::model::{LoadRules, Moment, Revision, Tick};
use crate::registry::{Changes, Command, Done, RecordName, Registry, Rules};
use crate::telemetry::traces;

/// From a change that srvd noticed to its writing, when no client's write takes it along sooner.
const SOON: Duration = Duration::from_millis(200);
/// From a failed writing to the next attempt.
const RETRY: Duration = Duration::from_secs(1);
/// So long verdicts and lapses wait for writes that are being committed.
pub(super) const PATIENCE: Duration = Duration::from_millis(250);
/// So long writers wait for a commit that does not end. Beyond that no disk is slow, but hangs.
pub(super) const GIVE_UP: Duration = Duration::from_secs(10);

/// The owner of the registry and its store.
#[derive(Debug)]
pub struct Runner<S> {
    registry: Registry,
    commits: Commits<S>,
    pace: Pace,
    /// What the commit is about that is under way.
    underway: Underway,
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
    pub(super) fn new(engine: &Engine, store: S, rules: Rules, queues: Queues) -> Self {
        let Queues { writes, notes, questions } = queues;
        Self {
            registry: Registry::new(rules.clone(), Revision::ZERO),
            pace: Pace::of(store.spacing()),
            commits: Commits::to(store),
            underway: Underway::default(),
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
        let (now, rules) = (self.clock.now(), &self.rules);
        let mut begun: Option<(Registry, Revision)> = None;
        let take = |part: Loaded| {
            let begin = || (Registry::new(rules.clone(), part.revision), part.revision);
            let (registry, _) = begun.get_or_insert_with(begin);
            part.records.into_iter().for_each(|record| registry.restore_record(record));
            part.instances.into_iter().for_each(|stored| registry.restore(stored, now));
        };
        self.commits.load(take).await?;
        let (registry, revision) =
            begun.unwrap_or_else(|| (Registry::new(rules.clone(), Revision::ZERO), Revision::ZERO));
        self.registry = registry;
        self.reserved = self.registry.revision();
        self.publisher.begin(&self.registry, revision);
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
            let (free, hangs) = (self.commits.since().is_none(), self.hangs());
            let give_up = self.commits.since().filter(|_| !hangs).map(|since| since + GIVE_UP);
            // In no fixed order: neither a flood of notes nor one of writes keeps the rest waiting.
            tokio::select! {
                () = &mut stop => break,
                () = at(deadline) => self.expire().await,
                notes = gather(&mut self.notes) => match notes {
                    None => break,
                    Some(notes) => self.note(notes).await,
                },
                writes = gather(&mut self.writes), if free || hangs => match writes {
                    None => break,
                    Some(writes) if hangs => refuse(writes),
                    Some(writes) => {
                        let writes = self.with_others(writes);
                        self.write(writes).await;
                    }
                },
                () = at(self.save_at), if free => self.save(),
                (took, result) = self.commits.ended() => self.ended(took, result).await,
                () = at(give_up) => self.give_up(),
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
        let span = span_of(&requests);
        self.note_all(requests).instrument(span.clone()).await;
        span.record("revision", self.registry.revision().0 as i64);
    }

    async fn note_all(&mut self, requests: Vec<Request>) {
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
            self.reserve().await;
        }
        self.publisher.changes(&self.registry, changes, since);
        if !self.unsaved.is_empty() && self.save_at.is_none() {
            self.save_at = Some(Instant::now() + SOON);
        }
    }

    /// Waits a moment for other writes where that pays.
    fn with_others(&mut self, mut writes: Vec<Request>) -> Vec<Request> {
        let rest = self.pace.rest(std::time::Instant::now(), writes.len());
        if !rest.is_zero() && has_room(&writes) {
            // The timers of the runtime count milliseconds, and nobody else is on this thread.
            std::thread::sleep(rest);
            take_along(&mut self.writes, &mut writes);
        }
        writes
    }

    async fn write(&mut self, requests: Vec<Request>) {
        let span = span_of(&requests);
        self.write_all(requests).instrument(span.clone()).await;
        span.record("revision", self.registry.revision().0 as i64);
    }

    async fn write_all(&mut self, requests: Vec<Request>) {
        let since = oldest(&requests);
        let commands = requests.iter().map(|request| request.commands.clone()).collect();
        let mut changes = Changes::default();
        let replies = self.apply(requests, self.clock.now(), &mut changes);
        let writers = Writers { commands, replies, since };
        if changes.is_empty() {
            return self.publish(changes, writers);
        }
        self.pace.begins(std::time::Instant::now(), writers.replies.len());
        self.begin(changes.names().collect());
        self.await_commit(changes, writers).await;
    }

    /// Waits for the commit of `changes`, which stand in the registry, for as long as verdicts and lapses can wait.
    async fn await_commit(&mut self, changes: Changes, writers: Writers) {
        // What is to be shown is made while the store works, which begins when it is first waited for.
        let next = async { self.publisher.prepare(&self.registry, &changes) };
        let (ended, next) = tokio::join!(biased; self.commits.ended_within(PATIENCE), next);
        match ended {
            Some((took, Ok(()))) => {
                self.committed(took);
                self.publisher.show(&self.registry, changes, next, writers.since);
                writers.reply(None);
            }
            Some((_, Err(error))) => {
                self.registry.undo(&changes, self.clock.now());
                self.failed(&error, Some(writers));
            }
            None => {
                tracing::warn!(writes = self.underway.names.len(), "the store is slow; writes wait for it");
                self.registry.undo(&changes, self.clock.now());
                self.underway.writers = Some(writers);
            }
        }
    }

    /// Shows what is durable, and answers those who asked for it.
    fn publish(&mut self, changes: Changes, writers: Writers) {
        self.publisher.changes(&self.registry, changes, writers.since);
        writers.reply(None);
    }

    /// Takes in that a commit has ended that nobody waited for.
    async fn ended(&mut self, took: Duration, result: Result<(), StoreError>) {
        let writers = self.underway.writers.take();
        match (result, writers) {
            (Ok(()), Some(writers)) => {
                let durable = self.committed(took);
                self.redo(durable, writers).await;
            }
            (Ok(()), None) => {
                let given_up = self.underway.given_up;
                let durable = self.committed(took);
                if given_up {
                    tracing::info!(?took, "the store answers again");
                    self.unsaved.extend(durable);
                    self.save_at = Some(Instant::now());
                }
            }
            (Err(error), writers) => self.failed(&error, writers),
        }
    }

    /// Carries out anew what was taken back, now that the store has it. If something else comes of it by now, as after
    /// the removal of an instance, that is committed first.
    async fn redo(&mut self, durable: BTreeSet<RecordName>, writers: Writers) {
        let Writers { commands, replies, since } = writers;
        let now = self.clock.now();
        let mut changes = Changes::default();
        let kept = commands.clone();
        let (to, _): (Vec<_>, Vec<Results>) = replies.into_iter().unzip();
        let results = commands.into_iter().map(|commands| self.apply_all(commands, now, &mut changes));
        let results: Vec<Results> = results.collect();
        let writers = Writers { commands: kept, replies: to.into_iter().zip(results).collect(), since };
        let known = changes.names().all(|name| durable.contains(&name)) && self.registry.revision() <= self.reserved;
        self.unsaved.extend(durable);
        if known {
            // Revisions, at least, are others than those that were written.
            self.save_at.get_or_insert(Instant::now() + SOON);
            return self.publish(changes, writers);
        }
        self.begin(changes.names().collect());
        self.await_commit(changes, writers).await;
    }

    /// Refuses the writes of a commit that failed; they stand in the registry no more.
    fn failed(&mut self, error: &StoreError, writers: Option<Writers>) {
        self.metrics.failed_commits.increment();
        let detail = super::describe(error);
        let Underway { names, given_up, .. } = std::mem::take(&mut self.underway);
        if writers.is_some() || given_up {
            tracing::error!(error = detail, writes = names.len(), "writes refused: the store does not take them");
        } else {
            tracing::error!(error = detail, waiting = names.len(), "status changes are not written yet");
        }
        // They may have reached the disk all the same; what is true now is written again.
        self.unsaved.extend(names);
        self.save_at = Some(Instant::now() + RETRY);
        if let Some(writers) = writers {
            writers.reply(Some(&detail));
        }
    }

    /// Whether the commit that is under way was given up.
    fn hangs(&self) -> bool {
        self.underway.given_up
    }

    /// Lets those go who wait for a commit that does not end.
    fn give_up(&mut self) {
        self.underway.given_up = true;
        tracing::error!(after = ?GIVE_UP, "the store does not answer: writes are refused until it does");
        if let Some(writers) = self.underway.writers.take() {
            writers.reply(Some(HANGS));
        }
    }

    fn apply(&mut self, requests: Vec<Request>, now: Moment, changes: &mut Changes) -> Replies {
        let mut replies = Vec::with_capacity(requests.len());
        self.registry.look_ahead(requests.iter().flat_map(|request| &request.commands).take(BATCH));
        for Request { commands, reply, .. } in requests {
            let results = self.apply_all(commands, now, changes);
            replies.extend(reply.map(|reply| (reply, results)));
        }
        replies
    }

    fn apply_all(&mut self, commands: Commands, now: Moment, changes: &mut Changes) -> Results {
        commands.into_iter().map(|command| self.apply_one(command, now, changes)).collect()
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
}

/// What carrying these out is for the traces.
fn span_of(requests: &[Request]) -> Span {
    let number = requests.len() as i64;
    let span = tracing::info_span!(target: traces::TARGET, "engine round", requests = number, revision = Empty);
    traces::caused(&span, requests.iter().map(|request| &request.cause));
    span
}

/// When the first of these was handed over.
fn oldest(requests: &[Request]) -> Instant {
    requests.iter().map(|request| request.since).min().unwrap_or_else(Instant::now)
}

/// Waits for an instant, or for ever.
pub(super) async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
