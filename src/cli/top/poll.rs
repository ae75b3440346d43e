//! The thread that asks the server again and again, and does what the keys want done.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use hyper::Method;
use jiff::Timestamp;
use serde_json::Value;

use super::figures::Counts;
use super::state::{Act, Look, News, Wish};
use crate::cli::client::{Call, Client, Reply};
use crate::cli::connection::ServerUrl;
use crate::cli::exit::Failure;
use crate::cli::problem::Problem;
use crate::cli::target::Target;

/// Services in the list; more cannot be looked through by eye.
const SERVICES: &str = "1000";
/// Instances up to which the checks of all services are looked at.
const INSTANCES: u64 = 2000;
/// The latest changes that programs get.
const RECENT: &str = "20";
/// The longest wait for one reply: a view that stands still is of no use.
const PATIENCE: Duration = Duration::from_secs(5);

/// What the screen wants of this thread.
#[derive(Debug)]
pub(super) enum Order {
    Look(Wish),
    Do(Act),
}

/// Looks every so often, and at each order, until nobody listens any more.
pub(super) fn run(server: &ServerUrl, every: Duration, orders: &Receiver<Order>, news: &SyncSender<News>) {
    let mut poller = Poller::of(server);
    let mut wish = Wish::default();
    loop {
        let started = Instant::now();
        let brought = match poller.look(&wish) {
            Ok(look) => News::Look(Box::new(look)),
            Err(failure) => News::Away { why: failure.to_string(), at: Timestamp::now() },
        };
        if news.send(brought).is_err() {
            return;
        }
        // A server that is slow is given rest, too.
        let pause = every.saturating_sub(started.elapsed()).max(every / 4);
        match orders.recv_timeout(pause) {
            Ok(Order::Look(other)) => wish = other,
            Ok(Order::Do(act)) => {
                if news.send(News::Done(poller.carry_out(&act))).is_err() {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Looks at a server, again and again.
pub(super) struct Poller {
    server: ServerUrl,
    client: Client,
    /// The counters of the look before, and when it was.
    counts: Option<(Counts, Instant)>,
}

impl Poller {
    pub(super) fn of(server: &ServerUrl) -> Self {
        Self { server: server.clone(), client: Client::new(server.clone()), counts: None }
    }

    /// Looks at everything. Rates are over the time since the look before, if that came to something.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub(super) fn look(&mut self, wish: &Wish) -> Result<Look, Failure> {
        let before = self.counts.take();
        let status = self.get(Target::v1(&["status"]))?;
        let (status, now) = (self.json(&status)?, status.date.unwrap_or_else(Timestamp::now));
        let listing = Target::v1(&["services"]).with("limit", SERVICES);
        let with_instances = status["instances"]["total"].as_u64().is_some_and(|total| total <= INSTANCES);
        let services = match with_instances {
            true => self.json(&self.get(listing.with("instances", "true"))?)?,
            false => self.json(&self.get(listing)?)?,
        };
        let opened = match &wish.opened {
            Some(name) => Some((name.clone(), self.json(&self.get(Target::v1(&["services", name]))?)?)),
            None => None,
        };
        let metrics = self.get(Target::root("metrics"))?;
        let counts = Counts::read(&String::from_utf8_lossy(&metrics.body));
        let at = Instant::now();
        self.counts = Some((counts.clone(), at));
        let rates = before.map(|(before, then)| counts.since(&before, at - then));
        let everything = with_instances.then(|| services.clone());
        Ok(Look { status, services, opened, everything, rates, now })
    }

    /// Does what was asked for, and says in words what came of it.
    fn carry_out(&self, act: &Act) -> String {
        let (service, id, verb, done) = match act {
            Act::Drain { service, id } => (service, id, "drain", "is out of DNS"),
            Act::Resume { service, id } => (service, id, "resume", "is no longer held back"),
            Act::Quit | Act::Look => return String::new(),
        };
        let name = format!("{service}/{id}");
        let call = Call::new(&name, Method::PUT, Target::v1(&["services", service, "instances", id, verb]));
        match self.send(call) {
            Ok(reply) if reply.status.is_success() => {
                let body = self.json(&reply).unwrap_or_default();
                match &body["safe_at"] {
                    Value::String(at) if body["safe"] != true => format!("{name} {done}; safe to stop at {at}"),
                    _ => format!("{name} {done}"),
                }
            }
            Ok(reply) => Problem::read(reply.status, &reply.body).about(&name),
            Err(failure) => failure.to_string(),
        }
    }

    /// The latest changes, newest first.
    ///
    /// # Errors
    /// When the server cannot be asked, or refuses.
    pub(super) fn recent(&self) -> Result<Value, Failure> {
        self.json(&self.get(Target::v1(&["events"]).with("limit", RECENT))?)
    }

    fn get(&self, target: Target) -> Result<Reply, Failure> {
        let reply = self.send(Call::new("", Method::GET, target))?;
        // A service that is gone is nothing, not a server that is away.
        match reply.status.is_success() || reply.status == hyper::StatusCode::NOT_FOUND {
            true => Ok(reply),
            false => {
                let problem = Problem::read(reply.status, &reply.body);
                Err(Failure::Refused { subject: String::new(), status: reply.status, problem })
            }
        }
    }

    fn send(&self, mut call: Call) -> Result<Reply, Failure> {
        call.patience = Some(PATIENCE);
        Ok(self.client.send(call)?)
    }

    fn json(&self, reply: &Reply) -> Result<Value, Failure> {
        let (server, status) = (&self.server, reply.status.as_u16());
        serde_json::from_slice(&reply.body).map_err(|_| Failure::NotJson { server: server.to_string(), status })
    }
}
