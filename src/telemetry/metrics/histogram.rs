//! How long things took, counted in buckets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Buckets that a histogram can have, beside the one without a bound.
pub const BUCKETS: usize = 15;

/// Durations by buckets. On cache lines of its own, so that threads with a histogram each do not slow each other.
#[derive(Debug)]
#[repr(align(128))]
pub struct Histogram {
    bounds: &'static [Duration],
    /// Those of each bucket alone; the text has them summed up.
    counts: [AtomicU64; BUCKETS + 1],
    sum_ns: AtomicU64,
}

/// What a histogram held at one time, alone or with others.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Held {
    pub counts: [u64; BUCKETS + 1],
    pub sum: Duration,
}

impl Histogram {
    /// `bounds` ascend and are at most [`BUCKETS`]; further ones are not used.
    pub const fn new(bounds: &'static [Duration]) -> Self {
        let bounds = if bounds.len() > BUCKETS { bounds.split_at(BUCKETS).0 } else { bounds };
        Self { bounds, counts: [const { AtomicU64::new(0) }; BUCKETS + 1], sum_ns: AtomicU64::new(0) }
    }

    pub fn observe(&self, took: Duration) {
        self.observe_all(1, took);
    }

    /// Counts so many that all took as long.
    pub fn observe_all(&self, count: u64, took: Duration) {
        if count == 0 {
            return;
        }
        let bucket = self.bounds.iter().position(|bound| took <= *bound).unwrap_or(self.bounds.len());
        self.counts[bucket].fetch_add(count, Ordering::Relaxed);
        // 584 years of nanoseconds fit.
        self.sum_ns.fetch_add(count.wrapping_mul(took.as_nanos() as u64), Ordering::Relaxed);
    }

    pub(super) fn bounds(&self) -> &'static [Duration] {
        self.bounds
    }

    pub(super) fn held(&self) -> Held {
        Held {
            counts: std::array::from_fn(|at| self.counts[at].load(Ordering::Relaxed)),
            sum: Duration::from_nanos(self.sum_ns.load(Ordering::Relaxed)),
        }
    }
}

impl Held {
    pub const NOTHING: Self = Self { counts: [0; BUCKETS + 1], sum: Duration::ZERO };

    pub fn with(self, other: &Self) -> Self {
        Self { counts: std::array::from_fn(|at| self.counts[at] + other.counts[at]), sum: self.sum + other.sum }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: &[Duration] = &[Duration::from_millis(1), Duration::from_millis(5)];

    #[test]
    fn a_bound_is_in_its_bucket() {
        let histogram = Histogram::new(BOUNDS);
        for micros in [0, 1_000, 1_001, 5_000, 5_001, 60_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        histogram.observe_all(0, Duration::from_secs(1));
        let held = histogram.held();
        assert_eq!((&held.counts[..4], held.sum), (&[2, 2, 2, 0][..], Duration::from_micros(60_012_002)));
        assert_eq!(Held::NOTHING.with(&held).with(&held).counts[..3], [4, 4, 4]);
    }

    #[test]
    fn bounds_without_a_bucket_are_not_used() {
        const MANY: &[Duration] = &[Duration::from_millis(1); BUCKETS + 3];
        let histogram = Histogram::new(MANY);
        histogram.observe(Duration::from_secs(1));
        assert_eq!((histogram.bounds().len(), histogram.held().counts[BUCKETS]), (BUCKETS, 1));
    }
}
