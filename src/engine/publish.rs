//! Showing what is true now: to readers, to those who watch, and in the log.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::time::Instant;

use super::caches::Caches;
use super::watch::Hub;
use super::{Clock, Engine, Index, Metrics, Records};
use crate::answer::{Live, ServiceView};
use crate::model::{Instance, Revision, ServiceName};
use crate::registry::{Change, Changes, Event, Hold, Record, RecordChange, RecordName, Registry, Scope};
use crate::telemetry::traces;

/// The lapses that are held, as readers see them.
pub(super) type Holds = RwLock<Arc<[Hold]>>;

/// Where the engine's task shows the registry.
#[derive(Debug)]
pub(super) struct Publisher {
    index: Arc<Index>,
    records: Arc<Records>,
    caches: Arc<Caches>,
    clock: Clock,
    hub: Arc<Hub>,
    holds: Arc<Holds>,
    metrics: Arc<Metrics>,
    publishing: Arc<RwLock<()>>,
}

impl Publisher {
    pub fn new(engine: &Engine) -> Self {
        Self {
            index: Arc::clone(&engine.index),
            records: Arc::clone(&engine.records),
            caches: Arc::clone(&engine.caches),
            clock: engine.clock.clone(),
            hub: Arc::clone(&engine.hub),
            holds: Arc::clone(&engine.holds),
            metrics: Arc::clone(&engine.metrics),
            publishing: Arc::clone(&engine.publishing),
        }
    }

    /// Shows a registry for the first time, as it was at `revision`.
    pub fn begin(&self, registry: &Registry, revision: Revision) {
        self.records.publish_all(revision, registry.records());
        self.hub.begin(registry.revision());
        let names: BTreeSet<ServiceName> = registry.services().cloned().collect();
        self.services(registry, names.into_iter().map(|name| self.next(registry, name)));
        self.index.set_loaded();
    }

    /// The revision that readers see.
    pub fn revision(&self) -> Revision {
        self.index.revision()
    }

    /// Shows that the registry has come to its revision without a change.
    pub fn reached(&self, registry: &Registry) {
        self.index.set_revision(registry.revision());
    }

    /// Shows whether what is shown may be out of date.
    pub fn stale(&self, stale: bool) {
        self.index.set_stale(stale);
    }

    /// The revision of a service that readers see; zero when they see none.
    pub fn revision_of(&self, service: &ServiceName) -> Revision {
        self.index.service(service.as_str()).map_or(Revision::ZERO, |view| view.revision())
    }

    /// The services that `changes` are about, as they are in the registry. Nobody sees them by that, so it can be done while
    /// the changes are on their way to the disk.
    pub fn prepare(&self, registry: &Registry, changes: &Changes) -> Vec<Next> {
        self.next_of(registry, changes).collect()
    }

    fn next_of<'a>(&'a self, registry: &'a Registry, changes: &Changes) -> impl Iterator<Item = Next> + use<'a> {
        let names = changes.services();
        self.index.look_ahead(&names);
        names.into_iter().map(|name| self.next(registry, name))
    }

    fn next(&self, registry: &Registry, name: ServiceName) -> Next {
        let before = self.index.service(name.as_str());
        let view = view(registry, &name, before.as_deref()).map(Arc::new);
        Next { name, view }
    }

    /// Shows what has changed, the first of it `since` then.
    pub fn changes(&self, registry: &Registry, changes: Changes, since: Instant) {
        // One after the other: what is replaced is freed before the next is made, and nobody waits for all of them.
        let next = self.next_of(registry, &changes);
        self.show(registry, changes, next, since);
    }

    /// The same, with the services as [`Self::prepare`] made them of these changes.
    pub fn show(&self, registry: &Registry, changes: Changes, next: impl IntoIterator<Item = Next>, since: Instant) {
        let _span =
            tracing::info_span!(target: traces::TARGET, "publish", events = changes.events.len() as i64).entered();
        {
            let _moving = self.publishing.write();
            changes.records.iter().for_each(|change| self.record(change));
            self.services(registry, next);
        }
        self.metrics.publications.observe(since.elapsed());
        for change in &changes.records {
            if let RecordName::Settings(service) = &change.name {
                self.hub.touch(service, change.revision);
            }
        }
        for event in &changes.events {
            log(event);
            self.count(event);
            if let (Some(gone), None) = (&event.before, &event.after) {
                self.note_served(registry, gone, false);
            }
        }
        self.hub.publish(changes.events, self.clock.now().wall);
    }

    /// Shows which lapses are held.
    pub fn holds(&self, registry: &Registry) {
        let (before, now) = (self.holds.read().clone(), registry.holds());
        let among = |holds: &[Hold], scope: &Scope| holds.iter().any(|hold| hold.scope == *scope);
        for hold in now.iter().filter(|hold| !among(&before, &hold.scope)) {
            let (scope, held, until) = (&hold.scope, hold.held, self.clock.now().wall_at(hold.until));
            tracing::warn!(%scope, held, %until, "so many leases ran out at once that lapses are held");
        }
        for hold in before.iter().filter(|hold| !among(&now, &hold.scope)) {
            tracing::info!(scope = %hold.scope, "lapses are no longer held");
        }
        if *before != *now {
            *self.holds.write() = now.into();
        }
    }

    fn count(&self, event: &Event) {
        let lapsed = |instance: &Option<Arc<Instance>>| instance.as_ref().is_some_and(|it| it.condition.lapsed);
        match event.change {
            Change::Registered => self.metrics.registrations.increment(),
            Change::Deregistered => self.metrics.deregistrations.increment(),
            Change::Reaped => self.metrics.reaped.increment(),
            Change::Status if lapsed(&event.after) && !lapsed(&event.before) => self.metrics.lapses.increment(),
            Change::Status | Change::Updated | Change::Weight => {}
        }
    }

    fn record(&self, change: &RecordChange) {
        let own = |record: &Option<Record>| match record {
            Some(Record::Settings(_, settings)) => settings.record_ttl,
            _ => None,
        };
        if let RecordName::Settings(service) = &change.name {
            self.caches.turned(service, own(&change.before), own(&change.after), self.clock.tick());
        }
        self.records.publish(change);
        let kind = change.name.kind().plural();
        tracing::debug!(kind, name = %change.name, revision = change.revision.0, "changed");
    }

    fn services(&self, registry: &Registry, next: impl IntoIterator<Item = Next>) {
        for Next { name, view } in next {
            let before = self.index.publish(&name, view.clone());
            let panics = |view: &Option<Arc<ServiceView>>| view.as_ref().is_some_and(|view| view.is_panicking());
            let (panicked, panicking) = (panics(&before), panics(&view));
            if let Some(view) = view {
                let others = view.others_than(before.as_deref().filter(|_| panicked == panicking));
                others.for_each(|instance| self.note_served(registry, instance, view.serves(instance)));
            }
            match (panicked, panicking) {
                (false, true) => tracing::warn!(service = %name, "too few are healthy: the unhealthy are served too"),
                (true, false) => {
                    tracing::info!(service = %name, "enough are healthy: the unhealthy are left out again")
                }
                _ => {}
            }
        }
        self.index.set_revision(registry.revision());
    }

    /// Keeps in mind when caches forget an instance that has left DNS.
    fn note_served(&self, registry: &Registry, instance: &Instance, served: bool) {
        instance.pulse.note_served(served, || {
            let service = &instance.key.service;
            let own = registry.settings(service).and_then(|settings| settings.record_ttl);
            self.caches.clear_at(service, own, self.clock.tick())
        });
    }
}

/// A service as it is to be shown.
#[derive(Debug)]
pub(super) struct Next {
    name: ServiceName,
    /// `None` when it has no instance any more.
    view: Option<Arc<ServiceView>>,
}

/// The view of a service after the one `before`.
fn view(registry: &Registry, name: &ServiceName, before: Option<&ServiceView>) -> Option<ServiceView> {
    let (revision, instances) = registry.service(name)?;
    let (settings, panicking) = (registry.settings(name).cloned(), registry.is_panicking(name));
    Some(ServiceView::new(before, name.clone(), revision, settings, panicking, instances))
}

fn log(event: &Event) {
    let status = event.after.as_ref().map_or("gone", |after| after.status().as_str());
    tracing::debug!(instance = %event.key, change = ?event.change, status, revision = event.revision.0, "changed");
}
