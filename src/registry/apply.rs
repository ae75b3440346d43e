//! Carrying out commands and deadlines.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::command::{Observation, Report};
use super::{Change, Changes, Command, Done, Event, Expected, Refusal, Registry, kept_verdicts};
use crate::model::{
    CheckSpec, Condition, DrainedBy, Instance, Invalid, Keeping, Key, LeaseTtl, Moment, Pressure, Pulse, Reason,
    Registration, Renewal, SelfReport, Verdicts,
};

impl Registry {
    /// Carries out one command at `now`; what it changed is appended to `changes`.
    ///
    /// # Errors
    /// The reason why nothing was done.
    pub fn apply(&mut self, command: Command, now: Moment, changes: &mut Changes) -> Result<Done, Refusal> {
        match command {
            Command::Register { key, registration, expected } => {
                self.register(key, registration, expected, now, changes)
            }
            Command::Patch { key, patch, from } => self.patch(key, patch, from, now, changes),
            Command::Deregister { key } => self.remove(key, Change::Deregistered, changes),
            Command::Heartbeat { key, report, pressure } => self.heartbeat(key, report, pressure, now, changes),
            Command::Observe(observation) => self.observe(observation, now, changes),
            Command::Drain { key } => self.drain(key, now, changes),
            Command::Maintain { key, reason } => self.maintain(key, reason, now, changes),
            Command::Resume { key, maintenance, drain } => self.resume(key, maintenance, drain, now, changes),
            Command::Set { service, settings } => self.set(service, settings, now, changes),
            Command::Reconfigure { rules, answers_change } => {
                self.set_rules(*rules, now, changes);
                if answers_change || !changes.turned.is_empty() {
                    self.revision = self.next_revision();
                }
                Ok(Done::Noted)
            }
            Command::Subscribe { id, subscription } => self.subscribe(id, subscription, changes),
        }
    }

    fn register(
        &mut self,
        key: Key,
        registration: Arc<Registration>,
        expected: Expected,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let current = self.instance(&key).cloned();
        match (expected, &current) {
            (Expected::Absent, Some(_)) => return Err(Refusal::Exists(key)),
            (Expected::Present, None) => return Err(Refusal::Absent(key)),
            (Expected::Any, _) | (Expected::Absent, None) | (Expected::Present, Some(_)) => {}
        }
        self.admit(&key, &registration)?;
        let registration = self.as_kept(&key.service, registration, current.as_deref());
        let Some(current) = current else {
            return Ok(Done::Registered(self.create(key, registration, now, changes)));
        };
        if is_equal(&current.registration, &registration) {
            return Ok(Done::Unchanged(self.renew(&current, now, changes)));
        }
        begin_lease(&current, registration.ttl(), now);
        let facts = Condition { lapsed: false, said: registration.status, ..current.condition.clone() };
        Ok(Done::Replaced(self.replace(&current, registration, facts, now, changes)))
    }

    /// Refuses names that DNS could not hold or could not tell apart.
    fn admit(&self, key: &Key, registration: &Registration) -> Result<(), Refusal> {
        let octets = registration.longest_name(&key.service, key.id.as_str().len(), self.rules.apex_octets);
        if octets > crate::wire::MAX_NAME {
            return Err(Invalid::at("id", Reason::DerivedName { octets }).into());
        }
        let own =
            registration.tags().iter().filter_map(crate::model::Tag::as_id).find(|label| label == key.id.as_str());
        let clash = match self.services.get(&key.service) {
            Some(service) => service.clash(&key.id, registration),
            None => own,
        };
        match clash {
            Some(label) => Err(Refusal::Clash { service: key.service.clone(), label }),
            None => Ok(()),
        }
    }

    fn create(
        &mut self,
        key: Key,
        registration: Arc<Registration>,
        now: Moment,
        changes: &mut Changes,
    ) -> Arc<Instance> {
        let pulse = Pulse::begin(now.tick, registration.ttl());
        pulse.heard(now.tick);
        let condition = Condition {
            maintenance: self.mark(&key).cloned(),
            said: registration.status,
            checks: Verdicts::of(registration.checks().len(), []),
            ..Condition::default()
        };
        let instance = Arc::new(Instance {
            condition: self.ramped(None, &key.service, &registration, condition, now),
            created_at: now.wall.into(),
            changed_at: now.wall.into(),
            revision: self.next_revision(),
            pulse: Arc::new(pulse),
            registration,
            key,
        });
        self.install(None, Arc::clone(&instance), Change::Registered, now, changes);
        instance
    }

    /// Another registration for a registered instance, of which `facts` are known besides its checks: the verdicts of
    /// checks that stay what they were, against the same target, are kept.
    pub(super) fn replace(
        &mut self,
        current: &Arc<Instance>,
        registration: Arc<Registration>,
        facts: Condition,
        now: Moment,
        changes: &mut Changes,
    ) -> Arc<Instance> {
        let checks = kept_verdicts(&current.registration, current.condition.checks, &registration);
        let condition = Condition { checks, ..facts };
        keep_words(current, &registration, condition.said);
        self.revise(current, Some(registration), condition, Change::Updated, now, changes)
    }

    /// Merges a patch. What the instance last said of itself stands unless the patch says otherwise.
    fn patch(
        &mut self,
        key: Key,
        patch: Value,
        from: IpAddr,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let current = self.instance(&key).cloned().ok_or_else(|| Refusal::Unknown(key.clone()))?;
        let merged = merged(&current.registration, patch)?;
        let registration = Arc::new(Registration::from_json(&merged, &self.rules.defaults, from)?);
        self.admit(&key, &registration)?;
        let registration = self.as_kept(&key.service, registration, Some(&current));
        let old = &current.registration;
        if is_equal(old, &registration) {
            return Ok(Done::Unchanged(current));
        }
        if old.ttl() != registration.ttl() && !current.condition.lapsed && current.pulse.keeping() == Keeping::Own {
            current.pulse.restart(now.tick, registration.ttl());
        }
        let said = if old.status == registration.status { current.condition.said } else { registration.status };
        let facts = Condition { said, ..current.condition.clone() };
        Ok(Done::Replaced(self.replace(&current, registration, facts, now, changes)))
    }

    fn heartbeat(
        &mut self,
        key: Key,
        report: Option<Report>,
        pressure: Option<Pressure>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let current = self.instance(&key).cloned().ok_or(Refusal::Unknown(key))?;
        let current = self.renew(&current, now, changes);
        let current = match pressure {
            Some(pressure) => self.press(&current, pressure, now, changes),
            None => current,
        };
        let mut condition = current.condition.clone();
        match report {
            None => {}
            Some(Report::Draining) => condition.draining = condition.draining.or(Some(DrainedBy::Itself)),
            Some(Report::Is(said)) => condition.said = said,
        }
        self.reconsider(&current, condition, now, changes);
        Ok(Done::Noted)
    }

    fn observe(&mut self, observation: Observation, now: Moment, changes: &mut Changes) -> Result<Done, Refusal> {
        let Observation { key, life, registration, check, verdict } = observation;
        let current = self.instance(&key).cloned().ok_or_else(|| Refusal::Unknown(key.clone()))?;
        if !Arc::ptr_eq(&current.pulse, &life) || !current.registration.same_target(&registration) {
            return Err(Refusal::Unknown(key));
        }
        let mut condition = current.condition.clone();
        for (at, spec) in current.registration.checks().iter().enumerate() {
            if *spec == check {
                condition.checks.set(at, verdict);
            }
        }
        self.reconsider(&current, condition, now, changes);
        Ok(Done::Noted)
    }

    /// Renews the lease of an instance; if it had run out, or is another server's, that is a change.
    fn renew(&mut self, current: &Arc<Instance>, now: Moment, changes: &mut Changes) -> Arc<Instance> {
        if current.pulse.renew(now.tick) == Renewal::Renewed && !current.condition.lapsed {
            return Arc::clone(current);
        }
        begin_lease(current, current.registration.ttl(), now);
        let condition = Condition { lapsed: false, ..current.condition.clone() };
        self.revise(current, None, condition, Change::Status, now, changes)
    }

    /// Records other facts about an instance, if they are other, and returns it as it is now.
    pub(super) fn reconsider(
        &mut self,
        current: &Arc<Instance>,
        condition: Condition,
        now: Moment,
        changes: &mut Changes,
    ) -> Arc<Instance> {
        if current.condition == condition {
            return Arc::clone(current);
        }
        self.revise(current, None, condition, Change::Status, now, changes)
    }

    pub(super) fn remove(&mut self, key: Key, change: Change, changes: &mut Changes) -> Result<Done, Refusal> {
        let before = self.instance(&key).cloned().ok_or_else(|| Refusal::Unknown(key.clone()))?;
        self.revision = self.next_revision();
        if let Some(service) = self.services.get_mut(&key.service) {
            service.revision = self.revision;
        }
        self.take(&key);
        changes.events.push(Event { revision: self.revision, key, change, before: Some(before), after: None });
        Ok(Done::Deregistered)
    }

    /// The next revision of a registered instance.
    pub(super) fn revise(
        &mut self,
        current: &Arc<Instance>,
        registration: Option<Arc<Registration>>,
        condition: Condition,
        change: Change,
        now: Moment,
        changes: &mut Changes,
    ) -> Arc<Instance> {
        let registration = registration.unwrap_or_else(|| Arc::clone(&current.registration));
        let next = Arc::new(Instance {
            key: current.key.clone(),
            condition: self.ramped(Some(current), &current.key.service, &registration, condition, now),
            registration,
            created_at: current.created_at,
            changed_at: if change == Change::Weight { current.changed_at } else { now.wall.into() },
            // A weight that is known here alone is no other state of the instance.
            revision: if self.follows && change == Change::Weight { current.revision } else { self.next_revision() },
            pulse: Arc::clone(&current.pulse),
        });
        self.install(Some(Arc::clone(current)), Arc::clone(&next), change, now, changes);
        next
    }

    pub(super) fn install(
        &mut self,
        before: Option<Arc<Instance>>,
        after: Arc<Instance>,
        change: Change,
        now: Moment,
        changes: &mut Changes,
    ) {
        self.revision = self.revision.max(after.revision);
        self.put(Arc::clone(&after), now);
        changes.events.push(Event {
            revision: self.revision,
            key: after.key.clone(),
            change,
            before,
            after: Some(after),
        });
    }
}

/// Begins the lease of an instance that was heard. One that another server has is begun once this one has it.
fn begin_lease(instance: &Instance, ttl: LeaseTtl, now: Moment) {
    instance.pulse.heard(now.tick);
    if instance.pulse.keeping() == Keeping::Own {
        instance.pulse.restart(now.tick, ttl);
    }
}

/// Forgets what was found and said about an instance that does not hold for its next registration.
pub(super) fn keep_words(current: &Instance, registration: &Registration, said: SelfReport) {
    let same_target = current.registration.same_target(registration);
    let stays = |check: &CheckSpec| same_target && registration.checks().contains(check);
    current.pulse.words(|words| {
        words.results.retain(|(check, _)| stays(check));
        // What was said about another status does not explain this one.
        words.message = words.message.take().filter(|_| said == current.condition.said);
    });
}

/// Whether a registration says nothing new. One that spells out the default checks, as replies do, does not.
fn is_equal(current: &Registration, new: &Registration) -> bool {
    let spelled_out = new.brings_checks && !current.brings_checks && new.checks() == current.checks();
    if spelled_out {
        let mut new = new.clone();
        new.brings_checks = false;
        *current == new
    } else {
        current == new
    }
}

/// A registration with a merge patch laid over it (RFC 7396).
fn merged(registration: &Registration, patch: Value) -> Result<Value, Invalid> {
    let Value::Object(mut patch) = patch else { return Err(Reason::Type { expected: "an object" }.into()) };
    // What only srvd says of an instance is ignored, as it is in a registration.
    if patch.get("status").and_then(Value::as_str).is_some_and(|status| SelfReport::parse(status).is_none()) {
        patch.remove("status");
    }
    let mut target = registration.to_json();
    if !registration.brings_checks {
        target.remove("checks");
    }
    merge(&mut target, patch);
    Ok(Value::Object(target))
}

fn merge(target: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(target.remove(&name)),
            Value::Object(inner) => {
                let slot = target.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(object) = slot {
                    merge(object, inner);
                }
            }
            other => drop(target.insert(name, other)),
        }
    }
}
