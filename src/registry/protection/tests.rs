//! Holds as a story of ticks: who runs out when, and what is done.

use super::*;
use crate::model::InstanceId;

const RULES: ProtectionRules = ProtectionRules { instances: 5, fraction: 0.3, max: Span::from_secs(60) };
const TTL: Span = Span::from_secs(10);

fn key(service: &str, number: usize) -> Key {
    let service = ServiceName::parse(service).unwrap();
    Key { service, id: InstanceId::parse(&format!("i{number:03}")).unwrap() }
}

fn keys(service: &str, numbers: std::ops::Range<usize>) -> Vec<Key> {
    numbers.map(|number| key(service, number)).collect()
}

fn overdue(keys: &[Key]) -> Vec<Overdue> {
    keys.iter().map(|key| Overdue { key: key.clone(), ttl: TTL, protected: true }).collect()
}

/// The leases that are left in each scope.
fn leases(counts: &[(&str, usize)]) -> impl Fn(&Scope) -> usize {
    let counts: Vec<(String, usize)> = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    move |scope| match scope {
        Scope::All => counts.iter().map(|(_, count)| count).sum(),
        Scope::Service(service) => {
            counts.iter().find(|(name, _)| name == service.as_str()).map_or(0, |(_, count)| *count)
        }
    }
}

#[test]
fn both_bounds_must_be_reached() {
    for (lapses, of, held) in [(4, 4, false), (5, 5, true), (5, 16, true), (5, 17, false), (6, 20, true)] {
        let mut protection = Protection::default();
        let gone = keys("web", 0..lapses);
        let judgement = protection.judge(overdue(&gone), &leases(&[("web", of)]), RULES, Tick(0));
        let expected = if held {
            Judgement { hold: gone, ..Judgement::default() }
        } else {
            Judgement { lapse: gone, ..Judgement::default() }
        };
        assert_eq!(judgement, expected, "{lapses} of {of}");
        assert_eq!(protection.review_at().is_some(), held);
    }
}

#[test]
fn lapses_of_the_same_ttl_come_back_when_the_hold_begins() {
    let mut protection = Protection::default();
    let first = keys("web", 0..4);
    let judged = protection.judge(overdue(&first), &leases(&[("web", 10)]), RULES, Tick(0));
    assert_eq!(judged.lapse, first);
    let fifth = keys("web", 4..5);
    let judged = protection.judge(overdue(&fifth), &leases(&[("web", 6)]), RULES, Tick(9_999));
    assert_eq!((judged.restore, judged.hold, judged.lapse), (first, fifth.clone(), vec![]));
    assert_eq!(protection.held().count(), 5);
    assert_eq!(protection.holds()[0].until, Tick(69_999));
}

#[test]
fn lapses_count_no_longer_than_their_ttl() {
    let mut protection = Protection::default();
    protection.judge(overdue(&keys("web", 0..4)), &leases(&[("web", 10)]), RULES, Tick(0));
    let judged = protection.judge(overdue(&keys("web", 4..5)), &leases(&[("web", 6)]), RULES, Tick(10_000));
    assert_eq!(judged.lapse.len(), 1);
}

#[test]
fn many_small_services_are_held_together() {
    let mut protection = Protection::default();
    let gone: Vec<Key> = (0..5).map(|number| key(&format!("s{number}"), 0)).collect();
    let counts: Vec<(String, usize)> = (0..10).map(|number| (format!("s{number}"), 1)).collect();
    let counts: Vec<(&str, usize)> = counts.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(protection.judge(overdue(&gone), &leases(&counts), RULES, Tick(0)).hold, gone);
    assert_eq!(protection.holds().iter().map(|hold| &hold.scope).collect::<Vec<_>>(), [&Scope::All]);
}

#[test]
fn a_service_that_takes_no_part_is_neither_held_nor_counted() {
    let mut protection = Protection::default();
    let mut gone = overdue(&keys("web", 0..9));
    gone.iter_mut().for_each(|overdue| overdue.protected = false);
    let judged = protection.judge(gone, &leases(&[("web", 0), ("api", 4)]), RULES, Tick(0));
    assert_eq!(judged.lapse.len(), 9);
    assert_eq!(protection.judge(overdue(&keys("api", 0..4)), &leases(&[("api", 4)]), RULES, Tick(1)).lapse.len(), 4);
}

#[test]
fn a_hold_ends_with_its_longest_time_and_holds_nobody_twice() {
    let mut protection = Protection::default();
    let gone = keys("web", 0..10);
    let all = leases(&[("web", 10)]);
    protection.judge(overdue(&gone), &all, RULES, Tick(0));
    for second in 1..60 {
        let due = protection.review_at().unwrap();
        assert_eq!(due, Tick(second * 1_000));
        assert_eq!(protection.review(|_| Standing::Overdue, &all, RULES, due), vec![]);
    }
    assert_eq!(protection.review(|_| Standing::Overdue, &all, RULES, Tick(60_000)), gone);
    assert_eq!((protection.review_at(), protection.holds()), (None, vec![]));
    let judged = protection.judge(overdue(&keys("web", 10..11)), &leases(&[("web", 1)]), RULES, Tick(60_001));
    assert_eq!(judged.lapse.len(), 1, "what was held does not count again");
}

#[test]
fn a_hold_ends_early_when_most_came_back() {
    let mut protection = Protection::default();
    let gone = keys("web", 0..10);
    let all = leases(&[("web", 20)]);
    protection.judge(overdue(&gone), &all, RULES, Tick(0));
    let two_stay = |key: &Key| if *key < gone[2] { Standing::Overdue } else { Standing::Free };
    assert_eq!(protection.review(two_stay, &all, RULES, Tick(9_999)), vec![], "each has its ttl to be heard in");
    assert_eq!(protection.review(two_stay, &all, RULES, Tick(10_000)), gone[..2]);
    assert_eq!(protection.review_at(), None);
}

#[test]
fn whose_service_leaves_protection_lapses_at_once() {
    let mut protection = Protection::default();
    let gone = keys("web", 0..10);
    let all = leases(&[("web", 10)]);
    protection.judge(overdue(&gone), &all, RULES, Tick(0));
    assert_eq!(protection.review(|_| Standing::Unprotected, &leases(&[]), RULES, Tick(1_000)), gone);
}

#[test]
fn no_time_to_hold_is_no_protection() {
    let mut protection = Protection::default();
    let rules = ProtectionRules { max: Span::from_millis(0), ..RULES };
    let judged = protection.judge(overdue(&keys("web", 0..99)), &leases(&[("web", 99)]), rules, Tick(0));
    assert_eq!(judged.lapse.len(), 99);
}
