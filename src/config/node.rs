//! A value as it was given, before anybody knows what it should be.
//!
//! A node knows its line in the file and how its text was written. Text from the environment or a flag has no quotes to
//! tell a number from a string, so it may mean either; so may text that came through `${…}`, and that is never shown.

use serde_json::{Value, json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Members of a check that are whole numbers, whoever wrote them.
const WHOLE_MEMBERS: [&str; 3] = ["port", "rise", "fall"];

/// How much of a value a message shows, in characters.
const SHOWN: usize = 80;

/// A value with its line, counted from 1; values from outside the file have none.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub line: Option<usize>,
    pub shape: Shape,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Text { text: String, wording: Wording },
    Whole(i64),
    Fraction(f64),
    Switch(bool),
    Moment(String),
    List(Vec<Node>),
    Table(Vec<(String, Node)>),
}

/// How a text was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wording {
    /// In quotes: it is a string.
    Quoted,
    /// In a variable or flag: it means what its key wants.
    Bare,
    /// With `${…}` in it, here still unreplaced: it means what its key wants.
    Template(String),
}

impl Node {
    /// Text of a variable or flag.
    pub fn bare(text: &str) -> Self {
        Self { line: None, shape: Shape::Text { text: text.to_owned(), wording: Wording::Bare } }
    }

    /// Takes over a parsed value; `line` tells the line of an octet offset.
    pub fn of(value: &Spanned<DeValue<'_>>, line: &dyn Fn(usize) -> Option<usize>) -> Self {
        let shape = match value.get_ref() {
            DeValue::String(text) => Shape::Text { text: text.to_string(), wording: Wording::Quoted },
            // Beyond 64 bits only the message needs it.
            DeValue::Integer(whole) => i64::from_str_radix(whole.as_str(), whole.radix())
                .map_or_else(|_| Shape::Fraction(whole.as_str().parse().unwrap_or(f64::INFINITY)), Shape::Whole),
            DeValue::Float(fraction) => Shape::Fraction(fraction.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(switch) => Shape::Switch(*switch),
            DeValue::Datetime(moment) => Shape::Moment(moment.to_string()),
            DeValue::Array(list) => Shape::List(list.iter().map(|entry| Self::of(entry, line)).collect()),
            DeValue::Table(table) => Shape::Table(members(table, line)),
        };
        Self { line: line(value.span().start), shape }
    }

    /// The value for people: short, and with `${…}` as it stands in the file.
    pub fn shown(&self) -> String {
        match &self.shape {
            Shape::Text { wording: Wording::Template(text), .. } | Shape::Text { text, .. } => {
                let mut shown: String = text.chars().take(SHOWN).collect();
                if shown.len() < text.len() {
                    shown.push('…');
                }
                format!("{shown:?}")
            }
            Shape::Whole(whole) => whole.to_string(),
            Shape::Fraction(fraction) => fraction.to_string(),
            Shape::Switch(switch) => switch.to_string(),
            Shape::Moment(moment) => moment.clone(),
            Shape::List(_) | Shape::Table(_) => self.what().to_owned(),
        }
    }

    /// What it is, for values that may not be shown.
    pub fn what(&self) -> &'static str {
        match &self.shape {
            Shape::Text { .. } => "a text",
            Shape::Whole(_) | Shape::Fraction(_) => "a number",
            Shape::Switch(_) => "true or false",
            Shape::Moment(_) => "a date or time",
            Shape::List(_) => "a list",
            Shape::Table(_) => "a table",
        }
    }

    /// The first text with `${…}` in it, as it stands in the file.
    pub fn template(&self) -> Option<&str> {
        match &self.shape {
            Shape::Text { wording: Wording::Template(template), .. } => Some(template),
            Shape::List(entries) => entries.iter().find_map(Self::template),
            Shape::Table(members) => members.iter().find_map(|(_, member)| member.template()),
            _ => None,
        }
    }

    /// The same value in JSON.
    pub fn to_json(&self) -> Value {
        match &self.shape {
            Shape::Text { text, .. } | Shape::Moment(text) => json!(text),
            Shape::Whole(whole) => json!(whole),
            Shape::Fraction(fraction) => json!(fraction),
            Shape::Switch(switch) => json!(switch),
            Shape::List(entries) => entries.iter().map(Self::to_json).collect(),
            Shape::Table(members) => {
                members.iter().map(|(name, member)| (name.clone(), member.to_json_as(name))).collect()
            }
        }
    }

    fn to_json_as(&self, name: &str) -> Value {
        match &self.shape {
            Shape::Text { text, wording: Wording::Template(_) } if WHOLE_MEMBERS.contains(&name) => {
                text.trim().parse::<i64>().map_or_else(|_| json!(text), |whole| json!(whole))
            }
            _ => self.to_json(),
        }
    }
}

fn members(table: &DeTable<'_>, line: &dyn Fn(usize) -> Option<usize>) -> Vec<(String, Node)> {
    let member = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        (name.to_string(), Node::of(value, line))
    };
    table.iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(text: &str) -> Node {
        Node::of(&DeValue::parse(text).unwrap(), &|_| None)
    }

    #[test]
    fn values_are_shown_briefly() {
        for (written, shown) in [
            ("99", "99"),
            ("0xff", "255"),
            ("-0.5", "-0.5"),
            ("true", "true"),
            ("\"a\\tb\"", "\"a\\tb\""),
            ("[1, 2]", "a list"),
            ("{a = 1}", "a table"),
            ("99999999999999999999", "100000000000000000000"),
        ] {
            assert_eq!(node(written).shown(), shown);
        }
        assert_eq!(Node::bare(&"x".repeat(200)).shown().chars().count(), SHOWN + 3);
    }

    #[test]
    fn json_is_the_same_value() {
        let written = r#"[{kind = "tcp", port = 80, ok = true, share = 0.5}]"#;
        assert_eq!(node(written).to_json(), json!([{"kind": "tcp", "port": 80, "ok": true, "share": 0.5}]));
    }
}
