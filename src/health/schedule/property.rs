//! The schedule against everything that may happen to it, in any order.

use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::tests::{check_invariants, instance, registration};
use super::*;

const SLOTS: usize = 3;
/// With what may be added to it.
const LONGEST_INTERVAL: Span = Span::from_millis(4_120);

#[derive(Debug, Clone)]
enum Step {
    Put { id: usize, checks: Vec<u8>, address: u8, same_life: bool },
    Remove { id: usize },
    Finish { nth: usize, passed: Option<bool> },
    Hasten { id: usize },
    Advance { ms: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4usize, prop::collection::vec(0..4u8, 0..4), 0..2u8, any::<bool>())
            .prop_map(|(id, checks, address, same_life)| Step::Put { id, checks, address, same_life }),
        (0..4usize).prop_map(|id| Step::Remove { id }),
        (0..8usize, any::<Option<bool>>()).prop_map(|(nth, passed)| Step::Finish { nth, passed }),
        (0..4usize).prop_map(|id| Step::Hasten { id }),
        (0..4_000u64).prop_map(|ms| Step::Advance { ms }),
    ]
}

/// Checks that are told apart by their port and have that many seconds between them.
fn body(checks: &[u8], address: u8) -> Arc<Registration> {
    let check = |port: &u8| json!({"kind": "tcp", "port": port + 1, "interval": format!("{}s", port + 1)});
    let checks: Vec<_> = checks.iter().map(check).collect();
    registration(&json!({"address": format!("10.0.0.{address}"), "port": 80, "checks": checks}))
}

/// The schedule, and what a bystander knows about it.
struct World {
    schedule: Schedule,
    rng: StdRng,
    now: Tick,
    revision: u64,
    present: HashMap<usize, Instance>,
    running: Vec<Run>,
    started: HashMap<CheckId, Tick>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            schedule: Schedule::default(),
            rng: StdRng::seed_from_u64(seed),
            now: Tick(0),
            revision: 0,
            present: HashMap::new(),
            running: Vec::new(),
            started: HashMap::new(),
        }
    }

    fn take(&mut self, step: Step) {
        self.revision += 1;
        let gone = match step {
            Step::Put { id, checks, address, same_life } => {
                let mut next = instance(id, &body(&checks, address), self.revision);
                if let Some(old) = self.present.get(&id).filter(|_| same_life) {
                    next.pulse = Arc::clone(&old.pulse);
                }
                let gone = self.schedule.put(&next, self.now, &mut || self.rng.random());
                self.present.insert(id, next);
                gone
            }
            Step::Remove { id } => match self.present.remove(&id) {
                Some(old) => self.schedule.remove(&old.key, Revision(self.revision)),
                None => Vec::new(),
            },
            Step::Finish { nth, passed } => {
                if nth < self.running.len() {
                    let run = self.running.swap_remove(nth);
                    assert!(self.schedule.finish(run.id, passed, self.now, &mut || self.rng.random()).is_some());
                }
                Vec::new()
            }
            Step::Hasten { id } => {
                let hastened = self.present.get(&id).map(|instance| self.schedule.hasten(&instance.key, self.now));
                for (check, _) in hastened.into_iter().flatten() {
                    self.started.remove(&check);
                }
                Vec::new()
            }
            Step::Advance { ms } => {
                self.now = Tick(self.now.0 + ms);
                Vec::new()
            }
        };
        self.running.retain(|run| !gone.contains(&run.id));
    }

    fn start_due(&mut self) {
        while self.running.len() < SLOTS {
            let Some(run) = self.schedule.start(self.now) else { return };
            let same = |other: &Run| Arc::ptr_eq(&other.life, &run.life) && other.spec() == run.spec();
            assert!(!self.running.iter().any(same), "twice at once");
            if let Some(before) = self.started.insert(run.id, self.now) {
                let shortest = Span::from_millis(run.spec().interval.as_millis() * 97 / 100);
                assert!(self.now >= before.after(shortest), "twice within an interval");
            }
            self.running.push(run);
        }
    }

    fn check(&self) {
        check_invariants(&self.schedule);
        let latest = self.schedule.waiting.last().map(|(due, _)| *due);
        assert!(latest.is_none_or(|due| due <= self.now.after(LONGEST_INTERVAL)), "nothing waits for ever");
        let distinct = |instance: &Instance| {
            let ports = instance.registration.checks().iter().filter_map(|check| check.port);
            ports.map(|port| port.number()).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(self.schedule.len(), self.present.values().map(distinct).sum::<usize>(), "as many as registered");
    }
}

proptest! {
    #[test]
    fn no_order_of_changes_breaks_the_schedule(steps in prop::collection::vec(step(), 1..80), seed: u64) {
        let mut world = World::new(seed);
        for step in steps {
            world.take(step);
            world.start_due();
            world.check();
        }
    }
}
