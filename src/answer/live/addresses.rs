//! A and AAAA records of several instances.

use std::net::IpAddr;
use std::ops::AddAssign;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::order::{self, Candidate, Draw, Field};
use crate::model::Instance;
use crate::wire::{Rdata, RecordType};

/// Address records of one family as they are drawn.
pub(super) fn addresses<'a>(
    instances: impl Iterator<Item = &'a Arc<Instance>>,
    rtype: RecordType,
    draw: &Draw,
) -> Vec<Rdata> {
    drawn_addresses(&address_field(instances, rtype), rtype, draw)
}

/// Address records of one family as they are drawn from this field.
pub(super) fn drawn_addresses(field: &Field<IpAddr>, rtype: RecordType, draw: &Draw) -> Vec<Rdata> {
    draw.take(field).filter_map(|ip| address_rdata(*ip, rtype)).collect()
}

/// The addresses of one family that are drawn from.
pub fn address_field<'a>(instances: impl Iterator<Item = &'a Arc<Instance>>, rtype: RecordType) -> Field<IpAddr> {
    let of = |(ip, weight)| Candidate { priority: 0, identity: stands_for(ip), weight, item: ip };
    merged(instances, rtype).into_iter().map(of).collect()
}

/// The addresses of one family from the lowest priority that has any, in order: each once, with the weights of all
/// instances that share it.
fn merged<'a>(instances: impl Iterator<Item = &'a Arc<Instance>>, rtype: RecordType) -> Found<IpAddr, u64> {
    each_once(of_lowest_priority(instances, rtype, |instance| u64::from(instance.effective_weight().0)))
}

/// The addresses of one family, each with something of the instance that it belongs to: of those instances that have
/// the lowest priority among all that have such an address, in their order.
pub(super) fn of_lowest_priority<'a, T: Copy>(
    instances: impl Iterator<Item = &'a Arc<Instance>>,
    rtype: RecordType,
    of: impl Fn(&'a Arc<Instance>) -> T,
) -> Found<IpAddr, T> {
    of_lowest(instances.map(|instance| {
        let ips = instance.registration.address.ips().iter().copied();
        let own = ips.filter(move |ip| ip.is_ipv4() == (rtype == RecordType::A));
        (instance.registration.priority.0, own, of(instance))
    }))
}

/// Addresses, each with something of what it belongs to. Most services are small.
pub type Found<A, T> = SmallVec<[(A, T); 8]>;

/// Of what has a priority, addresses and something else: the addresses of the lowest priority that has any, in their
/// order, each with what it belongs to.
pub fn of_lowest<A, T: Copy>(all: impl Iterator<Item = (u16, impl Iterator<Item = A>, T)>) -> Found<A, T> {
    let mut lowest = None;
    let mut found = Found::new();
    for (priority, addresses, of_this) in all {
        let mut addresses = addresses.peekable();
        if addresses.peek().is_none() || lowest.is_some_and(|lowest| lowest < priority) {
            continue;
        }
        if lowest != Some(priority) {
            lowest = Some(priority);
            found.clear();
        }
        found.extend(addresses.map(|address| (address, of_this)));
    }
    found
}

/// Addresses with weights in order, each once, with the weights of all that share it.
pub fn each_once<A: Copy + Ord, W: Copy + AddAssign>(mut found: Found<A, W>) -> Found<A, W> {
    found.sort_unstable_by_key(|(address, _)| *address);
    found.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    found
}

fn stands_for(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}

pub(super) fn address_rdata(ip: IpAddr, rtype: RecordType) -> Option<Rdata> {
    match (ip, rtype) {
        (IpAddr::V4(ip), RecordType::A) => Some(ip.octets().into()),
        (IpAddr::V6(ip), RecordType::AAAA) => Some(ip.octets().into()),
        _ => None,
    }
}
