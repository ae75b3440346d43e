//! Many leases that run out at once, and a server that stood still.

use super::*;
use crate::model::Settings;

/// A service of `instances` instances with a ttl of ten seconds, all registered now.
fn fill(shell: &mut Shell, service: &str, instances: usize) {
    for number in 0..instances {
        let key = key(service, &format!("i{number}"));
        let registration = registration(json!({"ttl": "10s"}));
        shell.apply(Command::Register { key, registration, expected: Expected::Any }).0.unwrap();
    }
}

fn count(shell: &Shell, service: &str, status: Status) -> usize {
    let service = ServiceName::parse(service).unwrap();
    let instances = shell.registry.service(&service).into_iter().flat_map(|(_, instances)| instances);
    instances.filter(|instance| instance.status() == status).count()
}

fn heartbeats(shell: &mut Shell, service: &str, from: usize, to: usize) {
    for number in from..to {
        let key = key(service, &format!("i{number}"));
        shell.apply(Command::Heartbeat { key, report: None, pressure: None }).0.unwrap();
    }
}

/// Lets time pass as the engine does: from deadline to deadline.
fn pass(shell: &mut Shell, millis: u64) {
    let end = shell.now + millis;
    while let Some(due) = shell.registry.next_deadline().filter(|due| due.0 <= end) {
        shell.now = shell.now.max(due.0);
        shell.pass(0);
    }
    shell.now = end;
}

fn scopes(shell: &Shell) -> Vec<(Scope, usize)> {
    shell.registry.holds().into_iter().map(|hold| (hold.scope, hold.held)).collect()
}

#[test]
fn too_many_lapses_at_once_are_held_and_end_by_themselves() {
    let mut shell = Shell::new();
    fill(&mut shell, "web", 60);
    pass(&mut shell, 10_000);
    assert_eq!(count(&shell, "web", Status::Healthy), 60);
    assert_eq!(scopes(&shell), [(Scope::All, 60), (Scope::Service(key("web", "a").service), 60)]);
    // Some are heard again for a while; all lapse when the longest time is over, and are reaped as ever.
    heartbeats(&mut shell, "web", 0, 5);
    pass(&mut shell, 9_000);
    heartbeats(&mut shell, "web", 0, 5);
    assert_eq!(count(&shell, "web", Status::Healthy), 60);
    pass(&mut shell, 591_000);
    assert_eq!((scopes(&shell), count(&shell, "web", Status::Healthy)), (vec![], 0));
    assert_eq!(count(&shell, "web", Status::Lapsed), 60);
    pass(&mut shell, 60_000);
    assert_eq!(shell.registry.next_deadline(), None);
}

#[test]
fn a_hold_ends_when_few_are_left() {
    let mut shell = Shell::new();
    fill(&mut shell, "web", 60);
    pass(&mut shell, 10_000);
    for _ in 0..2 {
        heartbeats(&mut shell, "web", 0, 50);
        pass(&mut shell, 9_000);
    }
    assert_eq!((count(&shell, "web", Status::Healthy), count(&shell, "web", Status::Lapsed)), (50, 10));
    assert_eq!(scopes(&shell), []);
}

#[test]
fn lapses_one_after_the_other_within_a_ttl_count_together() {
    let mut shell = Shell::new();
    for number in 0..60 {
        fill(&mut shell, &format!("s{}", number % 2), number / 2 + 1);
        pass(&mut shell, 100);
    }
    pass(&mut shell, 60_000);
    assert_eq!((count(&shell, "s0", Status::Healthy), count(&shell, "s1", Status::Healthy)), (30, 30));
    assert_eq!(scopes(&shell), [(Scope::All, 60)], "neither service has fifty");
}

#[test]
fn few_lapses_and_services_that_opt_out_are_not_held() {
    let mut shell = Shell::new();
    fill(&mut shell, "web", 49);
    pass(&mut shell, 10_000);
    assert_eq!(count(&shell, "web", Status::Lapsed), 49);
    let mut shell = Shell::new();
    let service = ServiceName::parse("web").unwrap();
    let settings = Settings::from_json(&json!({"protection": false}), &rules().defaults.check).unwrap();
    shell.apply(Command::Set { service, settings: Some(Arc::new(settings)) }).0.unwrap();
    fill(&mut shell, "web", 60);
    pass(&mut shell, 10_000);
    assert_eq!(count(&shell, "web", Status::Lapsed), 60);
    // A share that loss explains: 50 of 200.
    let mut shell = Shell::new();
    fill(&mut shell, "web", 200);
    pass(&mut shell, 5_000);
    heartbeats(&mut shell, "web", 50, 200);
    pass(&mut shell, 5_000);
    assert_eq!(count(&shell, "web", Status::Lapsed), 50);
}

#[test]
fn deregistering_many_is_nobodys_loss() {
    let mut shell = Shell::new();
    fill(&mut shell, "web", 100);
    for number in 0..95 {
        shell.apply(Command::Deregister { key: key("web", &format!("i{number}")) }).0.unwrap();
    }
    pass(&mut shell, 10_000);
    assert_eq!((count(&shell, "web", Status::Lapsed), scopes(&shell)), (5, vec![]));
}

#[test]
fn after_a_standstill_every_lease_has_its_full_time() {
    let mut shell = Shell::new();
    fill(&mut shell, "web", 3);
    shell.now += 3_600_000;
    // It went on four seconds ago.
    shell.registry.grant_time(Tick(shell.now - 4_000));
    assert!(shell.pass(0).is_empty());
    assert!(shell.pass(5_999).is_empty());
    shell.pass(250);
    assert_eq!(count(&shell, "web", Status::Lapsed), 3);
    shell.registry.grant_time(Tick(shell.now));
    assert_eq!(count(&shell, "web", Status::Lapsed), 3, "what has lapsed stays so");
}

/// A service of its own for each ten of `instances` instances; none of them takes part in protection where `opt_out`.
fn fill_many(shell: &mut Shell, instances: usize, opt_out: bool) {
    for number in 0..instances / 10 {
        let service = ServiceName::parse(&format!("s{number}")).unwrap();
        fill(shell, service.as_str(), 10);
        let settings = Settings::from_json(&json!({"protection": false}), &rules().defaults.check).unwrap();
        if opt_out {
            shell.apply(Command::Set { service, settings: Some(Arc::new(settings)) }).0.unwrap();
        }
    }
}

/// How 3,000 are carried out.
fn steps_of_3_000() -> Vec<usize> {
    [vec![256; 11], vec![184]].concat()
}

#[test]
fn very_many_lapses_come_in_steps() {
    let mut shell = Shell::new();
    fill_many(&mut shell, 3_000, true);
    let mut lapsed = vec![shell.pass(10_000).len()];
    while shell.registry.next_deadline() <= Some(Tick(shell.now)) {
        lapsed.push(shell.pass(0).len());
    }
    assert_eq!(lapsed, steps_of_3_000());
    assert_eq!(shell.registry.next_deadline(), Some(Tick(70_000)), "until they are reaped");
}

#[test]
fn very_many_that_run_out_together_are_judged_together() {
    let mut shell = Shell::new();
    fill_many(&mut shell, 3_000, false);
    let mut events = shell.pass(10_000).len();
    // One that is heard before all have been looked at has not run out.
    heartbeats(&mut shell, "s0", 0, 1);
    while shell.registry.next_deadline() <= Some(Tick(shell.now)) {
        events += shell.pass(0).len();
    }
    assert_eq!((events, scopes(&shell)), (0, vec![(Scope::All, 3_000)]));
    pass(&mut shell, 1_000);
    assert_eq!(scopes(&shell), [(Scope::All, 2_999)]);
    // And the end of the hold comes in steps too.
    shell.now = 10_000 + 600_000 - 1;
    let mut most = 0;
    for _ in 0..2_000 {
        match shell.registry.next_deadline() {
            Some(due) if due.0 <= 620_000 => shell.now = shell.now.max(due.0),
            _ => break,
        }
        most = most.max(shell.pass(0).len());
    }
    assert_eq!((scopes(&shell), most), (vec![], 256));
    assert_eq!((0..300).map(|number| count(&shell, &format!("s{number}"), Status::Lapsed)).sum::<usize>(), 3_000);
}

#[test]
fn the_next_expiries_are_told_in_order_whatever_was_renewed() {
    let mut shell = Shell::new();
    for (id, ttl) in [("long", "1m"), ("renewed", "10s"), ("short", "20s"), ("never", "none"), ("near", "30s")] {
        shell.register(id, json!({ "ttl": ttl })).0.unwrap();
    }
    let told = |shell: &Shell, at_most: usize| -> Vec<(u64, String)> {
        let told = shell.registry.next_expiries(at_most);
        told.into_iter().map(|(ends, key)| (ends.0, key.id.to_string())).collect()
    };
    let expected = |of: &[(u64, &str)]| of.iter().map(|(ends, id)| (*ends, (*id).to_owned())).collect::<Vec<_>>();
    let all = [(10_000, "renewed"), (20_000, "short"), (30_000, "near"), (60_000, "long")];
    assert_eq!(told(&shell, 10), expected(&all));
    assert_eq!(told(&shell, 0), []);
    // Its deadline still says ten seconds.
    shell.registry.instance(&key("web", "renewed")).unwrap().pulse.renew(Tick(9_999));
    assert_eq!(told(&shell, 1), expected(&[(19_999, "renewed")]));
    shell.registry.instance(&key("web", "renewed")).unwrap().pulse.renew(Tick(15_000));
    assert_eq!(told(&shell, 2), expected(&[(20_000, "short"), (25_000, "renewed")]));
}

#[test]
fn where_nothing_is_ever_held_leases_lapse_in_steps() {
    let mut shell = Shell::new();
    shell.registry.rules.protection.max = Span::from_secs(0);
    fill(&mut shell, "web", 3_000);
    shell.now = 10_000;
    let mut lapsed = Vec::new();
    while shell.registry.next_deadline().is_some_and(|due| due.0 <= shell.now) {
        lapsed.push(shell.pass(0).len());
        assert!(shell.registry.expiring.is_empty());
    }
    assert_eq!(lapsed, steps_of_3_000(), "each is told as soon as it lapsed, and none is gathered");
    assert_eq!(count(&shell, "web", Status::Lapsed), 3_000);
}
