//! How long to wait after attempts that failed.

use std::time::Duration;

/// Pauses that double with every failure in a row, from the first to the longest.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Before any failure.
    pub const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The pause after one more failure. `random`, from 0 to 1, moves it between half and the whole of what it may be, so
    /// that those who failed together do not come back together.
    pub fn next(&mut self, random: f64) -> Duration {
        let whole = self.first.saturating_mul(1 << self.failures.min(16)).min(self.longest);
        self.failures = self.failures.saturating_add(1);
        whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// An attempt succeeded.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// Whether the last attempt failed.
    pub fn is_failing(&self) -> bool {
        self.failures > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        for (random, expected) in [
            (1.0, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]),
            (0.0, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]),
            (0.5, [750, 1_500, 3_000, 6_000, 12_000, 24_000, 45_000, 45_000]),
        ] {
            let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
            assert!(!backoff.is_failing());
            assert_eq!(expected.map(|_| backoff.next(random).as_millis()), expected, "{random}");
            assert!(backoff.is_failing());
            backoff.reset();
            assert!(!backoff.is_failing());
            assert_eq!(backoff.next(random).as_millis(), expected[0]);
        }
        let mut old =
            Backoff { failures: u32::MAX, ..Backoff::new(Duration::from_millis(100), Duration::from_secs(60)) };
        assert_eq!(old.next(1.0), Duration::from_secs(60));
    }
}
