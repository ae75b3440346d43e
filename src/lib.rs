//! srvd: an authoritative DNS server that answers from a live service registry.

pub mod answer;
pub mod cli;
pub mod engine;
pub mod model;
pub mod registry;
pub mod wire;
pub mod zone;
