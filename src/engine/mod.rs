//! The engine: the one order in which changes happen, and the place where they become true.
//!
//! A task of its own owns the registry and the store. Everybody else holds an [`Engine`] handle: reads go to the
//! published [`Index`] and never wait; changes are sent to the task. A client's write is answered once it is durable and
//! published. What srvd notices by itself (verdicts, lapses, what heartbeats report) is published at once and written
//! soon after, so that a store that fails or hangs never keeps a dead instance in DNS.

mod caches;
mod checks;
mod clock;
mod commits;
mod deliveries;
mod expiries;
mod gather;
mod index;
mod metrics;
mod pace;
mod publish;
mod records;
mod run;
pub mod shared;
mod standstill;
mod store;
#[cfg(test)]
mod tests;
mod watch;
mod whole;
mod work;
mod writers;

use std::sync::Arc;

use parking_lot::RwLock;
use smallvec::{SmallVec, smallvec};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

pub use checks::{CheckError, CheckRequest, CheckRequests, Checked, Checks, ChecksState, Upcoming};
pub use clock::Clock;
pub use deliveries::{Deliveries, Delivery, Progress};
pub use expiries::Expiries;
pub use index::{Index, Likely, Reading};
pub use metrics::{CheckMetrics, CheckOutcome, Metrics};
pub use records::Records;
pub use run::Runner;
pub use shared::Sharing;
pub use standstill::Standstill;
pub use store::{Batch, Loaded, Store, StoreError, Write};
pub use watch::{Published, Snapshot, Subscription, Told, Window};
pub use whole::Whole;
pub use work::Work;

use watch::Hub;

use crate::answer::Live;
use crate::model::pulse::Words;
use crate::model::{Instance, Key, LoadRules, Maintenance, Renewal, Revision, SelfReport, ServiceName, Tick};
use crate::registry::{Command, Done, Hold, Observation, Refusal, Report, Rules};
use crate::telemetry::traces::Cause;
use caches::Caches;
use publish::Holds;

/// An error with its causes on one line.
fn describe(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Commands that may wait for the engine; beyond that, senders wait.
const QUEUE: usize = 4096;

/// A handle to the engine; cheap to clone.
#[derive(Debug, Clone)]
pub struct Engine {
    index: Arc<Index>,
    records: Arc<Records>,
    caches: Arc<Caches>,
    clock: Clock,
    load_rules: Arc<RwLock<LoadRules>>,
    holds: Arc<Holds>,
    metrics: Arc<Metrics>,
    /// Held for writing while changes are published that belong together.
    publishing: Arc<RwLock<()>>,
    sharing: Arc<Sharing>,
    writes: mpsc::Sender<Request>,
    notes: mpsc::Sender<Request>,
    questions: expiries::Ask,
    hub: Arc<Hub>,
}

/// What the engine's task takes from: the other ends of what a handle has.
#[derive(Debug)]
struct Queues {
    writes: mpsc::Receiver<Request>,
    notes: mpsc::Receiver<Request>,
    questions: expiries::Questions,
}

/// Commands on their way to the engine, with where the results go if anyone waits for them. They are carried out in
/// their order, and nothing comes between them.
#[derive(Debug)]
struct Request {
    commands: SmallVec<[Command; 1]>,
    reply: Option<oneshot::Sender<Results>>,
    since: Instant,
    cause: Cause,
}

/// One for each command, in the same order.
type Results = SmallVec<[Result<Done, WriteError>; 1]>;

/// Changes that the engine is at.
#[derive(Debug)]
pub struct Pending(oneshot::Receiver<Results>);

impl Pending {
    /// Waits until all that were done are durable and published: one result for each change, in the same order.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn results(self) -> Result<impl ExactSizeIterator<Item = Result<Done, WriteError>>, WriteError> {
        Ok(self.0.await.map_err(|_| WriteError::Stopping)?.into_iter())
    }
}

/// Why a change did not happen.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The store did not take it; nothing has changed.
    #[error("the change could not be made durable: {0}")]
    NotDurable(Arc<str>),
    #[error("the server is stopping")]
    Stopping,
}

/// What a heartbeat says beside being one.
#[derive(Debug, Default)]
pub struct Heartbeat {
    pub report: Option<Report>,
    pub message: Option<smol_str::SmolStr>,
    pub load: Option<crate::model::Load>,
}

impl Engine {
    /// An engine over `store`, not yet running: [`Runner::load`] reads the state, [`Runner::run`] does the work.
    pub fn new<S: Store>(store: S, rules: Rules, clock: Clock) -> (Self, Runner<S>) {
        Self::with_window(store, rules, clock, Window::USUAL)
    }

    /// The same, keeping so much of the past for those who watch.
    pub fn with_window<S: Store>(store: S, rules: Rules, clock: Clock, window: Window) -> (Self, Runner<S>) {
        let (engine, queues) = Self::unattached(&rules, clock, window);
        let runner = Runner::new(&engine, store, rules, queues);
        (engine, runner)
    }

    /// An engine over a store that others write too.
    pub fn sharing<S: shared::SharedStore>(store: S, rules: Rules, clock: Clock) -> (Self, shared::Runner<S>) {
        let (engine, queues) = Self::unattached(&rules, clock, Window::USUAL);
        let runner = shared::Runner::new(&engine, store, rules, queues);
        (engine, runner)
    }

    fn unattached(rules: &Rules, clock: Clock, window: Window) -> (Self, Queues) {
        let (writes, write_queue) = mpsc::channel(QUEUE);
        let (notes, note_queue) = mpsc::channel(QUEUE);
        let (questions, asked) = expiries::questions();
        let index = Arc::<Index>::default();
        let records = Arc::<Records>::default();
        let hub = Arc::new(Hub::new(Arc::clone(&index), Arc::clone(&records), window));
        let caches = Arc::new(Caches::new(rules.record_ttl));
        let load_rules = Arc::new(RwLock::new(rules.load));
        let holds = Arc::new(Holds::new(Arc::default()));
        let (metrics, sharing, publishing) = (Arc::<Metrics>::default(), Arc::<Sharing>::default(), Arc::default());
        let engine = Self {
            index,
            records,
            caches,
            clock,
            load_rules,
            holds,
            metrics,
            sharing,
            publishing,
            writes,
            notes,
            questions,
            hub,
        };
        (engine, Queues { writes: write_queue, notes: note_queue, questions: asked })
    }

    pub fn index(&self) -> &Arc<Index> {
        &self.index
    }

    /// What is kept beside the instances.
    pub fn records(&self) -> &Records {
        &self.records
    }

    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The lapses that are held at the moment.
    pub fn holds(&self) -> Arc<[Hold]> {
        self.holds.read().clone()
    }

    /// What has happened so far.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Who shares the registry, and what this server does of what is done once for all.
    pub fn shares(&self) -> &Sharing {
        &self.sharing
    }

    /// How much reported load counts.
    pub fn load_rules(&self) -> LoadRules {
        *self.load_rules.read()
    }

    pub fn revision(&self) -> Revision {
        self.index.revision()
    }

    /// Every change from now on. Who falls too far behind is told so, and starts over from the index.
    pub fn subscribe(&self) -> Subscription {
        self.hub.subscribe(None, None)
    }

    /// The changes of `service`, or of all services, after `since`, or from now on.
    pub fn watch(&self, service: Option<ServiceName>, since: Option<Revision>) -> Subscription {
        self.hub.subscribe(service, since)
    }

    /// The latest changes of `service`, or of all services, that are `wanted`: newest first, at most so many, and no
    /// further back than changes are kept.
    pub fn recent(
        &self,
        service: Option<&ServiceName>,
        at_most: usize,
        wanted: impl Fn(&Published) -> bool,
    ) -> Vec<Arc<Published>> {
        self.hub.recent(service, at_most, wanted)
    }

    /// Returns once `service` is no longer what it was at `since`: it changed, or it is gone, or, with a `since` of zero,
    /// it has come into being. Returns at once when that cannot be told.
    pub async fn changed(&self, service: &ServiceName, since: Revision) {
        self.hub.changed(service, since).await;
    }

    /// When no cache can hold an instance any more; as if it left DNS just now while it is served.
    pub fn clear_at(&self, instance: &Instance) -> Tick {
        let service = &instance.key.service;
        let leaving_now = || self.caches.clear_at(service, self.own_ttl(service), self.clock.tick());
        instance.pulse.clear_at().unwrap_or_else(leaving_now)
    }

    /// When no cache can hold what was under a name that was marked, and that nothing is registered under any more: it was
    /// not served from then on.
    pub fn clear_since(&self, key: &Key, mark: &Maintenance) -> Tick {
        self.caches.clear_at(&key.service, self.own_ttl(&key.service), mark.since.tick)
    }

    fn own_ttl(&self, service: &ServiceName) -> Option<u32> {
        self.records.settings(service).and_then(|(_, settings)| settings.record_ttl)
    }

    /// Carries out a client's change; returns when it is durable and published.
    ///
    /// # Errors
    /// When it was refused or could not be made durable. Nothing has changed then.
    pub async fn write(&self, command: Command) -> Result<Done, WriteError> {
        Self::send(&self.writes, command).await
    }

    /// Hands over changes of one client, which are carried out in their order and together: each done or refused by
    /// itself, and all that were done one change to the store.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn write_all(&self, commands: Vec<Command>) -> Result<Pending, WriteError> {
        Self::hand_over(&self.writes, commands.into()).await
    }

    /// The same for bare heartbeats that have to revive a lease, which are published and written soon after.
    ///
    /// # Errors
    /// When the engine has stopped.
    pub async fn revive_all(&self, keys: impl IntoIterator<Item = Key>) -> Result<Pending, WriteError> {
        let commands = keys.into_iter().map(|key| Command::Heartbeat { key, report: None, pressure: None }).collect();
        Self::hand_over(&self.notes, commands).await
    }

    /// Renews the lease of an instance, if that is all that a heartbeat without words has to do. If not, or when nothing is
    /// registered under exactly these names, the heartbeat is for [`Self::heartbeat`].
    pub fn renew(&self, service: &str, id: &str) -> bool {
        let Some(view) = self.index.service(service) else { return false };
        let Some(instance) = view.instance(id) else { return false };
        let renewed = self.touch(instance);
        if renewed {
            self.metrics.heartbeats.increment();
        }
        renewed
    }

    /// Renews the lease of an instance, if nothing but its deadline moves by that. If not, it takes a command.
    pub fn touch(&self, instance: &Instance) -> bool {
        let now = self.clock.tick();
        self.sharing.is_on_duty(now) && instance.pulse.renew(now) == Renewal::Renewed && !instance.condition.lapsed
    }

    /// Renews a lease and takes in what the instance says of itself. One that changes nothing stores a deadline and
    /// does not reach the engine's task.
    pub async fn heartbeat(&self, key: Key, heartbeat: Heartbeat) -> Result<(), WriteError> {
        let instance = self.index.instance(&key).ok_or_else(|| Refusal::Unknown(key.clone()))?;
        self.metrics.heartbeats.increment();
        let report = heartbeat.report.filter(|report| changes(&instance, *report));
        let pressure = heartbeat.load.as_ref().map(|load| load.pressure(&self.load_rules()));
        let pressure = pressure.filter(|pressure| instance.condition.is_changed_by(*pressure));
        if heartbeat.message.is_some() || heartbeat.load.is_some() || report.is_some() {
            instance.pulse.words(|words| {
                let Words { message, load, .. } = words;
                // What was said about another status does not explain this one.
                *message = heartbeat.message.or(message.take().filter(|_| report.is_none()));
                *load = heartbeat.load.or(load.take());
            });
        }
        let renewed = self.touch(&instance);
        if report.is_none() && pressure.is_none() && renewed {
            return Ok(());
        }
        // Leaving is promised to last; the rest is noted and written soon after.
        let queue = if report == Some(Report::Draining) { &self.writes } else { &self.notes };
        Self::send(queue, Command::Heartbeat { key, report, pressure }).await.map(drop)
    }

    /// Notes that the verdict of a check turned.
    pub async fn observe(&self, observation: Observation) {
        let commands = smallvec![Command::Observe(observation)];
        let request = Request { commands, reply: None, since: Instant::now(), cause: Cause::current() };
        // A closed queue means that the engine has stopped; then no verdict matters any more.
        self.notes.send(request).await.ok();
    }

    /// Waits until every verdict that was noted before is published, or the engine has stopped.
    pub async fn settled(&self) {
        if let Ok(noted) = Self::hand_over(&self.notes, SmallVec::new()).await {
            noted.results().await.ok();
        }
    }

    /// Makes other rules hold. With `answers_change` something changed that is answered beside the registry, and the
    /// revision moves on with it.
    ///
    /// # Errors
    /// Only when the engine has stopped.
    pub async fn reconfigure(&self, rules: Rules, answers_change: bool) -> Result<(), WriteError> {
        let command = Command::Reconfigure { rules: Box::new(rules), answers_change };
        // Like what srvd notices: a store that fails does not keep it from holding.
        Self::send(&self.notes, command).await.map(drop)
    }

    async fn send(queue: &mpsc::Sender<Request>, command: Command) -> Result<Done, WriteError> {
        let mut results = Self::hand_over(queue, smallvec![command]).await?.results().await?;
        results.next().unwrap_or(Err(WriteError::Stopping))
    }

    async fn hand_over(queue: &mpsc::Sender<Request>, commands: SmallVec<[Command; 1]>) -> Result<Pending, WriteError> {
        let (reply, results) = oneshot::channel();
        let request = Request { commands, reply: Some(reply), since: Instant::now(), cause: Cause::current() };
        queue.send(request).await.map_err(|_| WriteError::Stopping)?;
        Ok(Pending(results))
    }
}

/// Whether a report says anything that is not known.
fn changes(instance: &Instance, report: Report) -> bool {
    match report {
        Report::Draining => instance.condition.draining.is_none(),
        Report::Is(said) => said != instance.condition.said,
    }
}

impl From<SelfReport> for Report {
    fn from(said: SelfReport) -> Self {
        Self::Is(said)
    }
}
