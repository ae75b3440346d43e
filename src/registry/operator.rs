//! What operators say about one instance: drain, maintenance, and back.
//!
//! Draining is a fact about a registration and ends with it. Maintenance is a record under the instance's name, so that it
//! is there before and after any registration; an instance carries it as a fact while it is registered. Saying again
//! what holds already is no change.

use std::sync::Arc;

use smol_str::SmolStr;

use super::{Changes, Done, Record, RecordName, Refusal, Registry};
use crate::model::{Condition, DrainedBy, Key, Maintenance, Moment};

impl Registry {
    /// The maintenance mark on a name.
    pub(super) fn mark(&self, key: &Key) -> Option<&Arc<Maintenance>> {
        match self.records.get(&RecordName::Maintenance(key.clone())) {
            Some(Record::Maintenance(_, mark)) => Some(mark),
            _ => None,
        }
    }

    /// Carries out [`super::Command::Drain`].
    pub(super) fn drain(&mut self, key: Key, now: Moment, changes: &mut Changes) -> Result<Done, Refusal> {
        let current = self.instance(&key).cloned().ok_or(Refusal::Unknown(key))?;
        let condition = Condition { draining: Some(DrainedBy::Operator), ..current.condition.clone() };
        Ok(Done::Stands(self.reconsider(&current, condition, now, changes)))
    }

    /// Carries out [`super::Command::Maintain`].
    pub(super) fn maintain(
        &mut self,
        key: Key,
        reason: Option<SmolStr>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let (instance, mark) = (self.instance(&key).cloned(), self.mark(&key).cloned());
        let since = match (&instance, &mark) {
            (None, None) => return Err(Refusal::Unknown(key)),
            (_, mark) => mark.as_ref().map_or(now, |mark| mark.since),
        };
        let mark = mark.filter(|mark| mark.reason == reason).unwrap_or_else(|| {
            let mark = Arc::new(Maintenance { reason, since });
            let record = Record::Maintenance(key.clone(), Arc::clone(&mark));
            self.change(RecordName::Maintenance(key), Some(record), changes);
            mark
        });
        let Some(current) = instance else { return Ok(Done::Marked(mark)) };
        let condition = Condition { maintenance: Some(mark), ..current.condition.clone() };
        Ok(Done::Stands(self.reconsider(&current, condition, now, changes)))
    }

    /// Carries out [`super::Command::Resume`].
    pub(super) fn resume(
        &mut self,
        key: Key,
        maintenance: bool,
        drain: bool,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let instance = self.instance(&key).cloned();
        let mark = self.mark(&key).filter(|_| maintenance).cloned();
        if instance.is_none() && mark.is_none() {
            return Err(Refusal::Unknown(key));
        }
        if mark.is_some() {
            self.change(RecordName::Maintenance(key.clone()), None, changes);
        }
        match (instance, mark) {
            (Some(current), _) => {
                let mut condition = current.condition.clone();
                condition.maintenance = condition.maintenance.filter(|_| !maintenance);
                condition.draining = condition.draining.filter(|_| !drain);
                Ok(Done::Stands(self.reconsider(&current, condition, now, changes)))
            }
            (None, Some(mark)) => Ok(Done::Marked(mark)),
            (None, None) => Err(Refusal::Unknown(key)),
        }
    }
}
