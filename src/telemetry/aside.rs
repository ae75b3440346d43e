//! Log lines that are written by a thread of their own.
//!
//! Whoever answers must wait neither for a line to be spelled out nor for whoever reads the log. So lines are handed over
//! as the facts that they are made of, through a queue with a bound; where the queue is full they are dropped and counted.

use std::fmt::Debug;
use std::io;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;

use super::metrics::Counter;

/// Lines that wait to be written, at most.
const QUEUE: usize = 4096;

/// The way to the thread that writes. It ends with this.
#[derive(Debug)]
pub struct Aside<T> {
    lines: SyncSender<T>,
    dropped: Counter,
}

impl<T: Debug + Send + 'static> Aside<T> {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no more threads.
    pub fn start(name: &str, write: impl Fn(T) + Send + 'static) -> io::Result<Self> {
        let (lines, waiting) = sync_channel(QUEUE);
        thread::Builder::new().name(name.to_owned()).spawn(move || waiting.iter().for_each(write))?;
        Ok(Self { lines, dropped: Counter::default() })
    }

    /// Hands a line over, or drops it when too many wait.
    pub fn give(&self, line: T) {
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.lines.try_send(line) {
            self.dropped.increment();
        }
    }

    /// Lines that were dropped.
    pub fn dropped(&self) -> u64 {
        self.dropped.value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_queue_does_not_hold_is_dropped_and_counted() {
        let (done, written) = std::sync::mpsc::channel();
        let (go, gate) = std::sync::mpsc::channel::<()>();
        let write = move |line: usize| {
            // Nothing is written before the gate opens, and everything after it.
            gate.recv().ok();
            done.send(line).ok();
        };
        let aside = Aside::start("test", write).unwrap();
        let given = QUEUE + 100;
        (0..given).for_each(|line| aside.give(line));
        // One may have been taken out of the queue already.
        let dropped = aside.dropped() as usize;
        assert!((99..=100).contains(&dropped), "{dropped}");
        drop(go);
        assert_eq!(written.iter().take(given - dropped).collect::<Vec<_>>(), (0..given - dropped).collect::<Vec<_>>());
    }
}
