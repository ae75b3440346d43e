//! The one place where time is read.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{Moment, Tick};

/// How far the system's clock may move from where the ticks put it before it is believed, in milliseconds.
const DRIFT_MS: i64 = 1_000;

/// Ticks since the process started, on tokio's clock, which tests can pause; and the time of day that each stands for.
///
/// One tick stands for one time of day as long as the system's clock is not set anew, so that a deadline reads the same
/// whenever it is looked at.
#[derive(Debug, Clone)]
pub struct Clock {
    start: Instant,
    /// Milliseconds since the Unix epoch at tick 0.
    epoch_ms: Arc<AtomicI64>,
}

impl Clock {
    pub fn start() -> Self {
        let epoch_ms = Arc::new(AtomicI64::new(Timestamp::now().as_millisecond()));
        Self { start: Instant::now(), epoch_ms }
    }

    pub fn now(&self) -> Moment {
        self.moment(Instant::now())
    }

    /// The moment that is now, for those who have just read `instant` and need it anyway.
    pub fn moment(&self, instant: Instant) -> Moment {
        let tick = Tick(self.since_start(instant).as_millis() as u64);
        let told = Timestamp::now().as_millisecond() - tick.0 as i64;
        let epoch = self.epoch_ms.load(Ordering::Relaxed);
        let epoch = if (told - epoch).abs() > DRIFT_MS {
            self.epoch_ms.store(told, Ordering::Relaxed);
            told
        } else {
            epoch
        };
        // Outside of what a timestamp can be only with a clock set thousands of years off.
        let wall = Timestamp::from_millisecond(epoch + tick.0 as i64).unwrap_or_else(|_| Timestamp::now());
        Moment { tick, wall }
    }

    /// How long after the start an instant is.
    pub fn since_start(&self, instant: Instant) -> Duration {
        instant.saturating_duration_since(self.start)
    }

    pub fn tick(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    /// When `tick` comes.
    pub fn instant(&self, tick: Tick) -> Instant {
        self.start + Duration::from_millis(tick.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_tick_is_one_time_of_day() {
        let clock = Clock::start();
        let first = clock.now().wall_at(Tick(5_000));
        assert!((0..100).all(|_| clock.now().wall_at(Tick(5_000)) == first));
        clock.epoch_ms.fetch_sub(60_000, Ordering::Relaxed);
        let told = clock.now().wall.as_millisecond() - Timestamp::now().as_millisecond();
        assert!(told.abs() <= DRIFT_MS, "a clock that was set is believed");
    }
}
