//! From a question to an outcome: pure look-ups in the live view and in static zones.

mod outcome;

pub use outcome::Outcome;
