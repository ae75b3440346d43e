//! The life of an instance by one table: from every status, whatever can happen to it, by the commands that clients,
//! checks and operators send and by the passing of time.

use super::*;

/// What happens to the instance `a`.
#[derive(Debug, Clone, Copy)]
enum What {
    /// Registered again, saying of itself what it said; or something else.
    Registered(&'static str),
    /// Patched to say this of itself.
    Patched(&'static str),
    Heartbeat,
    Says(Report),
    Check(Verdict),
    LeaseEnds,
    Drained,
    DrainEnded,
    Maintained,
    MaintenanceEnded,
    Resumed,
    /// Gone, and registered anew.
    Reborn,
    Restarted,
}

/// With one check, which passes unless the status is about that.
fn body(says: &str, weight: u16) -> Value {
    json!({"ttl": "30s", "weight": weight, "status": says, "checks": [{"kind": "tcp"}]})
}

impl Shell {
    /// An instance in this status, for one reason and no other.
    fn with_instance(status: Status) -> Self {
        let mut shell = Self::new();
        drop(shell.register("a", body("healthy", 1)));
        if status != Status::Starting {
            shell.happens(What::Check(Verdict::Passing));
        }
        match status {
            Status::Maintenance => shell.happens(What::Maintained),
            Status::Draining => shell.happens(What::Drained),
            Status::Lapsed => shell.happens(What::LeaseEnds),
            Status::Unhealthy => shell.happens(What::Check(Verdict::Failing)),
            Status::Starting | Status::Healthy => {}
        }
        assert_eq!(shell.status("a"), Some(status));
        shell
    }

    fn happens(&mut self, what: What) {
        let key = key("web", "a");
        let resume = |maintenance, drain| Command::Resume { key: key.clone(), maintenance, drain };
        let command = match what {
            What::Registered(says) => {
                return self.register("a", body(says, 2)).0.map(drop).unwrap();
            }
            What::Patched(says) => Command::Patch { key, patch: json!({"status": says}), from: FROM },
            What::Heartbeat => Command::Heartbeat { key, report: None, pressure: None },
            What::Says(report) => Command::Heartbeat { key, report: Some(report), pressure: None },
            What::Check(verdict) => {
                let instance = self.registry.instance(&key).unwrap();
                let (life, registration) = (Arc::clone(&instance.pulse), Arc::clone(&instance.registration));
                let check = registration.checks()[0].clone();
                Command::Observe(Observation { key, life, registration, check, verdict })
            }
            What::LeaseEnds => return drop(self.pass(30_000)),
            What::Drained => Command::Drain { key },
            What::DrainEnded => resume(false, true),
            What::Maintained => Command::Maintain { key, reason: None },
            What::MaintenanceEnded => resume(true, false),
            What::Resumed => resume(true, true),
            What::Reborn => {
                self.apply(Command::Deregister { key }).0.unwrap();
                return self.register("a", body("healthy", 1)).0.map(drop).unwrap();
            }
            What::Restarted => return self.restart(),
        };
        self.apply(command).0.unwrap();
    }

    /// As after a stop and a start: a new registry from what the store was given.
    fn restart(&mut self) {
        let instance = Arc::clone(self.registry.instance(&key("web", "a")).unwrap());
        let mut next = Registry::new(rules(), self.registry.revision());
        self.registry.records().for_each(|record| next.restore_record(record.clone()));
        let stored = Stored {
            key: instance.key.clone(),
            registration: (*instance.registration).clone(),
            condition: Condition { maintenance: None, ..instance.condition.clone() },
            created_at: instance.created_at.timestamp(),
            changed_at: instance.changed_at.timestamp(),
            revision: instance.revision,
        };
        next.restore(stored, at(self.now));
        self.registry = next;
    }
}

#[test]
fn whatever_happens_in_every_status() {
    use Report::{Draining as Leaving, Is};
    use SelfReport::{Healthy as Good, Starting as Coming, Unhealthy as Bad};
    use Status::{Draining as D, Healthy as H, Lapsed as L, Maintenance as M, Starting as S, Unhealthy as U};
    // Where it leads from each status, in the order of `Status::ALL`: maintenance, draining, lapsed, unhealthy, starting,
    // healthy.
    for (what, leads_to) in [
        // Registering again brings back what has lapsed, and no verdict, drain or mark goes with it.
        (What::Registered("healthy"), [M, D, H, U, S, H]),
        (What::Registered("starting"), [M, D, S, U, S, S]),
        (What::Registered("unhealthy"), [M, D, U, U, U, U]),
        // A patch is no heartbeat.
        (What::Patched("healthy"), [M, D, L, U, S, H]),
        (What::Patched("starting"), [M, D, L, U, S, S]),
        (What::Patched("unhealthy"), [M, D, L, U, U, U]),
        (What::Heartbeat, [M, D, H, U, S, H]),
        (What::Says(Is(Good)), [M, D, H, U, S, H]),
        (What::Says(Is(Coming)), [M, D, S, U, S, S]),
        (What::Says(Is(Bad)), [M, D, U, U, U, U]),
        (What::Says(Leaving), [M, D, D, D, D, D]),
        (What::Check(Verdict::Passing), [M, D, L, H, H, H]),
        (What::Check(Verdict::Failing), [M, D, L, U, U, U]),
        (What::LeaseEnds, [M, D, L, L, L, L]),
        (What::Drained, [M, D, D, D, D, D]),
        (What::DrainEnded, [M, H, L, U, S, H]),
        (What::Maintained, [M, M, M, M, M, M]),
        (What::MaintenanceEnded, [H, D, L, U, S, H]),
        (What::Resumed, [H, H, L, U, S, H]),
        // Nothing but the mark outlives the registration; the check begins anew.
        (What::Reborn, [M, S, S, S, S, S]),
        (What::Restarted, [M, D, L, U, S, H]),
    ] {
        let found = Status::ALL.map(|status| {
            let mut shell = Shell::with_instance(status);
            shell.happens(what);
            shell.status("a").unwrap()
        });
        assert_eq!(found, leads_to, "{what:?}");
    }
}

/// What outranks hides what is below it and changes none of it.
#[test]
fn what_was_hidden_is_there_when_it_is_lifted() {
    for hidden in [Status::Lapsed, Status::Unhealthy, Status::Starting, Status::Healthy] {
        let mut shell = Shell::with_instance(hidden);
        for (what, status) in [
            (What::Drained, Status::Draining),
            (What::Maintained, Status::Maintenance),
            (What::DrainEnded, Status::Maintenance),
            (What::MaintenanceEnded, hidden),
        ] {
            shell.happens(what);
            assert_eq!(shell.status("a"), Some(status), "{what:?} over {hidden:?}");
        }
    }
}
