//! The schedule by tables and properties; time is a number here.

use std::net::{IpAddr, Ipv4Addr};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};

use super::*;
use crate::model::{Condition, Defaults, InstanceId, LeaseTtl, ServiceName, Verdicts, WallTime};

const INTERVAL_MS: u64 = 10_000;

pub(super) fn registration(body: &Value) -> Arc<Registration> {
    let defaults = Defaults::default();
    Arc::new(Registration::from_json(body, &defaults, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap())
}

fn with_checks(checks: &Value) -> Arc<Registration> {
    registration(&json!({"address": "10.0.0.7", "port": 80, "checks": checks}))
}

/// A newly registered instance.
pub(super) fn instance(id: usize, registration: &Arc<Registration>, revision: u64) -> Instance {
    Instance {
        key: Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(&format!("i{id}")).unwrap() },
        registration: Arc::clone(registration),
        condition: Condition { checks: Verdicts::of(registration.checks().len(), []), ..Condition::default() },
        created_at: WallTime::default(),
        changed_at: WallTime::default(),
        revision: Revision(revision),
        pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
    }
}

/// The same life with another registration, of whose checks nothing is known.
fn replaced(old: &Instance, registration: &Arc<Registration>) -> Instance {
    let checks = Verdicts::of(registration.checks().len(), []);
    Instance {
        registration: Arc::clone(registration),
        condition: Condition { checks, ..Condition::default() },
        revision: Revision(old.revision.0 + 1),
        ..old.clone()
    }
}

fn seeded() -> impl FnMut() -> f64 {
    let mut rng = StdRng::seed_from_u64(7);
    move || rng.random()
}

/// Starts everything there is, in order, with the moment at which it was due.
fn drain(schedule: &mut Schedule) -> Vec<(Tick, CheckId)> {
    let next = || schedule.next_due().map(|due| (due, schedule.start(due).unwrap().id));
    std::iter::from_fn(next).collect()
}

pub(super) fn check_invariants(schedule: &Schedule) {
    let waiting: BTreeSet<_> = schedule
        .checks
        .iter()
        .filter_map(|(id, check)| match check.state {
            State::Waiting { due, .. } => Some((due, *id)),
            State::Running { .. } => None,
        })
        .collect();
    assert_eq!(schedule.waiting, waiting);
    let firsts = schedule.checks.keys().filter(|id| schedule.awaits_first(**id)).count();
    assert_eq!(schedule.firsts, firsts);
    let owned: BTreeSet<_> = schedule.members.values().flat_map(|member| member.checks.iter().copied()).collect();
    assert_eq!(owned, schedule.checks.keys().copied().collect());
    assert!(schedule.members.values().all(|member| !member.checks.is_empty()));
}

#[test]
fn an_instance_alone_is_checked_at_once() {
    let mut schedule = Schedule::default();
    let several = with_checks(&json!([{"kind": "tcp"}, {"kind": "http"}, {"kind": "tcp", "port": 9}]));
    schedule.put(&instance(1, &several, 1), Tick(5), &mut || 0.999);
    assert!(schedule.waiting.iter().all(|(due, _)| *due == Tick(5)));
    assert_eq!(drain(&mut schedule).len(), 3);
    schedule.put(&instance(2, &several, 2), Tick(6), &mut || 0.999);
    assert_eq!(schedule.next_due(), Some(Tick(6)), "the first one waits no more");
}

#[test]
fn the_checks_of_one_instance_do_not_crowd_each_other() {
    let mut schedule = Schedule::default();
    let old = instance(1, &with_checks(&json!([{"kind": "tcp"}])), 1);
    schedule.put(&old, Tick(0), &mut || 0.999);
    let both = with_checks(&json!([{"kind": "tcp"}, {"kind": "http"}]));
    schedule.put(&replaced(&old, &both), Tick(1), &mut || 0.999);
    assert_eq!(drain(&mut schedule).last().map(|(due, _)| *due), Some(Tick(1)));
}

#[test]
fn first_checks_are_spread_over_more_the_more_of_them_wait() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    for (crowd, within) in [(0, 0), (1, 1_000), (2, 2_000), (9, 9_000), (10, 10_000), (11, 10_000), (500, 10_000)] {
        let mut schedule = Schedule::default();
        for id in 0..crowd {
            schedule.put(&instance(id, &one, 1), Tick(0), &mut || 0.0);
        }
        schedule.put(&instance(crowd, &one, 1), Tick(0), &mut || 0.5);
        let (last, _) = *schedule.waiting.last().unwrap();
        assert_eq!(last, Tick(within / 2), "{crowd} wait");
    }
}

#[test]
fn a_thousand_at_one_moment_never_run_together() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    let (mut schedule, mut random) = (Schedule::default(), seeded());
    for id in 0..1000 {
        schedule.put(&instance(id, &one, 1), Tick(0), &mut random);
    }
    let (mut slots, mut tenths) = ([0; 1000], [0; 10]);
    for (due, _) in drain(&mut schedule) {
        slots[due.0 as usize / 10] += 1;
        tenths[due.0 as usize / 1000] += 1;
    }
    assert!(slots.iter().all(|&count| count <= 10), "no 10 ms hold more than 1 %");
    assert!(tenths.iter().all(|count| (70..=130).contains(count)), "{tenths:?}");
}

#[test]
fn known_verdicts_are_spread_over_the_interval_and_crowd_nobody() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    let (mut schedule, mut random) = (Schedule::default(), seeded());
    for id in 0..1000 {
        let mut known = instance(id, &one, 1);
        known.condition.checks.set(0, Verdict::Passing);
        schedule.put(&known, Tick(0), &mut random);
    }
    let first = |schedule: &Schedule| schedule.waiting.iter().filter(|(due, _)| due.0 < INTERVAL_MS / 2).count();
    assert!((450..=550).contains(&first(&schedule)), "{}", first(&schedule));
    assert!(schedule.waiting.last().unwrap().0 < Tick(INTERVAL_MS));
    schedule.put(&instance(1000, &one, 2), Tick(0), &mut || 0.999);
    assert_eq!(schedule.next_due(), Some(Tick(0)));
}

#[test]
fn a_known_verdict_needs_the_whole_streak() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    for (known, results, turned_at) in [
        (Verdict::Unknown, [false, true, true], Some(0)),
        (Verdict::Passing, [false, false, false], Some(2)),
        (Verdict::Passing, [false, true, false], None),
        (Verdict::Failing, [true, true, false], Some(1)),
    ] {
        let mut schedule = Schedule::default();
        let mut instance = instance(1, &one, 1);
        instance.condition.checks.set(0, known);
        schedule.put(&instance, Tick(0), &mut || 0.0);
        let mut turned = Vec::new();
        for passed in results {
            let due = schedule.next_due().unwrap();
            let run = schedule.start(due).unwrap();
            turned.push(schedule.finish(run.id, Some(passed), due, &mut || 0.5).unwrap().turned);
        }
        assert_eq!(turned.iter().position(|turned| *turned), turned_at, "{known:?}");
    }
}

#[test]
fn the_next_run_is_an_interval_after_the_start_and_never_before_the_end() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    for (started, finished, next) in [(0, 3, 10_000), (700, 9_000, 10_700), (700, 25_000, 25_000)] {
        let mut schedule = Schedule::default();
        schedule.put(&instance(1, &one, 1), Tick(0), &mut || 0.0);
        let run = schedule.start(Tick(started)).unwrap();
        assert_eq!(schedule.next_due(), None);
        assert!(schedule.start(Tick(60_000)).is_none(), "it runs");
        let observed = schedule.finish(run.id, None, Tick(finished), &mut || 0.5).unwrap();
        assert_eq!(observed, Observed { verdict: Verdict::Unknown, turned: false, next: Tick(next), damped: None });
        assert_eq!(schedule.next_due(), Some(Tick(next)));
        assert!(schedule.finish(run.id, Some(true), Tick(finished), &mut || 0.5).is_none(), "a run ends once");
    }
}

#[test]
fn a_replace_keeps_what_stays_the_same() {
    let base = json!({"address": "10.0.0.7", "port": 80, "checks": [{"kind": "tcp"}, {"kind": "http"}]});
    for (change, kept) in [
        (json!({"weight": 9, "tags": ["v2"]}), 2),
        (json!({"checks": [{"kind": "http"}, {"kind": "tcp"}]}), 2),
        (json!({"checks": [{"kind": "http"}]}), 1),
        (json!({"checks": [{"kind": "http", "fall": 9}, {"kind": "tcp"}, {"kind": "tcp", "port": 5}]}), 1),
        (json!({"checks": []}), 0),
        (json!({"address": "10.0.0.8"}), 0),
        (json!({"port": 81}), 0),
    ] {
        let mut schedule = Schedule::default();
        let old = instance(1, &registration(&base), 1);
        schedule.put(&old, Tick(0), &mut || 0.0);
        let runs: Vec<_> = std::iter::from_fn(|| schedule.start(Tick(0))).collect();
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let new = registration(&body);
        let gone = schedule.put(&replaced(&old, &new), Tick(1), &mut || 0.0);
        check_invariants(&schedule);
        assert_eq!((gone.len(), schedule.len()), (2 - kept, new.checks().len()), "{change}");
        for run in runs {
            let observed = schedule.finish(run.id, Some(true), Tick(2), &mut || 0.5);
            assert_eq!(observed.is_none(), gone.contains(&run.id), "{change}");
        }
        let specs: Vec<_> = drain(&mut schedule).iter().map(|(_, id)| schedule.checks[id].place).collect();
        assert_eq!(
            specs.iter().collect::<BTreeSet<_>>().len(),
            new.checks().len(),
            "{change}: each place has its check"
        );
    }
}

#[test]
fn another_life_keeps_nothing() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    let mut schedule = Schedule::default();
    schedule.put(&instance(1, &one, 1), Tick(0), &mut || 0.0);
    let run = schedule.start(Tick(0)).unwrap();
    assert_eq!(schedule.put(&instance(1, &one, 2), Tick(1), &mut || 0.0), [run.id]);
    assert!(schedule.finish(run.id, Some(true), Tick(2), &mut || 0.5).is_none());
}

#[test]
fn equal_checks_are_one() {
    let twice = with_checks(&json!([{"kind": "tcp"}, {"kind": "http"}, {"kind": "tcp"}]));
    let mut schedule = Schedule::default();
    schedule.put(&instance(1, &twice, 1), Tick(0), &mut || 0.0);
    assert_eq!(schedule.len(), 2);
}

#[test]
fn what_is_older_changes_nothing() {
    let (none, one) = (with_checks(&json!([])), with_checks(&json!([{"kind": "tcp"}])));
    let mut schedule = Schedule::default();
    let new = instance(1, &one, 5);
    schedule.put(&new, Tick(0), &mut || 0.0);
    schedule.put(&instance(1, &none, 4), Tick(0), &mut || 0.0);
    schedule.remove(&new.key, Revision(4));
    assert_eq!(schedule.len(), 1);
    schedule.remove(&new.key, Revision(6));
    assert!(schedule.is_empty() && schedule.members.is_empty() && schedule.waiting.is_empty());
}

#[test]
fn those_that_are_not_alive_are_taken_out() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    let mut schedule = Schedule::default();
    let instances = [0, 1, 2].map(|id| instance(id, &one, 1));
    instances.iter().for_each(|instance| drop(schedule.put(instance, Tick(0), &mut || 0.0)));
    let run = schedule.start(Tick(0)).unwrap();
    let gone = schedule.retain(|key, life| Arc::ptr_eq(life, &instances[1].pulse) && *key == instances[1].key);
    assert_eq!((gone.len(), gone.contains(&run.id), schedule.len()), (2, true, 1));
    check_invariants(&schedule);
}

#[test]
fn runs_are_moved_by_a_few_per_cent_and_part() {
    let one = with_checks(&json!([{"kind": "tcp"}]));
    for (random, next) in [(0.0, 9_700), (0.5, 10_000), (0.999_999, 10_299)] {
        let mut schedule = Schedule::default();
        schedule.put(&instance(1, &one, 1), Tick(0), &mut || 0.0);
        let run = schedule.start(Tick(0)).unwrap();
        assert_eq!(schedule.finish(run.id, None, Tick(1), &mut || random).unwrap().next, Tick(next));
    }
    let (mut schedule, mut random) = (Schedule::default(), seeded());
    for id in 0..1000 {
        schedule.put(&instance(id, &one, 1), Tick(0), &mut || 0.0);
    }
    // A thousand that ran together as after a stall, a hundred intervals later.
    let mut runs: Vec<_> = std::iter::from_fn(|| schedule.start(Tick(0))).collect();
    for _ in 0..100 {
        for run in runs.drain(..) {
            schedule.finish(run.id, Some(true), Tick(0), &mut random);
        }
        while let Some(due) = schedule.next_due() {
            runs.push(schedule.start(due).unwrap());
            if runs.len() < 1000 {
                continue;
            }
            break;
        }
    }
    let mut tenths = [0; 10];
    for check in schedule.checks.values() {
        let State::Running { since, .. } = check.state else { panic!("all run") };
        tenths[(since.0 % INTERVAL_MS) as usize / 1000] += 1;
    }
    assert!(tenths.iter().all(|&count| count < 400), "{tenths:?}");
}

#[test]
fn a_check_that_is_asked_for_runs_now_and_if_it_runs_once_more() {
    let both = with_checks(&json!([{"kind": "tcp"}, {"kind": "http"}]));
    let mut schedule = Schedule::default();
    let asked = instance(1, &both, 1);
    schedule.put(&asked, Tick(0), &mut || 0.0);
    let runs = [0, 0].map(|at| schedule.start(Tick(at)).unwrap());
    schedule.finish(runs[0].id, Some(true), Tick(1), &mut || 0.5);
    assert_eq!(schedule.next_due(), Some(Tick(10_000)));
    let hastened = schedule.hasten(&asked.key, Tick(5));
    assert_eq!(hastened, [(runs[0].id, false), (runs[1].id, true)]);
    check_invariants(&schedule);
    assert_eq!(schedule.start(Tick(5)).unwrap().id, runs[0].id);
    let observed = schedule.finish(runs[1].id, Some(true), Tick(7), &mut || 0.5).unwrap();
    assert_eq!(observed.next, Tick(7));
    schedule.start(Tick(7)).unwrap();
    let observed = schedule.finish(runs[1].id, Some(true), Tick(8), &mut || 0.5).unwrap();
    assert_eq!(observed.next, Tick(10_007), "once");
    let overdue = instance(2, &both, 1);
    schedule.put(&overdue, Tick(8), &mut || 0.0);
    schedule.hasten(&overdue.key, Tick(50));
    assert_eq!(schedule.next_due(), Some(Tick(8)), "what is due does not lose its place");
    assert!(schedule.hasten(&instance(9, &both, 1).key, Tick(0)).is_empty());
}
