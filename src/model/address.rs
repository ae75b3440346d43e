//! Where an instance is reached: IP addresses, or one host name.

use std::fmt;
use std::net::IpAddr;

use serde_json::Value;
use smol_str::SmolStr;

use super::json::{self, Shown};
use super::{Invalid, Reason, limits};

/// The addresses of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The address that was given alone.
    One(IpAddr),
    /// A list of one to eight addresses of either family, without repetition, in the order given.
    Several(Box<[IpAddr]>),
    /// A host name that others resolve.
    Host(HostName),
}

/// A host name (RFC 1123 §2.1) in lower case, without a final dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostName(SmolStr);

impl HostName {
    /// Reads labels of letters, digits and inner hyphens. A last label of digits alone is refused: it is a mistyped
    /// address (RFC 3696 §2).
    pub fn parse(text: &str) -> Result<Self, Reason> {
        let text = text.strip_suffix('.').unwrap_or(text);
        if !limits::HOST_NAME.contains(&text.len()) {
            return Err(Reason::Length { min: *limits::HOST_NAME.start(), max: *limits::HOST_NAME.end() });
        }
        let good = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let numeric_end =
            text.rsplit('.').next().is_some_and(|label| label.bytes().all(|octet| octet.is_ascii_digit()));
        if text.split('.').all(good) && !numeric_end {
            Ok(Self(SmolStr::new(text.to_ascii_lowercase())))
        } else {
            Err(Reason::Address)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for the address that a request came from.
const AUTO: &str = "auto";

impl Address {
    /// Reads the member `address`: an IP address, a host name, or `auto` for the address the request came `from`.
    pub fn from_json(value: &Value, from: IpAddr) -> Result<Self, Reason> {
        Self::parse(json::string(value).map_err(|_| Reason::Address)?, from)
    }

    /// The same, of its text.
    pub fn parse(text: &str, from: IpAddr) -> Result<Self, Reason> {
        if text.eq_ignore_ascii_case(AUTO) {
            return reachable(from).map(Self::One);
        }
        match text.parse::<IpAddr>() {
            Ok(ip) => reachable(ip).map(Self::One),
            // A host of that name would be another address when it is written back.
            Err(_) => match HostName::parse(text)? {
                host if host.as_str() == AUTO => Err(Reason::Address),
                host => Ok(Self::Host(host)),
            },
        }
    }

    /// Reads the member `addresses`: a list of IP addresses.
    pub fn from_json_list(value: &Value) -> Result<Self, Invalid> {
        let read = |entry: &Value| {
            let text = json::string(entry).map_err(|_| Reason::IpAddress)?;
            reachable(text.parse().map_err(|_| Reason::IpAddress)?)
        };
        let listed = json::list(value, *limits::ADDRESSES.end(), read)?;
        if listed.is_empty() {
            return Err(Reason::Missing.into());
        }
        let mut ips: Vec<IpAddr> = Vec::with_capacity(listed.len());
        for ip in listed {
            if !ips.contains(&ip) {
                ips.push(ip);
            }
        }
        Ok(Self::Several(ips.into()))
    }

    /// The member, and its value as it is at hand.
    pub fn shown(&self) -> (&'static str, Shown<'_>) {
        match self {
            Self::Host(name) => ("address", Shown::Text(name.as_str())),
            Self::One(ip) => ("address", Shown::Plain(ip)),
            Self::Several(_) => {
                let (name, value) = self.to_json();
                (name, Shown::Tree(value))
            }
        }
    }

    /// The member and value that [`Self::from_json`] or [`Self::from_json_list`] read back.
    pub fn to_json(&self) -> (&'static str, Value) {
        match self {
            Self::Host(name) => ("address", name.as_str().into()),
            Self::One(ip) => ("address", ip.to_string().into()),
            Self::Several(ips) => ("addresses", ips.iter().map(IpAddr::to_string).collect()),
        }
    }

    /// The IP addresses; none for a host name.
    pub fn ips(&self) -> &[IpAddr] {
        match self {
            Self::One(ip) => std::slice::from_ref(ip),
            Self::Several(ips) => ips,
            Self::Host(_) => &[],
        }
    }
}

/// Turns IPv4-mapped addresses into IPv4 (RFC 4291 §2.5.5.2) and refuses what no client can connect to.
fn reachable(ip: IpAddr) -> Result<IpAddr, Reason> {
    let ip = ip.to_canonical();
    if ip.is_unspecified() {
        Err(Reason::Unspecified)
    } else if ip.is_multicast() {
        Err(Reason::Multicast)
    } else {
        Ok(ip)
    }
}

impl fmt::Display for Address {
    /// The first address as it stands in a URL: IPv6 in brackets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, self.ips().first()) {
            (Self::Host(name), _) => f.write_str(name.as_str()),
            (_, Some(IpAddr::V6(ip))) => write!(f, "[{ip}]"),
            (_, Some(IpAddr::V4(ip))) => ip.fmt(f),
            (_, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 9));

    #[test]
    fn one_address() {
        for (text, read) in [
            ("10.0.0.7", Ok("10.0.0.7")),
            ("2001:DB8::1", Ok("[2001:db8::1]")),
            ("::ffff:10.0.0.7", Ok("10.0.0.7")),
            ("auto", Ok("192.0.2.9")),
            ("Auto", Ok("192.0.2.9")),
            ("auto.", Err(Reason::Address)),
            ("DB.example.com.", Ok("db.example.com")),
            ("localhost", Ok("localhost")),
            ("0.0.0.0", Err(Reason::Unspecified)),
            ("::", Err(Reason::Unspecified)),
            ("224.0.0.1", Err(Reason::Multicast)),
            ("ff02::1", Err(Reason::Multicast)),
            ("10.0.0.300", Err(Reason::Address)),
            ("1.2.3", Err(Reason::Address)),
            ("a_b.example", Err(Reason::Address)),
            ("a..b", Err(Reason::Address)),
            ("10.0.0.7:80", Err(Reason::Address)),
            ("", Err(Reason::Length { min: 1, max: 253 })),
        ] {
            let address = Address::from_json(&json!(text), FROM).map(|address| address.to_string());
            assert_eq!(address, read.map(str::to_owned), "{text}");
        }
        assert_eq!(Address::from_json(&json!(7), FROM), Err(Reason::Address));
    }

    #[test]
    fn a_list_of_addresses() {
        let dual = Address::from_json_list(&json!(["10.0.0.7", "2001:db8::7", "10.0.0.7"])).unwrap();
        assert_eq!(dual.to_json(), ("addresses", json!(["10.0.0.7", "2001:db8::7"])));
        for (list, field) in [
            (json!([]), ""),
            (json!(["a.example"]), "[0]"),
            (json!(["10.0.0.1", "0.0.0.0"]), "[1]"),
            (json!("10.0.0.1"), ""),
            (
                json!([
                    "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7", "10.0.0.8",
                    "10.0.0.9"
                ]),
                "",
            ),
        ] {
            assert_eq!(Address::from_json_list(&list).unwrap_err().field, field, "{list}");
        }
    }
}
