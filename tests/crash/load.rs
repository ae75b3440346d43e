//! One writer of the load: it changes things that nobody else touches, and knows what must be there.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use crate::common::http::{Client, Request};

/// Instances of each writer.
const INSTANCES: u64 = 8;

/// What all writers count.
#[derive(Debug, Default)]
pub struct Shared {
    pub acknowledged: AtomicU64,
    /// The highest revision that anybody was told.
    pub revision: AtomicU64,
}

/// The state of one thing; `None`: it is not there.
type State = Option<Value>;

/// What a change makes of the state before it.
type Effect = Box<dyn Fn(&State) -> State + Send>;

/// A change of one thing.
struct Change {
    thing: String,
    request: Request,
    effect: Effect,
}

impl Change {
    fn new(thing: String, request: Request, effect: impl Fn(&State) -> State + Send + 'static) -> Self {
        Self { thing, request, effect: Box::new(effect) }
    }
}

/// What can be seen of a thing.
enum Seen {
    Whole(State),
    /// The instance is there with this weight; whether it is draining, its mark hides.
    Weight(Value),
    /// A mark shows on an instance alone.
    Nothing,
}

/// A writer with its own service.
pub struct Writer {
    service: String,
    chance: StdRng,
    /// What each thing may be that was ever changed: one state, or more where a crash came between and nothing has shown
    /// since which it is.
    known: BTreeMap<String, Vec<State>>,
    /// A change that nobody acknowledged.
    open: Option<(String, Effect)>,
}

impl Writer {
    pub fn new(number: usize, seed: u64) -> Self {
        let chance = StdRng::seed_from_u64(seed.wrapping_add(1 + number as u64));
        Self { service: format!("w{number}"), chance, known: BTreeMap::new(), open: None }
    }

    /// Makes one change after the other until the server is gone.
    pub fn work(&mut self, api: Client, shared: &Shared) {
        loop {
            let Change { thing, request, effect } = self.change();
            self.open = Some((thing, effect));
            // Whoever is killed says nothing, or only a part.
            let Ok(reply) = api.try_send(&request) else { return };
            assert!((200..300).contains(&reply.status), "{reply}");
            if let Some((thing, effect)) = self.open.take() {
                let states = self.known.entry(thing).or_insert_with(|| vec![None]);
                *states = states.iter().map(effect).collect();
            }
            shared.acknowledged.fetch_add(1, Ordering::SeqCst);
            shared.revision.fetch_max(reply.revision(), Ordering::SeqCst);
        }
    }

    /// Whether a thing is there for certain.
    fn is_there(&self, thing: &str) -> bool {
        self.known.get(thing).is_some_and(|states| states.iter().all(Option::is_some))
    }

    /// A change that is right as things are.
    fn change(&mut self) -> Change {
        let (service, id) = (self.service.clone(), self.chance.random_range(0..INSTANCES));
        let (number, path) = (self.chance.random_range(1..60_000), format!("/v1/services/{service}/instances/i{id}"));
        let (thing, mark) = (format!("instance i{id}"), format!("mark i{id}"));
        let with = |member: &'static str, value: Value| {
            move |before: &State| {
                let mut state = before.clone().unwrap_or_else(|| json!({"draining": false}));
                state[member] = value.clone();
                Some(state)
            }
        };
        match (self.chance.random_range(0..12), self.is_there(&thing)) {
            (0, _) => self.settings(number),
            (1, _) => self.subscription(number),
            (2 | 3, true) => Change::new(thing, Request::new("DELETE", &path), |_| None),
            (4, true) => {
                Change::new(thing, Request::new("PUT", &format!("{path}/drain")), with("draining", json!(true)))
            }
            (5, true) => {
                Change::new(thing, Request::new("DELETE", &format!("{path}/drain")), with("draining", json!(false)))
            }
            (6, true) => {
                let request = Request::new("PATCH", &path).json(&json!({"weight": number}));
                Change::new(thing, request, with("weight", json!(number)))
            }
            (7, true) => {
                let reason = json!({"reason": format!("r{number}")});
                let request = Request::new("PUT", &format!("{path}/maintenance")).json(&reason);
                Change::new(mark, request, move |_| Some(reason.clone()))
            }
            (8, _) if self.is_there(&mark) => {
                Change::new(mark, Request::new("DELETE", &format!("{path}/maintenance")), |_| None)
            }
            _ => {
                let body = json!({"address": "10.0.0.7", "port": 80, "ttl": "none", "weight": number});
                Change::new(thing, Request::new("PUT", &path).json(&body), with("weight", json!(number)))
            }
        }
    }

    fn settings(&mut self, number: u32) -> Change {
        let (path, then) = (format!("/v1/services/{}", self.service), json!({"record_ttl": number}));
        Change::new("settings".to_owned(), Request::new("PUT", &path).json(&then), move |_| Some(then.clone()))
    }

    fn subscription(&mut self, number: u32) -> Change {
        let (thing, path) = ("subscription".to_owned(), format!("/v1/subscriptions/{}", self.service));
        if self.is_there(&thing) && number.is_multiple_of(2) {
            return Change::new(thing, Request::new("DELETE", &path), |_| None);
        }
        // Nobody is there; what is posted is refused and tried again.
        let then = json!({"service": self.service, "callback": format!("http://192.0.2.1/{number}")});
        Change::new(thing, Request::new("PUT", &path).json(&then), move |_| Some(then.clone()))
    }

    /// Sees that everything is as it was acknowledged last, or as the change made it that was under way.
    pub fn verify(&mut self, api: Client, when: &str) {
        if let Some((thing, effect)) = self.open.take() {
            let states = self.known.entry(thing).or_insert_with(|| vec![None]);
            states.extend(states.iter().map(effect).collect::<Vec<_>>());
        }
        for (thing, states) in &mut self.known {
            let possible = states.clone();
            let found = match look(api, &self.service, thing) {
                Seen::Nothing => continue,
                Seen::Weight(weight) => {
                    states.retain(|state| state.as_ref().is_some_and(|state| state["weight"] == weight));
                    weight
                }
                Seen::Whole(found) => {
                    states.retain(|state| *state == found);
                    found.into()
                }
            };
            assert!(!states.is_empty(), "{thing} of {}, {when}: {found} is there, not {possible:?}", self.service);
        }
    }
}

fn look(api: Client, service: &str, thing: &str) -> Seen {
    let get = |path: &str| api.get(path).json();
    match thing.split_once(' ') {
        Some((what, id)) => {
            let instance = get(&format!("/v1/services/{service}/instances/{id}"));
            let (weight, status) = (instance.get("weight"), instance["status"].as_str());
            match (what, weight) {
                ("instance", None) => Seen::Whole(None),
                ("instance", Some(weight)) if status == Some("maintenance") => Seen::Weight(weight.clone()),
                ("instance", Some(weight)) => {
                    Seen::Whole(Some(json!({"weight": weight, "draining": status == Some("draining")})))
                }
                (_, None) => Seen::Nothing,
                (_, Some(_)) => {
                    let reason = instance["reason"].as_str().and_then(|text| text.strip_prefix("in maintenance: "));
                    Seen::Whole(reason.map(|reason| json!({"reason": reason})))
                }
            }
        }
        None if thing == "settings" => {
            // They are shown by the service alone, which is there while an instance is.
            match get(&format!("/v1/services/{service}")).get("settings") {
                None => Seen::Nothing,
                Some(settings) => Seen::Whole(settings.get("record_ttl").map(|ttl| json!({"record_ttl": ttl}))),
            }
        }
        None => {
            let subscription = get(&format!("/v1/subscriptions/{service}"));
            let callback = subscription.get("callback");
            Seen::Whole(callback.map(|callback| json!({"service": service, "callback": callback})))
        }
    }
}
