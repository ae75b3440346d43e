//! The one place where time is read.

use jiff::Timestamp;
use tokio::time::Instant;

use crate::model::{Moment, Tick};

/// Ticks since the process started, on tokio's clock, which tests can pause.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    pub fn now(&self) -> Moment {
        Moment { tick: self.tick(), wall: Timestamp::now() }
    }

    pub fn tick(&self) -> Tick {
        Tick(self.start.elapsed().as_millis() as u64)
    }

    /// When `tick` comes.
    pub fn instant(&self, tick: Tick) -> Instant {
        self.start + std::time::Duration::from_millis(tick.0)
    }
}
