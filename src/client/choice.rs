//! Which instance a call goes to: the strategies, without a clock, randomness or memory of their own.

use super::instance::{Instance, Instances};
use crate::answer::order::{self, Candidate};
use crate::model::{InstanceId, LoadRules, Strategy};
use crate::select::{self, Rotations, Selector};

/// The load of an instance that reports none: in the middle, so that it is neither flooded nor left out.
const HALF: f64 = 0.5;

/// What a choice depends on beside the instances.
pub struct Choice<'a> {
    pub strategy: Strategy,
    /// What [`Strategy::ConsistentHash`] goes by.
    pub key: &'a str,
    /// Whose turn it is.
    pub rotations: &'a Rotations,
    /// How many calls are under way to an instance.
    pub under_way: &'a dyn Fn(&InstanceId) -> u64,
    pub random: &'a mut dyn FnMut() -> u64,
}

impl Choice<'_> {
    /// The place of one of the served instances that `admits` lets pass: of the lowest priority that has one, and of
    /// those with weight 0 only when there are no others.
    pub fn among(&mut self, instances: &Instances, admits: &dyn Fn(&Instance) -> bool) -> Option<usize> {
        let all = instances.all().iter().enumerate();
        let mut candidates: Vec<_> = all
            .filter(|(_, instance)| instance.is_served() && admits(instance))
            .map(|(place, instance)| candidate(place, instance))
            .collect();
        select::keep_first(&mut candidates);
        let instance = |candidate: &Candidate<usize>| &instances.all()[candidate.item];
        match self.strategy {
            Strategy::Weighted => select::drawn(candidates, (self.random)()),
            Strategy::Random => select::any(candidates, (self.random)()),
            Strategy::RoundRobin => {
                let weights: Vec<_> = candidates.iter().map(|one| (&instance(one).id, one.weight.max(1))).collect();
                let selector = Selector::default();
                let turn = self.rotations.turn(instances.service(), &selector, &weights, self.random)?;
                Some(candidates[turn].item)
            }
            Strategy::LeastLoaded => {
                let rules = LoadRules::default();
                let load = |one: &Candidate<usize>| instance(one).load.as_ref().and_then(|load| load.total(&rules));
                let loads = candidates.iter().map(|one| load(one).unwrap_or(HALF)).collect();
                select::drawn(select::least(candidates, loads), (self.random)())
            }
            Strategy::LeastConnections => {
                let load =
                    |one: &Candidate<usize>| (self.under_way)(&instance(one).id) as f64 / one.weight.max(1) as f64;
                let loads = candidates.iter().map(load).collect();
                select::drawn(select::least(candidates, loads), (self.random)())
            }
            // In the order of their places, as they were made.
            Strategy::ConsistentHash => instances
                .ring()
                .first(self.key, |place| candidates.binary_search_by_key(&place, |one| one.item).is_ok()),
        }
    }
}

fn candidate(place: usize, instance: &Instance) -> Candidate<usize> {
    Candidate {
        priority: instance.priority,
        identity: order::identity(instance.id.as_str().as_bytes()),
        weight: instance.weight.into(),
        item: place,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::super::instance::tests::instances;
    use super::*;
    // The name is also that of a trait of proptest.
    use crate::model::Strategy;

    /// How often each instance is chosen in `picks` picks that each stay under way.
    fn picks(strategy: Strategy, instances: &Instances, picks: u64) -> BTreeMap<String, u64> {
        let (rotations, mut seed) = (Rotations::default(), 7u64);
        let chosen = RefCell::new(BTreeMap::new());
        for key in 0..picks {
            let mut random = || {
                seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                mixed ^ (mixed >> 31)
            };
            let mut choice = Choice {
                strategy,
                key: &key.to_string(),
                rotations: &rotations,
                under_way: &|id| chosen.borrow().get(id.as_str()).copied().unwrap_or(0),
                random: &mut random,
            };
            let place = choice.among(instances, &|_| true).expect("one is there");
            *chosen.borrow_mut().entry(instances.all()[place].id.to_string()).or_insert(0) += 1;
        }
        chosen.into_inner()
    }

    #[test]
    fn shares_are_those_of_the_strategy() {
        let instances = instances(&[("a", 0, 1), ("b", 0, 3), ("other", 1, 100), ("last", 0, 0)]);
        // Drawn shares may stray by five standard deviations of 4,000 draws: about 137 of 1,000.
        for (strategy, share, stray) in [
            (Strategy::RoundRobin, 1_000, 0),
            (Strategy::Weighted, 1_000, 137),
            (Strategy::Random, 2_000, 159),
            (Strategy::LeastLoaded, 1_000, 137),
            (Strategy::LeastConnections, 1_000, 1),
            (Strategy::ConsistentHash, 1_000, 340),
        ] {
            let chosen = picks(strategy, &instances, 4_000);
            assert_eq!(
                chosen.keys().collect::<Vec<_>>(),
                ["a", "b"],
                "{strategy:?}: no later priority, no last resort"
            );
            assert!(chosen["a"].abs_diff(share) <= stray, "{strategy:?}: {chosen:?}");
        }
    }

    proptest! {
        #[test]
        fn whoever_is_chosen_may_be(
            list in prop::collection::vec((0..3u16, 0..4u16, any::<bool>()), 0..12),
            strategy in prop::sample::select(&Strategy::ALL[..]),
            seed: u64,
        ) {
            let ids: Vec<String> = (0..list.len()).map(|at| format!("i{at:02}")).collect();
            let given: Vec<_> = ids.iter().zip(&list).map(|(id, (priority, weight, _))| (id.as_str(), *priority, *weight)).collect();
            let instances = instances(&given);
            let may = |instance: &Instance| list[ids.iter().position(|id| id == instance.id.as_str()).unwrap()].2;
            let mut choice = Choice {
                strategy,
                key: "k",
                rotations: &Rotations::default(),
                under_way: &|_| 0,
                random: &mut || seed,
            };
            let place = choice.among(&instances, &may);
            let left: Vec<_> = list.iter().filter(|(_, _, may)| *may).collect();
            let lowest = left.iter().map(|(priority, _, _)| *priority).min();
            prop_assert_eq!(place.map(|place| list[place].0), lowest);
            if let Some((priority, weight, may)) = place.map(|place| list[place]) {
                prop_assert!(may);
                let heavier = left.iter().any(|(other, weight, _)| *other == priority && *weight > 0);
                prop_assert!(weight > 0 || !heavier);
            }
        }
    }
}
