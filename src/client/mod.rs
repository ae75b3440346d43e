//! Speaking to srvd from a program.

mod balancer;
mod breaker;
mod choice;
pub(crate) mod http;
mod instance;
mod knowledge;
mod lru;
mod ring;
mod server_url;
pub(crate) mod sse;
pub(crate) mod target;

pub use balancer::{Balancer, Picked};
pub use breaker::{Admission, Breaker, BreakerRules, Ending};
pub use http::TransportError;
pub use instance::{Instance, Instances};
pub use knowledge::Freshness;
pub use server_url::{ServerUrl, ServerUrlError};
