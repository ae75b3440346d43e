//! A registered instance, from registration to deregistration.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::lease::{self, Lease, LeaseState};
use super::own_address::own_address;
use super::{Client, Error, Registration};

/// How long a shutdown waits for caches to forget the instance, unless it is told otherwise.
const PATIENCE: Duration = Duration::from_secs(60);
/// The letters of ids that are made here, and how many one has.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
const ID_LENGTH: usize = 8;

/// What an instance can say of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnStatus {
    Starting,
    Healthy,
    Unhealthy,
    /// It is about to leave, and shall get no more traffic. There is no way back but to register again.
    Draining,
}

impl OwnStatus {
    pub const ALL: [Self; 4] = [Self::Starting, Self::Healthy, Self::Unhealthy, Self::Draining];

    /// The word of the API for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Draining => "draining",
        }
    }
}

/// The load that an instance reports; what is left out counts as none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LoadReport(Map<String, Value>);

impl LoadReport {
    pub fn new() -> Self {
        Self::default()
    }

    /// From 0 to 1.
    #[must_use]
    pub fn cpu(self, share: f64) -> Self {
        self.with("cpu", share.into())
    }

    /// From 0 to 1.
    #[must_use]
    pub fn memory(self, share: f64) -> Self {
        self.with("memory", share.into())
    }

    /// From 0 to 1.
    #[must_use]
    pub fn disk(self, share: f64) -> Self {
        self.with("disk", share.into())
    }

    #[must_use]
    pub fn latency(self, latency: Duration) -> Self {
        self.with("latency_ms", (latency.as_secs_f64() * 1_000.0).into())
    }

    #[must_use]
    pub fn connections(self, connections: u64) -> Self {
        self.with("connections", connections.into())
    }

    #[must_use]
    pub fn requests(self, requests: u64) -> Self {
        self.with("requests", requests.into())
    }

    #[must_use]
    pub fn errors(self, errors: u64) -> Self {
        self.with("errors", errors.into())
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.0.insert(member.to_owned(), value);
        self
    }
}

/// How an instance leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    way: Way,
    patience: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    Drain,
    Maintenance(String),
    AtOnce,
}

impl Leave {
    /// Out of DNS, still registered, until no cache can hold it any more; then deregistered. That ends with the
    /// registration, so the next one under this id is served: the way for a restart.
    pub fn drain() -> Self {
        Self { way: Way::Drain, patience: PATIENCE }
    }

    /// The same by a mark that belongs to the name and stays after the registration: whatever registers under this id is
    /// kept out of DNS until an operator lifts it (`srvd maintenance --off`).
    pub fn maintenance(reason: impl Into<String>) -> Self {
        Self { way: Way::Maintenance(reason.into()), patience: PATIENCE }
    }

    /// Deregistered without a wait: who still has it in a cache will call it in vain.
    pub fn at_once() -> Self {
        Self { way: Way::AtOnce, patience: Duration::ZERO }
    }

    /// Waits for caches no longer than this.
    #[must_use]
    pub fn within(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Default for Leave {
    fn default() -> Self {
        Self::drain()
    }
}

/// A registered instance. Heartbeats keep it registered for as long as this value is there, on whichever server answers;
/// a server that does not know it is told of it again.
///
/// Dropping it stops the heartbeats and nothing more, so that the lease runs out, as when the process dies. To leave in
/// order, call [`Registered::shutdown`].
#[derive(Debug)]
#[must_use = "dropping it stops the heartbeats"]
pub struct Registered {
    lease: Arc<Lease>,
    every: Duration,
    beats: AbortOnDropHandle<()>,
}

impl Client {
    /// Registers an instance and keeps it registered.
    ///
    /// ```no_run
    /// use srvd::client::{Check, Client, Registration};
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = Client::new(["http://127.0.0.1:8053"])?;
    /// let registered = client.register(Registration::new("web", 8080).check(Check::http("/health"))).await?;
    /// // Serve until it is time to go.
    /// registered.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When no server answers, or the server refuses the registration.
    pub async fn register(&self, registration: Registration) -> Result<Registered, Error> {
        let Registration { service, id, finds_address, mut body } = registration;
        if finds_address {
            body.insert("address".to_owned(), self.own_address().await?.into());
        }
        let lease = Arc::new(Lease::new(self.clone(), service, id.unwrap_or_else(new_id), body));
        let every = lease.register().await?;
        let beats = AbortOnDropHandle::new(tokio::spawn(lease::keep(Arc::clone(&lease), every)));
        Ok(Registered { lease, every, beats })
    }

    /// The address on the way to the first server to which there is one.
    async fn own_address(&self) -> Result<String, Error> {
        let mut failure = None;
        for server in self.in_turn() {
            match own_address(server).await {
                Ok(address) => return Ok(address.to_string()),
                Err(source) => failure = failure.or(Some(Error::OwnAddress { server: server.clone(), source })),
            }
        }
        Err(failure.unwrap_or(Error::Away(Vec::new())))
    }
}

/// An id that nobody else makes: 40 random bits. It is made here and not by the server, so that a registration that is
/// repeated, here or at another server, is the same instance.
fn new_id() -> String {
    let bits: u64 = rand::random();
    (0..ID_LENGTH).map(|place| char::from(LETTERS[(bits >> (5 * place)) as usize % LETTERS.len()])).collect()
}

impl Registered {
    pub fn service(&self) -> &str {
        &self.lease.service
    }

    pub fn id(&self) -> &str {
        &self.lease.id
    }

    /// How the registration stands, now and as it changes.
    pub fn state(&self) -> watch::Receiver<LeaseState> {
        self.lease.state.subscribe()
    }

    /// Says how the instance is, from now on: also to servers that learn of it later.
    ///
    /// # Errors
    /// When no server takes it. It goes with the next heartbeat all the same.
    pub async fn set_status(&self, status: OwnStatus, message: Option<&str>) -> Result<(), Error> {
        self.lease.say([("status", status.as_str().into()), ("message", message.into())]);
        self.beat().await
    }

    /// Says how loaded the instance is, from now on.
    ///
    /// # Errors
    /// When no server takes it. It goes with the next heartbeat all the same.
    pub async fn report_load(&self, load: LoadReport) -> Result<(), Error> {
        self.lease.say([("load", load.0.into())]);
        self.beat().await
    }

    /// A heartbeat now, in place of waiting for the next.
    ///
    /// # Errors
    /// When no server takes it.
    pub async fn beat(&self) -> Result<(), Error> {
        self.lease.beat(lease::patience(self.every)).await
    }

    /// Drains, waits until no cache can hold the instance any more, and deregisters: [`Registered::leave`] by
    /// [`Leave::drain`].
    ///
    /// # Errors
    /// When no server answers. The heartbeats have ended then, too.
    pub async fn shutdown(self) -> Result<(), Error> {
        self.leave(Leave::drain()).await.map(drop)
    }

    /// Takes the instance out, waits until no cache can hold it any more, or for as long as `leave` says, and
    /// deregisters it. Heartbeats go on until then. Says whether it became safe in time: if not, some client may call it
    /// in vain.
    ///
    /// # Errors
    /// When no server answers. The heartbeats have ended then, too.
    pub async fn leave(self, leave: Leave) -> Result<bool, Error> {
        let out = match leave.way {
            Way::AtOnce => Ok(false),
            Way::Drain => {
                // Should another server learn of it meanwhile, it learns that it is leaving.
                self.lease.say([("status", OwnStatus::Draining.as_str().into())]);
                self.lease.take_out("drain", None, leave.patience).await
            }
            Way::Maintenance(reason) => {
                let body = Map::from_iter([("reason".to_owned(), reason.into())]);
                self.lease.take_out("maintenance", Some(body), leave.patience).await
            }
        };
        let is_safe = match out {
            Ok(is_safe) => is_safe,
            Err(error) => {
                tracing::warn!(instance = %self.lease.subject(), %error, "could not be taken out before it leaves");
                false
            }
        };
        // A heartbeat that is under way ends first: it might register the instance again.
        let _turn = self.lease.turn.lock().await;
        self.beats.abort();
        self.lease.deregister().await?;
        Ok(is_safe)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::InstanceId;

    #[test]
    fn ids_are_labels_and_differ() {
        let ids: std::collections::BTreeSet<_> = (0..100).map(|_| new_id()).collect();
        assert_eq!(ids.len(), 100);
        assert!(ids.iter().all(|id| id.len() == ID_LENGTH && InstanceId::parse(id).is_ok()));
    }

    #[test]
    fn load_is_what_the_server_reads() {
        let report = LoadReport::new().cpu(0.5).memory(0.25).disk(1.0).latency(Duration::from_micros(2_500));
        let report = report.connections(3).requests(4).errors(5);
        let load = crate::model::Load::from_json(&report.0.into()).unwrap();
        let members = ["cpu", "memory", "disk", "latency_ms", "connections", "requests", "errors"];
        assert_eq!(members.map(|member| load.number(member).unwrap()), [0.5, 0.25, 1.0, 2.5, 3.0, 4.0, 5.0]);
    }
}
