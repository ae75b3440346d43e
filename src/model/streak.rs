//! How results of one check become a verdict.

use super::Verdict;

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
