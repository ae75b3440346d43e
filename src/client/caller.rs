//! Calls that find their instance, and another when it fails.
//!
//! ```text
//! find the service ─► choose: served, not tried, breaker lets it ─► (probe) ─► call ─► done
//!        ▲                     │ none: those tried, too                          │ failed
//!        └──── pause: 100 ms, doubling, with jitter ◄────────────────────────────┘ at most so many times
//! ```
//!
//! An instance that failed is tried again only when no other is left; when all of the lowest priority failed, or their
//! breakers are open, the next priority has its turn.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::time::{Instant, sleep, timeout};

use super::breaker::{Admission, Breaker, BreakerRules, Ending};
use super::servers::service_name;
use super::{Balancer, Discovery, Error, Instance, Instances, Picked, Probe, ProbeError};
use crate::model::{InstanceId, ServiceName, Strategy, Tick};
use crate::outbound::Backoff;

/// How calls are made.
#[derive(Debug, Clone)]
pub struct CallRules {
    pub strategy: Strategy,
    /// Attempts after the first.
    pub retries: u32,
    /// The pause before the first of them; each further one is twice as long. Half of it is left to chance.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// How long one attempt may take, its probe aside.
    pub timeout: Duration,
    pub breaker: BreakerRules,
    /// What an instance is asked before it is called.
    pub probe: Option<Probe>,
}

impl Default for CallRules {
    fn default() -> Self {
        Self {
            strategy: Strategy::Weighted,
            retries: 3,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(5),
            timeout: Duration::from_secs(10),
            breaker: BreakerRules::default(),
            probe: None,
        }
    }
}

/// How one attempt failed, in the words of whoever made it. `?` makes a [`Failure::Retry`] of an error.
#[derive(Debug)]
pub enum Failure<E> {
    /// The instance is to blame, or the way to it: another may do better.
    Retry(E),
    /// The call itself is wrong: it would fail anywhere, and no instance is to blame.
    Final(E),
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Self {
        Self::Retry(error)
    }
}

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError<E: fmt::Display> {
    #[error(transparent)]
    Discovery(Error),
    #[error("{0}: no instance is healthy")]
    NoInstance(ServiceName),
    #[error("{0}: every healthy instance failed too often lately")]
    NoneAdmitted(ServiceName),
    /// What the last of several attempts failed with.
    #[error("{service}/{id}, at attempt {attempts}: {failure}")]
    Failed { service: ServiceName, id: InstanceId, attempts: u32, failure: AttemptError<E> },
    #[error("{0}")]
    Final(E),
}

/// Why one attempt failed.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError<E: fmt::Display> {
    #[error("{0}")]
    Call(E),
    #[error("not done within {} ms", .0.as_millis())]
    TimedOut(Duration),
    #[error("the probe failed: {0}")]
    Probe(ProbeError),
}

/// Calls instances of one service. Cheap to clone; clones share breakers and turns.
#[derive(Debug, Clone)]
pub struct Caller {
    discovery: Discovery,
    service: ServiceName,
    rules: CallRules,
    balancer: Balancer,
    breakers: Arc<Breakers>,
}

impl Caller {
    /// # Errors
    /// When that is no name of a service.
    pub fn new(discovery: Discovery, service: &str, rules: CallRules) -> Result<Self, Error> {
        let balancer = Balancer::new(rules.strategy);
        let breakers = Breakers { rules: rules.breaker, started: Instant::now(), states: Mutex::default() };
        Ok(Self { discovery, service: service_name(service)?, rules, balancer, breakers: Arc::new(breakers) })
    }

    /// Calls an instance by `attempt`, and others when it fails.
    ///
    /// ```no_run
    /// use srvd::client::{CallRules, Caller, Discovery};
    /// use tokio::io::AsyncWriteExt;
    /// use tokio::net::TcpStream;
    ///
    /// # async fn example(discovery: Discovery) -> Result<(), Box<dyn std::error::Error>> {
    /// let caller = Caller::new(discovery, "queue", CallRules::default())?;
    /// let sent = caller
    ///     .call(|instance| async move {
    ///         let mut stream = TcpStream::connect(instance.endpoint()).await?;
    ///         Ok(stream.write_all(b"job 7\n").await?)
    ///     })
    ///     .await;
    /// # let sent: Result<(), srvd::client::CallError<std::io::Error>> = sent;
    /// # Ok(sent?)
    /// # }
    /// ```
    ///
    /// # Errors
    /// When there is no instance to call, or the last attempt failed, or one failed for good.
    pub async fn call<T, E, A>(&self, attempt: impl FnMut(Arc<Instance>) -> A) -> Result<T, CallError<E>>
    where
        A: Future<Output = Result<T, Failure<E>>>,
        E: fmt::Display,
    {
        self.call_for("", attempt).await
    }

    /// The same for `key`, which [`Strategy::ConsistentHash`] goes by.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_for<T, E, A>(
        &self,
        key: &str,
        mut attempt: impl FnMut(Arc<Instance>) -> A,
    ) -> Result<T, CallError<E>>
    where
        A: Future<Output = Result<T, Failure<E>>>,
        E: fmt::Display,
    {
        let mut backoff = Backoff::new(self.rules.first_pause, self.rules.longest_pause);
        let (mut tried, mut attempts, mut before) = (Vec::new(), 0, None);
        loop {
            attempts += 1;
            let error = match self.admitted(key, &mut tried).await {
                Err(error) => error,
                Ok((picked, permit)) => match self.attempt(&picked, &mut attempt).await {
                    Ok(done) => {
                        permit.ended(Ending::Success);
                        return Ok(done);
                    }
                    // It answered, so nothing is wrong with it.
                    Err(Failed::Final(error)) => {
                        permit.ended(Ending::Success);
                        return Err(CallError::Final(error));
                    }
                    Err(Failed::Attempt(failure)) => {
                        permit.ended(Ending::Failure);
                        let (service, id) = (self.service.clone(), picked.id.clone());
                        CallError::Failed { service, id, attempts, failure }
                    }
                },
            };
            // That nobody was asked again so soon is not what is wrong.
            let error = match (error, before) {
                (CallError::Discovery(Error::AwayLately { .. }), Some(before)) => before,
                (error, _) => error,
            };
            if attempts > self.rules.retries || matches!(&error, CallError::Discovery(error) if !error.is_passing()) {
                return Err(error);
            }
            before = Some(error);
            sleep(backoff.next(rand::random())).await;
        }
    }

    /// The state of the breaker of an instance.
    pub fn breaker(&self, id: &str) -> Breaker {
        self.breakers.states.lock().get(id).copied().unwrap_or_default()
    }

    /// An instance that may be called, of those that were not tried if there is one.
    async fn admitted<E: fmt::Display>(
        &self,
        key: &str,
        tried: &mut Vec<InstanceId>,
    ) -> Result<(Picked, Permit), CallError<E>> {
        let found = self.discovery.find(self.service.as_str()).await.map_err(CallError::Discovery)?;
        let instances = &found.instances;
        if instances.served().next().is_none() {
            return Err(CallError::NoInstance(self.service.clone()));
        }
        let admitted = self.admit(instances, key, tried).or_else(|| {
            tried.clear();
            self.admit(instances, key, tried)
        });
        let (picked, permit) = admitted.ok_or_else(|| CallError::NoneAdmitted(self.service.clone()))?;
        tried.push(picked.id.clone());
        Ok((picked, permit))
    }

    fn admit(&self, instances: &Instances, key: &str, tried: &[InstanceId]) -> Option<(Picked, Permit)> {
        // Somebody else may be let through between the choice and the admission, so it may take more than one round.
        for _ in 0..instances.all().len() {
            let may = |instance: &Instance| !tried.contains(&instance.id) && self.breakers.would_admit(&instance.id);
            let picked = self.balancer.pick_among(instances, key, &may)?;
            if let Some(permit) = self.breakers.admit(&picked.id, instances) {
                return Some((picked, permit));
            }
        }
        None
    }

    async fn attempt<T, E, A>(
        &self,
        picked: &Picked,
        attempt: &mut impl FnMut(Arc<Instance>) -> A,
    ) -> Result<T, Failed<E>>
    where
        A: Future<Output = Result<T, Failure<E>>>,
        E: fmt::Display,
    {
        if let Some(probe) = &self.rules.probe {
            probe.run(picked).await.map_err(|error| Failed::Attempt(AttemptError::Probe(error)))?;
        }
        match timeout(self.rules.timeout, attempt(Arc::clone(picked.instance()))).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(Failure::Retry(error))) => Err(Failed::Attempt(AttemptError::Call(error))),
            Ok(Err(Failure::Final(error))) => Err(Failed::Final(error)),
            Err(_) => Err(Failed::Attempt(AttemptError::TimedOut(self.rules.timeout))),
        }
    }
}

/// Why one attempt failed, and whether another is any use.
enum Failed<E: fmt::Display> {
    Attempt(AttemptError<E>),
    Final(E),
}

/// The breakers of the instances of one service.
#[derive(Debug)]
struct Breakers {
    rules: BreakerRules,
    started: Instant,
    /// Those that are not as new.
    states: Mutex<HashMap<InstanceId, Breaker>>,
}

impl Breakers {
    fn now(&self) -> Tick {
        Tick(self.started.elapsed().as_millis() as u64)
    }

    fn would_admit(&self, id: &InstanceId) -> bool {
        self.states.lock().get(id).is_none_or(|breaker| breaker.would_admit(self.now()))
    }

    fn admit(self: &Arc<Self>, id: &InstanceId, instances: &Instances) -> Option<Permit> {
        let mut states = self.states.lock();
        // Those of instances that are gone are of no more use.
        if states.len() > instances.all().len() {
            states.retain(|id, _| instances.instance(id.as_str()).is_some());
        }
        let admission = match states.get_mut(id) {
            Some(breaker) => breaker.admit(self.now())?,
            None => Admission::Usual,
        };
        Some(Permit { breakers: Arc::clone(self), id: id.clone(), admission, has_ended: false })
    }

    fn ended(&self, id: &InstanceId, admission: Admission, ending: Ending) {
        let mut states = self.states.lock();
        let mut breaker = states.get(id).copied().unwrap_or_default();
        if breaker.ended(admission, ending, self.rules, self.now()) {
            tracing::warn!(%id, "an instance failed too often and is left alone for a while");
        }
        match breaker == Breaker::default() {
            true => drop(states.remove(id)),
            false => drop(states.insert(id.clone(), breaker)),
        }
    }
}

/// That an instance may be called. One that is dropped was given up.
#[derive(Debug)]
struct Permit {
    breakers: Arc<Breakers>,
    id: InstanceId,
    admission: Admission,
    has_ended: bool,
}

impl Permit {
    fn ended(mut self, ending: Ending) {
        self.has_ended = true;
        self.breakers.ended(&self.id, self.admission, ending);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.has_ended {
            self.breakers.ended(&self.id, self.admission, Ending::GivenUp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_retries_from_a_tenth_of_a_second() {
        let rules = CallRules::default();
        for (random, pauses) in [(1.0, [100, 200, 400]), (0.0, [50, 100, 200])] {
            let mut backoff = Backoff::new(rules.first_pause, rules.longest_pause);
            let seen: Vec<_> = (0..rules.retries).map(|_| backoff.next(random).as_millis()).collect();
            assert_eq!(seen, pauses);
        }
    }
}
