//! The deadlines of all instances in order: one for each at most.

use std::collections::BTreeSet;

use crate::model::{Key, Tick};

/// Ordered deadlines. Arming and disarming cost the logarithm of their number, looking at the first nothing.
#[derive(Debug, Default)]
pub(super) struct Deadlines(BTreeSet<(Tick, Key)>);

impl Deadlines {
    pub fn arm(&mut self, key: &Key, due: Option<Tick>) {
        if let Some(due) = due {
            self.0.insert((due, key.clone()));
        }
    }

    pub fn disarm(&mut self, key: &Key, due: Option<Tick>) {
        if let Some(due) = due {
            self.0.remove(&(due, key.clone()));
        }
    }

    pub fn first(&self) -> Option<Tick> {
        self.0.first().map(|(due, _)| *due)
    }

    /// The first key whose deadline has come.
    pub fn pop(&mut self, now: Tick) -> Option<Key> {
        if self.first()? > now {
            return None;
        }
        self.0.pop_first().map(|(_, key)| key)
    }
}
