//! How late checks start, as the worst of the last seconds.

use crate::model::{Span, Tick};

/// The worst is that of the present window and the one before, so of the last 10 to 20 seconds.
const WINDOW: Span = Span::from_secs(10);

/// The worst of two windows.
#[derive(Debug, Default)]
pub struct Lateness {
    began: Tick,
    present: u64,
    before: u64,
}

impl Lateness {
    /// A check has started so late.
    pub fn note(&mut self, late: Span, now: Tick) {
        self.turn(now);
        self.present = self.present.max(late.as_millis());
    }

    /// The worst of late.
    pub fn worst(&mut self, now: Tick) -> Span {
        self.turn(now);
        Span::from_millis(self.present.max(self.before))
    }

    fn turn(&mut self, now: Tick) {
        let gone = now.since(self.began).as_millis() / WINDOW.as_millis();
        if gone > 0 {
            self.before = if gone == 1 { self.present } else { 0 };
            self.present = 0;
            self.began = Tick(self.began.0 + gone * WINDOW.as_millis());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_is_kept_for_a_while() {
        let mut lateness = Lateness::default();
        for (at, late, worst) in
            [(0, 5, 5), (9_999, 3, 5), (10_000, 1, 5), (19_999, 0, 5), (20_000, 0, 1), (55_000, 7, 7), (75_000, 0, 0)]
        {
            lateness.note(Span::from_millis(late), Tick(at));
            assert_eq!(lateness.worst(Tick(at)).as_millis(), worst, "{at}");
        }
    }
}
