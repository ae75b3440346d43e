//! A span of time as people write it: `500ms`, `30s`, `1h30m`.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::Reason;

const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A span in whole milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Span {
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    pub const fn from_secs(secs: u64) -> Self {
        Self(secs * 1_000)
    }

    /// Reads numbers with units, each unit at most once and from the largest down: `1d`, `1h30m`, `500ms`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text;
        let mut units = UNITS.iter();
        let mut millis: u64 = 0;
        if rest.is_empty() {
            return None;
        }
        while !rest.is_empty() {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let letters = rest[digits..].bytes().take_while(u8::is_ascii_alphabetic).count();
            let (number, unit) = (&rest[..digits], &rest[digits..digits + letters]);
            let (_, factor) = units.find(|(name, _)| *name == unit)?;
            millis = millis.checked_add(number.parse::<u64>().ok()?.checked_mul(*factor)?)?;
            rest = &rest[digits + letters..];
        }
        Some(Self(millis))
    }

    /// This span, if it lies within `range` milliseconds.
    pub fn within(self, range: RangeInclusive<u64>) -> Result<Self, Reason> {
        if range.contains(&self.0) {
            Ok(self)
        } else {
            Err(Reason::SpanRange { min: Self(*range.start()), max: Self(*range.end()) })
        }
    }

    pub const fn as_millis(self) -> u64 {
        self.0
    }

    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0s");
        }
        let mut rest = self.0;
        for (name, factor) in UNITS {
            // Days only where they come out even: `24h` and `1d` are both read, and hours read better below a week.
            if name == "d" && (!rest.is_multiple_of(factor) || rest < 2 * factor) {
                continue;
            }
            if rest >= factor {
                write!(f, "{}{name}", rest / factor)?;
                rest %= factor;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, millis, shown) in [
            ("30s", 30_000, "30s"),
            ("500ms", 500, "500ms"),
            ("90s", 90_000, "1m30s"),
            ("1h30m", 5_400_000, "1h30m"),
            ("24h", 86_400_000, "24h"),
            ("1d", 86_400_000, "24h"),
            ("30d", 2_592_000_000, "30d"),
            ("1m500ms", 60_500, "1m500ms"),
            ("0s", 0, "0s"),
        ] {
            let span = Span::parse(text).unwrap();
            assert_eq!(span.as_millis(), millis, "{text}");
            assert_eq!(span.to_string(), shown);
            assert_eq!(Span::parse(shown), Some(span));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in
            ["", "30", "s", "-1s", "1.5s", "30 s", "1m1h", "1s1s", "99999999999999999999s", "300000000000d", "1y", "é"]
        {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}
