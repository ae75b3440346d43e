//! DNS on sockets: who listens, how a packet is read, and how an outcome becomes a packet.
//!
//! ```text
//! udp (one thread and socket per worker) ─┐
//!                                         ├─► Responder::respond ─► query ─► exchange ─► answer::Catalog ─► write
//! tcp (one task per connection) ──────────┘
//! ```
//!
//! [`Responder::respond`] is one synchronous function from octets to octets that every transport calls, so a transport
//! adds nothing to an answer but what [`Transport`] says of it. It also says what it wrote ([`Reply`]), for limits and
//! metrics. A faster way for common UDP queries belongs in front of that call, in
//! [`udp`]: whatever it does not answer it hands on whole.

mod chaos;
mod client;
mod connections;
mod conversation;
mod datagram;
mod edns;
mod exchange;
mod framing;
mod listen;
mod metrics;
mod prefixes;
mod query;
mod query_log;
mod rate_limit;
mod reply;
mod responder;
mod settings;
pub mod tcp;
mod tsig;
pub mod udp;
mod write;

pub use client::{Client, Transport};
pub use listen::{BindError, Sockets, bind};
pub use metrics::{Carrier, Metrics, Tally, ZoneLabel};
pub use query_log::QueryLog;
pub use rate_limit::{RateLimiter, RateLimits};
pub use reply::{Kind, Rcode, Reply};
pub use responder::{Present, Responder};
pub use settings::Settings;
