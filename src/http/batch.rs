//! Many registrations and deregistrations in one call.
//!
//! The operations are carried out in their order, some at a time: each of these parts is one change to the store, and
//! others get their turn between two of them. Each operation has a result of its own, and what is wrong with one says
//! nothing about the others. Results are small until the reply is read, which is made as it is taken in.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Map, Value};
use tokio::sync::OwnedSemaphorePermit;

use super::body::LargeBody;
use super::items::{Items, List};
use super::listing::Entry;
use super::params::Params;
use super::plain::Plain;
use super::problem::Problem;
use super::{Api, Peer, instances, listing, render};
use crate::engine::{Pending, WriteError};
use crate::model::json::{self as read, Members, Object, Shown};
use crate::model::{Defaults, Instance, InstanceId, Invalid, Key, Moment, Reason, Registration, ServiceName, limits};
use crate::registry::{Command, Done, Expected};

/// Operations that are carried out together: so many that a part costs the disk little more than one write, and so few
/// that it keeps nobody waiting for long.
const PART: usize = 4096;

/// `POST /v1/batch`
pub async fn batch(
    State(api): State<Api>,
    Extension(peer): Extension<Peer>,
    params: Params,
    mut body: LargeBody,
) -> Result<Response, Problem> {
    params.finish()?;
    let list = List::of(std::mem::take(&mut body.octets), "operations", limits::OPERATIONS).await?;
    let count = list.count();
    body.grow(count.saturating_mul(limits::RESULT))?;
    let (items, defaults, from) = (list.items(), api.defaults.get(), peer.0.ip());
    let mut reader = Reader { items, at: 0, api: &api, defaults, from, last: None };
    let mut outcomes: Vec<Outcome> = Vec::with_capacity(count);
    let mut ahead: Option<Part> = None;
    while reader.at < count {
        // The next part is read while the engine is at the one before.
        let operations = reader.read(PART);
        if let Some(part) = ahead.take() {
            part.finish(&mut outcomes).await;
        }
        ahead = Some(Part::begin(&api, operations).await);
    }
    if let Some(part) = ahead {
        part.finish(&mut outcomes).await;
    }
    drop(list);
    let now = api.engine.clock().now();
    let results = outcomes.into_iter().map(move |outcome| {
        let _kept_until_read = &body;
        Told(outcome, now)
    });
    Ok(listing::reply(Map::new(), "results", results))
}

type Operation = Result<Command, Invalid>;

/// Reads operations one after the other.
struct Reader<'a> {
    items: Items<'a>,
    at: usize,
    api: &'a Api,
    defaults: Arc<Defaults>,
    from: IpAddr,
    /// What was registered last.
    last: Option<Arc<Registration>>,
}

impl Reader<'_> {
    /// The next operations, at most so many.
    fn read(&mut self, at_most: usize) -> Vec<Operation> {
        let next = || {
            let operation = match self.items.next_with_text::<Plain<'_>>()? {
                Ok((plain, text)) if text.len() <= limits::BODY => {
                    plain.command(&self.defaults, self.from).map_or_else(|| self.operation(text), Ok)
                }
                Ok((_, text)) => self.operation(text),
                Err(text) => self.operation(text.as_bytes()),
            };
            let place = |fault: Invalid| fault.under(&format!("operations[{}]", self.at));
            let operation = operation.map_err(place).map(|command| sharing(command, &mut self.last));
            self.at += 1;
            Some(operation)
        };
        std::iter::from_fn(next).take(at_most).collect()
    }

    /// What one operation asks for, or what is wrong with it.
    fn operation(&self, text: &[u8]) -> Operation {
        const KINDS: [&str; 2] = ["register", "deregister"];
        if text.len() > limits::BODY {
            return Err(Reason::Length { min: 0, max: limits::BODY }.into());
        }
        // What is nested too deep to be read is no operation either.
        let mut item: Value = serde_json::from_slice(text).unwrap_or_default();
        let members = Members::of(&item, &KINDS, &[])?;
        match KINDS.map(|kind| item.get(kind).is_some()) {
            [true, true] => Err(Invalid::at("deregister", Reason::Both { other: "register" })),
            [false, true] => members.required("deregister", |body| {
                Members::of(body, &["service", "id"], &[])?;
                Ok::<_, Invalid>(Command::Deregister { key: key(body)? })
            }),
            [true, false] => self.registration(item["register"].take()).map_err(|fault| fault.under("register")),
            [false, false] => Err(Invalid::at("register", Reason::Missing)),
        }
    }

    fn registration(&self, mut body: Value) -> Operation {
        let key = key(&body)?;
        instances::give_own_status(self.api, &key, &mut body);
        let registration = Arc::new(Registration::from_json(&body, &self.defaults, self.from)?);
        Ok(Command::Register { key, registration, expected: Expected::Any })
    }
}

/// Has a registration share the memory of the `last`, as most of one call say much the same. The engine does it only where
/// the service was there before.
fn sharing(command: Command, last: &mut Option<Arc<Registration>>) -> Command {
    let Command::Register { key, registration, expected } = command else { return command };
    let registration = registration.sharing(last.as_deref());
    *last = Some(Arc::clone(&registration));
    Command::Register { key, registration, expected }
}

/// The name that stands in the body itself.
fn key(body: &Value) -> Result<Key, Invalid> {
    let name = |member: &str| match body.get(member) {
        None if body.is_object() => Err(Invalid::at(member, Reason::Missing)),
        None => Err(Reason::Type { expected: "an object" }.into()),
        Some(name) => read::string(name).map_err(|reason| Invalid::at(member, reason)),
    };
    Ok(Key {
        service: ServiceName::parse(name("service")?).map_err(|reason| Invalid::at("service", reason))?,
        id: InstanceId::parse(name("id")?).map_err(|reason| Invalid::at("id", reason))?,
    })
}

/// Operations that the engine is at.
struct Part {
    /// For each operation, what was wrong with it before it came to the engine.
    faults: Vec<Option<Invalid>>,
    pending: Result<Pending, WriteError>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl Part {
    /// Gives the engine those operations that were understood.
    async fn begin(api: &Api, operations: Vec<Operation>) -> Self {
        let mut commands = Vec::with_capacity(operations.len());
        let faults = operations.into_iter().map(|operation| operation.map(|command| commands.push(command)).err());
        let faults = faults.collect();
        let turn = api.bodies.turn().await;
        Self { faults, pending: api.engine.write_all(commands).await, _turn: turn }
    }

    /// Waits until the engine is done, and adds an outcome for each operation.
    async fn finish(self, outcomes: &mut Vec<Outcome>) {
        let results = match self.pending {
            Ok(pending) => pending.results().await,
            Err(error) => Err(error),
        };
        let mut results = results.into_iter().flatten();
        outcomes.extend(self.faults.into_iter().map(|fault| match fault {
            Some(fault) => Outcome::refused(fault),
            // Without results the engine has stopped.
            None => Outcome::of(results.next().unwrap_or(Err(WriteError::Stopping))),
        }));
    }
}

/// What an operation has come to.
enum Outcome {
    Is(StatusCode, Arc<Instance>),
    Gone,
    Refused(Box<Problem>),
}

impl Outcome {
    fn of(result: Result<Done, WriteError>) -> Self {
        match result {
            Ok(Done::Registered(instance)) => Self::Is(StatusCode::CREATED, instance),
            Ok(Done::Replaced(instance) | Done::Unchanged(instance)) => Self::Is(StatusCode::OK, instance),
            Ok(_) => Self::Gone,
            Err(error) => Self::refused(error),
        }
    }

    fn refused(why: impl Into<Problem>) -> Self {
        Self::Refused(Box::new(why.into()))
    }
}

/// An outcome as it is told at this moment.
struct Told(Outcome, Moment);

impl Entry for Told {
    fn write(&self, to: &mut Vec<u8>) {
        let Self(outcome, now) = self;
        let mut object = Object::begin(to);
        let status = match outcome {
            Outcome::Is(status, _) => *status,
            Outcome::Gone => StatusCode::NO_CONTENT,
            Outcome::Refused(problem) => problem.status(),
        };
        object.add("status", &Shown::Number(status.as_u16().into()));
        match outcome {
            Outcome::Is(_, instance) => render::write_instance(object.name("instance"), instance, *now),
            Outcome::Gone => {}
            Outcome::Refused(problem) => object.add("problem", &Shown::Tree(problem.document())),
        }
        object.end();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_one_call_says_alike_is_kept_once() {
        let defaults = Defaults::default();
        let key = || key(&json!({"service": "web", "id": "a"})).unwrap();
        let mut last = None;
        let mut read = |address: &str, team: &str| {
            let body = json!({"address": address, "port": 80, "tags": ["v2"], "metadata": {"team": team}});
            let registration = Registration::from_json(&body, &defaults, IpAddr::from([127, 0, 0, 1])).unwrap();
            let command =
                Command::Register { key: key(), registration: Arc::new(registration), expected: Expected::Any };
            let Command::Register { registration, .. } = sharing(command, &mut last) else { unreachable!() };
            assert!(matches!(sharing(Command::Deregister { key: key() }, &mut last), Command::Deregister { .. }));
            registration
        };
        let (first, alike, other) = (read("10.0.0.1", "shop"), read("10.0.0.2", "shop"), read("10.0.0.3", "mail"));
        assert!(std::ptr::eq(first.tags(), alike.tags()) && std::ptr::eq(first.metadata(), alike.metadata()));
        assert!(std::ptr::eq(first.tags(), other.tags()) && first.metadata() != other.metadata());
        assert_ne!(first.address, alike.address);
    }
}
