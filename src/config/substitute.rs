//! `${NAME}` and `${NAME:-default}` in texts of the file.
//!
//! They are replaced after the file was parsed: what a variable holds cannot change the structure or move a line. A `$`
//! that begins no such reference stays as it is. The default also stands in for an empty variable, as in a shell.

use super::node::{Node, Shape, Wording};

/// A variable that is needed and not there.
#[derive(Debug, PartialEq)]
pub(super) struct Missing {
    pub line: Option<usize>,
    pub name: String,
}

/// Replaces the references in every text of `node` and adds to `missing` what `env` does not have.
pub(super) fn substitute(node: &mut Node, env: &dyn Fn(&str) -> Option<String>, missing: &mut Vec<Missing>) {
    let line = node.line;
    match &mut node.shape {
        Shape::Text { text, wording } => {
            let mut names = Vec::new();
            if let Some(replaced) = replace(text, env, &mut names) {
                *wording = Wording::Template(std::mem::replace(text, replaced));
            }
            missing.extend(names.into_iter().map(|name| Missing { line, name }));
        }
        Shape::List(entries) => entries.iter_mut().for_each(|entry| substitute(entry, env, missing)),
        Shape::Table(members) => members.iter_mut().for_each(|(_, member)| substitute(member, env, missing)),
        Shape::Whole(_) | Shape::Fraction(_) | Shape::Switch(_) | Shape::Moment(_) => {}
    }
}

/// The text with its references replaced; `None` when it has none.
fn replace(text: &str, env: &dyn Fn(&str) -> Option<String>, missing: &mut Vec<String>) -> Option<String> {
    let mut replaced = String::with_capacity(text.len());
    let mut rest = text;
    let mut found = false;
    while let Some(dollar) = rest.find('$') {
        replaced.push_str(&rest[..dollar]);
        rest = &rest[dollar..];
        let Some(reference) = Reference::at_start(rest) else {
            replaced.push('$');
            rest = &rest[1..];
            continue;
        };
        found = true;
        match (env(reference.name), reference.default) {
            (Some(value), None) => replaced.push_str(&value),
            (Some(value), Some(_)) if !value.is_empty() => replaced.push_str(&value),
            (_, Some(default)) => replaced.push_str(default),
            (None, None) => missing.push(reference.name.to_owned()),
        }
        rest = &rest[reference.octets..];
    }
    replaced.push_str(rest);
    found.then_some(replaced)
}

struct Reference<'a> {
    name: &'a str,
    default: Option<&'a str>,
    octets: usize,
}

impl<'a> Reference<'a> {
    fn at_start(text: &'a str) -> Option<Self> {
        let end = text.strip_prefix("${")?.find('}')? + 2;
        let inside = &text[2..end];
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let named = name.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'_')
            && name.bytes().next().is_some_and(|octet| !octet.is_ascii_digit());
        named.then_some(Self { name, default, octets: end + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn env(name: &str) -> Option<String> {
        match name {
            "HOST" => Some("::1".into()),
            "EMPTY" => Some(String::new()),
            "NESTED" => Some("${HOST}\"]".into()),
            _ => None,
        }
    }

    #[test]
    fn references_are_replaced_once() {
        for (text, replaced) in [
            ("[${HOST}]:53", Some("[::1]:53")),
            ("${HOST}${HOST}", Some("::1::1")),
            ("${NOT:-7}", Some("7")),
            ("${NOT:-}", Some("")),
            ("${EMPTY:-7}", Some("7")),
            ("${EMPTY}", Some("")),
            ("${NESTED}", Some("${HOST}\"]")),
            ("a$$${HOST}", Some("a$$::1")),
            ("$HOST", None),
            ("${HOST", None),
            ("${}", None),
            ("${1A}", None),
            ("${A-b}", None),
            ("é$", None),
        ] {
            let mut missing = Vec::new();
            assert_eq!(replace(text, &env, &mut missing).as_deref(), replaced, "{text}");
            assert!(missing.is_empty(), "{text}");
        }
    }

    #[test]
    fn missing_variables_are_all_named() {
        let mut node = Node { line: Some(4), ..Node::bare("${A}${B:-x}${C}") };
        let mut missing = Vec::new();
        substitute(&mut node, &env, &mut missing);
        let names: Vec<&str> = missing.iter().map(|missing| missing.name.as_str()).collect();
        assert_eq!((names, missing[0].line), (vec!["A", "C"], Some(4)));
    }
}
