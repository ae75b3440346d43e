//! Rounds: what has gathered goes to the store, and what the store says is answered.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::following::Following;
use super::port::{News, Outcome, Place, Transaction, Write, Writer};
use super::queue::Queue;
use super::trial::Tried;
use super::unit::{OCTETS, Subject, Unit, Waiting, pack};
use crate::cluster::ServerId;
use crate::engine::caches::Caches;
use crate::engine::commits::commit_span;
use crate::engine::publish::Publisher;
use crate::engine::{Clock, Engine, Metrics, Request, Standstill, StoreError, WriteError};
use crate::model::{LoadRules, Revision, ServiceName, Tick};
use crate::registry::{Command, Done, Rules};
use crate::telemetry::traces;

/// How long what clients write waits for a store that has just gone away: as long as another member takes to answer.
const GRACE: Duration = Duration::from_secs(1);
/// From a conflict to the next round, when no news come sooner.
const AFTER_CONFLICT: Duration = Duration::from_millis(10);
/// How long a command is tried again while others change the same.
const CONTENTION: Duration = Duration::from_secs(5);

/// A transaction that the store has answered.
pub(super) type Landed = (Vec<Unit>, Result<Outcome, StoreError>);

/// What is in hand: the registry, what waits for its turn, what is on its way, and what the store has done.
#[derive(Debug)]
pub(super) struct Rounds {
    pub following: Following,
    pub queue: Queue,
    caches: Arc<Caches>,
    load_rules: Arc<RwLock<LoadRules>>,
    clock: Clock,
    metrics: Arc<Metrics>,
    pub standstill: Option<Standstill>,
    pub flights: JoinSet<Landed>,
    /// What is done in the store, and of which the news have not come yet.
    landed: Vec<(Revision, Unit)>,
    /// No round begins before; what clients write is tried again then.
    pause_until: Option<Instant>,
    /// Since when the store is away, and why.
    away: Option<(Instant, Arc<str>)>,
}

impl Rounds {
    pub fn new(engine: &Engine, me: ServerId, rules: Rules) -> Self {
        let (publisher, sharing) = (Publisher::new(engine), Arc::clone(&engine.sharing));
        Self {
            following: Following::new(me, rules, publisher, sharing, engine.clock.clone()),
            queue: Queue::default(),
            caches: Arc::clone(&engine.caches),
            load_rules: Arc::clone(&engine.load_rules),
            clock: engine.clock.clone(),
            metrics: Arc::clone(&engine.metrics),
            standstill: None,
            flights: JoinSet::new(),
            landed: Vec::new(),
            pause_until: None,
            away: None,
        }
    }

    fn is_idle(&self) -> bool {
        self.flights.is_empty() && self.landed.is_empty()
    }

    /// When there is something to do by itself.
    pub fn next_turn(&self) -> Option<Instant> {
        if let Some((since, _)) = &self.away {
            let waits = !self.queue.is_empty() || !self.landed.is_empty();
            return waits.then(|| *since + GRACE);
        }
        // What is due is then for others, and that this is so comes as news.
        if !self.following.is_on_duty() {
            return None;
        }
        let due = self.following.next_deadline().map(|due| self.clock.instant(due));
        let due = due.into_iter().chain(self.pause_until.filter(|_| !self.queue.is_empty())).min();
        due.filter(|_| self.is_idle())
    }

    /// The time has come for something. What becomes due is taken along by the next round.
    pub fn tick(&mut self) {
        if self.pause_until.is_some_and(|until| until <= Instant::now()) {
            self.pause_until = None;
        }
        self.give_up();
    }

    pub fn enter(&mut self, requests: Vec<Request>, writer: &impl Writer) {
        requests.into_iter().for_each(|request| self.queue.enter(request));
        for waiting in self.queue.about_the_server() {
            self.reconfigure(waiting, writer);
        }
        self.give_up();
    }

    /// Rules are this server's own and hold at once. When other things are answered beside the registry, the revision
    /// moves on for all servers.
    fn reconfigure(&mut self, waiting: Waiting, writer: &impl Writer) {
        let Command::Reconfigure { rules, answers_change } = &waiting.command else { return };
        self.caches.set_record_ttl(rules.record_ttl, self.clock.tick());
        *self.load_rules.write() = rules.load;
        self.following.reconfigure(rules);
        match *answers_change && self.away.is_none() {
            false => self.queue.answer(&waiting, Ok(Done::Noted)),
            true => {
                let touch = (Place::Server(self.following.me()), Write::Touch);
                let unit = Unit { commands: vec![(waiting, Done::Noted)], writes: vec![touch], ..Unit::default() };
                self.launch(vec![unit], writer);
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
    pub fn begin_round(&mut self, writer: &impl Writer) {
        let now = Instant::now();
        if !self.is_idle()
            || self.away.is_some()
            || !self.following.is_on_duty()
            || self.pause_until.is_some_and(|until| now < until)
        {
            return;
        }
        self.pause_until = None;
        let due = self.expire(writer);
        if due.is_empty() && self.queue.is_empty() {
            return;
        }
        let is_due = |subject: &Subject| due.iter().any(|(service, _)| *subject == Subject::Service(service.clone()));
        let commands = self.queue.round(is_due);
        let mut units: Vec<Unit> = due.into_iter().map(|(_, unit)| unit).collect();
        units.extend(commands.into_iter().filter_map(|commands| self.try_out(commands, writer)));
        self.launch(units, writer);
    }

    fn expire(&mut self, writer: &impl Writer) -> Vec<(ServiceName, Unit)> {
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
        let mut units = self.following.expire(writer);
        units.retain(|(_, unit)| !unit.writes.is_empty());
        units
    }

    /// Tries out commands about one subject; `None` when nothing has to be written for them.
    fn try_out(&mut self, mut commands: Vec<Waiting>, writer: &impl Writer) -> Option<Unit> {
        let mut fewer = commands.len();
        let Tried { unit, refused } = loop {
            let rest = commands.split_off(fewer);
            self.queue.put_back(rest);
            let tried = self.following.try_out(std::mem::take(&mut commands), writer);
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

    fn launch(&mut self, units: Vec<Unit>, writer: &impl Writer) {
        for (transaction, units) in pack(units) {
            let (writer, metrics) = (writer.clone(), Arc::clone(&self.metrics));
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

    pub fn land(&mut self, (units, result): Landed) {
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

    pub fn hear(&mut self, news: News) {
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
