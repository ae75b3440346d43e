//! The signals that `run` gets, and what each leads to.
//!
//! A signal that the terminal sends (Ctrl-C, or that it was closed) goes to all programs in its foreground, so the program
//! has it already and must not get it twice: many take a second one for impatience. Who sent it tells.

use std::io;
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::SignalsInfo;
use signal_hook::iterator::exfiltrator::WithOrigin;
use signal_hook::low_level::siginfo::Cause;
use tokio::sync::mpsc;

/// Signals that are passed on.
const PASSED: [i32; 6] = [SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];
/// Signals that wait to be acted on; more of them are lost.
const WAITING: usize = 64;

/// A signal, and who sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caught {
    pub(super) signal: i32,
    /// The program has got it, too.
    pub(super) is_shared: bool,
}

/// Where an instance is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not registered yet.
    Joining,
    Registered,
    /// Being taken out of DNS; then the program gets this signal, if it is not gone to it already.
    Leaving(Option<i32>),
    /// Not registered any more.
    Gone,
}

/// What a signal leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reaction {
    /// To the program, at once.
    pub(super) pass: Option<i32>,
    pub(super) phase: Phase,
}

impl Phase {
    /// What to do when `caught` comes now.
    pub(super) fn react(self, caught: Caught) -> Reaction {
        let Caught { signal, is_shared } = caught;
        let pass = (!is_shared).then_some(signal);
        let ends = signal == SIGTERM || signal == SIGINT;
        match self {
            // The program hears of it when nobody comes any more.
            Self::Registered if ends => Reaction { pass: None, phase: Self::Leaving(pass) },
            // It is asked a second time: no more waiting, and none to come.
            Self::Leaving(_) if ends => Reaction { pass, phase: Self::Leaving(None) },
            Self::Joining if ends => Reaction { pass, phase: Self::Gone },
            phase => Reaction { pass, phase },
        }
    }
}

/// Catches signals from now on.
///
/// # Errors
/// When the system does not let it.
pub(super) fn catch() -> io::Result<mpsc::Receiver<Caught>> {
    let mut signals = SignalsInfo::<WithOrigin>::new(PASSED)?;
    let (sender, caught) = mpsc::channel(WAITING);
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for origin in signals.forever() {
            let is_shared = origin.cause == Cause::Kernel;
            if sender.blocking_send(Caught { signal: origin.signal, is_shared }).is_err() {
                return;
            }
        }
    })?;
    Ok(caught)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Phase::*;

    #[test]
    fn every_signal_in_every_phase() {
        let sent = |signal| Caught { signal, is_shared: false };
        let shared = |signal| Caught { signal, is_shared: true };
        for (phase, caught, pass, next) in [
            (Joining, sent(SIGTERM), Some(SIGTERM), Gone),
            (Joining, shared(SIGINT), None, Gone),
            (Joining, sent(SIGHUP), Some(SIGHUP), Joining),
            (Registered, sent(SIGTERM), None, Leaving(Some(SIGTERM))),
            (Registered, sent(SIGINT), None, Leaving(Some(SIGINT))),
            (Registered, shared(SIGINT), None, Leaving(None)),
            (Registered, sent(SIGHUP), Some(SIGHUP), Registered),
            (Registered, shared(SIGHUP), None, Registered),
            (Registered, sent(SIGQUIT), Some(SIGQUIT), Registered),
            (Registered, shared(SIGQUIT), None, Registered),
            (Registered, sent(SIGUSR1), Some(SIGUSR1), Registered),
            (Leaving(Some(SIGTERM)), sent(SIGTERM), Some(SIGTERM), Leaving(None)),
            (Leaving(Some(SIGTERM)), shared(SIGINT), None, Leaving(None)),
            (Leaving(Some(SIGTERM)), sent(SIGUSR2), Some(SIGUSR2), Leaving(Some(SIGTERM))),
            (Leaving(None), sent(SIGINT), Some(SIGINT), Leaving(None)),
            (Gone, sent(SIGTERM), Some(SIGTERM), Gone),
            (Gone, shared(SIGINT), None, Gone),
            (Gone, sent(SIGHUP), Some(SIGHUP), Gone),
        ] {
            assert_eq!(phase.react(caught), Reaction { pass, phase: next }, "{caught:?} in {phase:?}");
        }
    }
}
