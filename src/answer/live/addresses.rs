//! A and AAAA records of several instances.

use std::net::IpAddr;
use std::sync::Arc;

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
pub fn merged<'a>(instances: impl Iterator<Item = &'a Arc<Instance>>, rtype: RecordType) -> Vec<(IpAddr, u64)> {
    let mut found = of_lowest_priority(instances, rtype, |instance| u64::from(instance.effective_weight().0));
    found.sort_unstable_by_key(|(ip, _)| *ip);
    found.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0 };
        same
    });
    found
}

/// The addresses of one family, each with something of the instance that it belongs to: of those instances that have
/// the lowest priority among all that have such an address, in their order.
pub(super) fn of_lowest_priority<'a, T: Clone>(
    instances: impl Iterator<Item = &'a Arc<Instance>>,
    rtype: RecordType,
    of: impl Fn(&'a Arc<Instance>) -> T,
) -> Vec<(IpAddr, T)> {
    let mut lowest = None;
    let mut found = Vec::new();
    for instance in instances {
        let of_family = |ip: &&IpAddr| ip.is_ipv4() == (rtype == RecordType::A);
        let mut own = instance.registration.address.ips().iter().filter(of_family).peekable();
        let priority = instance.registration.priority;
        if own.peek().is_none() || lowest.is_some_and(|lowest| lowest < priority) {
            continue;
        }
        if lowest != Some(priority) {
            lowest = Some(priority);
            found.clear();
        }
        let of_this = of(instance);
        found.extend(own.map(|ip| (*ip, of_this.clone())));
    }
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
