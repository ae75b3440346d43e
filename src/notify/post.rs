//! One attempt to tell a callback: a POST on a connection of its own.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use ipnet::IpNet;
use tokio::time::Instant;

use crate::config::Setting;
use crate::model::reach::callback_refusal;
use crate::model::{Callback, Span};
use crate::outbound::{Dialer, Failure, Fault, Limit, Roots};

/// How long an attempt may take in all.
const PATIENCE: Span = Span::from_secs(5);
/// Attempts that may wait for the address of a name at one time.
const NAMING: usize = 256;

/// Posts to callbacks.
#[derive(Debug)]
pub struct Poster {
    dialer: Dialer,
}

impl Poster {
    /// Callbacks may be in the prefixes in `allow` although they are loopback, link-local, or hold a metadata service; `https` ones
    /// are believed when their certificates lead to `roots`.
    pub fn new(allow: Setting<Vec<IpNet>>, roots: &Roots) -> Self {
        Self { dialer: Dialer::new(callback_refusal, allow, roots, NAMING) }
    }

    /// Posts JSON. Any status of success (RFC 9110 §15.3) is one; nothing is followed. Dropping it closes the connection.
    ///
    /// # Errors
    /// When the callback did not take it, or may not be connected to.
    pub async fn post(&self, callback: &Callback, json: Bytes) -> Result<(), Failure> {
        let limit = Limit::of(Instant::now(), PATIENCE);
        let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        let status = self.dialer.post(callback, headers, json, limit).await?;
        if status.is_success() { Ok(()) } else { Err(Fault::Status(status).into()) }
    }
}
