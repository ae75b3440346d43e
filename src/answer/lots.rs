//! Small sets in random order, by lots: first places in proportion to the weights.
//!
//! The first item is drawn with the probability of its share in all weights, the next in the same way from the rest, and
//! so on: the same distribution as that of [`super::order`], in whole numbers. Each draw passes over the weights that are
//! left, so this is for the sets of one message, where it costs less than the
//! logarithms of the other way.

use super::block::MAX;

/// Items, by their places where they came from, in the order of their draw.
#[derive(Debug)]
pub struct Lots {
    items: [u8; MAX],
    weights: [u32; MAX],
    count: usize,
    /// Whether some weight is not that of the first.
    differ: bool,
}

impl Default for Lots {
    fn default() -> Self {
        Self { items: [0; MAX], weights: [0; MAX], count: 0, differ: false }
    }
}

impl Lots {
    /// Takes all items out.
    pub fn clear(&mut self) {
        self.count = 0;
        self.differ = false;
    }

    /// Puts an item in. There is room for those of a block, and none for more than [`MAX`].
    #[inline]
    pub fn put(&mut self, item: u8, weight: u32) {
        self.items[self.count] = item;
        self.weights[self.count] = weight;
        self.differ |= weight != self.weights[0];
        self.count += 1;
    }

    /// The items, in the order in which they came or were drawn.
    #[inline]
    pub fn items(&self) -> &[u8] {
        &self.items[..self.count]
    }

    /// Draws the order of all items. Those of weight 0 come after all others.
    pub fn draw(&mut self, random: &mut impl FnMut() -> u64) {
        self.draw_among(0, self.count, random);
    }

    /// Draws the order within each group of the same rank, the groups themselves in the order of their ranks.
    pub fn draw_by_rank(&mut self, rank: impl Fn(u8) -> u16, random: &mut impl FnMut() -> u64) {
        // By insertion: there are few, and they come in no order.
        for end in 1..self.count {
            let mut at = end;
            while at > 0 && rank(self.items[at - 1]) > rank(self.items[at]) {
                self.swap(at - 1, at);
                at -= 1;
            }
        }
        let mut start = 0;
        while start < self.count {
            let own = rank(self.items[start]);
            let end = (start..self.count).find(|at| rank(self.items[*at]) != own).unwrap_or(self.count);
            self.draw_among(start, end, random);
            start = end;
        }
    }

    fn draw_among(&mut self, start: usize, end: usize, random: &mut impl FnMut() -> u64) {
        if !self.differ {
            // Whose turn it is needs no look at the weights then.
            for at in start..end.saturating_sub(1) {
                self.items.swap(at, at + below((end - at) as u64, random()) as usize);
            }
            return;
        }
        // 255 weights of 32 bits each.
        let mut left: u64 = self.weights[start..end].iter().map(|weight| u64::from(*weight)).sum();
        for at in start..end.saturating_sub(1) {
            let drawn = if left == 0 {
                at + below((end - at) as u64, random()) as usize
            } else {
                self.holder(at, below(left, random()))
            };
            left -= u64::from(self.weights[drawn]);
            self.swap(at, drawn);
        }
    }

    /// Whose share of the weights from `at` on a number falls into.
    fn holder(&self, mut at: usize, mut number: u64) -> usize {
        loop {
            let weight = u64::from(self.weights[at]);
            if number < weight {
                return at;
            }
            number -= weight;
            at += 1;
        }
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.items.swap(a, b);
        self.weights.swap(a, b);
    }
}

/// A number below `bound`, from 64 random bits: each is as likely as any other to one part in 2⁶⁴ / `bound` (Lemire,
/// "Fast random integer generation in an interval", 2019).
fn below(bound: u64, random: u64) -> u64 {
    ((u128::from(random) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::super::order;
    use super::*;

    /// Random numbers that are the same in each run (SplitMix64).
    fn random(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed;
        move || {
            state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            order::identity(&state.to_be_bytes()).rotate_left(23).wrapping_mul(0xbf58_476d_1ce4_e5b9) ^ (state >> 31)
        }
    }

    fn lots(weights: &[u32]) -> Lots {
        let mut lots = Lots::default();
        weights.iter().enumerate().for_each(|(at, weight)| lots.put(at as u8, *weight));
        lots
    }

    /// Over 60,000 draws a share of p lies within 5 standard deviations of it, but for one run in a million; the numbers
    /// are fixed, so the test gives one answer for ever.
    #[test]
    fn places_follow_the_weights() {
        const DRAWS: u64 = 60_000;
        let mut random = random(1);
        for weights in [&[1, 2, 3][..], &[1, 1], &[100, 1], &[5, 0, 5], &[u32::MAX, u32::MAX, u32::MAX]] {
            let mut first = vec![0u64; weights.len()];
            let mut second = vec![0u64; weights.len()];
            for _ in 0..DRAWS {
                let mut lots = lots(weights);
                lots.draw(&mut random);
                first[usize::from(lots.items()[0])] += 1;
                second[usize::from(lots.items()[1])] += 1;
            }
            let total: f64 = weights.iter().map(|weight| f64::from(*weight)).sum();
            let share = |at: usize| f64::from(weights[at]) / total;
            for at in 0..weights.len() {
                // Second is who is drawn from the rest after any other.
                let others = (0..weights.len()).filter(|other| *other != at && share(*other) < 1.0);
                let second_share: f64 = others.map(|other| share(other) * share(at) / (1.0 - share(other))).sum();
                for (count, p) in [(first[at], share(at)), (second[at], second_share)] {
                    let spread = (DRAWS as f64 * p * (1.0 - p)).max(0.0).sqrt();
                    let off = (count as f64 - DRAWS as f64 * p).abs();
                    assert!(off <= 5.0 * spread + 1e-6, "{weights:?}: {first:?} {second:?}");
                }
            }
        }
    }

    #[test]
    fn weight_0_is_last_and_drawn_too() {
        let mut random = random(2);
        let mut last = [0; 4];
        for _ in 0..400 {
            let mut lots = lots(&[0, 7, 0, 1]);
            lots.draw(&mut random);
            assert!(lots.items()[..2].iter().all(|item| [1, 3].contains(item)), "{:?}", lots.items());
            last[usize::from(lots.items()[3])] += 1;
        }
        assert!(last[0] > 100 && last[2] > 100, "{last:?}");
    }

    #[test]
    fn ranks_come_in_order() {
        let mut random = random(3);
        let ranks = [2, 0, 1, 0, 2, 0];
        let mut firsts = [0; 6];
        for _ in 0..300 {
            let mut lots = lots(&[1, 1, 1, 0, 1, 1]);
            lots.draw_by_rank(|item| ranks[usize::from(item)], &mut random);
            let seen: Vec<u16> = lots.items().iter().map(|item| ranks[usize::from(*item)]).collect();
            assert_eq!(seen, [0, 0, 0, 1, 2, 2]);
            assert_eq!(lots.items()[2], 3, "weight 0 is the last of its rank");
            firsts[usize::from(lots.items()[0])] += 1;
        }
        assert!(firsts[1] > 50 && firsts[5] > 50, "{firsts:?}");
    }

    #[test]
    fn there_is_room_for_a_block() {
        let mut lots = Lots::default();
        (0..MAX).for_each(|item| lots.put(item as u8, 1));
        lots.draw(&mut random(4));
        let mut items = lots.items().to_vec();
        items.sort_unstable();
        assert_eq!(items, (0..MAX as u8).collect::<Vec<_>>());
        lots.clear();
        lots.draw(&mut random(5));
        assert!(lots.items().is_empty());
    }
}
