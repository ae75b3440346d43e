//! Time as the pure code sees it: given, never read.

use std::fmt;

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

/// A time of day to the millisecond, in half the room of a [`Timestamp`]: every instance keeps two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct WallTime(
    /// Milliseconds since the Unix epoch.
    i64,
);

impl WallTime {
    pub fn timestamp(self) -> Timestamp {
        // It comes from a timestamp, so it is one.
        Timestamp::from_millisecond(self.0).unwrap_or(Timestamp::UNIX_EPOCH)
    }
}

impl From<Timestamp> for WallTime {
    /// What is finer than a millisecond is left out.
    fn from(time: Timestamp) -> Self {
        Self(time.as_millisecond())
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_is_kept_to_the_millisecond() {
        for (told, kept) in [
            ("2026-01-01T00:00:00.123Z", "2026-01-01T00:00:00.123Z"),
            ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00.123456Z", "2026-01-01T00:00:00.123Z"),
        ] {
            assert_eq!(WallTime::from(told.parse::<Timestamp>().unwrap()).to_string(), kept);
        }
        for end in [Timestamp::MIN.as_second(), Timestamp::MAX.as_second()] {
            let end = Timestamp::from_second(end).unwrap();
            assert_eq!(WallTime::from(end).timestamp(), end, "at either end of time");
        }
    }
}
