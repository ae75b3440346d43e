//! Reverse zones: the names of addresses (RFC 1035 §3.5, RFC 3596 §2.5) in the prefixes that are configured.
//!
//! A prefix is served as the zones that cover it and nothing else: those whose apex is at the next boundary between
//! labels. So 10.0.0.0/8 is one zone, 10.0.16.0/20 is the sixteen zones 16.0.10.in-addr.arpa to 31.0.10.in-addr.arpa,
//! and of a prefix longer than /24 every address is a zone of its own, which its parent can delegate without the
//! aliases of RFC 2317. The zones are worked out from the name that is asked for, and none is kept.

use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::wire::Name;

/// The prefixes whose reverse names are served.
#[derive(Debug, Default)]
pub struct ReverseZones(Vec<IpNet>);

/// Where a name lies in a reverse zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub apex: Name,
    /// The addresses whose names are at or below the name; `None` when no address can have such a name.
    pub covers: Option<IpNet>,
}

impl ReverseZones {
    /// The zones of these prefixes; bits of them behind their length do not count.
    pub fn new(prefixes: &[IpNet]) -> Self {
        Self(prefixes.iter().map(IpNet::trunc).collect())
    }

    /// Whether a zone is inside this prefix.
    pub fn any_within(&self, prefix: IpNet) -> bool {
        self.0.iter().any(|zone| prefix.contains(zone))
    }

    /// The place of a name in the zone with the longest apex at or above it; `None` when it is in no zone.
    pub fn find(&self, name: &Name) -> Option<Place> {
        if self.0.is_empty() {
            return None;
        }
        let labels: Vec<&[u8]> = name.labels().collect();
        let (front, tree) = labels.split_at(labels.len().checked_sub(2)?);
        let is = |suffix: [&[u8]; 2]| tree.iter().zip(suffix).all(|(label, other)| label.eq_ignore_ascii_case(other));
        let (width, whole) = match () {
            () if is([b"in-addr", b"arpa"]) => (8, Ipv4Net::default().into()),
            () if is([b"ip6", b"arpa"]) => (4, Ipv6Net::default().into()),
            () => return None,
        };
        let (covers, read) = prefix(front, width, whole);
        let depth = |zone: &IpNet| zone.prefix_len().next_multiple_of(width);
        let holding = self.0.iter().filter(|zone| zone.contains(&covers)).map(depth);
        let apex = holding.filter(|depth| *depth <= covers.prefix_len()).max()?;
        let below = front.len() - usize::from(apex / width);
        let apex = Name::from_labels(name.labels().skip(below)).ok()?;
        Some(Place { apex, covers: (read == front.len()).then_some(covers) })
    }
}

/// The prefix that labels stand for, the last of them first, as far as they are numbers of `width` bits; and how many of
/// them that are.
fn prefix(labels: &[&[u8]], width: u8, whole: IpNet) -> (IpNet, usize) {
    let most = usize::from(whole.max_prefix_len() / width);
    let numbers =
        labels.iter().rev().take(most).map_while(|label| if width == 8 { octet(label) } else { nibble(label) });
    let (bits, length) =
        numbers.fold((0u128, 0u8), |(bits, length), number| (bits << width | u128::from(number), length + width));
    let bits = bits.checked_shl(u32::from(whole.max_prefix_len() - length)).unwrap_or(0);
    let net = match whole {
        IpNet::V4(_) => Ipv4Net::new(Ipv4Addr::from(bits as u32), length).map(IpNet::V4),
        IpNet::V6(_) => Ipv6Net::new(Ipv6Addr::from(bits), length).map(IpNet::V6),
    };
    (net.unwrap_or(whole), usize::from(length / width))
}

/// A decimal number without leading zeros, at most 255.
fn octet(label: &[u8]) -> Option<u8> {
    let plain = label.iter().all(u8::is_ascii_digit) && (label == b"0" || label.first() != Some(&b'0'));
    std::str::from_utf8(label).ok().filter(|_| plain)?.parse().ok()
}

/// One hexadecimal digit, in either case.
fn nibble(label: &[u8]) -> Option<u8> {
    match label {
        [digit] => char::from(*digit).to_digit(16).map(|digit| digit as u8),
        _ => None,
    }
}
