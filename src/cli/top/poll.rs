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
use crate::cli::problem::Problem;
use crate::cli::target::Target;

/// Services in the list; more cannot be looked through by eye.
const SERVICES: &str = "1000";
/// Instances up to which the checks of all services are looked at.
const INSTANCES: u64 = 2000;
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
    let mut poller = Poller { client: Client::new(server.clone()), counts: None };
    let mut wish = Wish::default();
    loop {
        let started = Instant::now();
        let brought = match poller.look(&wish) {
            Ok(look) => News::Look(Box::new(look)),
            Err(why) => {
                poller.counts = None;
                News::Away { why, at: Timestamp::now() }
            }
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

struct Poller {
    client: Client,
    /// The counters of the look before, and when it was.
    counts: Option<(Counts, Instant)>,
}

impl Poller {
    fn look(&mut self, wish: &Wish) -> Result<Look, String> {
        let status = self.get(Target::v1(&["status"]))?;
        let (status, now) = (json(&status)?, status.date.unwrap_or_else(Timestamp::now));
        let listing = Target::v1(&["services"]).with("limit", SERVICES);
        let with_instances = status["instances"]["total"].as_u64().is_some_and(|total| total <= INSTANCES);
        let services = match with_instances {
            true => json(&self.get(listing.with("instances", "true"))?)?,
            false => json(&self.get(listing)?)?,
        };
        let opened = match &wish.opened {
            Some(name) => Some((name.clone(), json(&self.get(Target::v1(&["services", name]))?)?)),
            None => None,
        };
        let metrics = self.get(Target::root("metrics"))?;
        let counts = Counts::read(&String::from_utf8_lossy(&metrics.body));
        let at = Instant::now();
        let before = self.counts.replace((counts.clone(), at));
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
                let body = json(&reply).unwrap_or_default();
                match &body["safe_at"] {
                    Value::String(at) if body["safe"] != true => format!("{name} {done}; safe to stop at {at}"),
                    _ => format!("{name} {done}"),
                }
            }
            Ok(reply) => Problem::read(reply.status, &reply.body).about(&name),
            Err(why) => why,
        }
    }

    fn get(&self, target: Target) -> Result<Reply, String> {
        let reply = self.send(Call::new("", Method::GET, target))?;
        // A service that is gone is nothing, not a server that is away.
        match reply.status.is_success() || reply.status == hyper::StatusCode::NOT_FOUND {
            true => Ok(reply),
            false => Err(Problem::read(reply.status, &reply.body).about("")),
        }
    }

    fn send(&self, mut call: Call) -> Result<Reply, String> {
        call.patience = Some(PATIENCE);
        self.client.send(call).map_err(|error| error.to_string())
    }
}

fn json(reply: &Reply) -> Result<Value, String> {
    serde_json::from_slice(&reply.body).map_err(|_| format!("{}, but not in JSON; is it a srvd server?", reply.status))
}
