//! The registry against a model so naive that it can be checked by eye.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use smol_str::SmolStr;

use super::*;
use crate::model::{DrainedBy, Settings};

/// What the model knows of one instance.
#[derive(Debug, Clone, PartialEq)]
struct Plain {
    variant: u8,
    lapsed_at: Option<u64>,
    deadline: u64,
    said: SelfReport,
    verdict: Option<Verdict>,
    draining: Option<DrainedBy>,
}

impl Plain {
    fn status(&self, maintained: bool) -> Status {
        match self {
            _ if maintained => Status::Maintenance,
            Self { draining: Some(_), .. } => Status::Draining,
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
    Drain(u8),
    /// With one of two reasons.
    Maintain(u8, bool),
    /// Maintenance, drain, or both.
    Resume(u8, bool, bool),
    /// One of the settings below.
    Set(u8),
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0..4u8, 0..4u8).prop_map(|(id, variant)| Step::Register(id, variant)),
        (0..4u8).prop_map(Step::Deregister),
        (0..4u8, 0..5u8).prop_map(|(id, report)| Step::Heartbeat(id, report)),
        (0..4u8, any::<bool>()).prop_map(|(id, passing)| Step::Observe(id, passing)),
        (0..4u8).prop_map(Step::Drain),
        (0..4u8, any::<bool>()).prop_map(|(id, reason)| Step::Maintain(id, reason)),
        (0..4u8, any::<bool>(), any::<bool>()).prop_map(|(id, maintenance, drain)| Step::Resume(
            id,
            maintenance,
            drain
        )),
        (0..3u8).prop_map(Step::Set),
        (1..40_000u64).prop_map(Step::Pass),
    ]
}

/// Four registrations that differ: the odd ones bring a check, the later ones a weight.
fn variant(number: u8) -> Arc<Registration> {
    let mut members = json!({"ttl": "10s", "weight": number / 2 + 1});
    if number % 2 == 1 {
        members["checks"] = check();
    }
    registration(members)
}

fn check() -> Value {
    json!([{"kind": "tcp"}])
}

/// Settings that differ: none, others than checks, and the check that the odd registrations bring.
fn settings(number: u8) -> Option<Arc<Settings>> {
    let body = [None, Some(json!({"record_ttl": 1})), Some(json!({"default_checks": check()}))][usize::from(number)]
        .clone()?;
    Some(Arc::new(Settings::from_json(&body, &rules().defaults.check).unwrap()))
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
    /// Whether instances that bring no check get one.
    checked: bool,
    /// The ids that an operator marked, with the reason that was given.
    marks: BTreeMap<u8, bool>,
    instances: BTreeMap<u8, Plain>,
}

impl Model {
    fn register(&mut self, id: u8, variant: u8) {
        let deadline = self.now + 10_000;
        let old = self.instances.get(&id).cloned();
        let checked = variant % 2 == 1 || self.checked;
        let mut new = Plain {
            variant,
            lapsed_at: None,
            deadline,
            said: SelfReport::Healthy,
            verdict: checked.then_some(Verdict::Unknown),
            draining: old.as_ref().and_then(|old| old.draining),
        };
        if let Some(old) = old {
            new.verdict = if checked { Some(old.verdict.unwrap_or(Verdict::Unknown)) } else { None };
            // What a registration without checks has by default may be spelled out, as replies do.
            let spelled_out = self.checked && old.variant % 2 == 0 && variant == old.variant + 1;
            if old.variant == variant || spelled_out {
                (new.said, new.variant) = (old.said, old.variant);
            }
        }
        self.instances.insert(id, new);
    }

    fn step(&mut self, step: &Step) {
        let deadline = self.now + 10_000;
        match *step {
            Step::Register(id, variant) => self.register(id, variant),
            Step::Deregister(id) => drop(self.instances.remove(&id)),
            Step::Heartbeat(id, report) => {
                if let Some(plain) = self.instances.get_mut(&id) {
                    (plain.lapsed_at, plain.deadline) = (None, deadline);
                    match REPORTS[usize::from(report)] {
                        None => {}
                        Some(Report::Draining) => plain.draining = plain.draining.or(Some(DrainedBy::Itself)),
                        Some(Report::Is(said)) => plain.said = said,
                    }
                }
            }
            Step::Observe(id, passing) => {
                if let Some(verdict) = self.instances.get_mut(&id).and_then(|plain| plain.verdict.as_mut()) {
                    *verdict = if passing { Verdict::Passing } else { Verdict::Failing };
                }
            }
            Step::Drain(id) => {
                if let Some(plain) = self.instances.get_mut(&id) {
                    plain.draining = Some(DrainedBy::Operator);
                }
            }
            Step::Maintain(id, reason) => {
                if self.instances.contains_key(&id) || self.marks.contains_key(&id) {
                    self.marks.insert(id, reason);
                }
            }
            Step::Resume(id, maintenance, drain) => {
                if let Some(plain) = self.instances.get_mut(&id).filter(|_| drain) {
                    plain.draining = None;
                }
                if maintenance {
                    self.marks.remove(&id);
                }
            }
            Step::Set(number) => {
                self.checked = number == 2;
                for plain in self.instances.values_mut().filter(|plain| plain.variant % 2 == 0) {
                    plain.verdict = self.checked.then(|| plain.verdict.unwrap_or_default());
                }
            }
            Step::Pass(millis) => {
                self.now += millis;
                let now = self.now;
                self.instances.retain(|_, plain| plain.lapsed_at.is_none_or(|lapsed| lapsed + 60_000 > now));
                for plain in self.instances.values_mut().filter(|plain| plain.lapsed_at.is_none()) {
                    // Leases run out in slots of a quarter of a second.
                    plain.lapsed_at = (plain.deadline.next_multiple_of(250) <= now).then_some(now);
                }
            }
        }
    }
}

fn words(reason: bool) -> Option<SmolStr> {
    reason.then_some(SmolStr::new_static("new disk"))
}

fn run(shell: &mut Shell, step: &Step) -> Changes {
    let name = |id: u8| key("web", &format!("i{id}"));
    let command = match *step {
        Step::Register(id, number) => {
            Command::Register { key: name(id), registration: variant(number), expected: Expected::Any }
        }
        Step::Deregister(id) => Command::Deregister { key: name(id) },
        Step::Heartbeat(id, report) => {
            Command::Heartbeat { key: name(id), report: REPORTS[usize::from(report)], pressure: None }
        }
        Step::Observe(id, passing) => {
            let Some(instance) = shell.registry.instance(&name(id)) else { return Changes::default() };
            let verdict = if passing { Verdict::Passing } else { Verdict::Failing };
            let (life, check) = (Arc::clone(&instance.pulse), variant(1).checks()[0].clone());
            let registration = Arc::clone(&instance.registration);
            Command::Observe(Observation { key: name(id), life, registration, check, verdict })
        }
        Step::Drain(id) => Command::Drain { key: name(id) },
        Step::Maintain(id, reason) => Command::Maintain { key: name(id), reason: words(reason) },
        Step::Resume(id, maintenance, drain) => Command::Resume { key: name(id), maintenance, drain },
        Step::Set(number) => Command::Set { service: name(0).service, settings: settings(number) },
        Step::Pass(millis) => return Changes { events: shell.pass(millis), ..Changes::default() },
    };
    shell.carry_out(command).1
}

fn snapshot(shell: &Shell) -> BTreeMap<String, (Status, u16, Revision)> {
    let service = ServiceName::parse("web").unwrap();
    let Some((_, instances)) = shell.registry.service(&service) else { return BTreeMap::new() };
    let facts = |instance: &Arc<Instance>| (instance.status(), instance.registration.weight.0, instance.revision);
    instances.map(|instance| (instance.key.id.to_string(), facts(instance))).collect()
}

/// The ids that are marked, and whether with a reason.
fn marks(shell: &Shell) -> BTreeMap<u8, bool> {
    let mark = |record: &Record| match record {
        Record::Maintenance(key, mark) => Some((key.id.as_str()[1..].parse().unwrap(), mark.reason.is_some())),
        _ => None,
    };
    shell.registry.records().filter_map(mark).collect()
}

fn records(shell: &Shell) -> String {
    format!("{:?}", shell.registry.records().collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn the_registry_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let (mut shell, mut model) = (Shell::new(), Model::default());
        let mut replayed: BTreeMap<String, (Status, u16, Revision)> = BTreeMap::new();
        let (mut last, mut earlier) = (Changes::default(), (BTreeMap::new(), String::new()));
        for step in &steps {
            let (revision, before) = (shell.registry.revision(), (snapshot(&shell), records(&shell)));
            let changes = run(&mut shell, step);
            model.step(step);
            let expected: Vec<_> = model.instances.iter()
                .map(|(id, plain)| (format!("i{id}"), plain.status(model.marks.contains_key(id)), u16::from(plain.variant / 2 + 1))).collect();
            let found: Vec<_> = snapshot(&shell).into_iter().map(|(id, (status, weight, _))| (id, status, weight)).collect();
            prop_assert_eq!(found, expected, "after {:?}", step);
            prop_assert_eq!(marks(&shell), model.marks.clone());
            let revisions = changes.records.iter().map(|change| change.revision);
            let revisions: Vec<u64> = revisions.chain(changes.events.iter().map(|event| event.revision)).map(|at| at.0).collect();
            prop_assert_eq!(&revisions, &(revision.0 + 1..=shell.registry.revision().0).collect::<Vec<_>>());
            for event in &changes.events {
                match &event.after {
                    Some(after) => replayed.insert(
                        event.key.id.to_string(), (after.status(), after.registration.weight.0, after.revision)),
                    None => replayed.remove(event.key.id.as_str()),
                };
            }
            prop_assert_eq!(&replayed, &snapshot(&shell), "events replayed");
            let armed: BTreeSet<_> = shell.registry.next_deadline().into_iter().collect();
            prop_assert_eq!(armed.is_empty(), model.instances.is_empty(), "every lease has a deadline");
            (last, earlier) = (changes, before);
        }
        // Taking back leaves what was there before.
        shell.registry.undo(&last, at(shell.now));
        prop_assert_eq!(&(snapshot(&shell), records(&shell)), &earlier);
        prop_assert_eq!(shell.registry.next_deadline().is_none(), earlier.0.is_empty());
    }
}
