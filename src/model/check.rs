//! A health check as a client asks for it.

use serde_json::{Map, Value, json};

use super::{Invalid, Port, Reason, Span, json as read, json::Members, limits};

/// A check that srvd runs against an instance's own addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckSpec {
    pub kind: CheckKind,
    /// The port to connect to; the instance's main port when `None`.
    pub port: Option<Port>,
    /// From the start of one check to the start of the next.
    pub interval: Span,
    /// From the start of a check to its failure, when nothing has decided it before.
    pub timeout: Span,
    /// Consecutive passes that end a failing verdict.
    pub rise: u32,
    /// Consecutive failures that end a passing verdict.
    pub fall: u32,
}

/// What a check does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// Passes when a request is answered with one of the expected statuses. Redirects are not followed.
    Http { tls: Option<Trust>, path: String, method: Method, headers: Vec<(String, String)>, expect: StatusRanges },
    /// Passes when a connection is accepted.
    Tcp,
    /// Passes when `grpc.health.v1.Health/Check` says that the service, or with an empty name the whole server, is
    /// serving. Over HTTP/2 in clear text.
    Grpc { service: String },
}

/// Which certificates an `https` check accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Those that are valid for the name of the target, from an issuer that srvd trusts.
    Verified,
    /// Whatever the target shows.
    Anyone,
}

/// The request method of an `http` check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
}

impl Method {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}

/// HTTP statuses that count as a pass, as inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRanges(Vec<(u16, u16)>);

/// The times and streaks of a check that does not give its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckDefaults {
    pub interval: Span,
    pub timeout: Span,
    pub rise: u32,
    pub fall: u32,
}

impl Default for CheckDefaults {
    /// What holds where nothing is configured.
    fn default() -> Self {
        Self { interval: Span::from_secs(10), timeout: Span::from_secs(5), rise: 2, fall: 3 }
    }
}

const KINDS: &[&str] = &["http", "tcp", "grpc"];
/// The members of every kind of check.
const COMMON: &[&str] = &["kind", "port", "interval", "timeout", "rise", "fall"];
/// The members that only `http` checks have.
const HTTP: &[&str] = &["path", "method", "headers", "expect", "scheme", "verify"];
/// The members that only `grpc` checks have.
const GRPC: &[&str] = &["service"];
/// Members that only replies have: accepted and ignored.
const REPLY_MEMBERS: &[&str] = &["last_result", "next_check", "verdict"];

impl CheckSpec {
    pub fn from_json(value: &Value, defaults: &CheckDefaults) -> Result<Self, Invalid> {
        let own = match value.get("kind").map(Value::as_str) {
            None | Some(Some("http")) => HTTP,
            Some(Some("grpc")) => GRPC,
            Some(_) => &[],
        };
        let known: Vec<&str> = COMMON.iter().chain(own).copied().collect();
        let members = Members::of(value, &known, REPLY_MEMBERS)?;
        let kind = match members.required("kind", |kind| read::choice(kind, KINDS, KINDS))? {
            "http" => CheckKind::http_from(&members)?,
            "grpc" => CheckKind::Grpc { service: members.optional("service", grpc_service)?.unwrap_or_default() },
            _ => CheckKind::Tcp,
        };
        let streak = |value: &Value| read::integer(value, limits::STREAK).map(|number| number as u32);
        let spec = Self {
            kind,
            port: members.optional("port", Port::from_json)?,
            interval: members
                .optional("interval", |value| read::span(value, limits::CHECK_INTERVAL))?
                .unwrap_or(defaults.interval),
            timeout: members
                .optional("timeout", |value| read::span(value, limits::CHECK_TIMEOUT))?
                .unwrap_or(defaults.timeout),
            rise: members.optional("rise", streak)?.unwrap_or(defaults.rise),
            fall: members.optional("fall", streak)?.unwrap_or(defaults.fall),
        };
        Ok(spec)
    }

    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("kind".into(), self.kind.as_str().into());
        self.kind.write(&mut object);
        if let Some(port) = self.port {
            object.insert("port".into(), port.number().into());
        }
        object.insert("interval".into(), self.interval.to_string().into());
        object.insert("timeout".into(), self.timeout.to_string().into());
        object.insert("rise".into(), self.rise.into());
        object.insert("fall".into(), self.fall.into());
        Value::Object(object)
    }
}

impl CheckKind {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Http { .. } => "http",
            Self::Tcp => "tcp",
            Self::Grpc { .. } => "grpc",
        }
    }

    /// Writes the members that only this kind has.
    fn write(&self, object: &mut Map<String, Value>) {
        match self {
            Self::Http { tls, path, method, headers, expect } => {
                object.insert("scheme".into(), if tls.is_some() { "https" } else { "http" }.into());
                if let Some(trust) = tls {
                    object.insert("verify".into(), (*trust == Trust::Verified).into());
                }
                object.insert("path".into(), path.as_str().into());
                object.insert("method".into(), method.as_str().into());
                if !headers.is_empty() {
                    let headers = headers.iter().map(|(name, value)| (name.clone(), json!(value)));
                    object.insert("headers".into(), Value::Object(headers.collect()));
                }
                object.insert("expect".into(), expect.to_json());
            }
            Self::Tcp => {}
            Self::Grpc { service } => drop(object.insert("service".into(), service.as_str().into())),
        }
    }

    fn http_from(members: &Members<'_>) -> Result<Self, Invalid> {
        const METHODS: &[&str] = &["GET", "HEAD"];
        const SCHEMES: &[&str] = &["http", "https"];
        let scheme = members.optional("scheme", |scheme| read::choice(scheme, SCHEMES, SCHEMES))?;
        let trust = match members.optional("verify", read::boolean)? {
            None | Some(true) => Trust::Verified,
            Some(false) => Trust::Anyone,
        };
        Ok(Self::Http {
            tls: (scheme == Some("https")).then_some(trust),
            path: members.optional("path", path)?.unwrap_or_else(|| "/health".to_owned()),
            method: members
                .optional("method", |method| read::choice(method, METHODS, &[Method::Get, Method::Head]))?
                .unwrap_or(Method::Get),
            headers: members.optional("headers", headers)?.unwrap_or_default(),
            expect: members.optional("expect", StatusRanges::from_json)?.unwrap_or_default(),
        })
    }
}

fn path(value: &Value) -> Result<String, Reason> {
    let text = read::string(value)?;
    if !limits::CHECK_PATH.contains(&text.len()) {
        return Err(Reason::Length { min: *limits::CHECK_PATH.start(), max: *limits::CHECK_PATH.end() });
    }
    if text.starts_with('/') && text.bytes().all(|octet| octet.is_ascii_graphic() && octet != b'#') {
        Ok(text.to_owned())
    } else {
        Err(Reason::Path)
    }
}

/// What `HealthCheckRequest.service` holds: any string, of which printable ASCII is enough to name a service.
fn grpc_service(value: &Value) -> Result<String, Reason> {
    let text = read::string(value)?;
    if text.len() > limits::GRPC_SERVICE {
        return Err(Reason::Length { min: 0, max: limits::GRPC_SERVICE });
    }
    if text.bytes().all(|octet| octet.is_ascii_graphic()) { Ok(text.to_owned()) } else { Err(Reason::Printable) }
}

fn headers(value: &Value) -> Result<Vec<(String, String)>, Invalid> {
    let object = value.as_object().ok_or(Reason::Type { expected: "an object of strings" })?;
    if object.len() > limits::CHECK_HEADERS {
        return Err(Reason::TooMany { max: limits::CHECK_HEADERS }.into());
    }
    let token = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet))
    };
    let mut headers = Vec::with_capacity(object.len());
    for (name, value) in object {
        let text = read::string(value).map_err(|reason| Invalid::at(name, reason))?;
        let printable = text.bytes().all(|octet| octet == b'\t' || (0x20..=0x7e).contains(&octet));
        let framing =
            ["content-length", "transfer-encoding", "connection"].contains(&name.to_ascii_lowercase().as_str());
        if !token(name) || !printable || framing || name.len() + text.len() > limits::CHECK_HEADER {
            return Err(Invalid::at(name, Reason::Header));
        }
        headers.push((name.clone(), text.to_owned()));
    }
    Ok(headers)
}

impl StatusRanges {
    /// Reads `204`, `"200-299"`, or a list of these.
    pub fn from_json(value: &Value) -> Result<Self, Reason> {
        let ranges = match value {
            Value::Array(list) if (1..=16).contains(&list.len()) => list.iter().map(status_range).collect(),
            single => status_range(single).map(|range| vec![range]),
        };
        ranges.map(Self)
    }

    fn to_json(&self) -> Value {
        let range =
            |&(first, last): &(u16, u16)| if first == last { json!(first) } else { json!(format!("{first}-{last}")) };
        match self.0.as_slice() {
            [single] => range(single),
            several => several.iter().map(range).collect(),
        }
    }

    pub fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&status))
    }
}

impl Default for StatusRanges {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

fn status_range(value: &Value) -> Result<(u16, u16), Reason> {
    let range = match value {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()).map(|one| (one, one)),
        Value::String(text) => match text.split_once('-') {
            Some((first, last)) => first.parse().ok().zip(last.parse().ok()),
            None => text.parse().ok().map(|one| (one, one)),
        },
        _ => None,
    };
    range.filter(|&(first, last)| 100 <= first && first <= last && last <= 599).ok_or(Reason::Statuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_filled_in_and_written_back() {
        let spec = CheckSpec::from_json(&json!({"kind": "http"}), &CheckDefaults::default()).unwrap();
        let written = spec.to_json();
        assert_eq!(
            written,
            json!({"kind": "http", "scheme": "http", "path": "/health", "method": "GET", "expect": "200-299",
                   "interval": "10s", "timeout": "5s", "rise": 2, "fall": 3})
        );
        assert_eq!(CheckSpec::from_json(&written, &CheckDefaults::default()).unwrap(), spec);
        let times = json!({"port": 9000, "interval": "1s", "timeout": "500ms", "rise": 1, "fall": 1});
        for kind in [
            json!({"kind": "http", "scheme": "https", "verify": false, "path": "/", "method": "HEAD",
                   "headers": {"host": "a.example"}, "expect": [204, "300-399"]}),
            json!({"kind": "http", "scheme": "https", "verify": true, "path": "/", "method": "GET", "expect": 200}),
            json!({"kind": "grpc", "service": "shop.Cart"}),
            json!({"kind": "tcp"}),
        ] {
            let mut full = kind;
            full.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            assert_eq!(CheckSpec::from_json(&full, &CheckDefaults::default()).unwrap().to_json(), full);
        }
        let whole = CheckSpec::from_json(&json!({"kind": "grpc"}), &CheckDefaults::default()).unwrap();
        assert_eq!(whole.kind, CheckKind::Grpc { service: String::new() });
    }

    #[test]
    fn faults_are_named() {
        for (check, field) in [
            (json!({}), "kind"),
            (json!({"kind": "ping"}), "kind"),
            (json!({"kind": 7, "path": "/"}), "path"),
            (json!({"kind": "grpc", "path": "/"}), "path"),
            (json!({"kind": "grpc", "service": "a b"}), "service"),
            (json!({"kind": "grpc", "service": "a".repeat(256)}), "service"),
            (json!({"kind": "tcp", "service": "a"}), "service"),
            (json!({"kind": "tcp", "path": "/"}), "path"),
            (json!({"kind": "http", "path": "health"}), "path"),
            (json!({"kind": "http", "path": "/a b"}), "path"),
            (json!({"kind": "http", "method": "POST"}), "method"),
            (json!({"kind": "http", "scheme": "ftp"}), "scheme"),
            (json!({"kind": "http", "verify": "no"}), "verify"),
            (json!({"kind": "http", "headers": {"a b": "c"}}), "headers.a b"),
            (json!({"kind": "http", "headers": {"x": "c\r\nd: e"}}), "headers.x"),
            (json!({"kind": "http", "expect": "299-200"}), "expect"),
            (json!({"kind": "http", "expect": []}), "expect"),
            (json!({"kind": "tcp", "port": 0}), "port"),
            (json!({"kind": "tcp", "interval": "1ms"}), "interval"),
            (json!({"kind": "tcp", "timeout": 5}), "timeout"),
            (json!({"kind": "tcp", "rise": 0}), "rise"),
            (json!({"kind": "tcp", "fall": 101}), "fall"),
        ] {
            assert_eq!(CheckSpec::from_json(&check, &CheckDefaults::default()).unwrap_err().field, field, "{check}");
        }
    }

    #[test]
    fn statuses_are_matched() {
        let ranges = StatusRanges::from_json(&json!([204, "300-302"])).unwrap();
        let expected = [(200, false), (204, true), (300, true), (302, true), (303, false)];
        for (status, inside) in expected {
            assert_eq!(ranges.contains(status), inside, "{status}");
        }
    }
}
