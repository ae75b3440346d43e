//! The live zone: names that the registry brings into being, and the records behind them.
//!
//! ```text
//! web.Z                          A AAAA SRV        _web._tcp.Z                 SRV PTR
//! i-7f3a.web.Z                   A AAAA SRV TXT    i-7f3a._web._tcp.Z          SRV TXT
//! canary.web.Z                   A AAAA SRV        _canary._sub._web._tcp.Z    PTR
//! _http._tcp.web.Z               SRV               _services._dns-sd._udp.Z    PTR
//! _http._tcp.canary.web.Z        SRV
//! ```
//!
//! A name exists while a registered instance, of whatever status, stands behind it; its records are those of the
//! instances that are served. So a service whose instances are all down is NODATA, and one that is gone is NXDOMAIN.
//! `names` finds what stands behind a name, `records` makes its records, `apex` those of the zone itself.

mod addresses;
mod apex;
mod causes;
mod names;
mod records;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

pub(super) use addresses::{address_field, each_once, of_lowest};
pub use names::{Form, Node, Set};
pub use records::Records;
pub(super) use records::candidate;

use super::view::ServiceView;
use crate::model::{Key, Protocol, Revision, ServiceName};
use crate::wire::Name;

/// The present state of the registry, as look-ups need it.
pub trait Live {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>>;

    /// Whether any service has an instance of this protocol.
    fn has_protocol(&self, protocol: Protocol) -> bool;

    /// The services of which DNS serves an instance, with the protocols of these instances: the first `at_most` in the
    /// order of their names.
    fn served_types(&self, at_most: usize) -> Vec<(ServiceName, Protocol)>;

    /// Whether an instance has an address in this range, among the addresses that are kept.
    fn has_address(&self, within: RangeInclusive<IpAddr>) -> bool;

    /// Every instance that DNS may serve at an address, up to `at_most` in the order of their keys. Their views say
    /// whether it does.
    fn served_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key>;

    /// Every instance at an address, served or not, up to `at_most`: those that are served come first.
    fn registered_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key>;

    fn revision(&self) -> Revision;

    /// Whether the state may be out of date, because what it comes from cannot be reached.
    fn is_stale(&self) -> bool {
        false
    }
}

/// What the configuration says about the live zone. TTLs are in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveZone {
    pub apex: Name,
    pub record_ttl: u32,
    pub negative_ttl: u32,
    pub srv_weight_scale: u16,
    /// The addresses of this server, for the name server's own name.
    pub addresses: Vec<IpAddr>,
}

impl LiveZone {
    /// The TTL of the records of a service, in seconds.
    pub fn record_ttl(&self, view: &ServiceView) -> u32 {
        view.settings().record_ttl.unwrap_or(self.record_ttl)
    }
}
