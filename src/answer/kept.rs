//! Which instances of a view were in another view as they are: the same ones in memory.
//!
//! Instances are only read where something changed, because they are far apart in memory.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::model::Instance;

/// For each instance after a change, its place before it, if it was there as it is.
#[derive(Debug)]
pub(super) struct Kept<'a> {
    before: &'a [Arc<Instance>],
    places: SmallVec<[Option<u32>; 8]>,
}

impl<'a> Kept<'a> {
    /// Both in the order of their ids.
    pub fn of(before: &'a [Arc<Instance>], after: &[Arc<Instance>]) -> Self {
        Self { before, places: places(before, after).collect() }
    }

    /// The place before of the instance that is now at a place.
    pub fn place_before(&self, at: usize) -> Option<usize> {
        self.places[at].map(|place| place as usize)
    }

    /// The places now of those that were not there before.
    pub fn come(&self) -> impl Iterator<Item = usize> {
        self.places.iter().enumerate().filter(|(_, place)| place.is_none()).map(|(at, _)| at)
    }

    /// Those that are no longer there.
    pub fn gone(&self) -> impl Iterator<Item = &'a Arc<Instance>> {
        let mut kept = self.places.iter().flatten().peekable();
        let gone = self.before.iter().zip(0..).filter(move |(_, at)| kept.next_if(|place| *place == at).is_none());
        gone.map(|(instance, _)| instance)
    }

    /// Whether others came and went at the same places, so that nobody moved.
    pub fn nobody_moved(&self) -> bool {
        let stays = |(place, at): (&Option<u32>, u32)| place.is_none_or(|place| place == at);
        self.before.len() == self.places.len() && self.places.iter().zip(0..).all(stays)
    }
}

/// For each instance `after`, its place `before`.
pub(super) fn places(before: &[Arc<Instance>], after: &[Arc<Instance>]) -> impl Iterator<Item = Option<u32>> {
    let mut before = before.iter().zip(0..).peekable();
    after.iter().map(move |instance| {
        let is_past = |(old, _): &(&Arc<Instance>, u32)| !Arc::ptr_eq(old, instance) && old.key.id <= instance.key.id;
        while before.next_if(is_past).is_some() {}
        before.next_if(|(old, _)| Arc::ptr_eq(old, instance)).map(|(_, place)| place)
    })
}
