//! The registry by tables, and against a model so naive that it can be checked by eye.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::command::{Observation, Report};
use super::*;
use crate::model::{CheckDefaults, InstanceId, Registration, SelfReport, Status, Tick, Verdict};

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn rules() -> Rules {
    let check = CheckDefaults { interval: Span::from_secs(10), timeout: Span::from_secs(5), rise: 2, fall: 3 };
    let defaults = Defaults { ttl: Span::from_secs(30), check, checks: Vec::new() };
    Rules { defaults, reap_after: Span::from_secs(60), apex_octets: 11 }
}

fn at(tick: u64) -> Moment {
    Moment { tick: Tick(tick), wall: jiff::Timestamp::from_millisecond(tick as i64).unwrap() }
}

fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

fn registration(extra: Value) -> Arc<Registration> {
    let mut body = json!({"address": "10.0.0.7", "port": 8080});
    body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap())
}

struct Shell {
    registry: Registry,
    now: u64,
}

impl Shell {
    fn new() -> Self {
        Self { registry: Registry::new(rules(), Revision::ZERO), now: 0 }
    }

    fn apply(&mut self, command: Command) -> (Result<Done, Refusal>, Vec<Event>) {
        let mut events = Vec::new();
        (self.registry.apply(command, at(self.now), &mut events), events)
    }

    fn register(&mut self, id: &str, extra: Value) -> (Result<Done, Refusal>, Vec<Event>) {
        self.apply(Command::Register { key: key("web", id), registration: registration(extra), only_new: false })
    }

    fn pass(&mut self, millis: u64) -> Vec<Event> {
        self.now += millis;
        let mut events = Vec::new();
        self.registry.expire(at(self.now), &mut events);
        events
    }

    fn status(&self, id: &str) -> Option<Status> {
        self.registry.instance(&key("web", id)).map(|instance| instance.status())
    }
}

#[test]
fn registering_twice_replaces_or_renews() {
    let mut shell = Shell::new();
    assert!(matches!(shell.register("a", json!({})).0, Ok(Done::Registered(_))));
    shell.now = 20_000;
    let (done, events) = shell.register("a", json!({}));
    assert!(matches!(done, Ok(Done::Unchanged(_))) && events.is_empty());
    assert_eq!(shell.registry.revision(), Revision(1));
    assert!(shell.pass(29_999).is_empty(), "the equal registration renewed the lease");
    let (done, events) = shell.register("a", json!({"weight": 5}));
    assert!(matches!(done, Ok(Done::Replaced(_))));
    assert_eq!((events[0].change, events[0].revision), (Change::Updated, Revision(2)));
    let only_new = Command::Register { key: key("web", "a"), registration: registration(json!({})), only_new: true };
    assert_eq!(shell.apply(only_new).0.unwrap_err(), Refusal::Exists(key("web", "a")));
}

#[test]
fn a_lease_lapses_comes_back_and_is_reaped() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"ttl": "10s"})));
    assert!(shell.pass(9_999).is_empty());
    let events = shell.pass(1);
    assert_eq!(
        (events[0].change, events[0].before.as_ref().map(|before| before.status())),
        (Change::Status, Some(Status::Healthy))
    );
    assert_eq!(shell.status("a"), Some(Status::Lapsed));
    shell.pass(50_000);
    let (done, events) = shell.apply(Command::Heartbeat { key: key("web", "a"), report: None });
    assert!(done.is_ok() && events.len() == 1);
    assert_eq!(shell.status("a"), Some(Status::Healthy));
    assert_eq!(shell.pass(10_000).len(), 1);
    assert!(shell.pass(59_999).is_empty());
    assert_eq!(shell.pass(1)[0].change, Change::Reaped);
    assert!(shell.registry.service(&key("web", "a").service).is_none());
    assert_eq!(shell.registry.next_deadline(), None);
    let (done, _) = shell.apply(Command::Heartbeat { key: key("web", "a"), report: None });
    assert_eq!(done.unwrap_err(), Refusal::Unknown(key("web", "a")));
}

#[test]
fn renewals_past_the_registry_only_move_its_deadline() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"ttl": "10s"})));
    let pulse = Arc::clone(&shell.registry.instance(&key("web", "a")).unwrap().pulse);
    for _ in 0..5 {
        shell.now += 6_000;
        pulse.renew(Tick(shell.now));
        assert!(shell.pass(0).is_empty());
    }
    assert_eq!(shell.registry.next_deadline(), Some(Tick(34_000)), "armed anew when it was looked at, at 24 s");
    assert_eq!(shell.pass(10_000).len(), 1);
}

#[test]
fn an_instance_unhealthy_for_too_long_is_removed() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"ttl": "none", "deregister_after": "1m", "status": "unhealthy"})));
    assert!(shell.pass(59_999).is_empty());
    drop(shell.apply(Command::Heartbeat { key: key("web", "a"), report: Some(Report::Is(SelfReport::Healthy)) }));
    assert!(shell.pass(60_000).is_empty());
    drop(shell.apply(Command::Heartbeat { key: key("web", "a"), report: Some(Report::Is(SelfReport::Unhealthy)) }));
    drop(shell.register("a", json!({"ttl": "none", "deregister_after": "1m", "status": "unhealthy", "weight": 2})));
    assert_eq!(shell.pass(60_000)[0].change, Change::Reaped, "replacing does not start the time anew");
}

#[test]
fn ids_and_tags_of_a_service_never_meet() {
    for (first, second, clash) in [
        (("a", json!({})), ("b", json!({"tags": ["A"]})), true),
        (("a", json!({"tags": ["b"]})), ("b", json!({})), true),
        (("a", json!({"tags": ["A"]})), ("b", json!({})), true),
        (("a", json!({"tags": ["b"]})), ("a", json!({"tags": ["c"]})), false),
        (("a", json!({"tags": ["v 2"]})), ("b", json!({"tags": ["v2"]})), false),
    ] {
        let mut shell = Shell::new();
        let results = [shell.register(first.0, first.1.clone()).0, shell.register(second.0, second.1.clone()).0];
        let refused = results.iter().any(|result| matches!(result, Err(Refusal::Clash { .. })));
        assert_eq!(refused, clash, "{first:?} {second:?}");
    }
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"tags": ["b"]})));
    drop(shell.apply(Command::Deregister { key: key("web", "a") }));
    assert!(shell.register("b", json!({})).0.is_ok(), "a tag is free again with its last instance");
}

#[test]
fn names_too_long_for_dns_are_refused() {
    let mut long = rules();
    long.apex_octets = 200;
    let mut shell = Shell { registry: Registry::new(long, Revision::ZERO), now: 0 };
    assert!(shell.register("a", json!({})).0.is_ok());
    let (done, _) = shell.register(&"a".repeat(50), json!({}));
    assert!(matches!(done, Err(Refusal::Invalid(fault)) if fault.field == "id"));
}

#[test]
fn verdicts_count_for_their_life_and_check_only() {
    let mut shell = Shell::new();
    let checks = json!({"checks": [{"kind": "tcp"}, {"kind": "http"}]});
    drop(shell.register("a", checks.clone()));
    assert_eq!(shell.status("a"), Some(Status::Starting));
    let verdict = |shell: &mut Shell, life: &Arc<Pulse>, at: usize, verdict| {
        let check = registration(json!({"checks": [{"kind": "tcp"}, {"kind": "http"}]})).checks[at].clone();
        let registration = registration(json!({}));
        let life = Arc::clone(life);
        shell.apply(Command::Observe(Observation { key: key("web", "a"), life, registration, check, verdict }))
    };
    let life = Arc::clone(&shell.registry.instance(&key("web", "a")).unwrap().pulse);
    verdict(&mut shell, &life, 0, Verdict::Passing).0.unwrap();
    verdict(&mut shell, &life, 1, Verdict::Passing).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Healthy));
    // The http check stays what it is, the tcp check goes.
    drop(shell.register("a", json!({"checks": [{"kind": "http"}], "weight": 7})));
    assert_eq!(shell.status("a"), Some(Status::Healthy));
    let (done, events) = verdict(&mut shell, &life, 0, Verdict::Failing);
    assert!(done.is_ok() && events.is_empty(), "a check that is gone says nothing");
    // Another target: what was found out about the old one does not hold for it.
    drop(shell.register("a", json!({"checks": [{"kind": "http"}], "address": "10.0.0.8"})));
    assert_eq!(shell.status("a"), Some(Status::Starting));
    drop(shell.apply(Command::Deregister { key: key("web", "a") }));
    drop(shell.register("a", checks));
    assert!(verdict(&mut shell, &life, 1, Verdict::Failing).0.is_err(), "another life under the same name");
    assert_eq!(shell.status("a"), Some(Status::Starting));
}

#[test]
fn patches_merge_and_keep_the_rest() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"weight": 3, "metadata": {"team": "shop", "zone": "a"}, "version": "1"})));
    drop(shell.apply(Command::Heartbeat { key: key("web", "a"), report: Some(Report::Is(SelfReport::Unhealthy)) }));
    let patch = |shell: &mut Shell, patch: Value| {
        let (done, events) = shell.apply(Command::Patch { key: key("web", "a"), patch, from: FROM });
        done.map(|_| events.len()).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(patch(&mut shell, json!({"weight": 9, "metadata": {"zone": null, "rack": 4}, "version": null})), Ok(1));
    let now = shell.registry.instance(&key("web", "a")).unwrap();
    let written = Value::Object(now.registration.to_json());
    assert_eq!((&written["weight"], &written["metadata"]), (&json!(9), &json!({"team": "shop", "rack": 4})));
    assert_eq!(written.get("version"), None);
    assert_eq!(now.status(), Status::Unhealthy, "what it said of itself is not what was patched");
    assert_eq!(patch(&mut shell, json!({"weight": 9})), Ok(0));
    assert!(patch(&mut shell, json!({"addresses": ["10.0.0.1"]})).unwrap_err().contains("stands beside `address`"));
    assert_eq!(patch(&mut shell, json!({"address": null, "addresses": ["10.0.0.1", "::1"]})), Ok(1));
    assert!(patch(&mut shell, json!({"port": null})).unwrap_err().contains("`port` is required"));
    assert!(patch(&mut shell, json!({"weigth": 1})).unwrap_err().contains("is `weight` meant"));
    assert!(patch(&mut shell, json!([1])).is_err());
}

#[test]
fn what_was_stored_goes_on_where_it_was() {
    let mut shell = Shell::new();
    for (id, lapsed, status) in [("a", false, Status::Healthy), ("b", true, Status::Lapsed)] {
        let stored = Stored {
            key: key("web", id),
            registration: (*registration(json!({"ttl": "10s"}))).clone(),
            condition: Condition { lapsed, ..Condition::default() },
            created_at: at(0).wall,
            changed_at: at(0).wall,
            revision: Revision(41),
        };
        shell.registry.restore(stored, at(0));
        assert_eq!(shell.status(id), Some(status));
    }
    assert_eq!(shell.registry.revision(), Revision(41));
    assert_eq!(shell.pass(10_000).len(), 1);
    assert_eq!(shell.pass(50_000)[0].change, Change::Reaped);
}

/// What the model knows of one instance.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    variant: u8,
    lapsed_at: Option<u64>,
    deadline: u64,
    said: SelfReport,
    verdict: Option<Verdict>,
    draining: bool,
}

impl Plain {
    fn status(&self) -> Status {
        match self {
            Self { draining: true, .. } => Status::Draining,
            Self { lapsed_at: Some(_), .. } => Status::Lapsed,
            Self { said: SelfReport::Unhealthy, .. } | Self { verdict: Some(Verdict::Failing), .. } => {
                Status::Unhealthy
            }
            Self { said: SelfReport::Starting, .. } | Self { verdict: Some(Verdict::Unknown), .. } => Status::Starting,
            _ => Status::Healthy,
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Register(u8, u8),
    Deregister(u8),
    Heartbeat(u8, u8),
    Observe(u8, bool),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..4u8).prop_map(|(id, variant)| Step::Register(id, variant)),
        (0..4u8).prop_map(Step::Deregister),
        (0..4u8, 0..5u8).prop_map(|(id, report)| Step::Heartbeat(id, report)),
        (0..4u8, any::<bool>()).prop_map(|(id, passing)| Step::Observe(id, passing)),
        (1..40_000u64).prop_map(Step::Pass),
    ]
}

/// Four registrations that differ: the odd ones have a check, the later ones a weight.
fn variant(number: u8) -> Arc<Registration> {
    let checks = if number % 2 == 1 { json!([{"kind": "tcp"}]) } else { json!([]) };
    registration(json!({"ttl": "10s", "weight": number / 2 + 1, "checks": checks}))
}

const REPORTS: [Option<Report>; 5] = [
    None,
    Some(Report::Is(SelfReport::Starting)),
    Some(Report::Is(SelfReport::Healthy)),
    Some(Report::Is(SelfReport::Unhealthy)),
    Some(Report::Draining),
];

#[derive(Default)]
struct Model {
    now: u64,
    instances: BTreeMap<u8, Plain>,
}

impl Model {
    fn step(&mut self, step: &Step) {
        let deadline = self.now + 10_000;
        match *step {
            Step::Register(id, variant) => {
                let old = self.instances.get(&id).cloned();
                let checked = variant % 2 == 1;
                let mut new = Plain {
                    variant,
                    lapsed_at: None,
                    deadline,
                    said: SelfReport::Healthy,
                    verdict: checked.then_some(Verdict::Unknown),
                    draining: old.as_ref().is_some_and(|old| old.draining),
                };
                if let Some(old) = old {
                    new.verdict = if checked { Some(old.verdict.unwrap_or(Verdict::Unknown)) } else { None };
                    if old.variant == variant {
                        new.said = old.said;
                    }
                }
                self.instances.insert(id, new);
            }
            Step::Deregister(id) => drop(self.instances.remove(&id)),
            Step::Heartbeat(id, report) => {
                if let Some(plain) = self.instances.get_mut(&id) {
                    (plain.lapsed_at, plain.deadline) = (None, deadline);
                    match REPORTS[usize::from(report)] {
                        None => {}
                        Some(Report::Draining) => plain.draining = true,
                        Some(Report::Is(said)) => plain.said = said,
                    }
                }
            }
            Step::Observe(id, passing) => {
                if let Some(verdict) = self.instances.get_mut(&id).and_then(|plain| plain.verdict.as_mut()) {
                    *verdict = if passing { Verdict::Passing } else { Verdict::Failing };
                }
            }
            Step::Pass(millis) => {
                self.now += millis;
                let now = self.now;
                self.instances.retain(|_, plain| plain.lapsed_at.is_none_or(|lapsed| lapsed + 60_000 > now));
                for plain in self.instances.values_mut().filter(|plain| plain.lapsed_at.is_none()) {
                    plain.lapsed_at = (plain.deadline <= now).then_some(now);
                }
            }
        }
    }
}

fn run(shell: &mut Shell, step: &Step) -> Vec<Event> {
    let name = |id: u8| key("web", &format!("i{id}"));
    let command = match *step {
        Step::Register(id, number) => {
            Command::Register { key: name(id), registration: variant(number), only_new: false }
        }
        Step::Deregister(id) => Command::Deregister { key: name(id) },
        Step::Heartbeat(id, report) => Command::Heartbeat { key: name(id), report: REPORTS[usize::from(report)] },
        Step::Observe(id, passing) => {
            let Some(instance) = shell.registry.instance(&name(id)) else { return Vec::new() };
            let verdict = if passing { Verdict::Passing } else { Verdict::Failing };
            let (life, check) = (Arc::clone(&instance.pulse), variant(1).checks[0].clone());
            let registration = Arc::clone(&instance.registration);
            Command::Observe(Observation { key: name(id), life, registration, check, verdict })
        }
        Step::Pass(millis) => return shell.pass(millis),
    };
    shell.apply(command).1
}

fn snapshot(shell: &Shell) -> BTreeMap<String, (Status, u16, Revision)> {
    let service = ServiceName::parse("web").unwrap();
    let Some((_, instances)) = shell.registry.service(&service) else { return BTreeMap::new() };
    let facts = |instance: &Arc<Instance>| (instance.status(), instance.registration.weight.0, instance.revision);
    instances.map(|instance| (instance.key.id.to_string(), facts(instance))).collect()
}

proptest! {
    #[test]
    fn the_registry_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut shell, mut model) = (Shell::new(), Model::default());
        let mut replayed: BTreeMap<String, (Status, u16, Revision)> = BTreeMap::new();
        let (mut last, mut earlier) = (Vec::new(), BTreeMap::new());
        for step in &steps {
            let (revision, before) = (shell.registry.revision(), snapshot(&shell));
            let events = run(&mut shell, step);
            model.step(step);
            let expected: Vec<_> = model.instances.iter()
                .map(|(id, plain)| (format!("i{id}"), plain.status(), u16::from(plain.variant / 2 + 1))).collect();
            let found: Vec<_> = snapshot(&shell).into_iter().map(|(id, (status, weight, _))| (id, status, weight)).collect();
            prop_assert_eq!(found, expected, "after {:?}", step);
            for (at, event) in events.iter().enumerate() {
                prop_assert_eq!(event.revision.0, revision.0 + 1 + at as u64);
                match &event.after {
                    Some(after) => replayed.insert(
                        event.key.id.to_string(), (after.status(), after.registration.weight.0, after.revision)),
                    None => replayed.remove(event.key.id.as_str()),
                };
            }
            prop_assert_eq!(&replayed, &snapshot(&shell), "events replayed");
            let armed: BTreeSet<_> = shell.registry.next_deadline().into_iter().collect();
            prop_assert_eq!(armed.is_empty(), model.instances.is_empty(), "every lease has a deadline");
            (last, earlier) = (events, before);
        }
        // Taking back leaves what was there before.
        shell.registry.undo(&last, at(shell.now));
        prop_assert_eq!(&snapshot(&shell), &earlier);
        prop_assert_eq!(shell.registry.next_deadline().is_none(), earlier.is_empty());
    }
}
