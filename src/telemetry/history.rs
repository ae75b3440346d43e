//! Figures of the last hour, for who looks at the server without a Prometheus beside it.
//!
//! A sample is taken every ten seconds and kept for an hour: 360 of them, some ninety octets each, whatever the server
//! has to do. What is counted grows from the start of the process, as in a scrape, so that a reader makes rates of any
//! two samples.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use parking_lot::Mutex;

/// From one sample to the next.
pub const INTERVAL: Duration = Duration::from_secs(10);
/// Samples of an hour.
const SAMPLES: usize = 360;

/// What is kept: the member in the reply, and what it is.
pub const COUNTED: &[(&str, &str)] = &[
    ("queries", "DNS queries that had an answer, whatever it was."),
    ("nxdomain", "Those answered NXDOMAIN."),
    ("failed", "Those answered SERVFAIL."),
    ("refused", "Those answered with any other code but NOERROR."),
    ("registrations", "Instances that were registered anew."),
    ("removals", "Instances that were deregistered or reaped."),
    ("heartbeats", "Heartbeats of registered instances."),
    ("lapses", "Leases that lapsed."),
    ("services", "Services that have instances, at that time."),
    ("healthy", "Healthy instances, at that time."),
    ("unhealthy", "Instances that are unhealthy, lapsed or starting, at that time."),
    ("withdrawn", "Instances that are draining or in maintenance, at that time."),
];

/// The place of a figure in [`COUNTED`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    Queries,
    NxDomain,
    Failed,
    Refused,
    Registrations,
    Removals,
    Heartbeats,
    Lapses,
    Services,
    Healthy,
    Unhealthy,
    Withdrawn,
}

/// The figures at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    pub at: Timestamp,
    figures: [u64; COUNTED.len()],
}

impl Sample {
    /// Nothing yet.
    pub fn at(at: Timestamp) -> Self {
        Self { at, figures: [0; COUNTED.len()] }
    }

    /// Adds to a figure.
    pub fn add(&mut self, figure: Figure, more: u64) {
        self.figures[figure as usize] += more;
    }

    /// Each figure with the member that it goes by.
    pub fn figures(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        COUNTED.iter().zip(&self.figures).map(|((name, _), figure)| (*name, *figure))
    }
}

/// The samples of the last hour.
#[derive(Debug, Default)]
pub struct History(Mutex<VecDeque<Sample>>);

impl History {
    /// Keeps a sample, and forgets what is older than an hour.
    pub fn keep(&self, sample: Sample) {
        let mut samples = self.0.lock();
        if samples.len() == SAMPLES {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// All that is kept, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        self.0.lock().iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_and_no_more() {
        let history = History::default();
        for second in 0..1_000 {
            let mut sample = Sample::at(Timestamp::from_second(second).unwrap());
            sample.add(Figure::Queries, second as u64);
            history.keep(sample);
        }
        let samples = history.samples();
        assert_eq!((samples.len(), samples[0].at.as_second(), samples[359].at.as_second()), (360, 640, 999));
        assert_eq!(samples[0].figures().next(), Some(("queries", 640)));
        assert_eq!(INTERVAL * SAMPLES as u32, Duration::from_secs(3_600));
    }

    #[test]
    fn every_figure_has_its_name() {
        for (figure, name) in [
            (Figure::Queries, "queries"),
            (Figure::Refused, "refused"),
            (Figure::Lapses, "lapses"),
            (Figure::Withdrawn, "withdrawn"),
        ] {
            assert_eq!(COUNTED[figure as usize].0, name);
        }
        assert_eq!(Figure::Withdrawn as usize + 1, COUNTED.len());
    }
}
