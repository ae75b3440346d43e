//! Which instances of a view carry each tag that is a label.
//!
//! Most changes of a service leave its tags where they are, so a view shares them with the one before.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;

use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::model::{Instance, Tag};

/// The labels in order, each with the places of its carriers; `None` when there is none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tags(Option<Arc<SmallVec<[Carriers; 1]>>>);

/// A label, and the places of those who carry it.
type Carriers = (SmolStr, Box<[u32]>);

impl Tags {
    /// The tags of the instances of a view.
    pub fn of(instances: &[Arc<Instance>]) -> Self {
        let mut tags: BTreeMap<SmolStr, Vec<u32>> = BTreeMap::new();
        for (at, instance) in instances.iter().enumerate() {
            for tag in instance.registration.tags().iter().filter_map(Tag::label) {
                let carriers = tags.entry(tag).or_default();
                // Two tags of one instance may be one label.
                if carriers.last() != Some(&(at as u32)) {
                    carriers.push(at as u32);
                }
            }
        }
        let tags: SmallVec<_> = tags.into_iter().map(|(tag, carriers)| (tag, carriers.into())).collect();
        Self((!tags.is_empty()).then(|| Arc::new(tags)))
    }

    /// Has read from memory what it takes to share them.
    pub fn touch(&self) {
        black_box(self.0.as_ref().map(Arc::strong_count));
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// The places of those who carry a tag; `None` when nobody does.
    pub fn carriers(&self, tag: &str) -> Option<&[u32]> {
        let tags = self.0.as_ref()?;
        let found = tags.binary_search_by(|(own, _)| own.as_str().cmp(tag));
        found.ok().map(|at| &*tags[at].1)
    }

    /// The places of all who carry any tag, once for each.
    pub fn all_carriers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|tags| tags.iter()).flat_map(|(_, carriers)| carriers.iter().copied())
    }
}
