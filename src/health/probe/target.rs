//! Which addresses a check may connect to, and how a host name becomes addresses.
//!
//! A registration says where srvd connects to, so a registration could make srvd speak to what only this machine may
//! speak to. Neighbours on the link and the metadata services of clouds, which give credentials to whoever asks, are
//! refused; the configuration may allow them. The address that is looked at is the address that is connected to, so a
//! name that resolves to something else a moment later gains nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use tokio::net::lookup_host;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Fault, Hindrance, Outcome};
use crate::model::{HostName, limits};

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
/// The prefix under which translators reach IPv4 (RFC 6052 §2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Names that are resolved at the same time. The system's resolver cannot be interrupted, so one that hangs keeps its
/// place after the check has timed out.
const LOOKUPS: usize = 64;

/// Why srvd does not connect to an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No address of a host: 0.0.0.0/8 (RFC 1122 §3.2.1.3), `::`.
    Unspecified,
    /// Addresses of many hosts, broadcast among them.
    Multicast,
    LinkLocal,
    Metadata,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unspecified => "not checked: the address is unspecified",
            Self::Multicast => "not checked: the address is multicast or broadcast",
            Self::LinkLocal => "not checked: the address is link-local (see health.allow)",
            Self::Metadata => "not checked: the address is a cloud metadata service (see health.allow)",
        })
    }
}

/// Why an address may not be connected to; `None` when it may.
pub fn refusal(ip: IpAddr, allow: &[IpNet]) -> Option<Refusal> {
    let ip = embedded(ip.to_canonical());
    let refusal = match ip {
        IpAddr::V4(v4) if v4.octets()[0] == 0 => Refusal::Unspecified,
        IpAddr::V6(v6) if v6.is_unspecified() => Refusal::Unspecified,
        IpAddr::V4(v4) if v4.is_multicast() || v4.is_broadcast() => Refusal::Multicast,
        IpAddr::V6(v6) if v6.is_multicast() => Refusal::Multicast,
        _ if allow.iter().any(|prefix| prefix.contains(&ip)) => return None,
        _ if ip == FIRST_METADATA || METADATA.contains(&ip) => Refusal::Metadata,
        IpAddr::V4(v4) if v4.is_link_local() => Refusal::LinkLocal,
        IpAddr::V6(v6) if v6.is_unicast_link_local() => Refusal::LinkLocal,
        _ => return None,
    };
    Some(refusal)
}

/// The IPv4 address that a translator makes of an IPv6 address.
fn embedded(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V6(v6) if v6.segments()[..6] == NAT64 => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

/// Turns host names into addresses by the system's resolver, a bounded number at a time.
#[derive(Debug)]
pub struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LOOKUPS)))
    }
}

impl Resolver {
    /// A place among the look-ups at one time. Waiting for it is nobody's fault but that of the names before.
    pub async fn permit(&self) -> Result<OwnedSemaphorePermit, Outcome> {
        Arc::clone(&self.0).acquire_owned().await.map_err(|_| Hindrance::ResolverBusy.into())
    }

    /// The addresses of a name: at least one, and at most as many as an instance may have.
    pub async fn resolve(
        &self,
        permit: OwnedSemaphorePermit,
        host: &HostName,
        port: u16,
    ) -> Result<Vec<SocketAddr>, Outcome> {
        let unresolved = || Outcome::from(Fault::Unresolved);
        let name = host.as_str().to_owned();
        // In a task of its own: when the check gives up, the look-up still holds its permit until it ends.
        let lookup = tokio::spawn(async move {
            let found = lookup_host((name, port)).await;
            drop(permit);
            found.map(|addresses| addresses.take(*limits::ADDRESSES.end()).collect::<Vec<_>>())
        });
        match lookup.await {
            Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
            _ => Err(unresolved()),
        }
    }
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
            ("224.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(refusal(ip.parse().unwrap(), &allow).is_none(), allowed, "{ip}");
        }
    }
}
