//! DNS on sockets: who listens, how a packet is read, and how an outcome becomes a packet.
//!
//! ```text
//! udp (one thread and socket per worker) ─┐   Round::hit ─► hot (what is usual, copied from the registry's blocks)
//!                                         ├─►     │ all else
//! tcp (one task per connection) ──────────┘   Responder::respond ─► query ─► exchange ─► answer::Catalog ─► write
//! ```
//!
//! [`Responder::respond`] is one synchronous function from octets to octets that answers everything, so a transport adds
//! nothing to an answer but what [`Transport`] says of it. It also says what it wrote ([`Reply`]), for limits and metrics.
//! [`Round::hit`] in front of it gives the same answers to the usual questions in a fraction of the time, and hands on
//! whole whatever it does not answer.

mod chaos;
mod client;
mod connections;
mod conversation;
mod edns;
mod exchange;
mod framing;
mod hot;
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
pub use hot::{Asked, Found, Hit, Scratch, Target};
pub use listen::{BindError, Sockets, bind};
pub use metrics::{Carrier, Metrics, Tally, ZoneLabel};
pub use query_log::QueryLog;
pub use rate_limit::{RateLimiter, RateLimits};
pub use reply::{Kind, Rcode, Reply};
pub use responder::{Present, Responder, Round};
pub use settings::Settings;
