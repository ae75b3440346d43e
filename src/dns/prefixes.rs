//! Sets of address prefixes, and the networks that clients are told apart by.
//!
//! An IPv4 address that came over an IPv6 socket (`::ffff:192.0.2.1`) is the IPv4 address everywhere in here.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Octets of `::ffff:0:0/96`, below which IPv4 addresses are mapped.
const MAPPED: u8 = 96;

/// A set of prefixes that is asked for every query: a binary search, however many there are.
#[derive(Debug, Clone, Default)]
pub struct Prefixes {
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
}

/// Disjoint ranges of addresses as numbers, each with both its ends, in order.
type Ranges<T> = Vec<(T, T)>;

impl Prefixes {
    /// Bits behind a prefix's length do not count; prefixes may overlap.
    pub fn new(prefixes: &[IpNet]) -> Self {
        let mut all = Self::default();
        for prefix in IpNet::aggregate(&prefixes.iter().map(unmapped).collect()) {
            match prefix {
                IpNet::V4(prefix) => all.ipv4.push((prefix.network().into(), prefix.broadcast().into())),
                IpNet::V6(prefix) => all.ipv6.push((prefix.network().into(), prefix.broadcast().into())),
            }
        }
        all.ipv4.sort_unstable();
        all.ipv6.sort_unstable();
        all
    }

    pub fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.ipv6.is_empty()
    }

    pub fn contains(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(ip) => is_within(&self.ipv4, ip.into()),
            IpAddr::V6(ip) => is_within(&self.ipv6, ip.into()),
        }
    }
}

fn is_within<T: Ord + Copy>(ranges: &[(T, T)], number: T) -> bool {
    let behind = ranges.partition_point(|(first, _)| *first <= number);
    behind.checked_sub(1).is_some_and(|at| number <= ranges[at].1)
}

fn unmapped(prefix: &IpNet) -> IpNet {
    let IpNet::V6(v6) = prefix else { return *prefix };
    let v4 = v6.network().to_ipv4_mapped().filter(|_| v6.prefix_len() >= MAPPED);
    v4.and_then(|v4| Ipv4Net::new(v4, v6.prefix_len() - MAPPED).ok()).map_or(*prefix, IpNet::V4)
}

/// The network of `ipv4` or `ipv6` bits that an address is in: all clients of one are held to be one.
///
/// Lengths above those of an address count as all of it.
pub fn network(address: IpAddr, ipv4: u8, ipv6: u8) -> IpNet {
    match address.to_canonical() {
        IpAddr::V4(ip) => Ipv4Net::new_assert(ip, ipv4.min(32)).trunc().into(),
        IpAddr::V6(ip) => Ipv6Net::new_assert(ip, ipv6.min(128)).trunc().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixes(texts: &[&str]) -> Prefixes {
        Prefixes::new(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
    }

    #[test]
    fn an_address_is_inside_or_not() {
        let some = ["10.1.2.3/8", "10.9.0.0/16", "192.0.2.0/25", "192.0.2.128/25", "2001:db8::/32", "::1/128"];
        for (texts, address, inside) in [
            (&some[..], "10.0.0.0", true),
            (&some, "10.255.255.255", true),
            (&some, "9.255.255.255", false),
            (&some, "11.0.0.0", false),
            (&some, "192.0.2.200", true),
            (&some, "192.0.3.0", false),
            (&some, "::ffff:10.0.0.1", true),
            (&some, "::ffff:11.0.0.1", false),
            (&some, "2001:db8:ffff::1", true),
            (&some, "2001:db9::", false),
            (&some, "::1", true),
            (&some, "::2", false),
            (&["::ffff:10.0.0.0/104"], "10.9.9.9", true),
            (&["::ffff:10.0.0.0/104"], "11.0.0.1", false),
            (&["::/0"], "10.0.0.1", false),
            (&["::/0"], "2001:db8::1", true),
            (&["0.0.0.0/0"], "::ffff:10.0.0.1", true),
            (&["0.0.0.0/0"], "::1", false),
            (&[], "10.0.0.1", false),
        ] {
            assert_eq!(prefixes(texts).contains(address.parse().unwrap()), inside, "{address} in {texts:?}");
        }
    }

    #[test]
    fn networks_are_cut_to_their_length() {
        for (address, network_of_it) in [
            ("192.0.2.77", "192.0.2.0/24"),
            ("::ffff:192.0.2.77", "192.0.2.0/24"),
            ("2001:db8:1:2ff:3::4", "2001:db8:1:200::/56"),
        ] {
            assert_eq!(network(address.parse().unwrap(), 24, 56), network_of_it.parse().unwrap());
        }
    }
}
