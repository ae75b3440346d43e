//! The life of an instance: what is known of it, and the status that follows.
//!
//! ```text
//!                     heartbeat says draining
//!        any status ─────────────────────────────► draining ──► (deregistered, reaped)
//!
//!        lease runs out            late heartbeat
//!   any ───────────────► lapsed ─────────────────► what the rest says
//!                          │ reap_after
//!                          ▼
//!                       (reaped)
//!
//!   starting ──first result, own word──► healthy ◄──rise──┐
//!       │                                   │ fall, own word
//!       └──────first result, own word──► unhealthy ───────┘
//! ```
//!
//! Nothing here is remembered as a status: the facts are kept, and the first line of [`Condition::status`] that applies
//! is the status. So no order of events can leave a status that the facts do not carry.

use smallvec::SmallVec;

/// What srvd makes of an instance; in the order in which the first that applies wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Status {
    Draining,
    Lapsed,
    Unhealthy,
    Starting,
    Healthy,
}

impl Status {
    pub const ALL: [Self; 5] = [Self::Draining, Self::Lapsed, Self::Unhealthy, Self::Starting, Self::Healthy];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Lapsed => "lapsed",
            Self::Unhealthy => "unhealthy",
            Self::Starting => "starting",
            Self::Healthy => "healthy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What an instance says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SelfReport {
    Starting,
    #[default]
    Healthy,
    Unhealthy,
}

impl SelfReport {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Starting, Self::Healthy, Self::Unhealthy].into_iter().find(|report| report.as_str() == text)
    }
}

/// What the results of one check amount to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// No result yet.
    #[default]
    Unknown,
    Passing,
    Failing,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Passing => "passing",
            Self::Failing => "failing",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [Self::Unknown, Self::Passing, Self::Failing].into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// The facts about an instance from which its status follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Condition {
    /// Taken out on its own word; ends with the registration.
    pub draining: bool,
    /// The lease ran out and no heartbeat has come since.
    pub lapsed: bool,
    pub said: SelfReport,
    /// One verdict for each check of the registration, in its order.
    pub checks: SmallVec<[Verdict; 2]>,
}

impl Condition {
    pub fn status(&self) -> Status {
        if self.draining {
            Status::Draining
        } else if self.lapsed {
            Status::Lapsed
        } else if self.said == SelfReport::Unhealthy || self.checks.contains(&Verdict::Failing) {
            Status::Unhealthy
        } else if self.said == SelfReport::Starting || self.checks.contains(&Verdict::Unknown) {
            Status::Starting
        } else {
            Status::Healthy
        }
    }
}

/// A run of equal results of one check, and the verdict it supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    verdict: Verdict,
    against: u32,
}

impl Streak {
    /// Goes on from a verdict that was reached before.
    pub fn from(verdict: Verdict) -> Self {
        Self { verdict, against: 0 }
    }

    pub fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Takes one result in. The first result ever decides alone; after it, `rise` passes in a row end a failing
    /// verdict and `fall` failures in a row a passing one. Returns whether the verdict changed.
    pub fn observe(&mut self, passed: bool, rise: u32, fall: u32) -> bool {
        let (needed, other) = match self.verdict {
            Verdict::Unknown => (1, if passed { Verdict::Passing } else { Verdict::Failing }),
            Verdict::Passing if !passed => (fall, Verdict::Failing),
            Verdict::Failing if passed => (rise, Verdict::Passing),
            Verdict::Passing | Verdict::Failing => {
                self.against = 0;
                return false;
            }
        };
        self.against += 1;
        let flipped = self.against >= needed;
        if flipped {
            *self = Self::from(other);
        }
        flipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_fact_that_applies_is_the_status() {
        use {SelfReport as S, Status as T, Verdict as V};
        for (draining, lapsed, said, checks, status) in [
            (false, false, S::Healthy, &[][..], T::Healthy),
            (false, false, S::Healthy, &[V::Passing, V::Passing], T::Healthy),
            (false, false, S::Healthy, &[V::Passing, V::Unknown], T::Starting),
            (false, false, S::Starting, &[V::Passing], T::Starting),
            (false, false, S::Healthy, &[V::Unknown, V::Failing], T::Unhealthy),
            (false, false, S::Starting, &[V::Failing], T::Unhealthy),
            (false, false, S::Unhealthy, &[V::Passing], T::Unhealthy),
            (false, false, S::Unhealthy, &[V::Unknown], T::Unhealthy),
            (false, true, S::Healthy, &[], T::Lapsed),
            (false, true, S::Unhealthy, &[V::Failing], T::Lapsed),
            (true, false, S::Healthy, &[V::Passing], T::Draining),
            (true, true, S::Unhealthy, &[V::Failing], T::Draining),
        ] {
            let condition = Condition { draining, lapsed, said, checks: checks.into() };
            assert_eq!(condition.status(), status, "{condition:?}");
        }
    }

    #[test]
    fn verdicts_turn_after_a_streak() {
        // One letter a result: p passes, f fails; the verdicts after each are listed below it (rise 2, fall 3).
        for (results, verdicts) in
            [("p", "P"), ("f", "F"), ("pfff", "PPPF"), ("pffpfff", "PPPPPPF"), ("fpp", "FFP"), ("fpfpp", "FFFFP")]
        {
            let mut streak = Streak::from(Verdict::Unknown);
            let mut seen = String::new();
            for result in results.chars() {
                let before = streak.verdict();
                let flipped = streak.observe(result == 'p', 2, 3);
                assert_eq!(flipped, before != streak.verdict());
                seen.push(if streak.verdict() == Verdict::Passing { 'P' } else { 'F' });
            }
            assert_eq!(seen, verdicts, "{results}");
        }
        let mut kept = Streak::from(Verdict::Passing);
        assert!(!kept.observe(false, 2, 3), "a verdict from before a restart needs the whole streak to turn");
    }
}
