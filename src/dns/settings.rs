//! What the configuration says about answering.

use crate::config;

/// The settings of a [`super::Responder`], all of which may change while it runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The longest UDP answer in octets, whatever the client offers; also what this server takes in.
    pub udp_payload: u16,
}

impl Settings {
    /// Those of a configuration.
    pub fn new(config: &config::Dns) -> Self {
        Self { udp_payload: config.udp_payload }
    }
}
