//! Everything that is published, as it was at one moment.

use std::sync::Arc;

use super::Engine;
use crate::answer::{Live, ServiceView};
use crate::model::Revision;
use crate::registry::Record;

/// All records at one revision. It shares their memory with the registry.
#[derive(Debug)]
pub struct Whole {
    pub revision: Revision,
    /// Those that are no instances.
    records: Vec<Record>,
    views: Vec<Arc<ServiceView>>,
}

impl Whole {
    /// How many records there are.
    pub fn count(&self) -> u64 {
        (self.records.len() + self.views.iter().map(|view| view.instances().len()).sum::<usize>()) as u64
    }

    /// All of them, instances last.
    pub fn into_records(self) -> impl Iterator<Item = Record> {
        let instances = self.views.into_iter().flat_map(|view| {
            let instances: Vec<_> = view.instances().iter().map(Arc::clone).collect();
            instances.into_iter().map(Record::Instance)
        });
        self.records.into_iter().chain(instances)
    }
}

impl Engine {
    /// Everything that readers see now. Nothing is published while this looks, which takes a tenth of a second for a
    /// million services at most.
    pub fn whole(&self) -> Whole {
        let _still = self.publishing.read();
        Whole { revision: self.index.revision(), records: self.records.all(), views: self.index.views() }
    }
}
