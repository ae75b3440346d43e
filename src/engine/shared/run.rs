//! The task of an engine that follows a shared store: takes news in, sends what has gathered to the store, answers.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::following::{Following, Tried};
use super::port::{News, Outcome, Place, SharedStore, Transaction, Write, Writer};
use super::round::Queue;
use super::unit::{OCTETS, Subject, Unit, Waiting, pack};
use crate::engine::caches::Caches;
use crate::engine::commits::commit_span;
use crate::engine::expiries::TOLD;
use crate::engine::publish::Publisher;
use crate::engine::run::{at, gather};
use crate::engine::{Clock, Engine, Metrics, Queues, Request, Standstill, StoreError, Work, WriteError};
use crate::model::{LoadRules, Revision, Tick};
use crate::registry::{Command, Done, Rules};
use crate::telemetry::traces;

/// How long what clients write waits for a store that has just gone away: as long as another member takes to answer.
const GRACE: Duration = Duration::from_secs(1);
/// From a conflict to the next round, when no news come sooner.
const AFTER_CONFLICT: Duration = Duration::from_millis(10);
/// How long a command is tried again while others change the same.
const CONTENTION: Duration = Duration::from_secs(5);

/// The owner of the registry on one of several servers.
#[derive(Debug)]
pub struct Runner<S: SharedStore> {
    store: Option<S>,
    open: Option<Opened<S::Writer>>,
    following: Following,
    queue: Queue,
    caches: Arc<Caches>,
    load_rules: Arc<RwLock<LoadRules>>,
    clock: Clock,
    metrics: Arc<Metrics>,
    standstill: Option<Standstill>,
    queues: Queues,
}

/// Both ends of a store that is in use.
#[derive(Debug)]
struct Opened<W> {
    writer: W,
    news: mpsc::Receiver<News>,
}

/// A transaction that the store has answered.
type Landed = (Vec<Unit>, Result<Outcome, StoreError>);

/// A runner at work.
struct At<W> {
    writer: W,
    following: Following,
    queue: Queue,
    caches: Arc<Caches>,
    load_rules: Arc<RwLock<LoadRules>>,
    clock: Clock,
    metrics: Arc<Metrics>,
    standstill: Option<Standstill>,
    flights: JoinSet<Landed>,
    /// What is done in the store, and of which the news have not come yet.
    landed: Vec<(Revision, Unit)>,
    /// No round begins before; what clients write is tried again then.
    pause_until: Option<Instant>,
    /// Since when the store is away, and why.
    away: Option<(Instant, Arc<str>)>,
}

impl<S: SharedStore> Runner<S> {
    pub(in crate::engine) fn new(engine: &Engine, store: S, rules: Rules, queues: Queues) -> Self {
        let (publisher, sharing) = (Publisher::new(engine), Arc::clone(&engine.sharing));
        Self {
            following: Following::new(store.id(), rules, publisher, sharing, engine.clock.clone()),
            store: Some(store),
            open: None,
            queue: Queue::default(),
            caches: Arc::clone(&engine.caches),
            load_rules: Arc::clone(&engine.load_rules),
            clock: engine.clock.clone(),
            metrics: Arc::clone(&engine.metrics),
            standstill: None,
            queues,
        }
    }
}

impl<S: SharedStore> Work for Runner<S> {
    /// Waits until the store has told everything there is and can be written, however long it takes.
    async fn load(&mut self) -> Result<(), StoreError> {
        let Some(store) = self.store.take() else { return Ok(()) };
        let (writer, mut news) = store.open();
        while let Some(told) = news.recv().await {
            match told {
                News::Everything(snapshot) => self.following.take_everything(snapshot),
                News::Changes { revision, put, removed } => self.following.take_changes(revision, put, removed),
                News::Back => {
                    self.following.back();
                    break;
                }
                News::Unreadable(error) => return Err(error),
                News::Away { why } => {
                    tracing::warn!(why, "the shared store cannot be reached; it is tried again and again");
                }
                // Nothing is kept here yet.
                News::CutOff => {}
            }
        }
        self.open = Some(Opened { writer, news });
        Ok(())
    }

    fn heed(&mut self, standstill: Standstill) {
        self.standstill = Some(standstill);
    }

    async fn run(self, stop: impl Future<Output = ()>) {
        let Self { following, queue, caches, load_rules, clock, metrics, standstill, .. } = self;
        let Queues { mut writes, mut notes, mut questions } = self.queues;
        let Some(Opened { writer, mut news }) = self.open else { return };
        let (flights, landed) = (JoinSet::new(), Vec::new());
        let (pause_until, away) = (None, None);
        let mut at_work = At {
            writer,
            following,
            queue,
            caches,
            load_rules,
            clock,
            metrics,
            standstill,
            flights,
            landed,
            pause_until,
            away,
        };
        tokio::pin!(stop);
        loop {
            at_work.begin_round();
            let (has_room, due) = (at_work.queue.has_room(), at_work.next_turn());
            tokio::select! {
                () = &mut stop => break,
                told = news.recv() => match told {
                    Some(told) => at_work.hear(told),
                    None => break,
                },
                Some(flight) = at_work.flights.join_next() => if let Ok(landed) = flight { at_work.land(landed) },
                requests = gather(&mut notes), if has_room => match requests {
                    Some(requests) => at_work.enter(requests),
                    None => break,
                },
                requests = gather(&mut writes), if has_room => match requests {
                    Some(requests) => at_work.enter(requests),
                    None => break,
                },
                () = at(due) => at_work.tick(),
                Some(asked) = questions.recv() => drop(asked.send(at_work.following.next_expiries(TOLD))),
            }
        }
        // Whoever still waits is told by the end of the queues.
        at_work.writer.leave().await;
    }
}

impl<W: Writer> At<W> {
    fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.landed.is_empty()
    }

    /// When there is something to do by itself.
    fn next_turn(&self) -> Option<Instant> {
        if let Some((since, _)) = &self.away {
            let waits = !self.queue.is_empty() || !self.landed.is_empty();
            return waits.then(|| *since + GRACE);
        }
        let due = self.following.next_deadline().map(|due| self.clock.instant(due));
        let due = due.into_iter().chain(self.pause_until.filter(|_| !self.queue.is_empty())).min();
        due.filter(|_| self.is_idle())
    }

    /// The time has come for something. What becomes due is taken along by the next round.
    fn tick(&mut self) {
        if self.pause_until.is_some_and(|until| until <= Instant::now()) {
            self.pause_until = None;
        }
        self.give_up();
    }

    fn enter(&mut self, requests: Vec<Request>) {
        requests.into_iter().for_each(|request| self.queue.enter(request));
        for waiting in self.queue.about_the_server() {
            self.reconfigure(waiting);
        }
        self.give_up();
    }

    /// Rules are this server's own and hold at once. When other things are answered beside the registry, the revision
    /// moves on for all servers.
    fn reconfigure(&mut self, waiting: Waiting) {
        let Command::Reconfigure { rules, answers_change } = &waiting.command else { return };
        self.caches.set_record_ttl(rules.record_ttl, self.clock.tick());
        *self.load_rules.write() = rules.load;
        self.following.reconfigure(rules);
        match *answers_change && self.away.is_none() {
            false => self.queue.answer(&waiting, Ok(Done::Noted)),
            true => {
                let touch = (Place::Server(self.following.me()), Write::Touch);
                let unit = Unit { commands: vec![(waiting, Done::Noted)], writes: vec![touch], ..Unit::default() };
                self.launch(vec![unit]);
            }
        }
    }

    /// Refuses what waits, when the store has been away for too long to wait for it.
    fn give_up(&mut self) {
        let Some((since, why)) = &self.away else { return };
        if since.elapsed() < GRACE {
            return;
        }
        let why = Arc::<str>::from(StoreError::Unreachable { why: why.to_string() }.to_string());
        let error = WriteError::NotDurable(why);
        self.queue.fail_waiting(&error);
        for (_, unit) in std::mem::take(&mut self.landed) {
            unit.commands.iter().for_each(|(waiting, _)| self.queue.answer(waiting, Err(error.clone())));
        }
    }

    /// Sends to the store what has gathered, if the round before is over.
    fn begin_round(&mut self) {
        let now = Instant::now();
        if !self.is_idle() || self.away.is_some() || self.pause_until.is_some_and(|until| now < until) {
            return;
        }
        self.pause_until = None;
        let due = self.expire();
        if due.is_empty() && self.queue.is_empty() {
            return;
        }
        let is_due = |subject: &Subject| due.iter().any(|(service, _)| *subject == Subject::Service(service.clone()));
        let commands = self.queue.round(is_due);
        let mut units: Vec<Unit> = due.into_iter().map(|(_, unit)| unit).collect();
        units.extend(commands.into_iter().filter_map(|commands| self.try_out(commands)));
        self.launch(units);
    }

    fn expire(&mut self) -> Vec<(crate::model::ServiceName, Unit)> {
        let now = self.clock.tick();
        if self.following.next_deadline().is_none_or(|due| due > now) {
            return Vec::new();
        }
        if let Some(stood) = self.standstill.as_ref().and_then(Standstill::since_last_asked) {
            self.metrics.standstills.increment();
            let ago = stood.until.elapsed();
            tracing::warn!(long = ?stood.long, ?ago, "the server stood still: every lease gets its full time again");
            self.following.grant_time(Tick(now.0.saturating_sub(ago.as_millis() as u64)));
        }
        let mut units = self.following.expire(&self.writer);
        units.retain(|(_, unit)| !unit.writes.is_empty());
        units
    }

    /// Tries out commands about one subject; `None` when nothing has to be written for them.
    fn try_out(&mut self, mut commands: Vec<Waiting>) -> Option<Unit> {
        let mut fewer = commands.len();
        let Tried { unit, refused } = loop {
            let rest = commands.split_off(fewer);
            self.queue.put_back(rest);
            let tried = self.following.try_out(std::mem::take(&mut commands), &self.writer);
            fewer = (tried.unit.commands.len() + tried.refused.len()) / 2;
            if tried.unit.octets() <= OCTETS || fewer == 0 {
                break tried;
            }
            // Too large for one transaction.
            let of_unit = tried.unit.commands.into_iter().map(|(waiting, _)| waiting);
            commands = of_unit.chain(tried.refused.into_iter().map(|(waiting, _)| waiting)).collect();
            commands.sort_unstable_by_key(|waiting| waiting.number);
        };
        for (waiting, refusal) in refused {
            self.queue.answer(&waiting, Err(refusal.into()));
        }
        if !unit.writes.is_empty() {
            return Some(unit);
        }
        self.answer(unit.commands);
        None
    }

    fn launch(&mut self, units: Vec<Unit>) {
        for (transaction, units) in pack(units) {
            let (writer, metrics) = (self.writer.clone(), Arc::clone(&self.metrics));
            let span = commit_span(units.iter().map(|unit| unit.writes.len()).sum());
            let commands = units.iter().flat_map(|unit| &unit.commands);
            traces::caused(&span, commands.map(|(waiting, _)| &waiting.cause));
            self.flights.spawn(async move {
                let result = commit(writer, transaction, &metrics).await;
                result.as_ref().err().inspect(|error| traces::failed(&span, crate::engine::describe(*error)));
                (units, result)
            });
        }
    }

    fn land(&mut self, (units, result): Landed) {
        match result {
            Ok(Outcome::Committed(revision)) => {
                self.landed.extend(units.into_iter().map(|unit| (revision, unit)));
                self.caught_up();
            }
            Ok(Outcome::Conflict) => self.conflict(units),
            Err(error) => {
                let detail = Arc::<str>::from(crate::engine::describe(&error));
                tracing::error!(error = %detail, "the shared store did not take a change");
                for unit in units {
                    self.following.take_back_lapses(&unit.lapses, true);
                    let refused = |(waiting, _): &(Waiting, Done)| {
                        self.queue.answer(waiting, Err(WriteError::NotDurable(Arc::clone(&detail))));
                    };
                    unit.commands.iter().for_each(refused);
                }
            }
        }
    }

    /// Somebody else's change came between: once more from what is then, unless it has been tried for too long.
    fn conflict(&mut self, units: Vec<Unit>) {
        let mut again = Vec::new();
        for unit in units {
            self.following.take_back_lapses(&unit.lapses, false);
            again.extend(unit.commands.into_iter().map(|(waiting, _)| waiting));
        }
        let (mut again, over): (Vec<_>, Vec<_>) =
            again.into_iter().partition(|waiting| waiting.since.elapsed() < CONTENTION);
        for waiting in over {
            let error = WriteError::NotDurable(StoreError::Contended.to_string().into());
            self.queue.answer(&waiting, Err(error));
        }
        again.iter_mut().for_each(|waiting| waiting.conflicts += 1);
        self.queue.put_back(again);
        self.pause_until = Some(Instant::now() + AFTER_CONFLICT);
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Everything(snapshot) => {
                tracing::info!(
                    revision = snapshot.revision.0,
                    "changes were missed: compared with everything there is"
                );
                self.following.take_everything(snapshot);
            }
            News::Changes { revision, put, removed } => self.following.take_changes(revision, put, removed),
            News::Unreadable(error) => {
                tracing::error!(error = crate::engine::describe(&error), "what the shared store has cannot be read");
            }
            News::Away { why } => {
                if self.away.is_none() {
                    tracing::warn!(why, "the shared store is away: what was last known goes on, and nothing lapses");
                    self.following.away();
                    self.away = Some((Instant::now(), why.as_str().into()));
                } else if let Some((_, known)) = &mut self.away {
                    *known = why.as_str().into();
                }
            }
            News::CutOff => {
                tracing::warn!("others take over what this server keeps and checks");
                self.following.cut_off();
            }
            News::Back => {
                let away = self.away.take().map(|(since, _)| since.elapsed());
                tracing::info!(?away, revision = self.following.revision().0, "the shared store is there");
                self.following.back();
            }
        }
        self.pause_until = None;
        self.caught_up();
    }

    /// Answers what the news have come to.
    fn caught_up(&mut self) {
        let revision = self.following.revision();
        let (done, open): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.landed).into_iter().partition(|(landed, _)| *landed <= revision);
        self.landed = open;
        for (_, unit) in done {
            self.answer(unit.commands);
        }
    }

    fn answer(&mut self, commands: Vec<(Waiting, Done)>) {
        let tick = self.clock.tick();
        for (waiting, done) in commands {
            let done = self.following.present(done);
            if let (Command::Register { .. }, Done::Registered(new) | Done::Replaced(new)) = (&waiting.command, &done) {
                new.pulse.heard(tick);
            }
            self.queue.answer(&waiting, Ok(done));
        }
    }
}

/// Carries out a transaction, and counts it.
async fn commit(writer: impl Writer, transaction: Transaction, metrics: &Metrics) -> Result<Outcome, StoreError> {
    let began = Instant::now();
    let result = writer.commit(transaction).await;
    match &result {
        Ok(_) => metrics.commits.observe(began.elapsed()),
        Err(_) => metrics.failed_commits.increment(),
    }
    result
}
