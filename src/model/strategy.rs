//! How one instance is picked out of several.

use serde_json::Value;

use super::{Reason, json as read};

/// A way to pick one of the instances that DNS would serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// At random, in proportion to the weights.
    #[default]
    Weighted,
    /// One after the other.
    RoundRobin,
    /// At random, each as likely as any other.
    Random,
    /// The one that reports the least load.
    LeastLoaded,
    /// The one that reports the fewest connections.
    LeastConnections,
    /// The one that a key belongs to, for as long as it is there.
    ConsistentHash,
}

impl Strategy {
    pub const ALL: [Self; 6] = [
        Self::Weighted,
        Self::RoundRobin,
        Self::Random,
        Self::LeastLoaded,
        Self::LeastConnections,
        Self::ConsistentHash,
    ];
    /// Their names, in the same order.
    pub const NAMES: &'static [&'static str] =
        &["weighted", "round_robin", "random", "least_loaded", "least_connections", "consistent_hash"];

    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    pub fn parse(text: &str) -> Result<Self, Reason> {
        let found = Self::ALL.into_iter().find(|strategy| strategy.as_str() == text);
        found.ok_or(Reason::Choice { choices: Self::NAMES })
    }

    pub fn from_json(value: &Value) -> Result<Self, Reason> {
        Self::parse(read::string(value)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_has_its_name() {
        assert_eq!(Strategy::ALL.len(), Strategy::NAMES.len());
        for (strategy, name) in Strategy::ALL.into_iter().zip(Strategy::NAMES) {
            assert_eq!(Strategy::parse(name), Ok(strategy));
        }
        assert_eq!(Strategy::ConsistentHash.as_str(), "consistent_hash");
        assert_eq!(Strategy::parse("Weighted"), Err(Reason::Choice { choices: Strategy::NAMES }));
    }
}
