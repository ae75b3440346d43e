//! Staying registered: the lease of one instance, and what keeps it.

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use parking_lot::Mutex;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::sleep;

use super::http::Call;
use super::servers::{Client, json};
use super::target::Target;
use super::{Error, Problem};
use crate::model::Span;
use crate::outbound::Backoff;

/// How often heartbeats come when the registration is permanent, to find out about servers that forgot it.
const PERMANENT: Duration = Duration::from_secs(10);
/// The share of its lease after which an instance says that it is there.
const BEATS_PER_LEASE: u32 = 3;
/// The longest wait for the reply to a heartbeat, and the shortest that is any use.
const PATIENCE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));

/// How a registration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseState {
    /// The last heartbeat was taken.
    Held,
    /// It was not, for this reason. Heartbeats go on, and the instance registers again as soon as a server lets it.
    Lost(String),
}

/// A registration, and what the instance says of itself.
#[derive(Debug)]
pub(super) struct Lease {
    client: Client,
    pub(super) service: String,
    pub(super) id: String,
    registration: Map<String, Value>,
    /// What goes with every heartbeat.
    said: Mutex<Map<String, Value>>,
    /// Held by whoever speaks for the instance, so that nothing overtakes anything.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) state: watch::Sender<LeaseState>,
}

impl Lease {
    pub fn new(client: Client, service: String, id: String, registration: Map<String, Value>) -> Self {
        Self {
            client,
            service,
            id,
            registration,
            said: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            state: watch::Sender::new(LeaseState::Held),
        }
    }

    /// Registers, and gives how often heartbeats have to come.
    pub async fn register(&self) -> Result<Duration, Error> {
        let mut call = self.call(Method::PUT, None);
        call.body = Some(self.registration.clone());
        let reply = json(&call.subject.clone(), self.client.call(call).await?)?;
        let ttl = reply["ttl"].as_str().and_then(Span::parse);
        Ok(ttl.map_or(PERMANENT, |ttl| ttl.as_duration() / BEATS_PER_LEASE))
    }

    /// From now on heartbeats say that, too; a value of null takes a member back.
    pub fn say(&self, members: impl IntoIterator<Item = (&'static str, Value)>) {
        let mut said = self.said.lock();
        for (member, value) in members {
            match value {
                Value::Null => drop(said.remove(member)),
                value => drop(said.insert(member.to_owned(), value)),
            }
        }
    }

    /// Says that the instance is there, and how it is. Where it is not known, it registers anew.
    pub async fn beat(&self, patience: Duration) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let beaten = self.beat_once(patience).await;
        let state = match &beaten {
            Ok(()) => LeaseState::Held,
            Err(error) => LeaseState::Lost(error.to_string()),
        };
        self.state.send_if_modified(|before| std::mem::replace(before, state.clone()) != state);
        beaten
    }

    async fn beat_once(&self, patience: Duration) -> Result<(), Error> {
        if self.heartbeat(patience).await? {
            return Ok(());
        }
        self.register().await?;
        tracing::info!(service = %self.service, id = %self.id, "registered anew: the server did not know the instance");
        if self.said.lock().is_empty() || self.heartbeat(patience).await? {
            return Ok(());
        }
        let problem = Problem::read(StatusCode::NOT_FOUND, b"");
        Err(Error::Refused { subject: self.subject(), problem })
    }

    /// Whether the instance is known.
    async fn heartbeat(&self, patience: Duration) -> Result<bool, Error> {
        let mut call = self.call(Method::PUT, Some("heartbeat"));
        call.patience = Some(patience);
        call.body = Some(self.said.lock().clone()).filter(|said| !said.is_empty());
        let reply = self.client.call(call).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        json(&self.subject(), reply).map(|_| true)
    }

    /// Takes the instance out, by `drain` or `maintenance`, and waits until no cache can hold it any more: whether that
    /// came about within `patience`. Where the instance is not known, nobody can hold it.
    pub async fn take_out(
        &self,
        way: &'static str,
        body: Option<Map<String, Value>>,
        patience: Duration,
    ) -> Result<bool, Error> {
        /// What a server may take beside the wait.
        const SLACK: Duration = Duration::from_secs(10);
        const LONGEST_WAIT: Duration = Duration::from_secs(30);
        let deadline = tokio::time::Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let wait = left.min(LONGEST_WAIT);
            let mut call = self.call(Method::PUT, Some(way));
            call.target = call.target.with("wait", &Span::from_millis(wait.as_millis() as u64).to_string());
            call.patience = Some(wait + SLACK);
            call.body = body.clone();
            let reply = self.client.call(call).await?;
            if reply.status == StatusCode::NOT_FOUND {
                return Ok(true);
            }
            let is_safe = json(&self.subject(), reply)?["safe"] == true;
            if is_safe || left <= LONGEST_WAIT {
                return Ok(is_safe);
            }
        }
    }

    /// Ends the registration; that it is not known is as good.
    pub async fn deregister(&self) -> Result<(), Error> {
        let reply = self.client.call(self.call(Method::DELETE, None)).await?;
        match reply.status {
            StatusCode::NOT_FOUND => Ok(()),
            _ => json(&self.subject(), reply).map(drop),
        }
    }

    pub fn subject(&self) -> String {
        format!("{}/{}", self.service, self.id)
    }

    fn call(&self, method: Method, rest: Option<&str>) -> Call {
        let path = ["services", &self.service, "instances", &self.id];
        let target = match rest {
            Some(rest) => Target::v1(&[&path[..], &[rest]].concat()),
            None => Target::v1(&path),
        };
        Call::new(self.subject(), method, target)
    }
}

/// How long to wait for the reply to one heartbeat, so that another server can be asked before the lease ends.
pub(super) fn patience(every: Duration) -> Duration {
    (every / 2).clamp(PATIENCE.0, PATIENCE.1)
}

/// Keeps a lease for as long as it is polled.
pub(super) async fn keep(lease: Arc<Lease>, every: Duration) {
    let mut backoff = Backoff::new(every / 8, every);
    // Those that registered together do not come together for ever.
    let mut pause = every.mul_f64(0.9 + rand::random::<f64>() / 10.0);
    loop {
        sleep(pause).await;
        pause = match lease.beat(patience(every)).await {
            Ok(()) => {
                if backoff.is_failing() {
                    tracing::info!(service = %lease.service, id = %lease.id, "heartbeats are taken again");
                }
                backoff.reset();
                every.mul_f64(0.9 + rand::random::<f64>() / 10.0)
            }
            Err(error) => {
                // Once: what fails goes on failing for a while.
                if !backoff.is_failing() {
                    tracing::warn!(service = %lease.service, id = %lease.id, %error, "a heartbeat was not taken");
                }
                backoff.next(rand::random())
            }
        };
    }
}
