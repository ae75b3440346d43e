//! Slow start: an instance that turned healthy gets its share of the traffic step by step.

use crate::model::{Capacity, Span, Tick};

/// How many steps lead to the full weight: few enough that answers are not made anew all the time.
const STEPS: u64 = 10;

/// The way to the full weight: a tenth of it for every tenth of the time, and never less than one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ramp {
    since: Tick,
    over: Span,
}

impl Ramp {
    /// A ramp that begins at `since`. None when it takes no time.
    pub fn begin(since: Tick, over: Option<Span>) -> Option<Self> {
        over.filter(|over| over.as_millis() > 0).map(|over| Self { since, over })
    }

    /// The share of the weight at `now`.
    pub fn capacity(self, now: Tick) -> Capacity {
        let steps = now.since(self.since).as_millis().saturating_mul(STEPS) / self.over.as_millis();
        Capacity::of_share(steps.clamp(1, STEPS) as f64 / STEPS as f64)
    }

    /// When more than `reached` is due; `None` at the top.
    pub fn next_step(self, reached: Capacity) -> Option<Tick> {
        let next = reached.share_of(STEPS) + 1;
        let after = (self.over.as_millis() * next).div_ceil(STEPS);
        (next <= STEPS).then(|| self.since.after(Span::from_millis(after)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_for_each_tenth_of_the_time() {
        let ramp = Ramp::begin(Tick(1_000), Some(Span::from_secs(60))).unwrap();
        for (at, share, next) in [
            (0, 0.1, Some(12_000)),
            (11_999, 0.1, Some(12_000)),
            (12_000, 0.2, Some(18_000)),
            (54_000, 0.9, Some(60_000)),
            (60_000, 1.0, None),
            (90_000, 1.0, None),
        ] {
            let now = Tick(1_000 + at);
            assert_eq!(ramp.capacity(now), Capacity::of_share(share), "after {at} ms");
            assert_eq!(ramp.next_step(ramp.capacity(now)), next.map(|after| Tick(1_000 + after)), "after {at} ms");
        }
    }

    #[test]
    fn every_next_step_is_another_share() {
        for over in [1, 3, 7, 10, 11, 999] {
            let ramp = Ramp::begin(Tick(0), Some(Span::from_millis(over))).unwrap();
            let (mut now, mut reached) = (Tick(0), ramp.capacity(Tick(0)));
            while let Some(next) = ramp.next_step(reached) {
                assert!(next > now && ramp.capacity(next) != reached, "{over} ms: {now:?} to {next:?}");
                (now, reached) = (next, ramp.capacity(next));
            }
            assert_eq!((reached, now), (Capacity::FULL, Tick(over)));
        }
    }

    #[test]
    fn no_time_is_no_ramp() {
        assert_eq!(Ramp::begin(Tick(0), None), None);
        assert_eq!(Ramp::begin(Tick(0), Some(Span::from_millis(0))), None);
    }
}
