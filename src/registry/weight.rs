//! The effective weight of an instance, and the healthy share that a service needs: what configuration, settings and
//! registration say, and which of them counts.

use std::sync::Arc;

use super::slow_start::Ramp;
use super::{Change, Changes, Registry};
use crate::model::{Capacity, Condition, Instance, Moment, Pressure, Registration, ServiceName, Span, Status};

/// Weights of services of up to so many instances follow reported load at once.
const AT_ONCE: usize = 64;

impl Registry {
    /// How long the weight of an instance takes to come back: its own word counts before that of its service.
    pub(super) fn slow_start(&self, service: &ServiceName, registration: &Registration) -> Option<Span> {
        let of_service = || self.settings(service).and_then(|settings| settings.slow_start?.span());
        registration.slow_start().or_else(of_service)
    }

    /// Takes in how hard an instance says it is pressed. Overload acts at once. So does another weight in a small service;
    /// in a large one, whose answers take long to make anew, it waits for those of others.
    pub(super) fn press(
        &mut self,
        current: &Arc<Instance>,
        pressure: Pressure,
        now: Moment,
        changes: &mut Changes,
    ) -> Arc<Instance> {
        let Pressure { capacity, overloaded } = pressure;
        let before = &current.condition;
        let instances = self.services.get(&current.key.service).map_or(0, |service| service.entries().len());
        if overloaded == before.overloaded && instances > AT_ONCE {
            if let Some(entry) = self.entry_mut(&current.key) {
                entry.await_capacity(capacity, now.tick);
                self.rearm(&current.key);
            }
            return Arc::clone(current);
        }
        let change = if before.overloaded == overloaded { Change::Weight } else { Change::Status };
        let condition = Condition { capacity, overloaded, ..before.clone() };
        match condition == *before {
            true => Arc::clone(current),
            false => self.revise(current, None, condition, change, now, changes),
        }
    }

    /// The healthy share below which a service panics.
    pub(super) fn panic_threshold(&self, service: &ServiceName) -> f64 {
        let own = self.settings(service).and_then(|settings| settings.panic_threshold);
        own.map_or(self.rules.panic_threshold, |fraction| fraction.get())
    }

    /// Begins the slow start of an instance that turns healthy with `condition`, and ends that of one that is not.
    pub(super) fn ramped(
        &self,
        before: Option<&Instance>,
        service: &ServiceName,
        registration: &Registration,
        condition: Condition,
        now: Moment,
    ) -> Condition {
        let was_healthy = before.is_some_and(|before| before.status() == Status::Healthy);
        let ramp = match condition.status() {
            Status::Healthy if was_healthy => condition.ramp,
            Status::Healthy => {
                let ramp = Ramp::begin(now.tick, self.slow_start(service, registration));
                ramp.map_or(Capacity::FULL, |ramp| ramp.capacity(now.tick))
            }
            _ => Capacity::FULL,
        };
        Condition { ramp, ..condition }
    }

    /// Looks at the healthy share of a service whose threshold may be another one now, and tells whether other instances
    /// are served from now on.
    pub(super) fn follow_panic_threshold(&mut self, name: &ServiceName) -> bool {
        let threshold = self.panic_threshold(name);
        let Some(service) = self.services.get_mut(name) else { return false };
        let before = service.panicking;
        service.reconsider_panic(threshold);
        service.panicking != before
    }
}
