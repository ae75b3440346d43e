//! Numbers that look alike and are not: each has its own type.

use std::fmt;

use serde_json::Value;

use super::{Reason, json};

/// A transport port, 1 to 65535.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(u16);

impl Port {
    /// `None` for 0, which names no port.
    pub fn new(number: u16) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    pub fn from_json(value: &Value) -> Result<Self, Reason> {
        Ok(Self(json::integer(value, 1..=65_535)? as u16))
    }

    pub fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The SRV priority: lower is asked first (RFC 2782).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Priority(pub u16);

/// The share of traffic among equals in priority (RFC 2782); 0 is the last resort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(pub u16);

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// A share of a whole, 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Fraction(f64);

/// No fraction is NaN.
impl Eq for Fraction {}

impl Fraction {
    /// `None` outside of 0 to 1.
    pub fn new(number: f64) -> Option<Self> {
        (0.0..=1.0).contains(&number).then_some(Self(number))
    }

    pub fn from_json(value: &Value) -> Result<Self, Reason> {
        let number = value.as_f64().ok_or(Reason::Type { expected: "a number" })?;
        Self::new(number).ok_or(Reason::Range { min: 0, max: 1 })
    }

    pub fn get(self) -> f64 {
        self.0
    }
}

/// The position of a change in the registry's one order. It never goes back, restarts included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Revision(pub u64);

impl Revision {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The SOA serial of this revision: its low 32 bits, compared by serial arithmetic (RFC 1982).
    pub fn serial(self) -> u32 {
        self.0 as u32
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
