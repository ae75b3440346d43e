//! The task that owns the schedule: takes changes in, starts what is due, passes results on.

use std::collections::HashMap;
use std::sync::Arc;

use smallvec::SmallVec;
use tokio::task::{AbortHandle, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tracing::Span as TraceSpan;
use tracing::field::Empty;

use super::Settings;
use super::asks::Asks;
use super::lateness::Lateness;
use super::notice::Notice;
use super::probe::{Finding, Outcome, Prober};
use super::schedule::{CheckId, Observed, Run, Schedule};
use crate::engine::{
    CheckError, CheckOutcome, CheckRequest, CheckRequests, Checked, Engine, Published, Subscription, Told, Upcoming,
};
use crate::model::{CheckResult, Instance, Key, Revision, Span, Tick, Verdict};
use crate::registry::Observation;
use crate::telemetry::traces;

/// Changes taken in before due checks get their turn.
const GULP: usize = 4096;
/// Checks started before those that run get theirs: many that are due at once must not time out for want of a processor.
const BURST: usize = 64;
/// Between two warnings that checks cannot be carried out.
const WARN_EVERY: Span = Span::from_secs(60);

/// What a run is for the traces.
fn span(run: &Run) -> TraceSpan {
    if !traces::are_on() {
        return TraceSpan::none();
    }
    tracing::info_span!(
        target: traces::TARGET,
        "check",
        otel.kind = "client",
        otel.status_code = Empty,
        otel.status_description = Empty,
        srvd.service = run.key.service.as_str(),
        srvd.instance = run.key.id.as_str(),
        srvd.check.kind = run.spec().kind.as_str(),
        srvd.check.late_ms = run.late.as_millis() as i64,
        srvd.check.passes = Empty,
    )
}

/// Notes what a run has found.
fn note(span: &TraceSpan, finding: &Finding) {
    let passes = matches!(finding.outcome(), Outcome::Passed(_));
    span.record("srvd.check.passes", passes);
    if !passes {
        traces::failed(span, finding);
    }
}

/// The schedule with everything around it that is not pure.
pub(super) struct Runner {
    engine: Engine,
    in_flight: usize,
    prober: Arc<Prober>,
    schedule: Schedule,
    probes: JoinSet<(CheckId, Finding)>,
    running: HashMap<CheckId, (Run, AbortHandle), foldhash::fast::RandomState>,
    requests: CheckRequests,
    asks: Asks,
    lateness: Lateness,
    notice: Notice,
    /// When it was last said that checks cannot be carried out.
    warned: Option<Tick>,
}

impl Runner {
    pub fn new(engine: Engine, settings: Settings, requests: CheckRequests) -> Self {
        let in_flight = settings.in_flight.max(1);
        Self {
            engine,
            in_flight,
            prober: Arc::new(Prober::new(settings.allow, &settings.roots, (in_flight / 4).max(1))),
            schedule: Schedule::default(),
            probes: JoinSet::new(),
            running: HashMap::default(),
            requests,
            asks: Asks::default(),
            lateness: Lateness::default(),
            notice: Notice::default(),
            warned: None,
        }
    }

    /// Works for ever; dropping it drops every run under way.
    pub async fn run(mut self) {
        // Subscribed before the index is read: what comes between is seen twice, and the revision tells.
        let mut changes = self.engine.subscribe();
        let mut duties = self.engine.shares().turned();
        self.start_over();
        loop {
            self.catch_up(&mut changes);
            if self.start_due() == BURST {
                tokio::task::yield_now().await;
            }
            self.show();
            let next_turn = self.next_turn();
            let asks_have_room = self.asks.has_room();
            tokio::select! {
                told = changes.next() => self.hear(told),
                Some(ended) = self.probes.join_next() => self.ended_all(ended).await,
                Some(request) = self.requests.queue.recv(), if asks_have_room => self.asked(request),
                // Who checks what is worked out anew when a server comes or goes.
                Ok(()) = duties.changed() => self.start_over(),
                () = at(next_turn) => {}
            }
        }
    }

    /// Takes in what has gathered before anything is started, so that instances which come together are spread.
    fn catch_up(&mut self, changes: &mut Subscription) {
        for told in std::iter::from_fn(|| changes.try_next()).take(GULP) {
            self.hear(told);
        }
    }

    fn hear(&mut self, told: Told) {
        match told {
            Told::Change(change) => self.take(&change),
            Told::Reset => {
                tracing::debug!("checks start over from the index");
                self.start_over();
            }
        }
    }

    fn take(&mut self, change: &Published) {
        let gone = match change.after.as_ref().filter(|_| self.is_ours(&change.key)) {
            Some(after) => self.schedule.put(after, self.engine.clock().tick(), &mut rand::random),
            None => self.schedule.remove(&change.key, change.revision),
        };
        self.abort(&gone);
    }

    fn start_over(&mut self) {
        let now = self.engine.clock().tick();
        let index = Arc::clone(self.engine.index());
        let Self { engine, asks, schedule, .. } = self;
        // Those that are gone first: they crowd nobody.
        let gone = schedule.retain(|key, life| {
            let lives = index.instance(key).is_some_and(|instance| Arc::ptr_eq(&instance.pulse, life));
            lives && (engine.shares().checks(key) || asks.awaits(key))
        });
        self.abort(&gone);
        for view in index.views() {
            for instance in view.instances() {
                if self.is_ours(&instance.key) {
                    let gone = self.schedule.put(instance, now, &mut rand::random);
                    self.abort(&gone);
                }
            }
        }
    }

    /// Whether this server checks an instance: always, where it shares the registry with nobody, and as long as somebody
    /// waits for it here.
    fn is_ours(&self, key: &Key) -> bool {
        self.engine.shares().checks(key) || self.asks.awaits(key)
    }

    fn abort(&mut self, gone: &[CheckId]) {
        for id in gone {
            if let Some((_, probe)) = self.running.remove(id) {
                probe.abort();
            }
            self.asks.gone(*id);
        }
    }

    /// Has the checks of an instance run for someone who waits.
    fn asked(&mut self, request: CheckRequest) {
        let Some(instance) = self.engine.index().instance(&request.key) else {
            let unknown = CheckError::Unknown(request.key);
            request.reply.send(Err(unknown)).ok();
            return;
        };
        let now = self.engine.clock().tick();
        // The event that it came with may still be on its way.
        let gone = self.schedule.put(&instance, now, &mut rand::random);
        self.abort(&gone);
        let runs = self.schedule.hasten(&request.key, now);
        self.asks.open(request, instance.registration.checks().to_vec(), &runs);
    }

    /// Starts what is due and finds a slot, up to [`BURST`] checks, and gives their number.
    fn start_due(&mut self) -> usize {
        let now = self.engine.clock().tick();
        for started in 0..BURST {
            let run = if self.probes.len() < self.in_flight { self.schedule.start(now) } else { None };
            let Some(run) = run else { return started };
            self.lateness.note(run.late, now);
            self.requests.state.metrics.lateness.observe(run.late.as_duration());
            let (id, prober, task, span) = (run.id, Arc::clone(&self.prober), run.clone(), span(&run));
            let probe = self.probes.spawn(async move {
                let finding = prober.probe(&task.registration, task.spec()).await;
                note(&span, &finding);
                (id, finding)
            });
            self.running.insert(id, (run, probe));
        }
        BURST
    }

    /// Publishes how the checks are doing, and what has not been told one by one.
    fn show(&mut self) {
        let now = self.engine.clock().tick();
        let (total, in_flight) = (self.schedule.len(), self.probes.len());
        let upcoming = self.schedule.upcoming();
        let upcoming = upcoming.map(|(due, key, check)| Upcoming { due, key: key.clone(), kind: check.kind.as_str() });
        self.requests.state.set(total, in_flight, self.lateness.worst(now), upcoming);
        if let Some(untold) = self.notice.summary(now) {
            let (failing, passing) = (untold.failing, untold.passing);
            tracing::warn!(failing, passing, "many checks turned; these were not logged one by one");
        }
    }

    /// When the next check may start, or the next summary is due.
    fn next_turn(&self) -> Option<Instant> {
        let due = self.schedule.next_due().filter(|_| self.probes.len() < self.in_flight);
        let turn = due.into_iter().chain(self.notice.due()).min();
        turn.map(|tick| self.engine.clock().instant(tick))
    }

    /// Takes in what has ended by now.
    async fn ended_all(&mut self, first: Result<(CheckId, Finding), JoinError>) {
        self.ended(first).await;
        for _ in 1..BURST {
            let Some(ended) = self.probes.try_join_next() else { return };
            self.ended(ended).await;
        }
    }

    async fn ended(&mut self, ended: Result<(CheckId, Finding), JoinError>) {
        match ended {
            Ok((id, finding)) => {
                if let Some((run, _)) = self.running.remove(&id) {
                    self.found(&run, &finding).await;
                }
            }
            Err(error) if error.is_panic() => {
                tracing::error!(%error, "a check panicked");
                let id = self.running.iter().find(|(_, (_, probe))| probe.id() == error.id()).map(|(id, _)| *id);
                if let Some((run, _)) = id.and_then(|id| self.running.remove(&id)) {
                    self.schedule.finish(run.id, None, self.engine.clock().tick(), &mut rand::random);
                }
            }
            // Aborted by us.
            Err(_) => {}
        }
    }

    /// Keeps a result, and reports the verdict if it turned or is not what is published.
    async fn found(&mut self, run: &Run, finding: &Finding) {
        let now = self.engine.clock().now();
        let published = self.published(run);
        let passed = published.is_some().then(|| self.conclusion(run, finding)).flatten();
        let observed = self.schedule.finish(run.id, passed, now.tick, &mut rand::random);
        let (Some((instance, places)), Some(observed)) = (published, observed) else { return };
        let result = CheckResult {
            at: now.wall,
            passed: passed == Some(true),
            took_ms: finding.took_ms(),
            detail: finding.to_string(),
            next: observed.next,
            damped: observed.damped,
        };
        if passed.is_some() {
            self.report(run, &instance, &places, observed, &result).await;
        }
        if self.asks.await_one(run.id) {
            self.asks.finished(run.id, &Checked { check: run.spec().clone(), result, verdict: observed.verdict });
        }
        if !self.is_ours(&run.key) {
            // It was looked at for whoever asked, and for nobody else.
            let gone = self.schedule.remove(&run.key, Revision(u64::MAX));
            self.abort(&gone);
        }
    }

    /// Tells the instance what was found, and the engine if that matters to it.
    async fn report(
        &mut self,
        run: &Run,
        instance: &Instance,
        places: &[usize],
        observed: Observed,
        found: &CheckResult,
    ) {
        instance.pulse.words(|words| words.keep_result(run.spec(), found.clone()));
        let stands = places.iter().all(|&place| instance.condition.checks.get(place) == Some(observed.verdict));
        if !observed.turned && stands {
            return;
        }
        if self.notice.tells(observed.verdict, self.engine.clock().tick()) {
            tell(run, instance, observed.verdict, &found.detail);
        }
        let observation = Observation {
            key: run.key.clone(),
            life: Arc::clone(&run.life),
            registration: Arc::clone(&run.registration),
            check: run.spec().clone(),
            verdict: observed.verdict,
        };
        self.engine.observe(observation).await;
    }

    /// The published instance if the run is still about it, with every place that the check has in it.
    fn published(&self, run: &Run) -> Option<(Arc<Instance>, SmallVec<[usize; 1]>)> {
        let instance = self.engine.index().instance(&run.key)?;
        let alive = Arc::ptr_eq(&instance.pulse, &run.life) && instance.registration.same_target(&run.registration);
        let checks = instance.registration.checks().iter().enumerate();
        let places: SmallVec<_> = checks.filter(|(_, spec)| *spec == run.spec()).map(|(place, _)| place).collect();
        (alive && !places.is_empty()).then_some((instance, places))
    }

    /// Counts the result: whether the check passed; `None` when it could not be carried out.
    fn conclusion(&mut self, run: &Run, finding: &Finding) -> Option<bool> {
        let (passed, outcome) = match finding.outcome() {
            Outcome::Passed(_) => (Some(true), CheckOutcome::Passing),
            Outcome::Failed(_) => (Some(false), CheckOutcome::Failing),
            Outcome::Hindered(_) => (None, CheckOutcome::Hindered),
        };
        self.requests.state.metrics.ended(&run.spec().kind, outcome);
        let now = self.engine.clock().tick();
        if passed.is_none() && self.warned.is_none_or(|before| now.since(before) >= WARN_EVERY) {
            tracing::warn!(instance = %run.key, reason = %finding, "checks cannot be carried out");
            self.warned = Some(now);
        }
        passed
    }
}

/// Logs a verdict; a first pass is what everybody expects.
fn tell(run: &Run, instance: &Instance, verdict: Verdict, detail: &str) {
    let (check, reached) = (run.spec().kind.as_str(), verdict.as_str());
    if verdict == Verdict::Passing && instance.condition.checks.contains(Verdict::Unknown) {
        tracing::debug!(instance = %run.key, check, verdict = reached, detail, "check turned");
    } else {
        tracing::info!(instance = %run.key, check, verdict = reached, detail, "check turned");
    }
}

/// Waits for an instant, or for ever.
async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
