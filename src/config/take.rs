//! What a node means where a certain type is wanted; `None` when it means nothing there.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml::de::DeValue;

use super::Reason;
use super::node::{Node, Shape, Wording};
use crate::model::{HostName, Span};
use crate::wire::Name;

/// The entries of a list; commas part them in text that is not in quotes.
pub(super) fn entries(node: &Node) -> Option<Vec<Node>> {
    match &node.shape {
        Shape::List(list) => {
            Some(list.iter().flat_map(|entry| parts(entry).unwrap_or_else(|| vec![entry.clone()])).collect())
        }
        Shape::Text { text, wording: Wording::Bare } if text.starts_with('[') => {
            let list = DeValue::parse(text).ok().map(|value| Node::of(&value, &|_| None));
            list.and_then(|list| entries(&list)).or_else(|| parts(node))
        }
        _ => parts(node),
    }
}

/// The parts of a text between commas; `None` for anything else and for text in quotes.
fn parts(node: &Node) -> Option<Vec<Node>> {
    match &node.shape {
        Shape::Text { wording: Wording::Quoted, .. } => None,
        Shape::Text { text, wording } => {
            let part = |text: &str| Node {
                line: node.line,
                shape: Shape::Text { text: text.to_owned(), wording: wording.clone() },
            };
            Some(text.split(',').map(str::trim).filter(|text| !text.is_empty()).map(part).collect())
        }
        _ => None,
    }
}

pub(super) fn text(node: &Node) -> Option<&str> {
    match &node.shape {
        Shape::Text { text, .. } => Some(text),
        _ => None,
    }
}

/// Text that may mean something other than a string.
fn unquoted(node: &Node) -> Option<&str> {
    match &node.shape {
        Shape::Text { wording: Wording::Quoted, .. } => None,
        _ => text(node).map(str::trim),
    }
}

pub(super) fn whole<T: TryFrom<i64> + PartialOrd>(node: &Node, within: &RangeInclusive<T>) -> Option<T> {
    let whole = match node.shape {
        Shape::Whole(whole) => whole,
        _ => unquoted(node)?.parse().ok()?,
    };
    T::try_from(whole).ok().filter(|whole| within.contains(whole))
}

pub(super) fn share(node: &Node) -> Option<f64> {
    let share = match node.shape {
        Shape::Whole(whole) => whole as f64,
        Shape::Fraction(fraction) => fraction,
        _ => unquoted(node)?.parse().ok()?,
    };
    (0.0..=1.0).contains(&share).then_some(share)
}

pub(super) fn switch(node: &Node) -> Option<bool> {
    match node.shape {
        Shape::Switch(switch) => Some(switch),
        _ => unquoted(node)?.parse().ok(),
    }
}

pub(super) fn span(node: &Node, within: &RangeInclusive<u64>) -> Option<Span> {
    Span::parse(text(node)?)?.within(within.clone()).ok()
}

pub(super) fn zone(node: &Node) -> Option<Name> {
    Name::parse(HostName::parse(text(node)?).ok()?.as_str()).ok()
}

pub(super) fn parsed<T: FromStr>(text: &str) -> Result<T, Option<Reason>> {
    text.parse().map_err(|_| None)
}

/// An `http` or `https` URL with a host and perhaps a port.
pub(super) fn url(text: &str) -> Result<String, Option<Reason>> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")).ok_or(None)?;
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err(Some(Reason::Credentials));
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (authority, None),
    };
    let literal = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let hosted = match literal {
        Some(literal) => literal.parse::<Ipv6Addr>().is_ok(),
        None => host.parse::<Ipv4Addr>().is_ok() || HostName::parse(host).is_ok(),
    };
    let ported = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    let printable = rest.bytes().all(|octet| octet.is_ascii_graphic());
    if hosted && ported && printable { Ok(text.to_owned()) } else { Err(None) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::of(&DeValue::parse(text).unwrap(), &|_| None)
    }

    #[test]
    fn urls_have_a_scheme_and_a_host() {
        for (text, good) in [
            ("http://127.0.0.1:2379", true),
            ("https://etcd-0.etcd:2379/", true),
            ("http://[::1]:2379", true),
            ("http://[::1]", true),
            ("http://", false),
            ("http://:2379", false),
            ("http://a:0", false),
            ("http://a:70000", false),
            ("http://a b", false),
            ("etcd://a", false),
            ("http://user:pass@a", false),
            ("127.0.0.1:2379", false),
        ] {
            assert_eq!(url(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn only_unquoted_text_means_numbers() {
        let wording = Wording::Template("${X}".into());
        let template = Node { line: None, shape: Shape::Text { text: " 2 ".into(), wording } };
        for (node, value) in [
            (node("2"), Some(2)),
            (node("\"2\""), None),
            (node("2.0"), None),
            (node("99999999999999999999"), None),
            (Node::bare("2"), Some(2)),
            (template, Some(2)),
            (Node::bare("-1"), None),
            (Node::bare(""), None),
        ] {
            assert_eq!(whole(&node, &(0..=256_u16)), value, "{node:?}");
        }
        assert_eq!(share(&node("1")), Some(1.0));
        assert_eq!(share(&Node::bare("nan")), None);
    }
}
