//! A subscription: a service whose changes are posted to a callback.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

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
pub struct Callback(String);

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
        let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).ok_or(Reason::Callback)?;
        let graphic = text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#');
        let authority = &rest[..rest.find(['/', '?']).unwrap_or(rest.len())];
        if graphic && is_authority(authority) { Ok(Self(text.to_owned())) } else { Err(Reason::Callback) }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Callback {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A host with or without a port (RFC 3986 §3.2).
fn is_authority(text: &str) -> bool {
    let (host, rest) = match text.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
        Some((host, rest)) => (host.parse::<Ipv6Addr>().is_ok(), rest),
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (is_host(host), rest)
        }
    };
    host && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port))
}

fn is_host(text: &str) -> bool {
    text.parse::<Ipv4Addr>().is_ok() || HostName::parse(text).is_ok()
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_digit()) && text.parse::<u16>().is_ok_and(|port| port != 0)
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
