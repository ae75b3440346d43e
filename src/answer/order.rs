//! The order of records within an answer: random by weight, and reproducible.
//!
//! Each item draws an exponential variate whose rate is its weight; the smallest comes first. So an item is first with
//! the probability of its share in the weights, and what follows is drawn in the same way from the rest (Efraimidis and
//! Spirakis, "Weighted random sampling with a reservoir", 2006). The draw is a hash of the seed and the item: one seed
//! always gives one order, and an item that comes or goes leaves the order of the others as it was.
//!
//! Where few are kept of many, most are passed over without a logarithm: for a variate to be below a bound its random
//! number has to be near 1, and a bound that rather too many are below follows from the sum of the weights.

/// How the records of an answer are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draw {
    /// The seed of the order.
    pub order: u64,
    /// The seed that decides which items are kept when there are more than `at_most`.
    pub subset: u64,
    pub at_most: usize,
}

/// Something that has its place in an answer.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<T> {
    /// Lower comes first, whatever the weight.
    pub priority: u16,
    /// Tells candidates apart, and lasts.
    pub identity: u64,
    pub weight: u64,
    pub item: T,
}

/// Candidates that can be drawn from again and again.
#[derive(Debug)]
pub struct Field<T> {
    /// In the order of their ranks, with their identities spread over all numbers.
    candidates: Vec<Candidate<T>>,
}

impl<T> FromIterator<Candidate<T>> for Field<T> {
    fn from_iter<I: IntoIterator<Item = Candidate<T>>>(candidates: I) -> Self {
        let placed = |candidate: Candidate<T>| Candidate { identity: spread(candidate.identity), ..candidate };
        let mut candidates: Vec<_> = candidates.into_iter().map(placed).collect();
        if !candidates.is_sorted_by_key(Candidate::rank) {
            candidates.sort_by_key(Candidate::rank);
        }
        Self { candidates }
    }
}

impl Draw {
    /// The candidates that are kept, in their order. Costs no more than looking at each, and sorting those kept.
    pub fn take<'a, T>(&self, field: &'a Field<T>) -> impl Iterator<Item = &'a T> + use<'a, T> {
        let mut kept: Vec<(f64, &Candidate<T>)> = Vec::new();
        let mut left = &field.candidates[..];
        while let (Some(first), room @ 1..) = (left.first(), self.at_most - kept.len()) {
            let (group, others) = left.split_at(left.partition_point(|next| next.rank() == first.rank()));
            kept.append(&mut earliest(group, self.subset, room));
            left = others;
        }
        if self.order != self.subset {
            kept.iter_mut().for_each(|(place, candidate)| *place = candidate.place(self.order));
        }
        kept.sort_unstable_by(|(a, one), (b, other)| one.rank().cmp(&other.rank()).then(a.total_cmp(b)));
        kept.into_iter().map(|(_, candidate)| &candidate.item)
    }
}

/// The first of a group of one rank, `room` of them at most, each with its place.
fn earliest<T>(group: &[Candidate<T>], seed: u64, room: usize) -> Vec<(f64, &Candidate<T>)> {
    if group.len() <= room {
        return group.iter().map(|candidate| (candidate.place(seed), candidate)).collect();
    }
    let weights: f64 = group.iter().map(Candidate::rate).sum();
    // Of `room + 4 √room` that are expected to be below, hardly ever fewer than `room` are, unless few have most of
    // the weight.
    let mut bound = (room as f64 + 4.0 * (room as f64).sqrt() + 8.0) / weights;
    loop {
        let mut found: Vec<_> = group.iter().filter_map(|candidate| candidate.place_below(seed, bound)).collect();
        if found.len() >= room {
            if found.len() > room {
                found.select_nth_unstable_by(room, |(a, _), (b, _)| a.total_cmp(b));
                found.truncate(room);
            }
            return found;
        }
        bound *= 2.0;
    }
}

impl<T> Candidate<T> {
    /// What comes before weight: candidates of weight 0 come after all others of their priority.
    fn rank(&self) -> (u16, bool) {
        (self.priority, self.weight == 0)
    }

    fn rate(&self) -> f64 {
        self.weight.max(1) as f64
    }

    /// A number between 0 and 1 that follows from the seed and the identity, which is spread.
    fn uniform(&self, seed: u64) -> f64 {
        let bits = spread(seed ^ self.identity) >> 11;
        // 53 random bits, moved off 0 and 1, where the logarithm has no use.
        (bits as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// Its place among those of its rank in the order given by `seed`: smaller is earlier.
    fn place(&self, seed: u64) -> f64 {
        -self.uniform(seed).ln() / self.rate()
    }

    /// The same where it may be below `bound`.
    fn place_below(&self, seed: u64, bound: f64) -> Option<(f64, &Self)> {
        let uniform = self.uniform(seed);
        // -ln u is never less than 1 - u.
        if 1.0 - uniform > bound * self.rate() {
            return None;
        }
        let place = -uniform.ln() / self.rate();
        (place <= bound).then_some((place, self))
    }
}

/// Spreads a number over all numbers: the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014). FNV-1a does not do that for short texts.
pub fn spread(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// A number that stands for some octets (FNV-1a, RFC 9923).
pub fn identity(octets: &[u8]) -> u64 {
    octets.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &octet| (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(seed: u64, weights: &[u64]) -> usize {
        let items: Vec<_> = (0..weights.len()).map(|at| (0, at as u64, weights[at])).collect();
        draw(seed, seed, 1, &items)[0] as usize
    }

    /// Over 60,000 draws a share of p lies within 5 standard deviations of it, but for one run in a million; the seeds
    /// are fixed, so the test gives one answer for ever.
    #[test]
    fn first_places_follow_the_weights() {
        const DRAWS: u64 = 60_000;
        for weights in [&[1, 2, 3][..], &[1, 1], &[100, 1], &[5, 0, 5]] {
            let mut counts = vec![0u64; weights.len()];
            (0..DRAWS).for_each(|seed| counts[first(seed, weights)] += 1);
            let total: u64 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(weights) {
                let p = *weight as f64 / total as f64;
                let spread = (DRAWS as f64 * p * (1.0 - p)).sqrt();
                assert!((*count as f64 - DRAWS as f64 * p).abs() <= 5.0 * spread, "{weights:?}: {counts:?}");
            }
        }
    }

    fn draw(order: u64, subset: u64, at_most: usize, items: &[(u16, u64, u64)]) -> Vec<u64> {
        let candidate = |&(priority, number, weight): &(u16, u64, u64)| Candidate {
            priority,
            identity: identity(&number.to_be_bytes()),
            weight,
            item: number,
        };
        let field: Field<u64> = items.iter().map(candidate).collect();
        Draw { order, subset, at_most }.take(&field).copied().collect()
    }

    #[test]
    fn an_item_that_goes_leaves_the_order_of_the_others() {
        let all: Vec<(u16, u64, u64)> = (0..20).map(|identity| (0, identity, identity % 4 + 1)).collect();
        for seed in 0..50 {
            let mut before = draw(seed, seed, usize::MAX, &all);
            let after = draw(seed, seed, usize::MAX, &all[1..]);
            before.retain(|identity| *identity != 0);
            assert_eq!(before, after);
        }
    }

    #[test]
    fn priority_goes_before_weight_and_weight_0_is_last() {
        for seed in 0..50 {
            let order = draw(seed, seed, usize::MAX, &[(1, 1, 100), (0, 2, 0), (0, 3, 1), (0, 4, 50)]);
            assert_eq!((order[2], order[3]), (2, 1), "{order:?}");
        }
    }

    #[test]
    fn the_subset_is_its_own_draw() {
        let all: Vec<(u16, u64, u64)> = (0..100).map(|identity| (0, identity, 1)).collect();
        let sorted = |mut items: Vec<u64>| {
            items.sort_unstable();
            items
        };
        let kept = draw(7, 7, 10, &all);
        assert_eq!(kept, draw(7, 7, usize::MAX, &all)[..10]);
        let orders: Vec<Vec<u64>> = (100..120).map(|order| draw(order, 7, 10, &all)).collect();
        assert!(orders.iter().all(|order| sorted(order.clone()) == sorted(kept.clone())));
        assert!(orders.iter().any(|order| *order != kept));
    }

    #[test]
    fn few_of_many_are_the_first_of_all() {
        let even: Vec<(u16, u64, u64)> = (0..2_000).map(|number| (0, number, 1)).collect();
        let mixed: Vec<(u16, u64, u64)> = (0..2_000).map(|number| (number as u16 % 3, number, number % 7)).collect();
        // One has nearly all of the weight.
        let skewed: Vec<(u16, u64, u64)> =
            (0..2_000).map(|number| (0, number, if number == 7 { 65_535 } else { 1 })).collect();
        for items in [even, mixed, skewed] {
            for (seed, at_most) in [(1, 1), (2, 30), (3, 78), (4, 700), (5, 1_999), (6, 2_000), (7, 0)] {
                let all = draw(seed, seed, usize::MAX, &items);
                assert_eq!(all.len(), 2_000);
                assert_eq!(draw(seed, seed, at_most, &items), all[..at_most], "{seed} {at_most}");
            }
        }
    }
}
