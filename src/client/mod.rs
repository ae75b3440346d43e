//! Speaking to srvd from a program.

pub(crate) mod http;
mod server_url;
pub(crate) mod sse;
pub(crate) mod target;

pub use http::TransportError;
pub use server_url::{ServerUrl, ServerUrlError};
