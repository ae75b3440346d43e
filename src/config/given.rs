//! What the sources say, gathered before it is read.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::node::Node;
use super::{Origin, Problem, Reason};

/// One value for a key.
pub(super) struct Given {
    pub origin: Origin,
    /// What a relative path starts from; empty for the working directory.
    pub base: PathBuf,
    pub node: Node,
}

/// The values of all sources, and what was wrong with the sources themselves.
#[derive(Default)]
pub(super) struct Gathered {
    values: BTreeMap<&'static str, Vec<Given>>,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
}

impl Gathered {
    /// Adds a value that outranks those that `key` has so far.
    pub fn add(&mut self, key: &'static str, given: Given) {
        self.values.entry(key).or_default().push(given);
    }

    /// The values of `key`, the one that counts last.
    pub fn take(&mut self, key: &str) -> Vec<Given> {
        self.values.remove(key).unwrap_or_default()
    }

    pub fn refuse(&mut self, origin: Origin, key: impl Into<String>, reason: Reason) {
        self.problems.push(Problem { origin, key: key.into(), reason });
    }
}
