//! A subscription: a service whose changes are posted to a callback.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use serde_json::{Map, Value};

use super::json::{self as read, Members};
use super::{HostName, Invalid, Reason, ServiceName, limits};

/// Whose changes go where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub service: ServiceName,
    pub callback: Callback,
}

/// An absolute `http` or `https` URL (RFC 9110 §4.2) without credentials and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    text: String,
    is_encrypted: bool,
    host: Host,
    port: u16,
    /// Where the host with its port stands in the text.
    authority: Range<usize>,
}

/// Where a callback is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Address(IpAddr),
    Name(HostName),
}

impl Subscription {
    /// Members that only replies have, and the id that the path gives: accepted, and left to others.
    pub const REPLY_MEMBERS: &'static [&'static str] = &["id", "last_notified", "last_error", "retries", "pending"];

    /// # Errors
    /// The first member that is wrong.
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let members = Members::of(value, &["service", "callback"], Self::REPLY_MEMBERS)?;
        Ok(Self {
            service: members.required("service", |name| ServiceName::parse(read::string(name)?))?,
            callback: members.required("callback", |url| Callback::parse(read::string(url)?))?,
        })
    }

    /// The subscription as [`Self::from_json`] reads it.
    pub fn to_json(&self) -> Map<String, Value> {
        let members = [("service", self.service.as_str()), ("callback", self.callback.as_str())];
        members.into_iter().map(|(name, text)| (name.to_owned(), text.into())).collect()
    }
}

impl Callback {
    pub fn parse(text: &str) -> Result<Self, Reason> {
        if !limits::CALLBACK.contains(&text.len()) {
            return Err(Reason::Length { min: *limits::CALLBACK.start(), max: *limits::CALLBACK.end() });
        }
        let is_encrypted = text.starts_with("https://");
        let rest = text.strip_prefix(if is_encrypted { "https://" } else { "http://" }).ok_or(Reason::Callback)?;
        let begin = text.len() - rest.len();
        let authority = begin..begin + rest.find(['/', '?']).unwrap_or(rest.len());
        let is_graphic = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
        let (host, port) = read_authority(&text[authority.clone()]).filter(|_| is_graphic).ok_or(Reason::Callback)?;
        let port = port.unwrap_or(if is_encrypted { 443 } else { 80 });
        Ok(Self { text: text.to_owned(), is_encrypted, host, port, authority })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the scheme is `https`.
    pub fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The port that is written, or else that of the scheme.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The host with the port if one is written, as the field `Host` has it (RFC 9110 §7.2).
    pub fn authority(&self) -> &str {
        &self.text[self.authority.clone()]
    }

    /// The path with the query, as a request has it in origin form (RFC 9112 §3.2.1).
    pub fn target(&self) -> String {
        let rest = &self.text[self.authority.end..];
        if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") }
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A host with or without a port (RFC 3986 §3.2).
fn read_authority(text: &str) -> Option<(Host, Option<u16>)> {
    let (host, rest) = match text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, rest)) => (Host::Address(host.parse::<Ipv6Addr>().ok()?.into()), rest),
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (read_host(host)?, rest)
        }
    };
    match rest.strip_prefix(':') {
        Some(port) => Some((host, Some(read_port(port)?))),
        None => rest.is_empty().then_some((host, None)),
    }
}

fn read_host(text: &str) -> Option<Host> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Some(Host::Address(address.into())),
        Err(_) => HostName::parse(text).ok().map(Host::Name),
    }
}

fn read_port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|octet| octet.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn callbacks_are_absolute_urls() {
        for (text, good) in [
            ("http://127.0.0.1:9000/hook?x=1", true),
            ("https://hooks.example", true),
            ("http://[2001:db8::1]/", true),
            ("http://[::1]:80", true),
            ("ftp://hooks.example/", false),
            ("/hook", false),
            ("http://", false),
            ("http:///hook", false),
            ("http://user@hooks.example/", false),
            ("http://user:secret@hooks.example/", false),
            ("http://hooks.example:0/", false),
            ("http://hooks.example:+80/", false),
            ("http://[::1", false),
            ("http://[::1]80/", false),
            ("http://a b/", false),
            ("http://a/#fragment", false),
            ("http://a/\r\nHost: b", false),
        ] {
            assert_eq!(Callback::parse(text).is_ok(), good, "{text}");
        }
        let long = format!("http://a/{}", "x".repeat(2048));
        assert!(matches!(Callback::parse(&long), Err(Reason::Length { .. })));
    }

    #[test]
    fn callbacks_say_where_to_connect_and_what_to_ask() {
        let address = |text: &str| Host::Address(text.parse().unwrap());
        let name = |text: &str| Host::Name(HostName::parse(text).unwrap());
        for (text, encrypted, host, port, authority, target) in [
            ("http://10.0.0.1:9000/a?b=1", false, address("10.0.0.1"), 9000, "10.0.0.1:9000", "/a?b=1"),
            ("https://hooks.example", true, name("hooks.example"), 443, "hooks.example", "/"),
            ("http://hooks.example?x=/", false, name("hooks.example"), 80, "hooks.example", "/?x=/"),
            ("http://[2001:db8::1]:81/", false, address("2001:db8::1"), 81, "[2001:db8::1]:81", "/"),
        ] {
            let read = Callback::parse(text).unwrap();
            assert_eq!((read.is_encrypted(), read.host(), read.port()), (encrypted, &host, port), "{text}");
            assert_eq!((read.authority(), read.target().as_str()), (authority, target), "{text}");
        }
    }

    #[test]
    fn subscriptions_are_written_back() {
        let body = json!({"service": "web", "callback": "http://127.0.0.1:9000/"});
        assert_eq!(Value::Object(Subscription::from_json(&body).unwrap().to_json()), body);
        let read = json!({"id": "a", "service": "web", "callback": "http://127.0.0.1:9000/", "pending": 0});
        assert!(Subscription::from_json(&read).is_ok());
        for (body, field) in [
            (json!({"service": "web"}), "callback"),
            (json!({"callback": "http://a/"}), "service"),
            (json!({"service": "w b", "callback": "http://a/"}), "service"),
            (json!({"service": "web", "callback": 1}), "callback"),
            (json!({"service": "web", "callback": "http://a/", "retires": 1}), "retires"),
        ] {
            assert_eq!(Subscription::from_json(&body).unwrap_err().field, field, "{body}");
        }
    }
}
