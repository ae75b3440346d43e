//! The one place where a test waits.
//!
//! A black-box test has no event to await for what happens inside another process, so it asks for the condition itself
//! again and again. Each pause is short and their number is bounded; a pass never depends on how long one of them was,
//! and the deadline is far above what a loaded machine needs, so that it only ends tests that would fail anyway.

use std::fmt::Display;
use std::thread;
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(20);

/// Asks `probe` until it says `Ok`, and returns that value.
///
/// # Panics
///
/// When the deadline is over: with `what` was awaited and the last `Err`, which says what was there instead.
#[track_caller]
pub fn eventually<T, E: Display>(what: &str, mut probe: impl FnMut() -> Result<T, E>) -> T {
    let started = Instant::now();
    loop {
        match probe() {
            Ok(value) => return value,
            Err(seen) if started.elapsed() > DEADLINE => panic!("not within {DEADLINE:?}: {what}; last seen: {seen}"),
            Err(_) => thread::sleep(PAUSE),
        }
    }
}
