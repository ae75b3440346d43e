//! The text of a scrape (Prometheus, "Text-based format", version 0.0.4).
//!
//! ```text
//! # HELP srvd_instances Registered instances by status.
//! # TYPE srvd_instances gauge
//! srvd_instances{status="healthy"} 3
//! ```

use std::fmt::{Display, Write};
use std::time::Duration;

use super::histogram::{Held, Histogram};

/// What the text is sent as.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The text of a scrape as it grows.
#[derive(Debug, Default)]
pub struct Exposition(String);

/// What a family is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Counter,
    Gauge,
    Histogram,
}

/// The samples of one family. Each set of labels comes once.
#[derive(Debug)]
pub struct Family<'a> {
    text: &'a mut String,
    name: &'a str,
}

impl Exposition {
    /// Begins a family, which is told as a whole before the next one begins; each name comes once. A family without
    /// samples is told too, so that its name is known from the start.
    pub fn family<'a>(&'a mut self, name: &'a str, kind: Type, help: &str) -> Family<'a> {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        let text = &mut self.0;
        *text += "# HELP ";
        *text += name;
        *text += " ";
        escape(text, help, false);
        *text += "\n# TYPE ";
        *text += name;
        *text += " ";
        *text += kind;
        *text += "\n";
        Family { text, name }
    }

    /// A counter without labels.
    pub fn counter(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Type::Counter, help).sample(&[], value);
    }

    /// A gauge without labels.
    pub fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.family(name, Type::Gauge, help).sample(&[], value);
    }

    /// A histogram without labels: the sum of `parts`, which have the same bounds. Without any part it has no samples.
    pub fn histogram<'h>(&mut self, name: &str, help: &str, parts: impl IntoIterator<Item = &'h Histogram>) {
        let family = self.family(name, Type::Histogram, help);
        let mut parts = parts.into_iter();
        let Some(first) = parts.next() else { return };
        let held = parts.fold(Held::NOTHING.with(&first.held()), |held, part| held.with(&part.held()));
        family.buckets(first.bounds(), &held);
    }

    pub fn into_text(self) -> String {
        self.0
    }
}

impl Family<'_> {
    /// Adds a sample; `value` is shown as Prometheus reads numbers, as integers and `f64` are.
    pub fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) {
        self.line("", labels, value);
    }

    fn buckets(mut self, bounds: &[Duration], held: &Held) {
        let mut count = 0;
        for (bound, own) in bounds.iter().zip(held.counts) {
            count += own;
            self.line("_bucket", &[("le", &bound.as_secs_f64().to_string())], count);
        }
        count += held.counts[bounds.len()];
        self.line("_bucket", &[("le", "+Inf")], count);
        self.line("_sum", &[], held.sum.as_secs_f64());
        self.line("_count", &[], count);
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let text = &mut *self.text;
        *text += self.name;
        *text += suffix;
        for (at, (name, value)) in labels.iter().enumerate() {
            *text += if at == 0 { "{" } else { "," };
            *text += name;
            *text += "=\"";
            escape(text, value, true);
            *text += "\"";
        }
        if !labels.is_empty() {
            *text += "}";
        }
        // A string takes everything.
        writeln!(text, " {value}").ok();
    }
}

/// Adds `raw` with a backslash before what would end it or begin something else.
fn escape(text: &mut String, raw: &str, quoted: bool) {
    for character in raw.chars() {
        match character {
            '\\' => *text += "\\\\",
            '\n' => *text += "\\n",
            '"' if quoted => *text += "\\\"",
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_prometheus_reads_them() {
        let mut exposition = Exposition::default();
        exposition.gauge("g", "A \"quoted\" back\\slash\nand a line.", 0.000_25);
        let mut family = exposition.family("c_total", Type::Counter, "Two.");
        family.sample(&[("a", "x\\y\"z\n"), ("b", "")], 7);
        family.sample(&[("a", "é"), ("b", "2")], u64::MAX);
        exposition.family("empty", Type::Gauge, "None.");
        let expected = concat!(
            "# HELP g A \"quoted\" back\\\\slash\\nand a line.\n# TYPE g gauge\ng 0.00025\n",
            "# HELP c_total Two.\n# TYPE c_total counter\n",
            "c_total{a=\"x\\\\y\\\"z\\n\",b=\"\"} 7\nc_total{a=\"é\",b=\"2\"} 18446744073709551615\n",
            "# HELP empty None.\n# TYPE empty gauge\n",
        );
        assert_eq!(exposition.into_text(), expected);
    }

    #[test]
    fn histograms_are_cumulative_and_add_up() {
        const BOUNDS: &[Duration] = &[Duration::from_micros(5), Duration::from_millis(250)];
        let parts = [Histogram::new(BOUNDS), Histogram::new(BOUNDS)];
        parts[0].observe(Duration::from_micros(1));
        parts[1].observe(Duration::from_millis(100));
        parts[1].observe(Duration::from_millis(500));
        let mut exposition = Exposition::default();
        exposition.histogram("h_seconds", "Times.", &parts);
        let expected = concat!(
            "# HELP h_seconds Times.\n# TYPE h_seconds histogram\n",
            "h_seconds_bucket{le=\"0.000005\"} 1\nh_seconds_bucket{le=\"0.25\"} 2\nh_seconds_bucket{le=\"+Inf\"} 3\n",
            "h_seconds_sum 0.600001\nh_seconds_count 3\n",
        );
        assert_eq!(exposition.into_text(), expected);
    }
}
