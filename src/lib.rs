//! srvd: an authoritative DNS server that answers from a live service registry.
//!
//! The modules are layers; each may use its own layer and those below it, which a test sees to.
//!
//! ```text
//! 5  cli  server                                    what knows everything
//! 4  dns  http  health  notify  store               what speaks to the outside, each to its own
//! 3  engine  render  archive                        the order of changes, where they become true; how they are told, and kept
//! 2  config  telemetry  outbound  client            what all parts need: settings, logs, connections; speaking to srvd
//! 1  registry  cluster  answer  select  zone  wire  pure: no I/O, no clock, no randomness of their own
//! 0  model                                          values
//! ```

pub mod answer;
pub mod archive;
pub mod cli;
pub mod client;
pub mod cluster;
pub mod config;
pub mod dns;
pub mod engine;
pub mod health;
pub mod http;
pub mod model;
pub mod notify;
pub mod outbound;
pub mod registry;
pub mod render;
pub mod select;
pub mod server;
pub mod store;
pub mod telemetry;
pub mod wire;
pub mod zone;
