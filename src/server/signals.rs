//! The signals that a server acts on. One that comes while nobody waits for it is kept, and several of a kind are one.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// From the moment they are caught, none of them ends the process by itself.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Those that ask the server to stop, and the one that asks it to read its files again.
    pub fn split(self) -> (Stop, Signal) {
        (Stop { terminate: self.terminate, interrupt: self.interrupt }, self.hangup)
    }
}

/// SIGTERM and SIGINT.
#[derive(Debug)]
pub struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Waits for either.
    pub async fn received(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[tokio::test]
    async fn a_signal_that_nobody_waits_for_yet_is_kept() {
        let (_, mut hangup) = Signals::catch().unwrap().split();
        let own = std::process::id().to_string();
        let sent = Command::new("sh").args(["-c", "kill -s HUP \"$1\"", "sh", &own]).status();
        assert!(sent.unwrap().success());
        assert_eq!(hangup.recv().await, Some(()));
    }
}
