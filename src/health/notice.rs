//! How much is said about verdicts that turn: each one as long as they are few, their number when a network fails.

use crate::model::{Span, Tick, Verdict};

/// Verdicts that are told one by one in each [`WINDOW`].
const SINGLY: u32 = 50;
const WINDOW: Span = Span::from_secs(10);

/// What has been told in the present window, and what has not.
#[derive(Debug, Default)]
pub struct Notice {
    began: Tick,
    told: u32,
    untold: Untold,
}

/// Verdicts that nobody was told of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Untold {
    pub passing: u32,
    pub failing: u32,
}

impl Untold {
    fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl Notice {
    /// Whether this verdict is to be told by itself; otherwise it is counted.
    pub fn tells(&mut self, verdict: Verdict, now: Tick) -> bool {
        // What is left of the last window is told first, by whoever asks for the summary.
        if now.since(self.began) >= WINDOW && self.untold.is_empty() {
            (self.began, self.told) = (now, 0);
        }
        if self.told < SINGLY {
            self.told += 1;
            return true;
        }
        match verdict {
            Verdict::Passing => self.untold.passing += 1,
            Verdict::Failing | Verdict::Unknown => self.untold.failing += 1,
        }
        false
    }

    /// When the next summary is due.
    pub fn due(&self) -> Option<Tick> {
        (!self.untold.is_empty()).then(|| self.began.after(WINDOW))
    }

    /// The summary of the window, once it is over; then the next one begins.
    pub fn summary(&mut self, now: Tick) -> Option<Untold> {
        self.due().filter(|due| *due <= now)?;
        (self.began, self.told) = (now, 0);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_are_counted_and_the_count_is_told() {
        let mut notice = Notice::default();
        let told = (0..1000).filter(|_| notice.tells(Verdict::Failing, Tick(100))).count();
        assert_eq!((told, notice.due()), (50, Some(Tick(10_000))));
        assert!(!notice.tells(Verdict::Passing, Tick(9_000)));
        assert_eq!(notice.summary(Tick(9_999)), None);
        assert!(!notice.tells(Verdict::Passing, Tick(10_500)), "the summary comes first");
        assert_eq!(notice.summary(Tick(10_600)), Some(Untold { passing: 2, failing: 950 }));
        assert_eq!((notice.due(), notice.summary(Tick(30_000))), (None, None));
        assert!(notice.tells(Verdict::Failing, Tick(10_601)));
    }

    #[test]
    fn few_are_told_one_by_one() {
        let mut notice = Notice::default();
        assert!((0..1000).all(|n| notice.tells(Verdict::Failing, Tick(n * 250))));
        assert_eq!(notice.due(), None);
    }
}
