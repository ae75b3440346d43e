//! Drain and maintenance by tables.

use super::*;
use crate::model::Maintenance;

fn drain(id: &str) -> Command {
    Command::Drain { key: key("web", id) }
}

fn maintain(id: &str, reason: Option<&str>) -> Command {
    Command::Maintain { key: key("web", id), reason: reason.map(Into::into) }
}

fn resume(id: &str, maintenance: bool, drain: bool) -> Command {
    Command::Resume { key: key("web", id), maintenance, drain }
}

fn says(id: &str, report: Report) -> Command {
    Command::Heartbeat { key: key("web", id), report: Some(report), pressure: None }
}

#[test]
fn an_operators_drain_outranks_what_the_instance_does() {
    let mut shell = Shell::new();
    assert_eq!(shell.apply(drain("a")).0.unwrap_err(), Refusal::Unknown(key("web", "a")));
    drop(shell.register("a", json!({})));
    assert_eq!(shell.apply(drain("a")).1[0].change, Change::Status);
    assert!(shell.apply(drain("a")).1.is_empty(), "once more changes nothing");
    drop(shell.register("a", json!({"weight": 2})));
    shell.apply(says("a", Report::Is(SelfReport::Healthy))).0.unwrap();
    shell.apply(says("a", Report::Draining)).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Draining));
    shell.apply(resume("a", false, true)).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Healthy));
    assert!(shell.apply(resume("a", false, true)).1.is_empty());
    shell.apply(drain("a")).0.unwrap();
    drop(shell.apply(Command::Deregister { key: key("web", "a") }));
    drop(shell.register("a", json!({})));
    assert_eq!(shell.status("a"), Some(Status::Healthy), "a drain ends with the registration");
}

#[test]
fn an_instance_that_is_leaving_is_put_back_by_an_operator_alone() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({})));
    shell.apply(says("a", Report::Draining)).0.unwrap();
    shell.apply(says("a", Report::Is(SelfReport::Healthy))).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Draining));
    shell.apply(resume("a", true, false)).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Draining), "that lifts maintenance and nothing else");
    shell.apply(resume("a", false, true)).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Healthy));
}

#[test]
fn maintenance_outlives_registrations() {
    let mut shell = Shell::new();
    for command in [maintain("a", None), resume("a", true, false), resume("a", true, true)] {
        assert_eq!(shell.apply(command).0.unwrap_err(), Refusal::Unknown(key("web", "a")));
    }
    drop(shell.register("a", json!({})));
    shell.apply(maintain("a", Some("new disk"))).0.unwrap();
    drop(shell.register("a", json!({"weight": 2})));
    shell.apply(says("a", Report::Is(SelfReport::Healthy))).0.unwrap();
    shell.apply(drain("a")).0.unwrap();
    shell.apply(resume("a", false, true)).0.unwrap();
    assert_eq!(shell.status("a"), Some(Status::Maintenance));
    drop(shell.apply(Command::Deregister { key: key("web", "a") }));
    drop(shell.register("a", json!({})));
    assert_eq!(shell.status("a"), Some(Status::Maintenance));
    shell.pass(30_000);
    assert_eq!(shell.pass(60_000)[0].change, Change::Reaped);
    assert!(matches!(shell.apply(maintain("a", Some("new disk"))).0, Ok(Done::Marked(_))));
    assert!(matches!(shell.apply(resume("a", true, true)).0, Ok(Done::Marked(_))));
    drop(shell.register("a", json!({})));
    assert_eq!(shell.status("a"), Some(Status::Healthy));
}

#[test]
fn a_mark_keeps_its_time_and_takes_another_reason() {
    let mut shell = Shell::new();
    drop(shell.register("a", json!({"ttl": "none"})));
    let mark = |shell: &Shell| -> Maintenance {
        let instance = shell.registry.instance(&key("web", "a")).unwrap();
        instance.condition.maintenance.as_deref().cloned().unwrap()
    };
    shell.now = 5;
    let (_, changes) = shell.carry_out(maintain("a", Some("new disk")));
    assert_eq!((changes.records.len(), changes.events.len()), (1, 1));
    shell.now = 10;
    let (_, changes) = shell.carry_out(maintain("a", Some("new disk")));
    assert!(changes.is_empty());
    let (_, changes) = shell.carry_out(maintain("a", None));
    assert_eq!((changes.records.len(), changes.events.len()), (1, 1));
    assert_eq!(mark(&shell), Maintenance { reason: None, since: at(5) });
}

#[test]
fn marks_come_back_before_the_instances() {
    let mut shell = Shell::new();
    let mark = Arc::new(Maintenance { reason: None, since: at(0) });
    shell.registry.restore_record(Record::Maintenance(key("web", "a"), mark));
    let stored = Stored {
        key: key("web", "a"),
        registration: (*registration(json!({}))).clone(),
        condition: Condition::default(),
        created_at: at(0).wall,
        changed_at: at(0).wall,
        revision: Revision(1),
    };
    shell.registry.restore(stored, at(0));
    assert_eq!(shell.status("a"), Some(Status::Maintenance));
}
