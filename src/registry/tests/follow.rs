//! A registry that follows: what it tries out leaves no trace, and what it adopts is what another one did.

use super::*;
use crate::model::{Keeping, LeaseTtl, Renewal, Settings};

/// The state of an instance as a store gives it to all servers, at `revision`.
fn told(instance: &Instance, revision: u64) -> Stored {
    Stored {
        key: instance.key.clone(),
        registration: (*instance.registration).clone(),
        condition: Condition { maintenance: None, ..instance.condition.clone() },
        created_at: instance.created_at.timestamp(),
        changed_at: instance.changed_at.timestamp(),
        revision: Revision(revision),
    }
}

struct Follower {
    registry: Registry,
    now: u64,
}

impl Follower {
    fn new() -> Self {
        Self { registry: Registry::following(rules(), Revision(100)), now: 0 }
    }

    fn adopt(&mut self, stored: Stored, keeping: Keeping) -> Changes {
        let mut changes = Changes::default();
        self.registry.move_on(stored.revision);
        self.registry.adopt(stored, keeping, at(self.now), &mut changes);
        changes
    }

    /// Tries a command out and takes it back; what it would have come to.
    fn try_out(&mut self, command: Command) -> (Result<Done, Refusal>, Changes) {
        let mut changes = Changes::default();
        let result = self.registry.apply(command, at(self.now), &mut changes);
        let revision = self.registry.service(&key("web", "a").service).map_or(Revision::ZERO, |(revision, _)| revision);
        self.registry.take_back(&changes, |_| revision, at(self.now));
        (result, changes)
    }

    fn a(&self) -> &Arc<Instance> {
        self.registry.instance(&key("web", "a")).unwrap()
    }
}

/// An instance `web/a` as some server registered it.
fn registered(extra: Value) -> Arc<Instance> {
    let mut shell = Shell::new();
    shell.register("a", extra).0.unwrap();
    Arc::clone(shell.registry.instance(&key("web", "a")).unwrap())
}

fn register(extra: Value) -> Command {
    Command::Register { key: key("web", "a"), registration: registration(extra), expected: Expected::Any }
}

#[test]
fn what_is_tried_out_leaves_no_trace() {
    let drain = Command::Drain { key: key("web", "a") };
    let maintain = Command::Maintain { key: key("web", "a"), reason: None };
    let settings = json!({"default_checks": [{"kind": "tcp"}], "panic_threshold": 0.5});
    let settings = Settings::from_json(&settings, &rules().defaults.check).unwrap();
    let set = Command::Set { service: key("web", "a").service, settings: Some(Arc::new(settings)) };
    let unhealthy =
        Command::Heartbeat { key: key("web", "a"), report: Some(Report::Is(SelfReport::Unhealthy)), pressure: None };
    let deregister = Command::Deregister { key: key("web", "a") };
    let commands = [register(json!({"port": 9, "ttl": "7s"})), drain, maintain, set, unhealthy, deregister];
    let keepings = [Keeping::Own, Keeping::InTrust, Keeping::Elsewhere];
    for (keeping, lapsed) in keepings.into_iter().flat_map(|keeping| [(keeping, false), (keeping, true)]) {
        let kept = keeping != Keeping::Elsewhere;
        let mut follower = Follower::new();
        let mut stored = told(&registered(json!({})), 101);
        stored.condition.lapsed = lapsed;
        follower.adopt(stored, keeping);
        let before = Arc::clone(follower.a());
        for command in &commands {
            let (result, changes) = follower.try_out(command.clone());
            assert!(result.is_ok() && !changes.is_empty(), "{command:?}");
            let after = follower.a();
            assert!(Arc::ptr_eq(after, &before), "{command:?}");
            assert_eq!(follower.registry.revision(), Revision(101));
            assert_eq!(follower.registry.records().count(), 0, "{command:?}");
            let lease = (after.pulse.keeping(), after.pulse.has_lapsed());
            assert_eq!(lease, (keeping, kept && lapsed), "{command:?}");
            assert_eq!(follower.registry.next_deadline().is_some(), kept, "{command:?}");
            if kept && !lapsed {
                assert_eq!(after.pulse.deadline(), Some(Tick(30_000)), "{command:?}");
            }
        }
        let new =
            Command::Register { key: key("db", "b"), registration: registration(json!({})), expected: Expected::Any };
        assert!(matches!(follower.try_out(new).0, Ok(Done::Registered(_))));
        assert!(follower.registry.instance(&key("db", "b")).is_none());
    }
}

#[test]
fn what_is_adopted_is_told_once() {
    let mut follower = Follower::new();
    let instance = registered(json!({"tags": ["v2"]}));
    let changes = follower.adopt(told(&instance, 101), Keeping::Own);
    assert_eq!((changes.events[0].change, changes.events[0].revision), (Change::Registered, Revision(101)));
    let pulse = Arc::clone(&follower.a().pulse);
    // It changes hands: nothing to tell, and nothing runs out here.
    assert!(follower.adopt(told(&instance, 101), Keeping::Elsewhere).is_empty());
    assert_eq!((pulse.deadline(), follower.registry.next_deadline()), (None, None));
    assert!(follower.adopt(told(&instance, 101), Keeping::Own).is_empty());
    assert_eq!(follower.registry.next_deadline(), Some(Tick(30_000)));
    let mut drained = told(&instance, 105);
    drained.condition.draining = Some(crate::model::DrainedBy::Operator);
    follower.now = 10_000;
    let changes = follower.adopt(drained, Keeping::Own);
    assert_eq!((changes.events[0].change, changes.events[0].revision), (Change::Status, Revision(105)));
    assert!(Arc::ptr_eq(&follower.a().pulse, &pulse), "its life goes on");
    assert_eq!(pulse.deadline(), Some(Tick(30_000)), "and so does its lease");
    let mut changes = Changes::default();
    follower.registry.move_on(Revision(107));
    follower.registry.adopt_removal(&key("web", "a"), &mut changes);
    assert_eq!((changes.events[0].change, changes.events[0].revision), (Change::Deregistered, Revision(107)));
    assert_eq!(follower.registry.services().count(), 0);
}

#[test]
fn another_life_under_the_same_name_is_told_as_two_changes() {
    let mut follower = Follower::new();
    let mut stored = told(&registered(json!({})), 101);
    follower.adopt(stored.clone(), Keeping::Own);
    stored.created_at = at(5).wall;
    stored.revision = Revision(102);
    let changes = follower.adopt(stored, Keeping::Own);
    let told: Vec<_> = changes.events.iter().map(|event| (event.change, event.revision.0)).collect();
    assert_eq!(told, [(Change::Deregistered, 102), (Change::Registered, 102)]);
}

#[test]
fn a_lapse_that_does_not_come_about_is_tried_again_or_forgotten() {
    for (unheard, due) in [(false, 30_000), (true, 60_000)] {
        let mut follower = Follower::new();
        follower.adopt(told(&registered(json!({})), 101), Keeping::Own);
        follower.now = 30_000;
        let mut changes = Changes::default();
        follower.registry.expire(at(30_000), &mut changes);
        assert_eq!(changes.events[0].after.as_ref().unwrap().status(), Status::Lapsed);
        follower.registry.take_back(&changes, |_| Revision(101), at(30_000));
        assert_eq!(follower.a().status(), Status::Healthy);
        assert_eq!(follower.a().pulse.renew(Tick(30_000)), Renewal::Lapsed, "it is not known yet");
        assert_eq!(follower.registry.next_deadline(), None);
        follower.registry.take_back_lapse(&key("web", "a"), unheard, at(30_000));
        assert_eq!(follower.registry.next_deadline(), Some(Tick(due)));
    }
}

#[test]
fn weights_are_each_server_s_own() {
    let mut follower = Follower::new();
    follower.adopt(told(&registered(json!({"weight": 10})), 101), Keeping::Own);
    follower.registry.move_on(Revision(110));
    let half = crate::model::Capacity::of_share(0.5);
    let mut changes = Changes::default();
    follower.registry.weigh(&key("web", "a"), half, crate::model::Capacity::FULL, at(0), &mut changes);
    assert_eq!((changes.events[0].change, changes.events[0].revision), (Change::Weight, Revision(110)));
    assert_eq!((follower.a().revision, follower.a().effective_weight().0), (Revision(101), 5));
    follower.adopt(told(&registered(json!({"weight": 20})), 111), Keeping::Own);
    assert_eq!(follower.a().effective_weight().0, 10, "a change by others leaves it");
}

#[test]
fn marks_and_settings_act_on_instances() {
    let mut follower = Follower::new();
    follower.adopt(told(&registered(json!({"ttl": "none"})), 101), Keeping::Own);
    let (a, mut changes) = (key("web", "a"), Changes::default());
    let mark = Arc::new(crate::model::Maintenance { reason: None, since: at(0) });
    let name = RecordName::Maintenance(a.clone());
    follower.registry.move_on(Revision(102));
    follower.registry.adopt_record(&name, Some(Record::Maintenance(a.clone(), mark)), at(0), &mut changes);
    assert_eq!(follower.a().status(), Status::Maintenance);
    follower.registry.move_on(Revision(103));
    follower.registry.adopt_record(&name, None, at(0), &mut changes);
    assert_eq!(follower.a().status(), Status::Healthy);
    let settings = Settings::from_json(&json!({"default_checks": [{"kind": "tcp"}]}), &rules().defaults.check).unwrap();
    let record = Record::Settings(a.service.clone(), Arc::new(settings));
    follower.registry.move_on(Revision(104));
    follower.registry.adopt_record(&RecordName::Settings(a.service.clone()), Some(record), at(0), &mut changes);
    assert_eq!((follower.a().status(), follower.a().registration.checks().len()), (Status::Starting, 1));
    let revisions: Vec<_> = changes.events.iter().map(|event| event.revision.0).collect();
    assert_eq!(revisions, [102, 103, 104]);
    assert_eq!(LeaseTtl::Permanent, follower.a().registration.ttl());
}

#[test]
fn what_is_kept_in_trust_is_taken_over_by_who_hears_it() {
    let mut follower = Follower::new();
    let stored = told(&registered(json!({})), 101);
    follower.adopt(stored.clone(), Keeping::Elsewhere);
    // The server that has it is not live any more.
    follower.now = 20_000;
    follower.registry.set_keeping(&key("web", "a"), Keeping::InTrust, at(20_000));
    assert_eq!(follower.a().pulse.deadline(), Some(Tick(50_000)), "with its full ttl");
    follower.now = 30_000;
    let heartbeat = Command::Heartbeat { key: key("web", "a"), report: None, pressure: None };
    let (result, changes) = follower.try_out(heartbeat);
    assert!(result.is_ok() && changes.events.len() == 1, "it has to be written");
    assert_eq!(follower.a().pulse.deadline(), Some(Tick(50_000)), "and is not heard before it is");
    assert_eq!(follower.a().pulse.renew(Tick(30_000)), Renewal::Lapsed);
    assert!(follower.adopt(stored, Keeping::Own).is_empty(), "it changes hands");
    assert_eq!(follower.a().pulse.deadline(), Some(Tick(60_000)));
    assert_eq!(follower.a().pulse.renew(Tick(31_000)), Renewal::Renewed);
}
