//! srvd: an authoritative DNS server that answers from a live service registry.

pub mod answer;
pub mod model;
pub mod wire;
