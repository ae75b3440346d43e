//! Settings and subscriptions: what is kept beside the instances, and what of it acts on them.

use std::sync::Arc;

use super::{Changes, Done, Kind, Record, RecordChange, RecordName, Refusal, Registry};
use crate::model::{
    CheckSpec, Condition, Instance, Moment, Registration, ServiceName, Settings, Subscription, SubscriptionId, limits,
};

impl Registry {
    /// Puts a record back as it was before a restart. Instances come after all of them; see [`Self::restore`].
    pub fn restore_record(&mut self, record: Record) {
        self.keep(&record.name(), Some(record));
    }

    /// The state of a record of any kind; `None` when it is not there.
    pub fn record(&self, name: &RecordName) -> Option<Record> {
        match name {
            RecordName::Instance(key) => self.instance(key).cloned().map(Record::Instance),
            other => self.records.get(other).cloned(),
        }
    }

    /// All records that are no instances, in the order of their names.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    /// The settings of a service, if any are set.
    pub fn settings(&self, service: &ServiceName) -> Option<&Arc<Settings>> {
        match self.records.get(&RecordName::Settings(service.clone())) {
            Some(Record::Settings(_, settings)) => Some(settings),
            _ => None,
        }
    }

    /// Carries out [`super::Command::Set`]. Instances that bring no checks get those of the new settings.
    pub(super) fn set(
        &mut self,
        service: ServiceName,
        settings: Option<Arc<Settings>>,
        now: Moment,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let current = self.settings(&service);
        if settings.is_none() && current.is_none() && !self.services.contains_key(&service) {
            return Err(Refusal::UnknownService(service));
        }
        let settings = settings.filter(|settings| !settings.is_empty());
        if settings.as_ref() == current {
            return Ok(Done::Noted);
        }
        let record = settings.map(|settings| Record::Settings(service.clone(), settings));
        self.change(RecordName::Settings(service.clone()), record, changes);
        if let Some(entry) = self.services.get_mut(&service) {
            entry.revision = self.revision;
        }
        self.follow_panic_threshold(&service);
        self.follow_default_checks(&service, now, changes);
        Ok(Done::Noted)
    }

    /// Carries out [`super::Command::Subscribe`].
    pub(super) fn subscribe(
        &mut self,
        id: SubscriptionId,
        subscription: Option<Arc<Subscription>>,
        changes: &mut Changes,
    ) -> Result<Done, Refusal> {
        let name = RecordName::Subscription(id.clone());
        match (self.records.get(&name), subscription) {
            (None, None) => return Err(Refusal::UnknownSubscription(id)),
            (Some(Record::Subscription(_, old)), Some(new)) if *old == new => {}
            (None, Some(_)) if self.subscriptions() >= limits::SUBSCRIPTIONS => {
                return Err(Refusal::TooManySubscriptions { max: limits::SUBSCRIPTIONS });
            }
            (_, new) => self.change(name, new.map(|new| Record::Subscription(id, new)), changes),
        }
        Ok(Done::Noted)
    }

    /// How many there are. Their names come last in the order of names.
    fn subscriptions(&self) -> usize {
        self.records.keys().rev().take_while(|name| name.kind() == Kind::Subscription).count()
    }

    /// A registration that brings no checks, with the checks of its service or else of the server.
    fn with_default_checks(&self, service: &ServiceName, registration: Arc<Registration>) -> Arc<Registration> {
        let checks = self.default_checks(service);
        if registration.brings_checks || registration.checks() == checks {
            return registration;
        }
        Arc::new(Arc::unwrap_or_clone(registration).with_default_checks(checks))
    }

    /// A registration as it is kept: with the checks that hold for it, and sharing memory with the one that it replaces,
    /// which says most of the same, or with the first of its service, where that brings more together.
    pub(super) fn as_kept(
        &self,
        service: &ServiceName,
        registration: Arc<Registration>,
        replaced: Option<&Instance>,
    ) -> Arc<Registration> {
        let registration = self.with_default_checks(service, registration);
        let first = || self.service(service).and_then(|(_, mut instances)| instances.next());
        let first = std::iter::once_with(first).flatten().map(|instance| &**instance);
        registration.sharing(replaced.into_iter().chain(first).map(|instance| &*instance.registration))
    }

    fn default_checks(&self, service: &ServiceName) -> &[CheckSpec] {
        let own = self.settings(service).and_then(|settings| settings.default_checks.as_ref());
        own.unwrap_or(&self.rules.defaults.checks)
    }

    /// Gives the instances of a service the default checks that hold now. Verdicts of checks that stay are kept.
    pub(super) fn follow_default_checks(&mut self, service: &ServiceName, now: Moment, changes: &mut Changes) {
        let Some((_, instances)) = self.service(service) else { return };
        let checks = self.default_checks(service);
        let follows = |registration: &Registration| !registration.brings_checks && registration.checks() != checks;
        let behind: Vec<_> = instances.filter(|instance| follows(&instance.registration)).cloned().collect();
        for current in behind {
            // Nothing is said anew that it would share with itself.
            let registration = self.as_kept(service, Arc::clone(&current.registration), None);
            let facts: Condition = current.condition.clone();
            self.replace(&current, registration, facts, now, changes);
        }
    }

    /// Makes `record` the present state under `name`, as the next revision.
    pub(super) fn change(&mut self, name: RecordName, record: Option<Record>, changes: &mut Changes) {
        self.revision = self.next_revision();
        let before = self.keep(&name, record.clone());
        changes.records.push(RecordChange { revision: self.revision, name, before, after: record });
    }

    /// Stores or removes a record and returns the one before.
    pub(super) fn keep(&mut self, name: &RecordName, record: Option<Record>) -> Option<Record> {
        match record {
            Some(record) => self.records.insert(name.clone(), record),
            None => self.records.remove(name),
        }
    }
}
