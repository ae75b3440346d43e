//! The registry by tables; and what all tests of it begin from.

mod expiry;
mod follow;
mod life;
mod operator;
mod property;
mod settings;
mod weight;

use std::net::IpAddr;

use serde_json::{Value, json};

use super::command::{Observation, Report};
use super::*;
use crate::model::{InstanceId, Registration, SelfReport, Status, Tick, Verdict};

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn rules() -> Rules {
    Rules::new(Defaults::default(), 11)
}

fn at(tick: u64) -> Moment {
    Moment { tick: Tick(tick), wall: jiff::Timestamp::from_millisecond(tick as i64).unwrap() }
}

pub(super) fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

pub(super) fn registration(extra: Value) -> Arc<Registration> {
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

    fn carry_out(&mut self, command: Command) -> (Result<Done, Refusal>, Changes) {
        let mut changes = Changes::default();
        (self.registry.apply(command, at(self.now), &mut changes), changes)
    }

    fn apply(&mut self, command: Command) -> (Result<Done, Refusal>, Vec<Event>) {
        let (done, changes) = self.carry_out(command);
        (done, changes.events)
    }

    fn register(&mut self, id: &str, extra: Value) -> (Result<Done, Refusal>, Vec<Event>) {
        self.apply(Command::Register {
            key: key("web", id),
            registration: registration(extra),
            expected: Expected::Any,
        })
    }

    fn pass(&mut self, millis: u64) -> Vec<Event> {
        self.now += millis;
        let mut changes = Changes::default();
        self.registry.expire(at(self.now), &mut changes);
        changes.events
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
    let only_new =
        Command::Register { key: key("web", "a"), registration: registration(json!({})), expected: Expected::Absent };
    assert_eq!(shell.apply(only_new).0.unwrap_err(), Refusal::Exists(key("web", "a")));
    let replace = |id| {
        let registration = registration(json!({"weight": 6}));
        Command::Register { key: key("web", id), registration, expected: Expected::Present }
    };
    assert!(matches!(shell.apply(replace("a")).0, Ok(Done::Replaced(_))));
    assert_eq!(shell.apply(replace("b")).0.unwrap_err(), Refusal::Absent(key("web", "b")));
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
    let (done, events) = shell.apply(Command::Heartbeat { key: key("web", "a"), report: None, pressure: None });
    assert!(done.is_ok() && events.len() == 1);
    assert_eq!(shell.status("a"), Some(Status::Healthy));
    assert_eq!(shell.pass(10_000).len(), 1);
    assert!(shell.pass(59_999).is_empty());
    assert_eq!(shell.pass(1)[0].change, Change::Reaped);
    assert!(shell.registry.service(&key("web", "a").service).is_none());
    assert_eq!(shell.registry.next_deadline(), None);
    let (done, _) = shell.apply(Command::Heartbeat { key: key("web", "a"), report: None, pressure: None });
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
    drop(shell.apply(Command::Heartbeat {
        key: key("web", "a"),
        report: Some(Report::Is(SelfReport::Healthy)),
        pressure: None,
    }));
    assert!(shell.pass(60_000).is_empty());
    drop(shell.apply(Command::Heartbeat {
        key: key("web", "a"),
        report: Some(Report::Is(SelfReport::Unhealthy)),
        pressure: None,
    }));
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
        let check = registration(json!({"checks": [{"kind": "tcp"}, {"kind": "http"}]})).checks()[at].clone();
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
    drop(shell.apply(Command::Heartbeat {
        key: key("web", "a"),
        report: Some(Report::Is(SelfReport::Unhealthy)),
        pressure: None,
    }));
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

#[test]
fn what_registrations_of_a_service_say_alike_is_kept_once() {
    let mut shell = Shell::new();
    let alike = |shell: &Shell, id: &str| {
        let [first, other] = ["a", id].map(|id| &shell.registry.instance(&key("web", id)).unwrap().registration);
        (std::ptr::eq(first.tags(), other.tags()), std::ptr::eq(first.metadata(), other.metadata()))
    };
    let said = json!({"tags": ["v2"], "metadata": {"team": "shop"}});
    for id in ["a", "b"] {
        drop(shell.register(id, said.clone()));
    }
    drop(shell.register("d", json!({"tags": ["v3"], "metadata": {"team": "shop"}})));
    // Whoever sent a command may hold its registration for as long as it likes.
    let kept = Command::Register {
        key: key("web", "e"),
        registration: registration(json!({"tags": ["v2"]})),
        expected: Expected::Absent,
    };
    shell.apply(kept.clone()).0.unwrap();
    assert_eq!(["b", "d", "e"].map(|id| alike(&shell, id)), [(true, true), (false, true), (true, false)]);
    let Command::Register { registration, .. } = kept else { unreachable!() };
    assert_eq!(*registration, *shell.registry.instance(&key("web", "e")).unwrap().registration);
}
