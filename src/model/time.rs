//! Time as the pure code sees it: given, never read.

use jiff::Timestamp;

use super::Span;

/// Milliseconds on a clock that never goes back, counted from the start of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Tick(pub u64);

impl Tick {
    #[must_use]
    pub fn after(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.as_millis()))
    }

    /// The span since `earlier`, zero if that lies ahead.
    pub fn since(self, earlier: Tick) -> Span {
        Span::from_millis(self.0.saturating_sub(earlier.0))
    }
}

/// One instant on both clocks: `tick` for deadlines, `wall` for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    pub tick: Tick,
    pub wall: Timestamp,
}

impl Moment {
    /// The wall-clock time of another tick, as far away from this one as the ticks say.
    pub fn wall_at(self, tick: Tick) -> Timestamp {
        let apart = jiff::SignedDuration::from_millis(tick.0 as i64 - self.tick.0 as i64);
        self.wall.checked_add(apart).unwrap_or(self.wall)
    }
}
