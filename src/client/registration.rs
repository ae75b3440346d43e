//! What an instance registers with. The server judges the values.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::Span;

/// An instance of a service, as it shall be registered.
///
/// ```
/// use std::time::Duration;
/// use srvd::client::{Check, Registration};
///
/// let registration = Registration::new("web", 8080)
///     .id("a")
///     .tag("v2")
///     .metadata("team", "shop")
///     .ttl(Duration::from_secs(10))
///     .check(Check::http("/health").every(Duration::from_secs(2)));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    pub(super) service: String,
    pub(super) id: Option<String>,
    /// Whether the own address has to be found out.
    pub(super) finds_address: bool,
    pub(super) body: Map<String, Value>,
}

impl Registration {
    /// An instance with this main port. Its id is made when it registers, and its address is that of the route to the
    /// server.
    pub fn new(service: impl Into<String>, port: u16) -> Self {
        let body = Map::from_iter([("port".to_owned(), port.into())]);
        Self { service: service.into(), id: None, finds_address: true, body }
    }

    /// An instance by the members of its registration as the API has them. Without an address it is that of the route to
    /// the server.
    pub(crate) fn of_members(service: &str, id: &str, body: Map<String, Value>) -> Self {
        let finds_address = !body.contains_key("address") && !body.contains_key("addresses");
        Self { service: service.to_owned(), id: Some(id.to_owned()), finds_address, body }
    }

    /// An id of its own: one DNS label. Whoever registers under it again replaces what was registered.
    #[must_use]
    pub fn id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The IP address or host name that it is reached at.
    #[must_use]
    pub fn address(self, address: impl ToString) -> Self {
        self.at("address", address.to_string().into())
    }

    /// Several addresses, of both families as it may be.
    #[must_use]
    pub fn addresses(self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.at("addresses", addresses.into_iter().map(|address| address.to_string()).collect())
    }

    /// The address from which the server sees the registration come, as where this host does not know its own.
    #[must_use]
    pub fn address_as_seen(self) -> Self {
        self.at("address", "auto".into())
    }

    fn at(mut self, member: &str, addresses: Value) -> Self {
        self.finds_address = false;
        self.body.remove("address");
        self.body.remove("addresses");
        self.with(member, addresses)
    }

    /// A named port.
    #[must_use]
    pub fn port(self, name: impl Into<String>, port: u16) -> Self {
        self.entry("ports", name.into(), port.into())
    }

    /// `tcp` unless given, or `udp`.
    #[must_use]
    pub fn protocol(self, protocol: &str) -> Self {
        self.with("protocol", protocol.into())
    }

    /// The scheme of its URL; `http` unless given.
    #[must_use]
    pub fn scheme(self, scheme: &str) -> Self {
        self.with("scheme", scheme.into())
    }

    /// The version of what runs there.
    #[must_use]
    pub fn version(self, version: &str) -> Self {
        self.with("version", version.into())
    }

    /// Its share of the traffic; 1 unless given, 0 is last resort.
    #[must_use]
    pub fn weight(self, weight: u16) -> Self {
        self.with("weight", weight.into())
    }

    /// Lower is used first; 0 unless given.
    #[must_use]
    pub fn priority(self, priority: u16) -> Self {
        self.with("priority", priority.into())
    }

    /// One more tag.
    #[must_use]
    pub fn tag(mut self, tag: impl Into<String>) -> Self {
        match self.body.entry("tags").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(tags) => tags.push(Value::String(tag.into())),
            other => *other = Value::Array(vec![Value::String(tag.into())]),
        }
        self
    }

    /// One more pair of metadata: a text, number, boolean or a list of these.
    #[must_use]
    pub fn metadata(self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.entry("metadata", key.into(), value.into())
    }

    /// How long the registration lasts without a heartbeat. Heartbeats come three times as often. The server's own unless
    /// given.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        self.with("ttl", span(ttl))
    }

    /// It lasts until it is deregistered. Heartbeats come all the same, to find out about servers that forgot it.
    #[must_use]
    pub fn permanent(self) -> Self {
        self.with("ttl", "none".into())
    }

    /// It is removed after being unhealthy for so long.
    #[must_use]
    pub fn deregister_after(self, unhealthy: Duration) -> Self {
        self.with("deregister_after", span(unhealthy))
    }

    /// Its weight grows for so long after it turned healthy.
    #[must_use]
    pub fn slow_start(self, ramp: Duration) -> Self {
        self.with("slow_start", span(ramp))
    }

    /// It says `starting` of itself until [`Registered::set_status`](super::Registered::set_status) says otherwise.
    #[must_use]
    pub fn starting(self) -> Self {
        self.with("status", "starting".into())
    }

    /// One more check that the server runs.
    #[must_use]
    pub fn check(mut self, check: Check) -> Self {
        match self.body.entry("checks").or_insert_with(|| Value::Array(Vec::new())) {
            Value::Array(checks) => checks.push(check.0.into()),
            other => *other = Value::Array(vec![check.0.into()]),
        }
        self
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.body.insert(member.to_owned(), value);
        self
    }

    fn entry(mut self, member: &str, name: String, value: Value) -> Self {
        match self.body.entry(member).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(entries) => drop(entries.insert(name, value)),
            other => *other = Value::Object(Map::from_iter([(name, value)])),
        }
        self
    }
}

/// A check that the server runs against an instance.
#[derive(Debug, Clone, PartialEq)]
pub struct Check(Map<String, Value>);

impl Check {
    /// `GET path` is answered with 200 to 299.
    pub fn http(path: &str) -> Self {
        Self::of("http").with("path", path.into())
    }

    /// The port accepts connections.
    pub fn tcp() -> Self {
        Self::of("tcp")
    }

    /// `grpc.health.v1.Health/Check` answers `SERVING` for this service; an empty name is the whole server.
    pub fn grpc(service: &str) -> Self {
        Self::of("grpc").with("service", service.into())
    }

    /// Against another than the main port.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        self.with("port", port.into())
    }

    /// How often it is run.
    #[must_use]
    pub fn every(self, interval: Duration) -> Self {
        self.with("interval", span(interval))
    }

    /// How long it may take.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with("timeout", span(timeout))
    }

    /// Successes in a row that make it healthy.
    #[must_use]
    pub fn rise(self, successes: u32) -> Self {
        self.with("rise", successes.into())
    }

    /// Failures in a row that make it unhealthy.
    #[must_use]
    pub fn fall(self, failures: u32) -> Self {
        self.with("fall", failures.into())
    }

    fn of(kind: &str) -> Self {
        Self(Map::from_iter([("kind".to_owned(), kind.into())]))
    }

    fn with(mut self, member: &str, value: Value) -> Self {
        self.0.insert(member.to_owned(), value);
        self
    }
}

/// As the server writes and reads spans; to the millisecond.
fn span(duration: Duration) -> Value {
    Span::from_millis(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)).to_string().into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Defaults;

    #[test]
    fn every_member_has_its_place_and_the_server_takes_it() {
        let secs = Duration::from_secs;
        let check = Check::http("/health").port(9000).every(secs(2)).timeout(secs(1)).rise(1).fall(2);
        let registration = Registration::new("web", 8080)
            .addresses(["10.0.0.6".parse().unwrap(), "10.0.0.7".parse().unwrap()])
            .address("10.0.0.7")
            .port("metrics", 9100)
            .port("http", 8080)
            .protocol("tcp")
            .scheme("https")
            .version("2.1.0")
            .weight(10)
            .priority(1)
            .tag("v2")
            .tag("canary")
            .metadata("team", "shop")
            .metadata("max", 1000)
            .ttl(Duration::from_millis(1500))
            .deregister_after(secs(60))
            .slow_start(secs(30))
            .starting()
            .check(check)
            .check(Check::tcp())
            .check(Check::grpc("shop"));
        assert!(!registration.finds_address);
        let whole = json!({
            "port": 8080, "address": "10.0.0.7", "ports": {"metrics": 9100, "http": 8080}, "protocol": "tcp",
            "scheme": "https", "version": "2.1.0", "weight": 10, "priority": 1, "tags": ["v2", "canary"],
            "metadata": {"team": "shop", "max": 1000}, "ttl": "1s500ms", "deregister_after": "1m", "slow_start": "30s",
            "status": "starting",
            "checks": [
                {"kind": "http", "path": "/health", "port": 9000, "interval": "2s", "timeout": "1s", "rise": 1, "fall": 2},
                {"kind": "tcp"},
                {"kind": "grpc", "service": "shop"},
            ],
        });
        assert_eq!(Value::Object(registration.body.clone()), whole);
        let defaults = Defaults::default();
        let read = crate::model::Registration::from_json(&whole, &defaults, [127, 0, 0, 1].into());
        assert!(read.is_ok(), "{read:?}");
    }

    #[test]
    fn the_last_word_on_addresses_counts() {
        let body = |registration: Registration| Value::Object(registration.body);
        let auto = Registration::new("web", 1).address("10.0.0.7").address_as_seen();
        assert_eq!(body(auto), json!({"port": 1, "address": "auto"}));
        let permanent = Registration::new("web", 1).permanent();
        assert!(permanent.finds_address);
        assert_eq!(body(permanent), json!({"port": 1, "ttl": "none"}));
    }
}
