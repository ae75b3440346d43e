//! Queries a second, from two looks at the counters of `/metrics`.

use std::collections::BTreeMap;
use std::time::Duration;

/// The counter of queries.
const QUERIES: &str = "srvd_dns_queries_total{";

/// Queries so far, by type and by response code.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Counts {
    total: f64,
    by_type: BTreeMap<String, f64>,
    by_rcode: BTreeMap<String, f64>,
}

/// Queries a second, the most frequent first.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Rates {
    pub(super) total: f64,
    pub(super) by_type: Vec<(String, f64)>,
    pub(super) by_rcode: Vec<(String, f64)>,
}

impl Counts {
    /// Reads what counts queries out of the text format of Prometheus.
    pub(super) fn read(metrics: &str) -> Self {
        let mut counts = Self::default();
        for line in metrics.lines() {
            let Some((labels, value)) = line.strip_prefix(QUERIES).and_then(|rest| rest.rsplit_once("} ")) else {
                continue;
            };
            let Some(value) = value.split_whitespace().next().and_then(|value| value.parse::<f64>().ok()) else {
                continue;
            };
            counts.total += value;
            for (of, name) in [(&mut counts.by_type, "type"), (&mut counts.by_rcode, "rcode")] {
                if let Some(label) = label(labels, name) {
                    *of.entry(label.to_owned()).or_default() += value;
                }
            }
        }
        counts
    }

    /// What came since `before`, a second. Counters that are lower than before belong to a server that was started anew.
    pub(super) fn since(&self, before: &Self, time: Duration) -> Rates {
        let seconds = time.as_secs_f64().max(0.001);
        let rate = |now: f64, before: f64| (if now >= before { now - before } else { now }) / seconds;
        let rates = |now: &BTreeMap<String, f64>, before: &BTreeMap<String, f64>| {
            let of = |name: &String| before.get(name).copied().unwrap_or_default();
            let mut rates: Vec<_> = now.iter().map(|(name, count)| (name.clone(), rate(*count, of(name)))).collect();
            rates.retain(|(_, rate)| *rate > 0.0);
            rates.sort_by(|a, b| b.1.total_cmp(&a.1));
            rates
        };
        Rates {
            total: rate(self.total, before.total),
            by_type: rates(&self.by_type, &before.by_type),
            by_rcode: rates(&self.by_rcode, &before.by_rcode),
        }
    }
}

/// The value of one label; those of interest hold no quotes.
fn label<'a>(labels: &'a str, name: &str) -> Option<&'a str> {
    let mark = format!("{name}=\"");
    let is_whole = |at: usize| at == 0 || labels[..at].ends_with(',');
    let at = labels.match_indices(&mark).map(|(at, _)| at).find(|at| is_whole(*at))?;
    labels[at + mark.len()..].split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "\
# TYPE srvd_dns_queries_total counter
srvd_dns_queries_total{zone=\"svc.local.\",transport=\"udp\",type=\"A\",rcode=\"NOERROR\"} 10
srvd_dns_queries_total{zone=\"svc.local.\",transport=\"tcp\",type=\"A\",rcode=\"NXDOMAIN\"} 2
srvd_dns_truncated_total 7
";
    const NOW: &str = "\
srvd_dns_queries_total{zone=\"svc.local.\",transport=\"udp\",type=\"A\",rcode=\"NOERROR\"} 30 1700000000
srvd_dns_queries_total{zone=\"svc.local.\",transport=\"tcp\",type=\"A\",rcode=\"NXDOMAIN\"} 2
srvd_dns_queries_total{zone=\"svc.local.\",transport=\"udp\",type=\"SRV\",rcode=\"NOERROR\"} 40
srvd_dns_queries_total{zone=\"x\",type=\"TXT\",rcode=\"REFUSED\"} nonsense
";

    #[test]
    fn rates() {
        let rates = Counts::read(NOW).since(&Counts::read(BEFORE), Duration::from_secs(2));
        assert_eq!(rates.total, 30.0);
        assert_eq!(rates.by_type, [("SRV".to_owned(), 20.0), ("A".to_owned(), 10.0)]);
        assert_eq!(rates.by_rcode, [("NOERROR".to_owned(), 30.0)]);
    }

    #[test]
    fn a_server_that_was_started_anew_counts_from_nothing() {
        let rates = Counts::read(BEFORE).since(&Counts::read(NOW), Duration::from_secs(1));
        assert_eq!((rates.total, rates.by_type), (12.0, vec![("A".to_owned(), 12.0)]));
        assert_eq!(Counts::read("").since(&Counts::default(), Duration::ZERO), Rates::default());
    }

    #[test]
    fn labels() {
        for (labels, name, value) in [
            ("type=\"A\",rcode=\"NOERROR\"", "type", Some("A")),
            ("subtype=\"B\",type=\"A\"", "type", Some("A")),
            ("subtype=\"B\"", "type", None),
            ("", "type", None),
        ] {
            assert_eq!(label(labels, name), value, "{labels}");
        }
    }
}
