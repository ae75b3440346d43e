//! Noticing that the whole process stood still: suspended with its machine, stopped, or starved.
//!
//! Nobody could be heard meanwhile, so leases that ran out in that time say nothing. A thread of its own beats a few
//! times a second. A beat that comes far too late, or that finds the time of day far ahead of where the last one left it
//! (the monotonic clock of Linux stands while the machine is suspended), means that the process stood still. The engine
//! asks before it lets leases run out; whether it or the thread is the first to run again makes no difference.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};
use std::{io, thread};

use parking_lot::Mutex;

/// From one beat to the next.
const BEAT: Duration = Duration::from_millis(250);
/// Longer than this between two beats is a standstill. Shorter ones cost leases no more than a second of theirs.
const LIMIT: Duration = Duration::from_secs(1);

/// What the engine asks. The thread ends some time after the last one is dropped.
#[derive(Debug)]
pub struct Standstill(Arc<Mutex<Beats>>);

#[derive(Debug)]
struct Beats {
    last: (Instant, SystemTime),
    /// The last time without a beat that the engine has not been told of.
    untold: Option<Stood>,
}

/// A time in which the process stood still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stood {
    pub long: Duration,
    pub until: Instant,
}

impl Standstill {
    /// Begins to watch.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn watch() -> io::Result<Self> {
        let beats = Arc::new(Mutex::new(Beats::new(now())));
        let watched = Arc::downgrade(&beats);
        thread::Builder::new().name("standstill".to_owned()).spawn(move || beat(&watched))?;
        Ok(Self(beats))
    }

    /// When the process last stood still since this was last asked; `None` when it did not.
    pub fn since_last_asked(&self) -> Option<Stood> {
        let mut beats = self.0.lock();
        beats.beat(now());
        beats.untold.take()
    }
}

impl Beats {
    fn new(now: (Instant, SystemTime)) -> Self {
        Self { last: now, untold: None }
    }

    fn beat(&mut self, now: (Instant, SystemTime)) {
        let (last, last_time_of_day) = std::mem::replace(&mut self.last, now);
        let ticked = now.0.saturating_duration_since(last);
        // A clock that is set back tells nothing.
        let passed = now.1.duration_since(last_time_of_day).unwrap_or_default();
        let long = ticked.max(passed);
        if long > LIMIT {
            self.untold = Some(Stood { long, until: now.0 });
        }
    }
}

fn now() -> (Instant, SystemTime) {
    (Instant::now(), SystemTime::now())
}

fn beat(watched: &Weak<Mutex<Beats>>) {
    loop {
        thread::sleep(BEAT);
        let Some(beats) = watched.upgrade() else { return };
        beats.lock().beat(now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_beat_is_a_standstill_and_told_once() {
        let (start, day) = (Instant::now(), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let at =
            |ticked: u64, passed: u64| (start + Duration::from_millis(ticked), day + Duration::from_millis(passed));
        for (second, third, told) in [
            (at(250, 250), at(500, 500), None),
            (at(250, 250), at(1_250, 1_250), None),
            (at(250, 250), at(1_251, 1_251), Some((1_001, 1_251))),
            // It ended with the late beat, and not when somebody asks.
            (at(9_000, 9_000), at(9_250, 9_250), Some((9_000, 9_000))),
            (at(9_000, 9_000), at(11_000, 11_000), Some((2_000, 11_000))),
            // Suspended for an hour.
            (at(250, 250), at(500, 3_600_500), Some((3_600_250, 500))),
            // Set back for an hour.
            (at(250, 250), (start + Duration::from_millis(500), day - Duration::from_secs(3_600)), None),
        ] {
            let mut beats = Beats::new(at(0, 0));
            beats.beat(second);
            beats.beat(third);
            let told = told.map(|(long, until)| Stood { long: Duration::from_millis(long), until: at(until, 0).0 });
            assert_eq!(beats.untold, told, "{second:?} {third:?}");
        }
    }
}
