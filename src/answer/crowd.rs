//! What DNS serves of a large service, as answers draw from it.
//!
//! Of a service that is too large for a block an answer holds a few dozen instances, and which ones is drawn among all.
//! A [`Crowd`] has what their places follow from side by side, so that a draw reads that and not the instances. It is made
//! when it is first asked for: a service that changes between any two queries pays for none that is not used.

use std::net::IpAddr;

use super::live::{address_field, candidate};
use super::order::Field;
use super::view::ServiceView;
use crate::wire::RecordType;

/// The instances and the addresses of a service that are drawn from.
#[derive(Debug)]
pub struct Crowd {
    instances: Field<u32>,
    ipv4: Field<IpAddr>,
    ipv6: Field<IpAddr>,
}

impl Crowd {
    pub fn new(view: &ServiceView) -> Self {
        let served = || view.instances().iter().filter(|instance| view.serves(instance));
        let places = view.instances().iter().enumerate().filter(|(_, instance)| view.serves(instance));
        Self {
            instances: places.map(|(at, instance)| candidate(instance, at as u32)).collect(),
            ipv4: address_field(served(), RecordType::A),
            ipv6: address_field(served(), RecordType::AAAA),
        }
    }

    /// The instances, by their places in the view.
    pub fn instances(&self) -> &Field<u32> {
        &self.instances
    }

    /// The addresses of a family, each once.
    pub fn addresses(&self, rtype: RecordType) -> &Field<IpAddr> {
        if rtype == RecordType::A { &self.ipv4 } else { &self.ipv6 }
    }
}
