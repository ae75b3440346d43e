//! What an operator sets for a whole service. It is kept apart from the instances, and may be there before the first.

use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::json::{self as read, Members};
use super::{CheckDefaults, CheckSpec, Fraction, Invalid, Reason, Span, Strategy, limits};

/// Settings of a service. What is not set is as the configuration says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// When a smaller share of the service is healthy, unhealthy instances are answered too.
    pub panic_threshold: Option<Fraction>,
    /// The ramp of the weight of instances that do not say.
    pub slow_start: Option<SlowStart>,
    /// The checks of instances that bring none.
    pub default_checks: Option<Vec<CheckSpec>>,
    /// How one instance is picked when a client does not say.
    pub strategy: Option<Strategy>,
    /// Whether mass expiry is held back for this service.
    pub protection: Option<bool>,
    /// TTL of the service's records, in seconds (RFC 2181 §8).
    pub record_ttl: Option<u32>,
    pub description: Option<SmolStr>,
}

/// How the weight comes back after an instance turned healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlowStart {
    /// At once.
    None,
    /// Growing over this span.
    Over(Span),
}

impl SlowStart {
    /// The span of the ramp, if there is one.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::None => None,
            Self::Over(span) => Some(span),
        }
    }
}

const MEMBERS: &[&str] =
    &["panic_threshold", "slow_start", "default_checks", "strategy", "protection", "record_ttl", "description"];

impl Settings {
    /// Nothing set.
    pub const UNSET: Self = Self {
        panic_threshold: None,
        slow_start: None,
        default_checks: None,
        strategy: None,
        protection: None,
        record_ttl: None,
        description: None,
    };

    /// Reads settings; checks get what they leave out from `defaults`. The name of the service may stand beside them and
    /// is left to others.
    ///
    /// # Errors
    /// The first member that is wrong, with its path.
    pub fn from_json(value: &Value, defaults: &CheckDefaults) -> Result<Self, Invalid> {
        let members = Members::of(value, MEMBERS, &["service"])?;
        let checks = |checks| read::list(checks, limits::CHECKS, |check| CheckSpec::from_json(check, defaults));
        let seconds = |value: &Value| read::integer(value, limits::RECORD_TTL).map(|seconds| seconds as u32);
        Ok(Self {
            panic_threshold: members.optional("panic_threshold", Fraction::from_json)?,
            slow_start: members.optional("slow_start", slow_start)?,
            default_checks: members.optional("default_checks", checks)?,
            strategy: members.optional("strategy", Strategy::from_json)?,
            protection: members.optional("protection", read::boolean)?,
            record_ttl: members.optional("record_ttl", seconds)?,
            description: members.optional("description", description)?,
        })
    }

    /// What is set, as [`Self::from_json`] reads it.
    pub fn to_json(&self) -> Map<String, Value> {
        let slow_start = self.slow_start.map(|slow_start| match slow_start {
            SlowStart::None => "none".to_owned(),
            SlowStart::Over(span) => span.to_string(),
        });
        let checks = self.default_checks.as_ref();
        let members: [(&str, Option<Value>); 7] = [
            ("panic_threshold", self.panic_threshold.map(|share| share.get().into())),
            ("slow_start", slow_start.map(Value::from)),
            ("default_checks", checks.map(|checks| checks.iter().map(CheckSpec::to_json).collect())),
            ("strategy", self.strategy.map(|strategy| strategy.as_str().into())),
            ("protection", self.protection.map(Value::from)),
            ("record_ttl", self.record_ttl.map(Value::from)),
            ("description", self.description.as_deref().map(Value::from)),
        ];
        members.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// Whether nothing is set.
    pub fn is_empty(&self) -> bool {
        *self == Self::UNSET
    }
}

fn slow_start(value: &Value) -> Result<SlowStart, Reason> {
    if value.as_str() == Some("none") {
        return Ok(SlowStart::None);
    }
    read::span(value, limits::SLOW_START).map(SlowStart::Over)
}

fn description(value: &Value) -> Result<SmolStr, Reason> {
    let text = read::string(value)?;
    if text.len() > limits::DESCRIPTION {
        return Err(Reason::Length { min: 0, max: limits::DESCRIPTION });
    }
    Ok(SmolStr::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_set_is_written_back() {
        let check = json!({"kind": "tcp", "interval": "1s", "timeout": "500ms", "rise": 1, "fall": 1});
        let full = json!({"panic_threshold": 0.5, "slow_start": "30s", "default_checks": [check],
                          "strategy": "least_loaded", "protection": false, "record_ttl": 0, "description": "front"});
        let settings = Settings::from_json(&full, &CheckDefaults::default()).unwrap();
        assert_eq!(Value::Object(settings.to_json()), full);
        assert!(!settings.is_empty());
        for part in [json!({}), json!({"slow_start": "none"}), json!({"default_checks": []})] {
            assert_eq!(Value::Object(Settings::from_json(&part, &CheckDefaults::default()).unwrap().to_json()), part);
        }
        assert!(Settings::from_json(&json!({}), &CheckDefaults::default()).unwrap().is_empty());
    }

    #[test]
    fn faults_are_named() {
        for (settings, field) in [
            (json!([]), ""),
            (json!({"panic_threshold": 1.5}), "panic_threshold"),
            (json!({"panic_threshold": -0.1}), "panic_threshold"),
            (json!({"panic_threshold": "half"}), "panic_threshold"),
            (json!({"slow_start": "1ms"}), "slow_start"),
            (json!({"slow_start": 5}), "slow_start"),
            (json!({"default_checks": [{"kind": "tcp"}, {"kind": "ping"}]}), "default_checks[1].kind"),
            (json!({"default_checks": {"kind": "tcp"}}), "default_checks"),
            (json!({"strategy": "best"}), "strategy"),
            (json!({"protection": 1}), "protection"),
            (json!({"record_ttl": 86_401}), "record_ttl"),
            (json!({"record_ttl": "5s"}), "record_ttl"),
            (json!({"description": "x".repeat(limits::DESCRIPTION + 1)}), "description"),
            (json!({"description": null}), "description"),
            (json!({"panic_treshold": 0.5}), "panic_treshold"),
        ] {
            assert_eq!(
                Settings::from_json(&settings, &CheckDefaults::default()).unwrap_err().field,
                field,
                "{settings}"
            );
        }
    }
}
