//! The load that an instance reports, and what it leaves of its weight.

use serde_json::{Map, Value};

use super::json::Members;
use super::{Invalid, Reason, Weight};

/// How loaded an instance says it is. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Load(Map<String, Value>);

/// How much each kind of load counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LoadRules {
    /// Parts of CPU use, memory use and latency in the load, each 0 to 1.
    pub cpu: f64,
    pub memory: f64,
    pub latency: f64,
    /// Latency that counts as full, in milliseconds.
    pub latency_ms: u32,
    /// Reported use above which an instance is overloaded, 0 to 1; 0: never.
    pub limit: f64,
}

impl Default for LoadRules {
    fn default() -> Self {
        Self { cpu: 0.4, memory: 0.3, latency: 0.3, latency_ms: 1000, limit: 0.0 }
    }
}

const SHARES: &[&str] = &["cpu", "memory", "disk"];
const AMOUNTS: &[&str] = &["latency_ms", "connections", "requests", "errors"];

impl Load {
    /// Reads what a heartbeat reports.
    ///
    /// # Errors
    /// The first member that is unknown or out of range.
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let members = Members::of(value, &[SHARES, AMOUNTS].concat(), &[])?;
        for share in SHARES {
            members.optional(share, |value| match value.as_f64() {
                None => Err(Reason::Type { expected: "a number" }),
                Some(number) if (0.0..=1.0).contains(&number) => Ok(()),
                Some(_) => Err(Reason::Range { min: 0, max: 1 }),
            })?;
        }
        for amount in AMOUNTS {
            members.optional(amount, |value| match value.as_f64() {
                Some(number) if number >= 0.0 => Ok(()),
                _ => Err(Reason::Type { expected: "a number that is not negative" }),
            })?;
        }
        Ok(Self(value.as_object().cloned().unwrap_or_default()))
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// A reported number; `None` when it was not reported.
    pub fn number(&self, member: &str) -> Option<f64> {
        self.0.get(member).and_then(Value::as_f64)
    }

    /// The load as one number, 0 (idle) to 1 (full); `None` when nothing was reported that counts. Of what counts, what is
    /// not reported counts as none.
    pub fn total(&self, rules: &LoadRules) -> Option<f64> {
        let latency = self.number("latency_ms").map(|latency| (latency / f64::from(rules.latency_ms)).min(1.0));
        let parts = [(rules.cpu, self.number("cpu")), (rules.memory, self.number("memory")), (rules.latency, latency)];
        let known = parts.into_iter().filter_map(|(factor, part)| Some(factor * part.filter(|_| factor > 0.0)?));
        known.reduce(|sum, part| sum + part).map(|total| total.clamp(0.0, 1.0))
    }

    /// What this load means under `rules`.
    pub fn pressure(&self, rules: &LoadRules) -> Pressure {
        let capacity = Capacity::of_share(1.0 - self.total(rules).unwrap_or(0.0));
        Pressure { capacity, overloaded: self.overload(rules).is_some() }
    }

    /// The first reported use that is above the limit.
    pub fn overload(&self, rules: &LoadRules) -> Option<(&'static str, f64)> {
        let above = |share: &&'static str| self.number(share).map(|used| (*share, used));
        SHARES.iter().filter_map(above).find(|(_, used)| rules.limit > 0.0 && *used > rules.limit)
    }
}

/// What a reported load means for an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pressure {
    /// What the load leaves of its weight.
    pub capacity: Capacity,
    /// Whether it is too much to be healthy.
    pub overloaded: bool,
}

/// The share of an instance's weight that counts at the moment, in thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity(u16);

impl Capacity {
    pub const FULL: Self = Self(1_000);

    /// Capacities closer than this are one: answers are not made anew for every breath of an instance.
    const COARSE: u16 = 50;

    /// What `share`, 0 to 1, is.
    pub fn of_share(share: f64) -> Self {
        Self((share.clamp(0.0, 1.0) * 1_000.0).round() as u16)
    }

    /// Whether a change to `other` is worth making answers anew. Coming back to the full weight is.
    pub fn is_far_from(self, other: Self) -> bool {
        self.0.abs_diff(other.0) >= Self::COARSE || (other == Self::FULL && self != other)
    }

    /// Both shares at once.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        Self((u32::from(self.0) * u32::from(other.0) / 1_000) as u16)
    }

    /// How many of `parts` equal parts it fills.
    pub fn share_of(self, parts: u64) -> u64 {
        u64::from(self.0) * parts / 1_000
    }

    /// What is left of a weight: never less than 1, unless it was 0.
    pub fn of(self, weight: Weight) -> Weight {
        let left = (u32::from(weight.0) * u32::from(self.0) + 500) / 1_000;
        Weight(left.max(1).min(u32::from(weight.0)) as u16)
    }
}

impl Default for Capacity {
    fn default() -> Self {
        Self::FULL
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const RULES: LoadRules = LoadRules { cpu: 0.4, memory: 0.3, latency: 0.3, latency_ms: 1000, limit: 0.9 };

    #[test]
    fn load_is_checked() {
        let good = json!({"cpu": 0.5, "memory": 1, "latency_ms": 12.5, "connections": 3});
        assert_eq!(Load::from_json(&good).unwrap().to_json(), good);
        for (load, field) in [
            (json!({"cpu": 1.5}), "cpu"),
            (json!({"cpu": "high"}), "cpu"),
            (json!({"errors": -1}), "errors"),
            (json!({"gpu": 1}), "gpu"),
            (json!(1), ""),
        ] {
            assert_eq!(Load::from_json(&load).unwrap_err().field, field, "{load}");
        }
    }

    #[test]
    fn each_kind_counts_with_its_factor() {
        for (load, total) in [
            (json!({"cpu": 0}), 0.0),
            (json!({"cpu": 0.5}), 0.2),
            (json!({"memory": 1}), 0.3),
            (json!({"latency_ms": 500}), 0.15),
            (json!({"latency_ms": 60_000}), 0.3),
            (json!({"cpu": 1, "memory": 1, "latency_ms": 1000}), 1.0),
        ] {
            let found = Load::from_json(&load).unwrap().total(&RULES).unwrap();
            assert!((found - total).abs() < 1e-9, "{load}: {found}");
        }
        for load in [json!({}), json!({"disk": 1, "connections": 9})] {
            assert_eq!(Load::from_json(&load).unwrap().total(&RULES), None, "{load}");
        }
        let latency_alone = LoadRules { cpu: 0.0, memory: 0.0, ..RULES };
        assert_eq!(Load::from_json(&json!({"cpu": 1})).unwrap().total(&latency_alone), None);
    }

    #[test]
    fn use_above_the_limit_is_overload() {
        let overload = |load: Value, rules: &LoadRules| Load::from_json(&load).unwrap().overload(rules);
        assert_eq!(overload(json!({"cpu": 0.9, "disk": 0.91}), &RULES), Some(("disk", 0.91)));
        assert_eq!(overload(json!({"cpu": 0.9}), &RULES), None);
        assert_eq!(overload(json!({"cpu": 1}), &LoadRules { limit: 0.0, ..RULES }), None);
    }

    #[test]
    fn capacity_never_takes_a_weight_away() {
        for (share, weight, left) in
            [(1.0, 100, 100), (0.8, 100, 80), (0.0, 100, 1), (0.0, 0, 0), (0.5, 1, 1), (0.004, 65_535, 262)]
        {
            assert_eq!(Capacity::of_share(share).of(Weight(weight)), Weight(left), "{share} of {weight}");
        }
        let half = Capacity::of_share(0.5);
        assert_eq!(half.times(half), Capacity::of_share(0.25));
        assert!(Capacity::of_share(0.96).is_far_from(Capacity::FULL) && !Capacity::FULL.is_far_from(Capacity::FULL));
        assert!(!half.is_far_from(Capacity::of_share(0.54)) && half.is_far_from(Capacity::of_share(0.55)));
    }
}
