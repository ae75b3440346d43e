//! How results of one check become a verdict, and how a verdict that keeps turning is damped.
//!
//! A target that comes and goes is worse in DNS than one that stays away: each return sends it clients that its next fall
//! fails. So each turn of a verdict is remembered by a penalty that fades, as routers do with routes that flap (RFC 2439
//! §4.4: 1000 for each, halved with time, with a ceiling so that no history is held against anyone for ever). Above four turns, the passes
//! that end a failing verdict double with each further one, up to eightfold; failing still takes no more than `fall`.
//!
//! Time is counted in what a check needs to fall and rise again, so that a check every second and one every minute are
//! treated alike: the penalty halves in ten times that. With `rise` 2, `fall` 3 and 10 s that is 500 s, near the 15
//! minutes that are usual for routes. The fastest flapping has two turns in each such time and is damped at the
//! third fall; two deployments and a crash within minutes are not, and what has been damped is forgiven after one more
//! half-life of quiet.

use super::{CheckSpec, Tick, Verdict};

/// The penalty for one turn.
const TURN: u32 = 1_000;
/// What is not held against a check: two deployments.
const FREE: u32 = 4 * TURN;
/// How many times the passes that are needed may double.
const DOUBLINGS: u32 = 3;
/// The highest penalty: from here to `FREE` it takes one half-life.
const CEILING: u32 = 2 * FREE;
/// Falls and rises in which a penalty halves.
const HALF_LIFE: u64 = 10;

/// A run of equal results of one check, and the verdict it supports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Streak {
    verdict: Verdict,
    against: u32,
    /// As of `turned_at`.
    penalty: u32,
    turned_at: Tick,
}

impl Streak {
    /// Goes on from a verdict that was reached before.
    pub fn from(verdict: Verdict) -> Self {
        Self { verdict, against: 0, penalty: 0, turned_at: Tick(0) }
    }

    pub fn verdict(self) -> Verdict {
        self.verdict
    }

    /// Takes one result of `check` in. The first result ever decides alone; after it, `rise` passes in a row, or more
    /// where it is damped, end a failing verdict and `fall` failures in a row a passing one. Returns whether the verdict
    /// changed.
    pub fn observe(&mut self, passed: bool, check: &CheckSpec, now: Tick) -> bool {
        let (needed, other) = match self.verdict {
            Verdict::Unknown => (1, if passed { Verdict::Passing } else { Verdict::Failing }),
            Verdict::Passing if !passed => (check.fall, Verdict::Failing),
            Verdict::Failing if passed => (self.passes_needed(check, now), Verdict::Passing),
            Verdict::Passing | Verdict::Failing => {
                self.against = 0;
                return false;
            }
        };
        self.against += 1;
        let flipped = self.against >= needed;
        if flipped {
            if self.verdict != Verdict::Unknown {
                self.penalty = (self.penalty_at(check, now) + TURN).min(CEILING);
                self.turned_at = now;
            }
            (self.verdict, self.against) = (other, 0);
        }
        flipped
    }

    /// How many more passes in a row it takes, when the check passes again and has turned so often lately that `rise`
    /// of them are not enough.
    pub fn damped(self, check: &CheckSpec, now: Tick) -> Option<u32> {
        let needed = self.passes_needed(check, now);
        let passes_again = self.verdict == Verdict::Failing && self.against > 0;
        (passes_again && needed > check.rise).then(|| needed.saturating_sub(self.against).max(1))
    }

    fn passes_needed(self, check: &CheckSpec, now: Tick) -> u32 {
        let above = self.penalty_at(check, now).saturating_sub(FREE);
        check.rise << above.div_ceil(TURN).min(DOUBLINGS)
    }

    fn penalty_at(self, check: &CheckSpec, now: Tick) -> u32 {
        let half_life = check.interval.as_millis() * u64::from(check.rise + check.fall) * HALF_LIFE;
        let halves = now.since(self.turned_at).as_millis() as f64 / half_life.max(1) as f64;
        (f64::from(self.penalty) * 0.5_f64.powf(halves)) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CheckKind, Span};

    fn check(rise: u32, fall: u32) -> CheckSpec {
        let (interval, timeout) = (Span::from_secs(10), Span::from_secs(5));
        CheckSpec { kind: CheckKind::Tcp, port: None, interval, timeout, rise, fall }
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
                let flipped = streak.observe(result == 'p', &check(2, 3), Tick(0));
                assert_eq!(flipped, before != streak.verdict());
                seen.push(if streak.verdict() == Verdict::Passing { 'P' } else { 'F' });
            }
            assert_eq!(seen, verdicts, "{results}");
        }
        let mut kept = Streak::from(Verdict::Passing);
        let fails = kept.observe(false, &check(2, 3), Tick(0));
        assert!(!fails, "a verdict from before a restart needs the whole streak to turn");
    }

    /// A target that passes until it is believed and then falls at once: how many passes each return takes, one result
    /// an interval.
    fn returns(check: &CheckSpec, quiet: u64, times: usize) -> Vec<u32> {
        let mut streak = Streak::from(Verdict::Passing);
        let mut now = Tick(0);
        let mut taken = Vec::new();
        for _ in 0..times {
            while streak.verdict() == Verdict::Passing {
                streak.observe(false, check, now);
                now = now.after(check.interval);
            }
            let mut passes = 0;
            while streak.verdict() == Verdict::Failing {
                streak.observe(true, check, now);
                now = now.after(check.interval);
                passes += 1;
            }
            taken.push(passes);
            now = now.after(Span::from_millis(quiet * check.interval.as_millis()));
        }
        taken
    }

    #[test]
    fn what_keeps_turning_takes_longer_each_time() {
        for (rise, fall, quiet, expected) in [
            (2, 3, 0, &[2, 2, 4, 8, 14, 16, 16][..]),
            (1, 1, 0, &[1, 1, 2, 4, 6, 7, 8]),
            (2, 3, 20, &[2, 2, 2, 3, 4, 4, 4]),
            // One fall an hour is no flapping.
            (2, 3, 360, &[2, 2, 2, 2, 2, 2, 2]),
        ] {
            assert_eq!(returns(&check(rise, fall), quiet, expected.len()), expected, "{rise} {fall} {quiet}");
        }
        for interval in [100, 86_400_000] {
            let check = CheckSpec { interval: Span::from_millis(interval), ..check(2, 3) };
            assert_eq!(returns(&check, 0, 4), [2, 2, 4, 8], "whatever the interval");
        }
    }

    #[test]
    fn a_penalty_fades_and_is_told() {
        let check = check(2, 3);
        let highest = Streak { verdict: Verdict::Failing, against: 0, penalty: CEILING, turned_at: Tick(0) };
        let half_life = 500_000;
        for (after, needed) in [(0, 16), (half_life / 2, 8), (half_life * 8 / 10, 4), (half_life, 2), (u64::MAX, 2)] {
            assert_eq!(highest.passes_needed(&check, Tick(after)), needed, "{after}");
            assert_eq!(highest.damped(&check, Tick(after)), None, "it does not pass");
        }
        let mut passing = highest;
        for left in [15, 14, 13] {
            passing.observe(true, &check, Tick(0));
            assert_eq!(passing.damped(&check, Tick(0)), Some(left));
        }
        assert_eq!(passing.damped(&check, Tick(half_life)), None);
        assert_eq!(Streak { verdict: Verdict::Passing, ..passing }.damped(&check, Tick(0)), None);
    }
}
