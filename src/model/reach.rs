//! Which addresses srvd itself may connect to on behalf of a client.
//!
//! A client says where checks and callbacks go, so a client could make srvd speak to what only this machine may speak to.
//! Neighbours on the link and the metadata services of clouds, which give credentials to whoever asks, are refused; the
//! configuration may allow them. Addresses are judged, never names: whoever connects judges the very address that it is
//! about to connect to, so a name that resolves to something else a moment later gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use smallvec::SmallVec;

/// Metadata services outside the link-local prefixes: AWS, Google Cloud and Oracle over IPv6; Alibaba Cloud; Azure.
const METADATA: [IpAddr; 5] = [
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
];
/// The one with which the others began; link-local too.
const FIRST_METADATA: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));

/// Why srvd does not connect to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No address of a host: 0.0.0.0/8 (RFC 1122 §3.2.1.3), `::`.
    Unspecified,
    /// Addresses of many hosts, broadcast among them.
    Multicast,
    LinkLocal,
    Metadata,
    /// This machine itself.
    Loopback,
}

/// Judges an address, given the prefixes that are allowed: [`refusal`] or [`callback_refusal`].
pub type Judge = fn(IpAddr, &[IpNet]) -> Option<Refusal>;

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "the address is unspecified",
            Self::Multicast => "the address is multicast or broadcast",
            Self::LinkLocal => "the address is link-local (see health.allow)",
            Self::Metadata => "the address is a cloud metadata service (see health.allow)",
            Self::Loopback => "the address is a loopback one (see health.allow)",
        })
    }
}

/// Why an address may not be connected to; `None` when it may. `allow` holds the prefixes that may be although they are
/// link-local or hold a metadata service. An IPv6 address that may lead to an IPv4 address which is refused is refused
/// too.
pub fn refusal(ip: IpAddr, allow: &[IpNet]) -> Option<Refusal> {
    let ip = ip.to_canonical();
    let allowed = |ip: &IpAddr| allow.iter().any(|prefix| prefix.contains(ip));
    let judge = |inner: IpAddr| match forbidden(inner)? {
        // What is no address of a host is never one, but the octets of a longer address may well look like it.
        refusal @ (Refusal::Unspecified | Refusal::Multicast) => (inner == ip).then_some(refusal),
        refusal => (!allowed(&inner) && !allowed(&ip)).then_some(refusal),
    };
    let embedded = match ip {
        IpAddr::V6(v6) => embedded(v6),
        IpAddr::V4(_) => SmallVec::new(),
    };
    judge(ip).or_else(|| embedded.into_iter().map(IpAddr::V4).find_map(judge))
}

/// The same for a callback, which may not be this machine either: an instance may well run here, but what listens on
/// loopback alone trusts that nobody else speaks to it.
pub fn callback_refusal(ip: IpAddr, allow: &[IpNet]) -> Option<Refusal> {
    let ip = ip.to_canonical();
    let leads_here = match ip {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_loopback() || embedded(v6).iter().any(Ipv4Addr::is_loopback),
    };
    let allowed = || allow.iter().any(|prefix| prefix.contains(&ip));
    refusal(ip, allow).or_else(|| (leads_here && !allowed()).then_some(Refusal::Loopback))
}

/// Why an address is refused where nothing allows it.
fn forbidden(ip: IpAddr) -> Option<Refusal> {
    let refusal = match ip {
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Refusal::Unspecified,
        IpAddr::V6(v6) if v6.is_unspecified() => Refusal::Unspecified,
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Refusal::Multicast,
        IpAddr::V6(v6) if v6.is_multicast() => Refusal::Multicast,
        _ if ip == FIRST_METADATA || METADATA.contains(&ip) => Refusal::Metadata,
        IpAddr::V4(v4) if v4.is_link_local() => Refusal::LinkLocal,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Refusal::LinkLocal,
        _ => return None,
    };
    Some(refusal)
}

/// The IPv4 addresses to which a translator or a tunnel may take what is sent to an IPv6 address. Where its form leaves
/// open which octets those are, all of them.
fn embedded(ip: Ipv6Addr) -> SmallVec<[Ipv4Addr; 5]> {
    let octets = ip.octets();
    let at = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| octets[place]));
    let last = at([12, 13, 14, 15]);
    let mut found = SmallVec::new();
    match ip.segments() {
        // IPv4-compatible (RFC 4291 §2.5.5.1), but for `::` and `::1`; NAT64 (RFC 6052 §2.1); SIIT (RFC 7915).
        [0, 0, 0, 0, 0, 0, 0, 0..=1] => {}
        [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => found.push(last),
        // NAT64 with a prefix of one's own, of 48, 56, 64 or 96 bits (RFC 8215, RFC 6052 §2.2).
        [0x64, 0xff9b, 1, ..] => {
            found.extend([at([6, 7, 9, 10]), at([7, 9, 10, 11]), at([9, 10, 11, 12]), last]);
        }
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => found.push(at([2, 3, 4, 5])),
        // Teredo, which turns the bits of the client around (RFC 4380 §4).
        [0x2001, 0, ..] => found.extend([at([4, 5, 6, 7]), Ipv4Addr::from(!u32::from(last))]),
        _ => {}
    }
    // ISATAP (RFC 5214 §6.1), below any prefix.
    if matches!(ip.segments(), [_, _, _, _, 0 | 0x200, 0x5efe, ..]) {
        found.push(last);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_refused() {
        use Refusal::{LinkLocal, Metadata, Multicast, Unspecified};
        for (ip, expected) in [
            ("10.0.0.1", None),
            ("127.0.0.1", None),
            ("::1", None),
            ("fd00:ec2::253", None),
            ("169.253.255.255", None),
            ("64:ff9b::a00:1", None),
            ("169.254.0.1", Some(LinkLocal)),
            ("169.254.169.254", Some(Metadata)),
            ("::ffff:169.254.169.254", Some(Metadata)),
            ("64:ff9b::169.254.169.254", Some(Metadata)),
            ("64:ff9b:1:a9fe:a9:fe00::", Some(Metadata)),
            ("64:ff9b:1:a9:fe:a9fe::", Some(Metadata)),
            ("64:ff9b:1:0:a9:fea9:fe00:0", Some(Metadata)),
            ("64:ff9b:1::169.254.169.254", Some(Metadata)),
            ("64:ff9b:1::10.0.0.1", None),
            ("2002:a9fe:a9fe::1", Some(Metadata)),
            ("2002:a00:1::1", None),
            ("2001:0:a00:1::5601:5601", Some(Metadata)),
            ("2001:0:a9fe:1::f5ff:fffe", Some(LinkLocal)),
            ("2001:db8::200:5efe:169.254.1.1", Some(LinkLocal)),
            ("::169.254.169.254", Some(Metadata)),
            ("::ffff:0:169.254.169.254", Some(Metadata)),
            ("2001:db8::169.254.169.254", None),
            ("fd00:ec2::254", Some(Metadata)),
            ("100.100.100.200", Some(Metadata)),
            ("fe80::1", Some(LinkLocal)),
            ("febf::1", Some(LinkLocal)),
            ("0.0.0.0", Some(Unspecified)),
            ("0.1.2.3", Some(Unspecified)),
            ("::", Some(Unspecified)),
            ("::ffff:0.0.0.0", Some(Unspecified)),
            ("224.0.0.1", Some(Multicast)),
            ("255.255.255.255", Some(Multicast)),
            ("ff02::1", Some(Multicast)),
        ] {
            assert_eq!(refusal(ip.parse().unwrap(), &[]), expected, "{ip}");
        }
    }

    #[test]
    fn the_configuration_allows_the_link_but_never_multicast() {
        let allow: Vec<IpNet> = ["169.254.0.0/16", "fe80::/10", "0.0.0.0/0"].map(|net| net.parse().unwrap()).into();
        for (ip, allowed) in [
            ("169.254.169.254", true),
            ("fe80::1", true),
            ("fd00:ec2::254", false),
            ("64:ff9b::169.254.169.254", true),
            ("2002:a9fe:a9fe::1", true),
            ("224.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(refusal(ip.parse().unwrap(), &allow).is_none(), allowed, "{ip}");
        }
    }
}
