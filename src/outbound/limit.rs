//! How long a run may take, and which part of it took too long.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::{Failure, Fault, Hindrance};
use crate::model::Span;

/// When our own timer is later than this, the process stood still, and what timed out says nothing about the target.
const STALL: Duration = Duration::from_secs(1);

/// The parts of a run in their order. All of them share the one timeout of the check, so that it means the same whatever
/// a check has to go through; what ran out of it is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Resolve,
    Connect,
    Tls,
    /// The target does not take the request.
    Request,
    /// It took the request and has sent nothing.
    Answer,
    /// It has sent a part of the answer.
    Rest,
}

/// How long something may take.
#[derive(Debug, Clone, Copy)]
pub struct Limit {
    deadline: Instant,
    /// As people are told it.
    pub patience: Span,
}

impl Limit {
    /// So long from `started` on.
    pub fn of(started: Instant, patience: Span) -> Self {
        Self { deadline: started + patience.as_duration(), patience }
    }

    /// An equal share of what is left, when so many have to get one.
    pub fn part_of(self, shares: usize) -> Self {
        if shares == 1 {
            return self;
        }
        let now = Instant::now();
        let part = self.deadline.saturating_duration_since(now) / shares as u32;
        Self { deadline: now + part, patience: Span::from_millis(part.as_millis() as u64) }
    }

    /// What `work` comes to, or that it took too long. A timer that is late by more than a second is no time-out.
    pub async fn hold<T>(
        self,
        phase: Phase,
        work: impl Future<Output = Result<T, impl Into<Failure>>>,
    ) -> Result<T, Failure> {
        match timeout_at(self.deadline, work).await {
            Ok(done) => done.map_err(Into::into),
            Err(_) if Instant::now() > self.deadline + STALL => Err(Hindrance::StoodStill.into()),
            Err(_) => Err(Fault::TimedOut { phase, within: self.patience }.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_that_is_late_blames_nobody() {
        for (late, hindered) in [(Duration::from_millis(999), false), (Duration::from_secs(60), true)] {
            let limit = Limit::of(Instant::now(), Span::from_secs(5));
            let work = async {
                tokio::time::advance(Duration::from_secs(5) + late).await;
                pending::<Result<(), Failure>>().await
            };
            let failure = limit.hold(Phase::Answer, work).await.unwrap_err();
            assert_eq!(matches!(failure, Failure::Hindered(Hindrance::StoodStill)), hindered, "{late:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_addresses_of_a_name_share_the_time() {
        for (shares, patience) in [(1, "6s"), (2, "3s"), (8, "750ms")] {
            let limit = Limit::of(Instant::now(), Span::from_secs(6)).part_of(shares);
            let failure = limit.hold(Phase::Answer, pending::<Result<(), Failure>>()).await.unwrap_err();
            assert_eq!(failure.to_string(), format!("no answer within {patience}"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_phase_is_named() {
        for (phase, line) in [
            (Phase::Resolve, "the host name was not resolved within 2s"),
            (Phase::Connect, "no connection within 2s"),
            (Phase::Tls, "the TLS handshake did not end within 2s"),
            (Phase::Request, "the request was not taken within 2s"),
            (Phase::Answer, "no answer within 2s"),
            (Phase::Rest, "the answer did not end within 2s"),
        ] {
            let limit = Limit::of(Instant::now(), Span::from_secs(2));
            let failure = limit.hold(phase, pending::<Result<(), Failure>>()).await.unwrap_err();
            assert_eq!(failure.to_string(), line);
        }
    }
}
