//! Taking turns: smooth weighted round robin.
//!
//! On each pick every candidate gains its weight, the one that has gained most is taken, and loses what all have gained
//! together. So over any run of as many picks as the weights amount to, each is taken as often as its weight says, and
//! the turns of a heavy one are spread among those of the others (nginx, `ngx_http_upstream_round_robin.c`).

use std::collections::HashMap;
use std::hash::BuildHasher;

use parking_lot::Mutex;

use super::Selector;
use crate::model::{InstanceId, ServiceName};

/// Gains that are remembered in all, unless one service alone has more.
const REMEMBERED: usize = 1 << 18;
/// What a weight of 1 gains. Below it, a random start decides between those who have gained the same.
const UNIT: i64 = 1 << 16;

/// Whose turn it is, for each service and each way to select from it.
#[derive(Debug)]
pub struct Rotations {
    generations: Mutex<Generations>,
    bound: usize,
}

/// Rotations that were asked for lately, and those that were before. When the young have grown to half of the bound they
/// become the old, and those are forgotten: what is in use stays.
#[derive(Debug, Default)]
struct Generations {
    young: Generation,
    old: Generation,
}

#[derive(Debug, Default)]
struct Generation {
    /// By service and a hash of the selector, which may be long.
    rotations: HashMap<(ServiceName, u64), Rotation, foldhash::fast::RandomState>,
    gains: usize,
}

/// What each instance has gained and not used, in the order of their ids. It goes by ids, so that it outlives changes of
/// the service; whoever is no candidate is forgotten.
type Rotation = Box<[(InstanceId, i64)]>;

impl Default for Rotations {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl Rotations {
    fn remembering(bound: usize) -> Self {
        Self { generations: Mutex::default(), bound }
    }

    /// The place of the one whose turn it is among `candidates`, which come in the order of their ids, with weights above
    /// 0; `None` when there are none. A new rotation draws from `random` who comes first among equals.
    pub fn turn(
        &self,
        service: &ServiceName,
        selector: &Selector,
        candidates: &[(&InstanceId, u64)],
        random: &mut dyn FnMut() -> u64,
    ) -> Option<usize> {
        let mut generations = self.generations.lock();
        let Generations { young, old } = &mut *generations;
        let name = (service.clone(), foldhash::fast::FixedState::default().hash_one(selector));
        let before = young.take(&name).or_else(|| old.take(&name)).unwrap_or_default();
        let mut now: Rotation = candidates
            .iter()
            .map(|(id, weight)| {
                let known = before.binary_search_by(|(known, _)| known.cmp(id)).ok().map(|at| before[at].1);
                let start = || if before.is_empty() { random() as i64 & (UNIT - 1) } else { 0 };
                ((*id).clone(), known.unwrap_or_else(start) + gain(*weight))
            })
            .collect();
        let (taken, _) = now.iter().enumerate().rev().max_by_key(|(_, (_, gained))| *gained)?;
        now[taken].1 -= candidates.iter().map(|(_, weight)| gain(*weight)).sum::<i64>();
        if young.gains + now.len() > self.bound / 2 {
            *old = std::mem::take(young);
        }
        young.keep(name, now);
        Some(taken)
    }
}

fn gain(weight: u64) -> i64 {
    weight as i64 * UNIT
}

impl Generation {
    fn take(&mut self, name: &(ServiceName, u64)) -> Option<Rotation> {
        let rotation = self.rotations.remove(name)?;
        self.gains -= rotation.len();
        Some(rotation)
    }

    fn keep(&mut self, name: (ServiceName, u64), rotation: Rotation) {
        self.gains += rotation.len();
        self.rotations.insert(name, rotation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn web() -> ServiceName {
        ServiceName::parse("web").unwrap()
    }

    fn ids(count: usize) -> Vec<InstanceId> {
        (0..count).map(|number| InstanceId::parse(&format!("i{number:03}")).unwrap()).collect()
    }

    /// Who is taken in `picks` turns.
    fn turns(rotations: &Rotations, weights: &[u64], picks: u64, seed: u64) -> Vec<usize> {
        let ids = ids(weights.len());
        let candidates: Vec<_> = ids.iter().zip(weights.iter().copied()).collect();
        let mut random = crate::select::tests::numbers(seed);
        let turn = |_| rotations.turn(&web(), &Selector::default(), &candidates, &mut random).unwrap();
        (0..picks).map(turn).collect()
    }

    #[test]
    fn heavy_ones_are_spread() {
        // The example of nginx's own commit message.
        assert_eq!(turns(&Rotations::default(), &[5, 1, 1], 7, 1).iter().filter(|taken| **taken == 0).count(), 5);
        for seed in 0..20 {
            let order = turns(&Rotations::default(), &[5, 1, 1], 14, seed);
            let longest = order.chunk_by(|a, b| a == b).map(<[usize]>::len).max();
            assert!(longest.is_some_and(|longest| longest <= 4), "{order:?}");
        }
        let first: std::collections::BTreeSet<usize> =
            (0..50).map(|seed| turns(&Rotations::default(), &[1, 1, 1], 1, seed)[0]).collect();
        assert_eq!(first.len(), 3, "equals begin with any of them");
    }

    proptest! {
        #[test]
        fn every_run_has_each_as_often_as_it_weighs(weights in prop::collection::vec(1..20u64, 1..8), seed: u64) {
            let total: u64 = weights.iter().sum();
            let order = turns(&Rotations::default(), &weights, 2 * total, seed);
            for run in order.chunks(total as usize) {
                for (place, weight) in weights.iter().enumerate() {
                    prop_assert_eq!(run.iter().filter(|taken| **taken == place).count() as u64, *weight);
                }
            }
        }
    }

    #[test]
    fn turns_go_on_when_instances_come_and_go() {
        let rotations = Rotations::default();
        let before = turns(&rotations, &[1, 1, 1], 1, 7);
        assert_eq!(turns(&rotations, &[1, 1, 1, 1], 3, 8).iter().filter(|taken| **taken == before[0]).count(), 0);
        let none = rotations.turn(&web(), &Selector::default(), &[], &mut || 0);
        assert_eq!(none, None);
    }

    #[test]
    fn little_is_remembered_and_what_is_in_use_stays() {
        let rotations = Rotations::remembering(20);
        let ids = ids(2);
        let candidates: Vec<_> = ids.iter().map(|id| (id, 1)).collect();
        let turn = |tag: String| {
            let selector = Selector { tags: vec![tag], ..Selector::default() };
            rotations.turn(&web(), &selector, &candidates, &mut || 0).unwrap()
        };
        for other in 0..100 {
            assert_eq!(turn("used".to_owned()), other % 2, "never begins anew");
            turn(other.to_string());
            let generations = rotations.generations.lock();
            assert!(generations.young.gains + generations.old.gains <= 20);
        }
    }
}
