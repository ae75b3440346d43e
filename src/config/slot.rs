//! Where a value of the configuration goes, and what it must be to get there.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use ipnet::IpNet;

use super::node::{Node, Shape};
use super::take::{entries, parsed, share, span, switch, text, url, whole, zone};
use super::word::{Word, words};
use super::{Config, CookieSecret, LogFormat, LogLevel, Reason, Secret, StoreKind};
use crate::model::{CheckSpec, Span, limits};
use crate::wire::Name;

/// Sockets of one kind; each DNS address has one for each worker.
const ADDRESSES: usize = 64;
/// Prefixes in a list that is gone through one by one.
const PREFIXES: usize = 1024;
/// Members of an etcd cluster; its authors advise against more than seven.
const ENDPOINTS: usize = 16;

type At<T> = fn(&mut Config) -> &mut T;

/// A place in [`Config`] with the type and the bounds of what it takes. Spans are bounded in milliseconds.
pub(super) enum Slot {
    Zone(At<Name>),
    Listen(At<Vec<SocketAddr>>),
    Prefixes(At<Vec<IpNet>>),
    Urls(At<Vec<String>>),
    /// A URL, or nothing.
    Endpoint(At<Option<String>>),
    /// `health.default_checks`; reads the other keys of `[health]`, so their rows stand before its own.
    Checks,
    Path(At<PathBuf>),
    /// A path, or nothing.
    File(At<Option<PathBuf>>),
    Small(RangeInclusive<u16>, At<u16>),
    Whole(RangeInclusive<u32>, At<u32>),
    /// From 0 to 1.
    Share(At<f64>),
    Span(RangeInclusive<u64>, At<Span>),
    Switch(At<bool>),
    Text(At<String>),
    /// Text that is not empty.
    Named(At<String>),
    /// Text of at most this many octets.
    Short(usize, At<String>),
    KeyPrefix(At<String>),
    Secret(At<Secret>),
    CookieSecret(At<CookieSecret>),
    Kind(At<StoreKind>),
    Level(At<LogLevel>),
    Format(At<LogFormat>),
}

/// What is wrong with a value, and where in it.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub line: Option<usize>,
    /// The path below the key, such as `[0].port`; empty for the value itself.
    pub member: String,
    pub reason: Reason,
}

impl Slot {
    /// Puts what `node` says into `config`; a relative path becomes one below `base`.
    pub fn read(&self, config: &mut Config, node: &Node, base: &Path) -> Result<(), Fault> {
        let refusal = || self.refusal(node);
        match self {
            Self::Zone(at) => *at(config) = zone(node).ok_or_else(refusal)?,
            Self::Listen(at) => *at(config) = self.list(node, ADDRESSES, parsed)?,
            Self::Prefixes(at) => *at(config) = self.list(node, PREFIXES, parsed)?,
            Self::Urls(at) => *at(config) = self.list(node, ENDPOINTS, url)?,
            Self::Endpoint(at) => {
                let written = text(node).ok_or_else(refusal)?;
                let read =
                    |written| url(written).map_err(|reason| reason.map_or_else(refusal, |it| Fault::at(node, it)));
                *at(config) = if written.is_empty() { None } else { Some(read(written)?) };
            }
            Self::Checks => config.health.default_checks = self.checks(config, node)?,
            Self::Path(at) => {
                let path = text(node).filter(|path| !path.is_empty()).ok_or_else(refusal)?;
                *at(config) = base.join(path);
            }
            Self::File(at) => {
                let path = text(node).ok_or_else(refusal)?;
                *at(config) = (!path.is_empty()).then(|| base.join(path));
            }
            Self::Small(within, at) => *at(config) = whole(node, within).ok_or_else(refusal)?,
            Self::Whole(within, at) => *at(config) = whole(node, within).ok_or_else(refusal)?,
            Self::Share(at) => *at(config) = share(node).ok_or_else(refusal)?,
            Self::Span(within, at) => *at(config) = span(node, within).ok_or_else(refusal)?,
            Self::Switch(at) => *at(config) = switch(node).ok_or_else(refusal)?,
            Self::Text(at) => *at(config) = text(node).ok_or_else(refusal)?.to_owned(),
            Self::Named(at) => {
                *at(config) = text(node).filter(|text| !text.is_empty()).ok_or_else(refusal)?.to_owned();
            }
            Self::Short(most, at) => {
                *at(config) = text(node).filter(|text| text.len() <= *most).ok_or_else(refusal)?.to_owned();
            }
            Self::KeyPrefix(at) => {
                *at(config) = text(node).filter(|text| text.starts_with('/')).ok_or_else(refusal)?.to_owned();
            }
            Self::Secret(at) => *at(config) = Secret::new(text(node).ok_or_else(refusal)?.to_owned()),
            Self::CookieSecret(at) => *at(config) = text(node).and_then(CookieSecret::parse).ok_or_else(refusal)?,
            Self::Kind(at) => *at(config) = text(node).and_then(Word::read).ok_or_else(refusal)?,
            Self::Level(at) => *at(config) = text(node).and_then(Word::read).ok_or_else(refusal)?,
            Self::Format(at) => *at(config) = text(node).and_then(Word::read).ok_or_else(refusal)?,
        }
        Ok(())
    }

    /// Gives this place of `to` the value that it has in `from`.
    pub fn copy(&self, from: &mut Config, to: &mut Config) {
        match self {
            Self::Zone(at) => copy(*at, from, to),
            Self::Listen(at) => copy(*at, from, to),
            Self::Prefixes(at) => copy(*at, from, to),
            Self::Urls(at) => copy(*at, from, to),
            Self::Endpoint(at) => copy(*at, from, to),
            Self::Checks => copy(|config| &mut config.health.default_checks, from, to),
            Self::Path(at) => copy(*at, from, to),
            Self::File(at) => copy(*at, from, to),
            Self::Small(_, at) => copy(*at, from, to),
            Self::Whole(_, at) => copy(*at, from, to),
            Self::Share(at) => copy(*at, from, to),
            Self::Span(_, at) => copy(*at, from, to),
            Self::Switch(at) => copy(*at, from, to),
            Self::Text(at) | Self::Named(at) | Self::Short(_, at) | Self::KeyPrefix(at) => copy(*at, from, to),
            Self::Secret(at) => copy(*at, from, to),
            Self::CookieSecret(at) => copy(*at, from, to),
            Self::Kind(at) => copy(*at, from, to),
            Self::Level(at) => copy(*at, from, to),
            Self::Format(at) => copy(*at, from, to),
        }
    }

    /// What a value, or an entry of a list, must be.
    pub fn expected(&self) -> String {
        match self {
            Self::Zone(_) => {
                "a domain name of letters, digits and hyphens such as svc.local, other than the root".into()
            }
            Self::Listen(_) => "an IP address with a port such as 127.0.0.1:5300 or [::1]:5300".into(),
            Self::Prefixes(_) => "a CIDR prefix such as 10.0.0.0/8".into(),
            Self::Urls(_) => "a URL such as http://127.0.0.1:2379".into(),
            Self::Endpoint(_) => "a URL such as http://127.0.0.1:4318, or \"\" for none".into(),
            Self::Checks => "a check such as {kind = \"tcp\"}".into(),
            Self::Path(_) => "a path".into(),
            Self::File(_) => "a path, or \"\" for none".into(),
            Self::Small(within, _) => format!("{} to {}", within.start(), within.end()),
            Self::Whole(within, _) => format!("{} to {}", within.start(), within.end()),
            Self::Share(_) => "0 to 1".into(),
            Self::Span(within, _) => {
                format!("{} to {}", Span::from_millis(*within.start()), Span::from_millis(*within.end()))
            }
            Self::Switch(_) => "true or false".into(),
            Self::Text(_) | Self::Secret(_) => "a string".into(),
            Self::Named(_) => "a string that is not empty".into(),
            Self::Short(most, _) => format!("a string of at most {most} octets"),
            Self::CookieSecret(_) => "32 hexadecimal digits, or an empty string".into(),
            Self::KeyPrefix(_) => "a string that begins with `/`".into(),
            Self::Kind(_) => words::<StoreKind>(),
            Self::Level(_) => words::<LogLevel>(),
            Self::Format(_) => words::<LogFormat>(),
        }
    }

    fn refusal(&self, node: &Node) -> Fault {
        let shown =
            if matches!(self, Self::Secret(_) | Self::CookieSecret(_)) { node.what().to_owned() } else { node.shown() };
        Fault::at(node, Reason::Value { expected: self.expected(), shown })
    }

    /// Reads each entry of a list of at most `max`.
    fn list<T>(
        &self,
        node: &Node,
        max: usize,
        read: impl Fn(&str) -> Result<T, Option<Reason>>,
    ) -> Result<Vec<T>, Fault> {
        let read_entry = |entry: &Node| {
            let refused =
                |reason: Option<Reason>| reason.map_or_else(|| self.refusal(entry), |it| Fault::at(entry, it));
            read(text(entry).ok_or(None).map_err(refused)?).map_err(refused)
        };
        self.entries(node, max)?.iter().map(read_entry).collect()
    }

    fn entries(&self, node: &Node, max: usize) -> Result<Vec<Node>, Fault> {
        let Some(entries) = entries(node) else {
            let expected = format!("a list, each entry {}", self.expected());
            return Err(Fault::at(node, Reason::Value { expected, shown: node.shown() }));
        };
        if entries.len() > max { Err(Fault::at(node, Reason::TooMany { max })) } else { Ok(entries) }
    }

    fn checks(&self, config: &Config, node: &Node) -> Result<Vec<CheckSpec>, Fault> {
        let defaults = config.health.check_defaults();
        let read = |(at, entry): (usize, &Node)| {
            if !matches!(entry.shape, Shape::Table(_)) {
                return Err(self.refusal(entry));
            }
            CheckSpec::from_json(&entry.to_json(), &defaults).map_err(|invalid| {
                let invalid = invalid.under(&format!("[{at}]"));
                Fault { line: entry.line, member: invalid.field, reason: Reason::Check(invalid.reason) }
            })
        };
        self.entries(node, limits::CHECKS)?.iter().enumerate().map(read).collect()
    }
}

fn copy<T: Clone>(at: At<T>, from: &mut Config, to: &mut Config) {
    at(to).clone_from(at(from));
}

impl Fault {
    fn at(node: &Node, reason: Reason) -> Self {
        Self { line: node.line, member: String::new(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::super::node::Wording;
    use super::*;
    use toml::de::DeValue;

    fn node(text: &str) -> Node {
        Node::of(&DeValue::parse(text).unwrap(), &|_| None)
    }

    fn template(text: &str) -> Node {
        Node { line: None, shape: Shape::Text { text: text.into(), wording: Wording::Template("${X}".into()) } }
    }

    #[test]
    fn lists_come_in_four_forms() {
        let slot = Slot::Listen(|config| &mut config.dns.listen);
        for (node, count) in [
            (node(r#"["127.0.0.1:1", "[::1]:2"]"#), Some(2)),
            (Node::bare("127.0.0.1:1, [::1]:2"), Some(2)),
            (Node::bare("[::1]:2,127.0.0.1:1"), Some(2)),
            (Node::bare(r#"["127.0.0.1:1", "[::1]:2"]"#), Some(2)),
            (template("127.0.0.1:1,[::1]:2"), Some(2)),
            (
                Node {
                    line: None,
                    shape: Shape::List(vec![Node::bare("[::1]:1"), template(""), template("[::1]:2,[::1]:3")]),
                },
                Some(3),
            ),
            (Node::bare(""), Some(0)),
            (node(r#""127.0.0.1:1""#), None),
            (node("[53]"), None),
            (Node::bare("[127.0.0.1:1]"), None),
            (Node::bare("localhost:1"), None),
            (template(r#"["127.0.0.1:1"]"#), None),
        ] {
            let mut config = Config::default();
            let read = slot.read(&mut config, &node, Path::new(""));
            assert_eq!(read.ok().map(|()| config.dns.listen.len()), count, "{node:?}");
        }
    }
}
