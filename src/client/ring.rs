//! Consistent hashing: which instance a key belongs to, for as long as it is there.
//!
//! Every instance stands at many points of a circle of hashes (virtual nodes, as in Karger and others, "Consistent hashing
//! and random trees", 1997), the more the heavier it is. A key belongs to the first point at or after its own hash. So
//! one that goes gives its keys to the others, and one that comes takes its share: every other key stays.
//!
//! The points of an instance follow from its id and its weight alone. Where the weights are so large that there would be
//! too many, all are halved until there are not; only crossing such a step moves keys that need not move.

use crate::answer::order;

/// Points of an instance for each unit of its weight, while there is room.
const POINTS: u64 = 128;
/// Points of all instances together, one for each apart.
const MOST: u64 = 1 << 17;

/// Where the instances of a service stand.
#[derive(Debug, Clone)]
pub struct Ring {
    /// Hash and place of the instance, in order.
    points: Box<[(u64, u32)]>,
}

impl Ring {
    /// The circle of instances with these ids and weights; their places are those of the iterator. A weight of 0 counts
    /// as the least there can be.
    pub fn new<'a>(instances: impl Iterator<Item = (&'a str, u64)> + Clone) -> Self {
        let total: u64 = instances.clone().map(|(_, weight)| weight.max(1) * POINTS).sum();
        let halvings = (0..63).find(|halvings| total >> halvings <= MOST).unwrap_or(63);
        let mut points = Vec::new();
        for (place, (id, weight)) in instances.enumerate() {
            let own = ((weight.max(1) * POINTS) >> halvings).max(1);
            let identity = order::identity(id.as_bytes());
            points.extend((0..own).map(|point| (order::spread(identity ^ order::spread(point)), place as u32)));
        }
        points.sort_unstable();
        Self { points: points.into() }
    }

    /// The place of the first instance for `key` that may have it.
    pub fn first(&self, key: &str, may: impl Fn(usize) -> bool) -> Option<usize> {
        let hash = order::spread(order::identity(key.as_bytes()));
        let start = self.points.partition_point(|(point, _)| *point < hash);
        let around = self.points[start..].iter().chain(&self.points[..start]);
        around.map(|(_, place)| *place as usize).find(|place| may(*place))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEYS: usize = 20_000;

    fn ring(instances: &[(String, u64)]) -> Ring {
        Ring::new(instances.iter().map(|(id, weight)| (id.as_str(), *weight)))
    }

    fn instances(weights: &[u64]) -> Vec<(String, u64)> {
        weights.iter().enumerate().map(|(number, weight)| (format!("i{number}"), *weight)).collect()
    }

    /// To whom each of many keys belongs, by id.
    fn owners(instances: &[(String, u64)]) -> Vec<String> {
        let ring = ring(instances);
        let owner = |key: usize| instances[ring.first(&format!("user-{key}"), |_| true).unwrap()].0.clone();
        (0..KEYS).map(owner).collect()
    }

    #[test]
    fn shares_follow_the_weights() {
        // With 128 points a share of 1/n strays by about 1/sqrt(128) of itself; a third is far outside.
        for weights in [&[1, 1, 1, 1][..], &[10, 20, 30, 40], &[60_000, 30_000]] {
            let (instances, total) = (instances(weights), weights.iter().sum::<u64>() as f64);
            let owners = owners(&instances);
            for (id, weight) in &instances {
                let share = owners.iter().filter(|owner| *owner == id).count() as f64 / KEYS as f64;
                let fair = *weight as f64 / total;
                assert!((share / fair - 1.0).abs() < 0.34, "{id} of {weights:?}: {share} for {fair}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn only_keys_of_the_one_that_goes_or_comes_move(count in 2..12usize, gone: prop::sample::Index) {
            let all = instances(&vec![1; count]);
            let gone = gone.index(count);
            let mut rest = all.clone();
            let (id, _) = rest.remove(gone);
            let (before, after) = (owners(&all), owners(&rest));
            let mut moved = 0;
            for (before, after) in before.iter().zip(&after) {
                prop_assert!(before == after || *before == id, "a key of {before} went to {after}");
                moved += usize::from(before != after);
            }
            let fair = KEYS / count;
            prop_assert!((fair / 2..fair * 2).contains(&moved), "{} of {} moved", moved, KEYS);
        }
    }

    #[test]
    fn who_may_not_is_stepped_over_and_nobody_else_loses_keys() {
        let instances = instances(&[1, 1, 1]);
        let ring = ring(&instances);
        for key in (0..1_000).map(|key| key.to_string()) {
            let usual = ring.first(&key, |_| true).unwrap();
            let without = ring.first(&key, |place| place != 1).unwrap();
            assert!(without != 1 && (usual == 1 || usual == without));
        }
        assert_eq!(ring.first("a", |_| false), None);
    }

    #[test]
    fn a_change_of_one_weight_moves_keys_of_that_one_alone() {
        let (before, after) = (owners(&instances(&[4, 4, 4])), owners(&instances(&[4, 3, 4])));
        assert!(before.iter().zip(&after).all(|(before, after)| before == after || before == "i1"));
        assert!(before != after);
    }

    #[test]
    fn there_are_never_too_many_points() {
        assert_eq!(Ring::new(std::iter::empty()).first("a", |_| true), None);
        for weights in [vec![65_535; 100], vec![0; 1_000], vec![1; 100_000]] {
            let points = ring(&instances(&weights)).points.len() as u64;
            assert!(points <= MOST + weights.len() as u64 && points >= weights.len() as u64);
        }
    }
}
