//! What readers see of the records beside the instances: settings, maintenance marks and subscriptions.
//!
//! Only the engine publishes. No look-up of DNS comes here: a view has the settings of its service with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::model::{Key, Maintenance, Revision, ServiceName, Settings, Subscription, SubscriptionId};
use crate::registry::{Record, RecordChange, RecordName};

/// The published records, each with the revision of its last change. After a restart that is not known any more, and the
/// revision that was reached before stands for it.
#[derive(Debug, Default)]
pub struct Records(RwLock<BTreeMap<RecordName, (Revision, Record)>>);

impl Records {
    /// The settings of a service and their revision, whether or not it has instances.
    pub fn settings(&self, service: &ServiceName) -> Option<(Revision, Arc<Settings>)> {
        match self.0.read().get(&RecordName::Settings(service.clone())) {
            Some((revision, Record::Settings(_, settings))) => Some((*revision, Arc::clone(settings))),
            _ => None,
        }
    }

    /// The maintenance mark of an instance, whether or not it is registered.
    pub fn maintenance(&self, key: &Key) -> Option<Arc<Maintenance>> {
        match self.0.read().get(&RecordName::Maintenance(key.clone())) {
            Some((_, Record::Maintenance(_, mark))) => Some(Arc::clone(mark)),
            _ => None,
        }
    }

    /// All subscriptions, in the order of their ids.
    pub fn subscriptions(&self) -> Vec<(SubscriptionId, Arc<Subscription>)> {
        let records = self.0.read();
        let subscription = |(_, record): &(Revision, Record)| match record {
            Record::Subscription(id, subscription) => Some((id.clone(), Arc::clone(subscription))),
            _ => None,
        };
        records.values().filter_map(subscription).collect()
    }

    pub(super) fn publish(&self, change: &RecordChange) {
        let mut records = self.0.write();
        match &change.after {
            Some(record) => drop(records.insert(change.name.clone(), (change.revision, record.clone()))),
            None => drop(records.remove(&change.name)),
        }
    }

    pub(super) fn publish_all<'a>(&self, revision: Revision, all: impl Iterator<Item = &'a Record>) {
        *self.0.write() = all.map(|record| (record.name(), (revision, record.clone()))).collect();
    }
}
