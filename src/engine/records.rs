//! What readers see of the records beside the instances: settings, maintenance marks and subscriptions.
//!
//! Only the engine publishes. No look-up of DNS comes here: a view has the settings of its service with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::model::{Key, Maintenance, Revision, ServiceName, Settings, Subscription, SubscriptionId};
use crate::registry::{Kind, Record, RecordChange, RecordName};

/// The published records, each with the revision of its last change. After a restart that is not known any more, and the
/// revision that was reached before stands for it.
#[derive(Debug, Default)]
pub struct Records {
    published: RwLock<BTreeMap<RecordName, (Revision, Record)>>,
    subscribed: watch::Sender<()>,
}

impl Records {
    /// The settings of a service and their revision, whether or not it has instances.
    pub fn settings(&self, service: &ServiceName) -> Option<(Revision, Arc<Settings>)> {
        match self.published.read().get(&RecordName::Settings(service.clone())) {
            Some((revision, Record::Settings(_, settings))) => Some((*revision, Arc::clone(settings))),
            _ => None,
        }
    }

    /// The maintenance mark of an instance, whether or not it is registered.
    pub fn maintenance(&self, key: &Key) -> Option<Arc<Maintenance>> {
        match self.published.read().get(&RecordName::Maintenance(key.clone())) {
            Some((_, Record::Maintenance(_, mark))) => Some(Arc::clone(mark)),
            _ => None,
        }
    }

    /// All records.
    pub fn all(&self) -> Vec<Record> {
        self.published.read().values().map(|(_, record)| record.clone()).collect()
    }

    /// All subscriptions, in the order of their ids, each with the revision after which its callback is told of changes:
    /// zero for those of before a restart.
    pub fn subscriptions(&self) -> Vec<(SubscriptionId, Revision, Arc<Subscription>)> {
        let records = self.published.read();
        let subscription = |(since, record): &(Revision, Record)| match record {
            Record::Subscription(id, subscription) => Some((id.clone(), *since, Arc::clone(subscription))),
            _ => None,
        };
        let mut found: Vec<_> = records.values().rev().map_while(subscription).collect();
        found.reverse();
        found
    }

    pub fn subscription(&self, id: &SubscriptionId) -> Option<Arc<Subscription>> {
        match self.published.read().get(&RecordName::Subscription(id.clone())) {
            Some((_, Record::Subscription(_, subscription))) => Some(Arc::clone(subscription)),
            _ => None,
        }
    }

    /// Tells when [`Self::subscriptions`] are others.
    pub fn subscribed(&self) -> watch::Receiver<()> {
        self.subscribed.subscribe()
    }

    pub(super) fn publish(&self, change: &RecordChange) {
        let mut records = self.published.write();
        match &change.after {
            Some(record) => drop(records.insert(change.name.clone(), (change.revision, record.clone()))),
            None => drop(records.remove(&change.name)),
        }
        drop(records);
        if change.name.kind() == Kind::Subscription {
            self.subscribed.send_replace(());
        }
    }

    pub(super) fn publish_all<'a>(&self, revision: Revision, all: impl Iterator<Item = &'a Record>) {
        // What the callbacks were told of is not known any more: those that go on from the first revision start over.
        let since = |record: &Record| if record.kind() == Kind::Subscription { Revision::ZERO } else { revision };
        *self.published.write() = all.map(|record| (record.name(), (since(record), record.clone()))).collect();
    }
}
