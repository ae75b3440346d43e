//! A sorted set that one task changes while any number of threads read it.
//!
//! The set is persistent: a change copies the path to what it changes and shares the rest, so a reader holds the set as
//! it was when it looked, and neither waits for the other.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rpds::RedBlackTreeSetSync;

/// A sorted set of which readers see whole states. Changes must come from one thread at a time.
#[derive(Debug)]
pub struct Sorted<T: Ord>(ArcSwap<RedBlackTreeSetSync<T>>);

impl<T: Ord> Default for Sorted<T> {
    fn default() -> Self {
        Self(ArcSwap::from_pointee(RedBlackTreeSetSync::new_sync()))
    }
}

impl<T: Ord> Sorted<T> {
    /// The set as it is now.
    pub fn now(&self) -> Arc<RedBlackTreeSetSync<T>> {
        self.0.load_full()
    }

    /// Adds values, all at once.
    pub fn add(&self, values: impl IntoIterator<Item = T>) {
        self.change(values, |set, value| set.insert_mut(value));
    }

    /// Takes values out, all at once.
    pub fn take(&self, values: impl IntoIterator<Item = T>) {
        self.change(values, |set, value| {
            set.remove_mut(&value);
        });
    }

    fn change(&self, values: impl IntoIterator<Item = T>, mut one: impl FnMut(&mut RedBlackTreeSetSync<T>, T)) {
        let mut values = values.into_iter().peekable();
        if values.peek().is_none() {
            return;
        }
        let mut set = RedBlackTreeSetSync::clone(&self.0.load());
        values.for_each(|value| one(&mut set, value));
        self.0.store(Arc::new(set));
    }
}
