//! What a run of a check found, as one of a closed set, and the one line that people read about it.
//!
//! The line holds nothing that the target sent except its status code: what a body or a header says is not for everyone
//! who may read the registry.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hyper::StatusCode;

use crate::outbound::{Failure, Fault, Hindrance, show_status};

/// The result of one run.
#[derive(Debug)]
pub struct Finding {
    /// The address that decided, where that is not plain.
    address: Option<IpAddr>,
    outcome: Outcome,
    took: Duration,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Passed(Pass),
    Failed(Fault),
    /// The check could not be carried out: this says nothing about the target.
    Hindered(Hindrance),
}

/// Why a check passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pass {
    Connected,
    Status(StatusCode),
    Serving,
}

impl Finding {
    pub fn new(address: Option<IpAddr>, outcome: Outcome, took: Duration) -> Self {
        Self { address, outcome, took }
    }

    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    /// From the start of the run to its end, in milliseconds.
    pub fn took_ms(&self) -> u32 {
        u32::try_from(self.took.as_millis()).unwrap_or(u32::MAX)
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Failed(fault) => Self::Failed(fault),
            Failure::Hindered(hindrance) => Self::Hindered(hindrance),
        }
    }
}

impl From<Fault> for Outcome {
    fn from(fault: Fault) -> Self {
        Self::Failed(fault)
    }
}

impl From<Hindrance> for Outcome {
    fn from(hindrance: Hindrance) -> Self {
        Self::Hindered(hindrance)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(address) = self.address {
            write!(f, "{address}: ")?;
        }
        match &self.outcome {
            Outcome::Passed(Pass::Connected) => f.write_str("connected"),
            Outcome::Passed(Pass::Status(status)) => show_status(*status, f),
            Outcome::Passed(Pass::Serving) => f.write_str("SERVING"),
            Outcome::Failed(Fault::Forbidden(refusal)) => write!(f, "not checked: {refusal}"),
            Outcome::Failed(fault) => fault.fmt(f),
            Outcome::Hindered(hindrance) => hindrance.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_decided_is_named() {
        let odd = Fault::Status(StatusCode::from_u16(599).unwrap());
        let finding = Finding::new(Some("2001:db8::1".parse().unwrap()), odd.into(), Duration::MAX);
        assert_eq!((finding.to_string().as_str(), finding.took_ms()), ("2001:db8::1: 599", u32::MAX));
    }
}
