//! Whether an instance is worth a call, from how the last ones ended.
//!
//! ```text
//!            as many failures in a row as the rules say
//!   closed ─────────────────────────────────────────────► open ◄──────────────────┐
//!     ▲  ▲  success: counts from 0 again                   │ rested: one call      │ it fails
//!     │  └──────────┐                                      ▼                       │
//!     └─────────────┴────────── it succeeds ────────── half-open ──────────────────┘
//!                                                     it is given up: open, and rested
//! ```
//!
//! Open and not rested, or half-open, nobody is admitted. Calls that were admitted before and end later say nothing any
//! more: only the one that was let through to find out does. There is no clock here; `now` is an argument.

use crate::model::{Span, Tick};

/// When a breaker opens, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerRules {
    /// Failures in a row that open it; 0 counts as 1.
    pub failures: u32,
    /// How long it stays open before one call may find out.
    pub rest: Span,
}

impl Default for BreakerRules {
    fn default() -> Self {
        Self { failures: 5, rest: Span::from_secs(10) }
    }
}

/// The state of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breaker {
    /// Calls go through; so many failed in a row.
    Closed { failures: u32 },
    /// None does until then.
    Open { until: Tick },
    /// One went through to find out, and has not ended.
    HalfOpen,
}

/// That a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// As any other.
    Usual,
    /// To find out whether the instance is back.
    Trial,
}

/// How an admitted call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    Failure,
    /// It was dropped before it came to anything.
    GivenUp,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { failures: 0 }
    }
}

impl Breaker {
    /// Whether [`Breaker::admit`] would let a call through.
    pub fn would_admit(&self, now: Tick) -> bool {
        match *self {
            Self::Closed { .. } => true,
            Self::Open { until } => now >= until,
            Self::HalfOpen => false,
        }
    }

    /// Lets a call through, or not. Whoever was let through says how it ended.
    pub fn admit(&mut self, now: Tick) -> Option<Admission> {
        match *self {
            Self::Closed { .. } => Some(Admission::Usual),
            Self::Open { until } if now >= until => {
                *self = Self::HalfOpen;
                Some(Admission::Trial)
            }
            Self::Open { .. } | Self::HalfOpen => None,
        }
    }

    /// An admitted call ended. Says whether the breaker opened with it.
    pub fn ended(&mut self, admission: Admission, ending: Ending, rules: BreakerRules, now: Tick) -> bool {
        let open = Self::Open { until: now.after(rules.rest) };
        *self = match (*self, admission, ending) {
            (Self::Closed { .. }, _, Ending::Success) => Self::default(),
            (Self::Closed { failures }, _, Ending::Failure) if failures + 1 >= rules.failures => open,
            (Self::Closed { failures }, _, Ending::Failure) => Self::Closed { failures: failures + 1 },
            (Self::HalfOpen, Admission::Trial, Ending::Success) => Self::default(),
            (Self::HalfOpen, Admission::Trial, Ending::Failure) => open,
            (Self::HalfOpen, Admission::Trial, Ending::GivenUp) => Self::Open { until: now },
            (same, _, _) => same,
        };
        *self == open && ending == Ending::Failure
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RULES: BreakerRules = BreakerRules { failures: 3, rest: Span::from_millis(100) };
    const NOW: Tick = Tick(1_000);

    #[test]
    fn every_state_with_every_event() {
        use Admission::*;
        use Breaker::*;
        use Ending::*;
        let (zero, two) = (Closed { failures: 0 }, Closed { failures: 2 });
        let (open, rested, again) = (Open { until: Tick(1_001) }, Open { until: NOW }, Open { until: Tick(1_100) });
        for (state, admitted, then) in [
            (zero, Some(Usual), zero),
            (two, Some(Usual), two),
            (open, None, open),
            (rested, Some(Trial), HalfOpen),
            (HalfOpen, None, HalfOpen),
        ] {
            let mut breaker = state;
            assert_eq!(breaker.would_admit(NOW), admitted.is_some(), "{state:?}");
            assert_eq!((breaker.admit(NOW), breaker), (admitted, then), "{state:?}");
        }
        for (state, admission, ending, then) in [
            (zero, Usual, Success, zero),
            (zero, Usual, Failure, Closed { failures: 1 }),
            (zero, Usual, GivenUp, zero),
            (two, Usual, Success, zero),
            (two, Usual, Failure, again),
            (two, Usual, GivenUp, two),
            (open, Usual, Success, open),
            (open, Usual, Failure, open),
            (open, Usual, GivenUp, open),
            (HalfOpen, Usual, Success, HalfOpen),
            (HalfOpen, Usual, Failure, HalfOpen),
            (HalfOpen, Usual, GivenUp, HalfOpen),
            (HalfOpen, Trial, Success, zero),
            (HalfOpen, Trial, Failure, again),
            (HalfOpen, Trial, GivenUp, rested),
        ] {
            let mut breaker = state;
            let opened = breaker.ended(admission, ending, RULES, NOW);
            assert_eq!((breaker, opened), (then, then == again), "{state:?} {admission:?} {ending:?}");
        }
    }

    proptest! {
        /// However calls overlap, one at most finds out at a time, and an instance that always succeeds comes back.
        #[test]
        fn one_trial_at_a_time(steps in prop::collection::vec((0..4u8, 0..200u64), 1..200)) {
            let (mut breaker, mut under_way, mut now) = (Breaker::default(), Vec::new(), Tick(0));
            for (step, later) in steps {
                now = Tick(now.0 + later);
                match (step, under_way.pop()) {
                    (0, unended) => under_way.extend(unended.into_iter().chain(breaker.admit(now))),
                    (_, None) => {}
                    (1, Some(admission)) => drop(breaker.ended(admission, Ending::Success, RULES, now)),
                    (2, Some(admission)) => drop(breaker.ended(admission, Ending::Failure, RULES, now)),
                    (_, Some(admission)) => drop(breaker.ended(admission, Ending::GivenUp, RULES, now)),
                }
                let trials = under_way.iter().filter(|admission| **admission == Admission::Trial).count();
                prop_assert_eq!(trials, usize::from(breaker == Breaker::HalfOpen));
            }
            for admission in under_way {
                breaker.ended(admission, Ending::GivenUp, RULES, now);
            }
            let admission = breaker.admit(now.after(RULES.rest)).expect("rested");
            breaker.ended(admission, Ending::Success, RULES, now);
            prop_assert_eq!(breaker, Breaker::default());
        }
    }
}
