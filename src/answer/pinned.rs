//! The registry as it was when one looked first, for whoever looks several times and has to see the same.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::{Live, ServiceView};
use crate::model::{Key, Protocol, Revision, ServiceName};

/// Gives every service as it was when it was asked for first. Which services and addresses there are stays live.
pub struct Pinned<'a> {
    live: &'a dyn Live,
    revision: Revision,
    seen: RefCell<BTreeMap<String, Option<Arc<ServiceView>>>>,
}

impl<'a> Pinned<'a> {
    pub fn new(live: &'a dyn Live) -> Self {
        Self { live, revision: live.revision(), seen: RefCell::default() }
    }
}

impl Live for Pinned<'_> {
    fn service(&self, name: &str) -> Option<Arc<ServiceView>> {
        self.seen.borrow_mut().entry(name.to_owned()).or_insert_with(|| self.live.service(name)).clone()
    }

    fn has_protocol(&self, protocol: Protocol) -> bool {
        self.live.has_protocol(protocol)
    }

    fn served_types(&self, at_most: usize) -> Vec<(ServiceName, Protocol)> {
        self.live.served_types(at_most)
    }

    fn has_address(&self, within: RangeInclusive<IpAddr>) -> bool {
        self.live.has_address(within)
    }

    fn served_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        self.live.served_at(ip, at_most)
    }

    fn registered_at(&self, ip: IpAddr, at_most: usize) -> Vec<Key> {
        self.live.registered_at(ip, at_most)
    }

    fn revision(&self) -> Revision {
        self.revision
    }
}
