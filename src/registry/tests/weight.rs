//! Weights that follow load and slow start, and services in panic.

use super::*;
use crate::model::{Capacity, Load, Settings};

fn weight(shell: &Shell, id: &str) -> u16 {
    shell.registry.instance(&key("web", id)).unwrap().effective_weight().0
}

/// What a load means under the rules of the shell.
fn pressure(shell: &Shell, load: Value) -> Command {
    let pressure = Load::from_json(&load).unwrap().pressure(&shell.registry.rules.load);
    Command::Heartbeat { key: key("web", "a"), report: None, pressure: Some(pressure) }
}

fn says(id: &str, said: SelfReport) -> Command {
    Command::Heartbeat { key: key("web", id), report: Some(Report::Is(said)), pressure: None }
}

fn set(shell: &mut Shell, settings: Value) {
    let settings = Arc::new(Settings::from_json(&settings, &rules().defaults.check).unwrap());
    shell.apply(Command::Set { service: key("web", "a").service, settings: Some(settings) }).0.unwrap();
}

fn panicking(shell: &Shell) -> bool {
    shell.registry.is_panicking(&key("web", "a").service)
}

#[test]
fn load_lowers_the_weight_and_is_no_change_of_status() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"weight": 100, "ttl": "none"})));
    let changed_at = shell.registry.instance(&key("web", "a")).unwrap().changed_at;
    shell.now = 5_000;
    for (load, left, change) in [
        (json!({"cpu": 0.5}), 80, Some(Change::Weight)),
        (json!({"cpu": 0.5}), 80, None),
        (json!({"cpu": 1, "memory": 1, "latency_ms": 5000}), 1, Some(Change::Weight)),
        (json!({"cpu": 0}), 100, Some(Change::Weight)),
    ] {
        let command = pressure(&shell, load.clone());
        let (_, events) = shell.apply(command);
        assert_eq!((weight(&shell, "a"), events.first().map(|event| event.change)), (left, change), "{load}");
    }
    let instance = shell.registry.instance(&key("web", "a")).unwrap();
    assert_eq!((instance.changed_at, instance.status()), (changed_at, Status::Healthy));
}

#[test]
fn weights_in_a_large_service_change_together() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"weight": 100, "ttl": "none"})));
    for number in 0..64 {
        drop(shell.register(&format!("i{number}"), json!({"ttl": "none"})));
    }
    shell.now = 5_100;
    for (load, left) in [(json!({"cpu": 0.5}), 100), (json!({"cpu": 1}), 100)] {
        let command = pressure(&shell, load);
        assert!(shell.apply(command).1.is_empty());
        assert_eq!(weight(&shell, "a"), left);
    }
    assert_eq!(shell.registry.next_deadline(), Some(Tick(6_000)));
    assert!(shell.pass(899).is_empty());
    assert_eq!(shell.pass(1)[0].change, Change::Weight);
    assert_eq!((weight(&shell, "a"), shell.registry.next_deadline()), (60, None), "the newest counts");
    // One that is taken back in time changes nothing.
    for load in [json!({"cpu": 0}), json!({"cpu": 1})] {
        let command = pressure(&shell, load);
        drop(shell.apply(command));
    }
    assert_eq!(shell.registry.next_deadline(), None);
}

#[test]
fn overload_is_unhealthy_at_once() {
    let mut shell = Shell::new();
    shell.registry.rules.load.limit = 0.9;
    drop(shell.register("a", json!({"ttl": "none"})));
    for (load, status) in [
        (json!({"disk": 0.91}), Status::Unhealthy),
        (json!({"disk": 0.91, "cpu": 0.1}), Status::Unhealthy),
        (json!({"disk": 0.9}), Status::Healthy),
    ] {
        let command = pressure(&shell, load.clone());
        drop(shell.apply(command));
        assert_eq!(shell.status("a"), Some(status), "{load}");
    }
}

#[test]
fn a_slow_start_follows_every_way_back_to_health() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"weight": 100, "slow_start": "60s", "ttl": "10s"})));
    assert_eq!(weight(&shell, "a"), 10, "a new instance begins with a tenth");
    let renew = |shell: &Shell| shell.registry.instance(&key("web", "a")).unwrap().pulse.renew(Tick(shell.now));
    let mut weights = Vec::new();
    for _ in 0..11 {
        renew(&shell);
        assert!(shell.pass(6_000).iter().all(|event| event.change == Change::Weight));
        weights.push(weight(&shell, "a"));
    }
    assert_eq!(weights, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 100]);
    // Unhealthy and back, lapsed and back: both begin anew.
    drop(shell.apply(says("a", SelfReport::Unhealthy)));
    assert_eq!(weight(&shell, "a"), 100, "what is not served has no ramp");
    drop(shell.apply(says("a", SelfReport::Healthy)));
    assert_eq!(weight(&shell, "a"), 10);
    shell.pass(10_000);
    assert_eq!(shell.status("a"), Some(Status::Lapsed));
    drop(shell.apply(says("a", SelfReport::Healthy)));
    assert_eq!(weight(&shell, "a"), 10);
    // Another registration of what is healthy does not.
    shell.pass(6_000);
    drop(shell.register("a", json!({"weight": 200, "slow_start": "60s", "ttl": "10s"})));
    assert_eq!(weight(&shell, "a"), 20, "still a tenth");
}

#[test]
fn a_service_gives_its_instances_a_slow_start() {
    let mut shell = Shell::new();
    set(&mut shell, json!({"slow_start": "10s"}));
    drop(shell.register("a", json!({"weight": 100, "ttl": "none"})));
    drop(shell.register("b", json!({"weight": 100, "ttl": "none", "slow_start": "20s"})));
    drop(shell.register("zero", json!({"weight": 0, "ttl": "none"})));
    shell.pass(5_000);
    assert_eq!((weight(&shell, "a"), weight(&shell, "b"), weight(&shell, "zero")), (50, 20, 0));
    shell.pass(15_000);
    assert_eq!((weight(&shell, "a"), weight(&shell, "b")), (100, 100));
    assert_eq!(shell.registry.next_deadline(), None);
    let instance = shell.registry.instance(&key("web", "a")).unwrap();
    assert_eq!(instance.condition.ramp, Capacity::FULL);
}

#[test]
fn a_panic_begins_below_the_threshold_and_ends_well_above() {
    let mut shell = Shell::new();
    for number in 0..20 {
        drop(shell.register(&format!("i{number}"), json!({"ttl": "none"})));
    }
    set(&mut shell, json!({"panic_threshold": 0.5}));
    let turn = |shell: &mut Shell, from: usize, to: usize, said: SelfReport| {
        for number in from..to {
            drop(shell.apply(says(&format!("i{number}"), said)));
        }
        panicking(shell)
    };
    assert!(!turn(&mut shell, 0, 10, SelfReport::Unhealthy), "half is not below half");
    assert!(turn(&mut shell, 10, 11, SelfReport::Unhealthy));
    assert!(turn(&mut shell, 10, 11, SelfReport::Healthy), "half is not well above half");
    assert!(!turn(&mut shell, 9, 10, SelfReport::Healthy));
    // Those that are neither healthy nor unhealthy do not count.
    assert!(!turn(&mut shell, 0, 9, SelfReport::Starting), "eleven of eleven");
    assert!(!turn(&mut shell, 9, 20, SelfReport::Starting), "nobody is judged");
}

#[test]
fn a_threshold_acts_when_it_changes() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"ttl": "none", "status": "unhealthy"})));
    let mut rules = rules();
    rules.panic_threshold = 0.1;
    let reconfigure = |rules: &Rules| Command::Reconfigure { rules: Box::new(rules.clone()), answers_change: false };
    let (before, changes) = (shell.registry.revision(), shell.carry_out(reconfigure(&rules)).1);
    assert!(panicking(&shell));
    assert_eq!(changes.turned, [key("web", "a").service]);
    assert_eq!(shell.registry.revision(), before.next(), "answers are others, and the serial says so");
    set(&mut shell, json!({"panic_threshold": 0}));
    assert!(!panicking(&shell), "the word of the service counts before that of the configuration");
    assert!(shell.carry_out(reconfigure(&rules)).1.is_empty());
}
