//! The networks that clients are told apart by.
//!
//! An IPv4 address that came over an IPv6 socket (`::ffff:192.0.2.1`) is the IPv4 address everywhere in here.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

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
