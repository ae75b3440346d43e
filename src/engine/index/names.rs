//! Names of services in order, for those who list them a page at a time.
//!
//! Names come and go with their services, which is seldom beside the changes of what is under them. So they are kept in a
//! plain sorted set behind a lock, which takes less memory than a persistent one: who lists them holds the lock for a few of
//! them, and no query ever does.

use std::collections::BTreeSet;
use std::ops::Bound;

use parking_lot::RwLock;

use crate::model::ServiceName;

/// Names that are copied under the lock at once; the engine waits for no more than a few microseconds.
const PART: usize = 256;

/// A sorted set of names.
#[derive(Debug, Default)]
pub struct Names(RwLock<BTreeSet<ServiceName>>);

impl Names {
    /// Adds a name that begins to belong here, and takes out one that belonged here and does not any more.
    pub fn turn(&self, name: &ServiceName, belonged: bool, belongs: bool) {
        match (belonged, belongs) {
            (false, true) => drop(self.0.write().insert(name.clone())),
            (true, false) => drop(self.0.write().remove(name)),
            _ => {}
        }
    }

    /// The names from here on, in order. One that comes or goes meanwhile may be there or not.
    pub fn from<'a>(&'a self, start: Bound<&str>) -> impl Iterator<Item = ServiceName> + use<'a> {
        let mut part = self.part(start).into_iter();
        let mut last: Option<ServiceName> = None;
        std::iter::from_fn(move || {
            if part.len() == 0
                && let Some(last) = &last
            {
                part = self.part(Bound::Excluded(last.as_str())).into_iter();
            }
            last = part.next();
            last.clone()
        })
    }

    fn part(&self, start: Bound<&str>) -> Vec<ServiceName> {
        self.0.read().range::<str, _>((start, Bound::Unbounded)).take(PART).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_in_order_over_the_ends_of_parts() {
        let names = Names::default();
        let name = |number: usize| ServiceName::parse(&format!("s{number:04}")).unwrap();
        for total in [0, 1, PART - 1, PART, PART + 1, 3 * PART] {
            (0..total).rev().for_each(|number| names.turn(&name(number), number < total / 2, true));
            (0..total / 2).for_each(|number| names.turn(&name(number), false, true));
            let all: Vec<ServiceName> = (0..total).map(name).collect();
            assert_eq!(names.from(Bound::Unbounded).collect::<Vec<_>>(), all);
            for (start, left) in [(0, 0), (1, 1), (PART, PART), (total, total)] {
                let start = name(start);
                let rest = names.from(Bound::Included(start.as_str()));
                assert_eq!(rest.collect::<Vec<_>>(), all.get(left.min(total)..).unwrap(), "{start} of {total}");
            }
        }
    }

    #[test]
    fn what_comes_and_goes_meanwhile_does_not_confuse_the_rest() {
        let names = Names::default();
        let name = |number: usize| ServiceName::parse(&format!("s{number:04}")).unwrap();
        (0..4 * PART).filter(|number| number % 2 == 0).for_each(|number| names.turn(&name(number), false, true));
        let mut seen = Vec::new();
        for (turn, found) in names.from(Bound::Excluded("s0000")).enumerate() {
            seen.push(found);
            names.turn(&name(2 * turn + 1), false, true);
            names.turn(&name(2 * turn), true, false);
        }
        let lasting = (1..2 * PART).map(|number| name(2 * number));
        assert!(lasting.into_iter().all(|name| seen.contains(&name)), "none that was there all the time is missing");
        assert!(seen.is_sorted_by(|a, b| a < b), "in order, and once each");
    }
}
