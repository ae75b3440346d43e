//! How loaded an instance is, by what it reports.

use crate::model::Load;

/// How much each part of a report counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadFactors {
    pub cpu: f64,
    pub memory: f64,
    pub latency: f64,
    /// Latency that counts as full load, in milliseconds.
    pub latency_ms: u32,
}

/// The load of an instance of which nothing is known: in the middle, so that it is neither flooded nor left out.
pub(super) const UNKNOWN: f64 = 0.5;

impl LoadFactors {
    /// The load that a report amounts to, 0 to 1: the mean of the parts that it has, each by its factor.
    pub(super) fn load(&self, report: Option<&Load>) -> f64 {
        let share = |name: &str| report.and_then(|report| report.number(name));
        let latency = share("latency_ms").map(|latency| (latency / f64::from(self.latency_ms.max(1))).min(1.0));
        let parts = [(self.cpu, share("cpu")), (self.memory, share("memory")), (self.latency, latency)];
        let known = parts.into_iter().filter_map(|(factor, share)| Some((factor, share?)));
        let (sum, factors) =
            known.fold((0.0, 0.0), |(sum, factors), (factor, share)| (sum + factor * share, factors + factor));
        if factors > 0.0 { sum / factors } else { UNKNOWN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_parts_of_a_report_count_by_their_factors() {
        let factors = LoadFactors { cpu: 0.4, memory: 0.3, latency: 0.3, latency_ms: 1000 };
        for (report, load) in [
            (json!({"cpu": 1.0, "memory": 0.5, "latency_ms": 100}), 0.4 + 0.15 + 0.03),
            (json!({"cpu": 0.25}), 0.25),
            (json!({"cpu": 0.0, "memory": 0.7}), 0.3),
            (json!({"latency_ms": 5000}), 1.0),
            (json!({"connections": 7}), UNKNOWN),
        ] {
            let read = Load::from_json(&report).unwrap();
            assert!((factors.load(Some(&read)) - load).abs() < 1e-9, "{report}");
        }
        assert_eq!(factors.load(None), UNKNOWN);
        let nothing_counts = LoadFactors { cpu: 0.0, memory: 0.0, latency: 0.0, latency_ms: 1000 };
        assert_eq!(nothing_counts.load(Some(&Load::from_json(&json!({"cpu": 1.0})).unwrap())), UNKNOWN);
    }
}
