//! Figures of the engine and of the checks.

use std::time::Duration;

use crate::model::CheckKind;
use crate::telemetry::metrics::{Counter, Exposition, Figure, Histogram, Sample, Source, Type};

/// From what memory takes to what a disk takes that is busy.
const WORK: &[Duration] = &[
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// From what nobody notices to what is longer than an interval.
const LATENESS: &[Duration] = &[
    Duration::from_millis(1),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(10),
    Duration::from_secs(30),
];

/// What has happened since the start of the process.
#[derive(Debug)]
pub struct Metrics {
    pub registrations: Counter,
    pub deregistrations: Counter,
    pub reaped: Counter,
    /// Heartbeats of instances that are registered.
    pub heartbeats: Counter,
    pub lapses: Counter,
    pub standstills: Counter,
    pub publications: Histogram,
    pub commits: Histogram,
    pub failed_commits: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        let (registrations, deregistrations, reaped, heartbeats, lapses, standstills, failed_commits) =
            Default::default();
        let [publications, commits] = [WORK; 2].map(Histogram::new);
        Self {
            registrations,
            deregistrations,
            reaped,
            heartbeats,
            lapses,
            standstills,
            publications,
            commits,
            failed_commits,
        }
    }
}

impl Source for Metrics {
    fn tell(&self, to: &mut Exposition) {
        let mut counter = |name, help, counter: &Counter| to.counter(name, help, counter.value());
        counter("srvd_registrations_total", "Instances that were registered anew.", &self.registrations);
        counter("srvd_deregistrations_total", "Instances that someone deregistered.", &self.deregistrations);
        counter("srvd_reaped_total", "Instances that were removed because they were gone.", &self.reaped);
        counter("srvd_heartbeats_total", "Heartbeats of registered instances.", &self.heartbeats);
        counter("srvd_lapses_total", "Leases that lapsed without a heartbeat.", &self.lapses);
        counter(
            "srvd_standstills_total",
            "Times that the process stood still, after which every lease got its full time again.",
            &self.standstills,
        );
        counter(
            "srvd_store_commit_failures_total",
            "Commits that the store did not take; what clients wanted to write was refused.",
            &self.failed_commits,
        );
        to.histogram(
            "srvd_publish_seconds",
            "From a change being handed over, or noticed, to its being in DNS; one for all that were published together.",
            [&self.publications],
        );
        to.histogram(
            "srvd_store_commit_seconds",
            "What the commits took that succeeded, until what they wrote could be shown.",
            [&self.commits],
        );
    }

    fn measure(&self, sample: &mut Sample) {
        for (figure, counters) in [
            (Figure::Registrations, &[&self.registrations][..]),
            (Figure::Removals, &[&self.deregistrations, &self.reaped]),
            (Figure::Heartbeats, &[&self.heartbeats]),
            (Figure::Lapses, &[&self.lapses]),
        ] {
            counters.iter().for_each(|counter| sample.add(figure, counter.value()));
        }
    }
}

/// How a run of a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckOutcome {
    Passing,
    Failing,
    /// It could not be carried out, which is no result.
    Hindered,
}

const OUTCOMES: [(CheckOutcome, &str); 3] =
    [(CheckOutcome::Passing, "passing"), (CheckOutcome::Failing, "failing"), (CheckOutcome::Hindered, "hindered")];
const KINDS: [&str; 3] = ["http", "tcp", "grpc"];

/// What has come of checks since the start of the process.
#[derive(Debug)]
pub struct CheckMetrics {
    /// By kind and outcome.
    ended: [[Counter; OUTCOMES.len()]; KINDS.len()],
    pub lateness: Histogram,
}

impl Default for CheckMetrics {
    fn default() -> Self {
        Self { ended: Default::default(), lateness: Histogram::new(LATENESS) }
    }
}

impl CheckMetrics {
    /// Counts the end of a run.
    pub fn ended(&self, kind: &CheckKind, outcome: CheckOutcome) {
        let row = match kind {
            CheckKind::Http { .. } => 0,
            CheckKind::Tcp => 1,
            CheckKind::Grpc { .. } => 2,
        };
        self.ended[row][outcome as usize].increment();
    }
}

impl Source for CheckMetrics {
    fn tell(&self, to: &mut Exposition) {
        let help = "Ends of checks; hindered ones could not be carried out, which is no result.";
        let mut family = to.family("srvd_checks_total", Type::Counter, help);
        for (kind, row) in KINDS.into_iter().zip(&self.ended) {
            for (outcome, result) in OUTCOMES {
                family.sample(&[("kind", kind), ("result", result)], row[outcome as usize].value());
            }
        }
        let help = "How long after they were due checks started.";
        to.histogram("srvd_check_lateness_seconds", help, [&self.lateness]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_are_counted_by_kind_and_result() {
        let metrics = CheckMetrics::default();
        metrics.ended(&CheckKind::Tcp, CheckOutcome::Failing);
        metrics.ended(&CheckKind::Grpc { service: String::new() }, CheckOutcome::Hindered);
        metrics.ended(&CheckKind::Grpc { service: "x".to_owned() }, CheckOutcome::Hindered);
        let mut exposition = Exposition::default();
        metrics.tell(&mut exposition);
        let text = exposition.into_text();
        for line in [
            "srvd_checks_total{kind=\"http\",result=\"passing\"} 0\n",
            "srvd_checks_total{kind=\"tcp\",result=\"failing\"} 1\n",
            "srvd_checks_total{kind=\"grpc\",result=\"hindered\"} 2\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
