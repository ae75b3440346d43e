//! The life of an instance: what follows from its facts, for all of them and every event.

use crate::model::{Moment, Tick};

use super::{SelfReport as Said, Verdict as V, *};

/// What happens to an instance, as the fact that it leaves behind.
#[derive(Debug, Clone, Copy)]
enum Event {
    Maintained,
    Lifted,
    Drained,
    Leaving,
    PutBack,
    Lapsed,
    Revived,
    Says(Said),
    Overloaded(bool),
    Verdict(Verdict),
}

const EVENTS: [Event; 15] = [
    Event::Maintained,
    Event::Lifted,
    Event::Drained,
    Event::Leaving,
    Event::PutBack,
    Event::Lapsed,
    Event::Revived,
    Event::Says(Said::Starting),
    Event::Says(Said::Healthy),
    Event::Says(Said::Unhealthy),
    Event::Overloaded(true),
    Event::Overloaded(false),
    Event::Verdict(V::Unknown),
    Event::Verdict(V::Passing),
    Event::Verdict(V::Failing),
];

fn mark() -> Option<Arc<Maintenance>> {
    Some(Arc::new(Maintenance { reason: None, since: Moment { tick: Tick(0), wall: jiff::Timestamp::UNIX_EPOCH } }))
}

fn after(mut condition: Condition, event: Event) -> Condition {
    match event {
        Event::Maintained => condition.maintenance = mark(),
        Event::Lifted => condition.maintenance = None,
        Event::Drained => condition.draining = Some(DrainedBy::Operator),
        Event::Leaving => condition.draining = Some(DrainedBy::Itself),
        Event::PutBack => condition.draining = None,
        Event::Lapsed => condition.lapsed = true,
        Event::Revived => condition.lapsed = false,
        Event::Says(said) => condition.said = said,
        Event::Overloaded(overloaded) => condition.overloaded = overloaded,
        Event::Verdict(verdict) => condition.checks = std::iter::once(verdict).collect(),
    }
    condition
}

/// An instance with one check that passes, and nothing against it but what makes the status.
fn only(status: Status) -> Condition {
    let healthy = after(Condition::default(), Event::Verdict(V::Passing));
    match status {
        Status::Maintenance => after(healthy, Event::Maintained),
        Status::Draining => after(healthy, Event::Drained),
        Status::Lapsed => after(healthy, Event::Lapsed),
        Status::Unhealthy => after(healthy, Event::Verdict(V::Failing)),
        Status::Starting => after(healthy, Event::Verdict(V::Unknown)),
        Status::Healthy => healthy,
    }
}

/// Every condition there can be, with up to two checks.
fn all() -> Vec<Condition> {
    let verdicts = [V::Unknown, V::Passing, V::Failing];
    let single = verdicts.map(|one| vec![one]);
    let pairs = verdicts.into_iter().flat_map(|one| verdicts.map(|other| vec![one, other]));
    let checks: Vec<Vec<Verdict>> = std::iter::once(vec![]).chain(single).chain(pairs).collect();
    let mut all = Vec::new();
    for maintenance in [None, mark()] {
        for draining in [None, Some(DrainedBy::Itself), Some(DrainedBy::Operator)] {
            for lapsed in [false, true] {
                for said in [Said::Starting, Said::Healthy, Said::Unhealthy] {
                    for overloaded in [false, true] {
                        all.extend(checks.iter().map(|checks| Condition {
                            maintenance: maintenance.clone(),
                            draining,
                            lapsed,
                            said,
                            overloaded,
                            checks: checks.iter().copied().collect(),
                            ..Condition::default()
                        }));
                    }
                }
            }
        }
    }
    all
}

/// The statuses that single facts stand for, by the first letters of their names.
fn facts(condition: &Condition) -> String {
    let mut facts = String::from("h");
    facts.push_str(if condition.maintenance.is_some() { "m" } else { "" });
    facts.push_str(if condition.draining.is_some() { "d" } else { "" });
    facts.push_str(if condition.lapsed { "l" } else { "" });
    facts.push_str(match condition.said {
        Said::Starting => "s",
        Said::Healthy => "",
        Said::Unhealthy => "u",
    });
    facts.push_str(if condition.overloaded { "u" } else { "" });
    facts.extend(condition.checks.iter().map(|verdict| match verdict {
        V::Unknown => 's',
        V::Passing => 'h',
        V::Failing => 'u',
    }));
    facts
}

#[test]
fn every_event_in_every_condition() {
    assert_eq!(all().len(), 2 * 3 * 2 * 3 * 2 * 13);
    for before in all() {
        for event in EVENTS {
            let after = after(before.clone(), event);
            let first = "mdlush".chars().find(|status| facts(&after).contains(*status)).unwrap();
            assert!(after.status().as_str().starts_with(first), "{event:?} on {before:?}: {:?}", after.status());
        }
    }
}

#[test]
fn every_event_in_every_status() {
    use Status::{Draining as D, Healthy as H, Lapsed as L, Maintenance as M, Starting as S, Unhealthy as U};
    // Where the event leads from each status, in the order of `Status::ALL`: maintenance, draining, lapsed, unhealthy,
    // starting, healthy.
    for (event, leads_to) in [
        (Event::Maintained, [M, M, M, M, M, M]),
        (Event::Lifted, [H, D, L, U, S, H]),
        (Event::Drained, [M, D, D, D, D, D]),
        (Event::Leaving, [M, D, D, D, D, D]),
        (Event::PutBack, [M, H, L, U, S, H]),
        (Event::Lapsed, [M, D, L, L, L, L]),
        (Event::Revived, [M, D, H, U, S, H]),
        (Event::Says(Said::Starting), [M, D, L, U, S, S]),
        (Event::Says(Said::Healthy), [M, D, L, U, S, H]),
        (Event::Says(Said::Unhealthy), [M, D, L, U, U, U]),
        (Event::Overloaded(true), [M, D, L, U, U, U]),
        (Event::Overloaded(false), [M, D, L, U, S, H]),
        (Event::Verdict(V::Unknown), [M, D, L, S, S, S]),
        (Event::Verdict(V::Passing), [M, D, L, H, H, H]),
        (Event::Verdict(V::Failing), [M, D, L, U, U, U]),
    ] {
        let found = Status::ALL.map(|status| after(only(status), event).status());
        assert_eq!(found, leads_to, "{event:?}");
    }
    assert_eq!(Status::ALL.map(|status| only(status).status()), Status::ALL);
}

#[test]
fn words_are_read_back() {
    for status in Status::ALL {
        assert_eq!(Status::parse(status.as_str()), Some(status));
    }
    for by in [DrainedBy::Itself, DrainedBy::Operator] {
        assert_eq!(DrainedBy::parse(by.as_str()), Some(by));
    }
}
