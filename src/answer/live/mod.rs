//! The live zone: names that the registry brings into being, and the records behind them.
//!
//! ```text
//! web.Z                          A AAAA SRV        _web._tcp.Z                SRV
//! i-7f3a.web.Z                   A AAAA SRV TXT    _http._tcp.web.Z           SRV
//! canary.web.Z                   A AAAA SRV        _http._tcp.canary.web.Z    SRV
//! ```
//!
//! A name exists while a registered instance, of whatever status, stands behind it; its records are those of the
//! instances that are served. So a service whose instances are all down is NODATA, and one that is gone is NXDOMAIN.
//! [`names`] finds what stands behind a name, [`records`] makes its records, [`apex`] those of the zone itself.

mod addresses;
mod apex;
mod names;
mod records;

use std::net::IpAddr;
use std::sync::Arc;

pub use names::Node;

use super::view::ServiceView;
use crate::model::{Protocol, Revision};
use crate::wire::Name;

/// The present state of the registry, as look-ups need it.
pub trait Live {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>>;
    /// Whether any service has an instance of this protocol.
    fn has_protocol(&self, protocol: Protocol) -> bool;
    fn revision(&self) -> Revision;
}

/// What the configuration says about the live zone. TTLs are in seconds.
#[derive(Debug, Clone)]
pub struct LiveZone {
    pub apex: Name,
    pub record_ttl: u32,
    pub negative_ttl: u32,
    pub srv_weight_scale: u16,
    /// The addresses of this server, for the name server's own name.
    pub addresses: Vec<IpAddr>,
}
