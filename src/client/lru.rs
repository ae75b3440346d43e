//! A map that forgets what was used least recently.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most so many entries; each use makes an entry the youngest.
#[derive(Debug)]
pub struct Lru<K, V> {
    entries: HashMap<K, (u64, V)>,
    /// Keys by when they were used last.
    order: BTreeMap<u64, K>,
    uses: u64,
    most: usize,
}

impl<K: Clone + Eq + Hash, V> Lru<K, V> {
    /// An empty one. `most` of 0 counts as 1.
    pub fn new(most: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), uses: 0, most: most.max(1) }
    }

    /// The value of `key`, which becomes the youngest.
    pub fn use_of(&mut self, key: &K) -> Option<&mut V> {
        let (used, value) = self.entries.get_mut(key)?;
        self.order.remove(used);
        self.uses += 1;
        *used = self.uses;
        self.order.insert(self.uses, key.clone());
        Some(value)
    }

    /// Puts an entry in, as the youngest, and gives the value that had to go for it: the one before, or the oldest.
    pub fn put(&mut self, key: K, value: V) -> Option<V> {
        self.uses += 1;
        let before = self.entries.insert(key.clone(), (self.uses, value));
        self.order.insert(self.uses, key);
        match before {
            Some((used, before)) => {
                self.order.remove(&used);
                Some(before)
            }
            None if self.entries.len() > self.most => self.pop(),
            None => None,
        }
    }

    /// Takes the oldest out.
    fn pop(&mut self) -> Option<V> {
        let (_, key) = self.order.pop_first()?;
        self.entries.remove(&key).map(|(_, value)| value)
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list in the order of use.
        #[test]
        fn the_least_recently_used_goes(most in 1..6usize, steps in prop::collection::vec((any::<bool>(), 0..10u8), 0..200)) {
            let mut lru = Lru::new(most);
            let mut model: Vec<(u8, usize)> = Vec::new();
            for (number, (puts, key)) in steps.into_iter().enumerate() {
                let known = model.iter().position(|(other, _)| *other == key).map(|at| model.remove(at));
                if puts {
                    model.push((key, number));
                    let gone = known.or_else(|| (model.len() > most).then(|| model.remove(0)));
                    prop_assert_eq!(lru.put(key, number), gone.map(|(_, value)| value));
                } else {
                    model.extend(known);
                    prop_assert_eq!(lru.use_of(&key).map(|value| *value), known.map(|(_, value)| value));
                }
                prop_assert_eq!((lru.len(), lru.order.len()), (model.len(), model.len()));
            }
        }
    }
}
