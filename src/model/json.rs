//! Reading JSON members one by one, so that every fault has a path and no member goes unseen; and writing them one by
//! one, where putting an object together first would cost more than all the rest.

mod shown;

use serde_json::{Map, Value};

pub use self::shown::{Object, Shown, list as write_list, put};

use super::{Invalid, Reason, Span};

/// Names that people write for a member that is called otherwise here.
const ALIASES: &[(&str, &str)] = &[
    ("host", "address"),
    ("hostname", "address"),
    ("ip", "address"),
    ("ips", "addresses"),
    ("hosts", "addresses"),
    ("meta", "metadata"),
    ("labels", "metadata"),
    ("proto", "protocol"),
    ("health_check", "checks"),
    ("lease", "ttl"),
    ("type", "kind"),
    ("name", "service"),
    ("url", "path"),
    ("period", "interval"),
];

/// How alike two names must be for one to be suggested for the other (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.85;

/// The members of a JSON object.
pub struct Members<'a>(&'a Map<String, Value>);

impl<'a> Members<'a> {
    /// The members of `value`, which must be an object. Those that are neither `known` nor `ignored` are refused, before
    /// anything else is found wrong: a mistyped name explains why another member is missing.
    pub fn of(value: &'a Value, known: &[&'static str], ignored: &[&str]) -> Result<Self, Invalid> {
        let object = value.as_object().ok_or(Reason::Type { expected: "an object" })?;
        let foreign = |name: &&String| !known.contains(&name.as_str()) && !ignored.contains(&name.as_str());
        match object.keys().find(foreign) {
            None => Ok(Self(object)),
            Some(name) => Err(Invalid::at(name, Reason::Unknown { nearest: nearest(name, known) })),
        }
    }

    /// Reads a member that may be absent.
    pub fn optional<T, E: Into<Invalid>>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Result<T, E>,
    ) -> Result<Option<T>, Invalid> {
        self.0.get(name).map(|value| read(value).map_err(|fault| fault.into().under(name))).transpose()
    }

    /// Reads a member that must be there.
    pub fn required<T, E: Into<Invalid>>(
        &self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Result<T, E>,
    ) -> Result<T, Invalid> {
        self.optional(name, read)?.ok_or_else(|| Invalid::at(name, Reason::Missing))
    }
}

/// Octets of the longest name that may be a mistyped one.
const LONGEST_TYPO: usize = 32;

/// The known name that `name` was probably meant to be.
pub fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    if name.len() > LONGEST_TYPO {
        return None;
    }
    let lower = name.to_ascii_lowercase();
    let alias = ALIASES.iter().find(|(written, meant)| *written == lower && known.contains(meant));
    if let Some((_, meant)) = alias {
        return Some(meant);
    }
    let likeness = |known: &&'static str| strsim::jaro_winkler(&lower, known);
    known.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|best| likeness(best) >= NEAR)
}

/// A string.
pub fn string(value: &Value) -> Result<&str, Reason> {
    value.as_str().ok_or(Reason::Type { expected: "a string" })
}

/// A boolean.
pub fn boolean(value: &Value) -> Result<bool, Reason> {
    value.as_bool().ok_or(Reason::Type { expected: "true or false" })
}

/// A whole number within `range`.
pub fn integer(value: &Value, range: std::ops::RangeInclusive<u64>) -> Result<u64, Reason> {
    let (min, max) = range.into_inner();
    match value.as_u64() {
        Some(number) if (min..=max).contains(&number) => Ok(number),
        Some(_) => Err(Reason::Range { min, max }),
        None if value.is_i64() => Err(Reason::Range { min, max }),
        None => Err(Reason::Type { expected: "a whole number" }),
    }
}

/// A span of time within `range` milliseconds.
pub fn span(value: &Value, range: std::ops::RangeInclusive<u64>) -> Result<Span, Reason> {
    span_of(value.as_str().ok_or(Reason::Span)?, range)
}

/// The same, of its text.
pub fn span_of(text: &str, range: std::ops::RangeInclusive<u64>) -> Result<Span, Reason> {
    Span::parse(text).ok_or(Reason::Span)?.within(range)
}

/// A list of at most `max` entries; a fault names its place.
pub fn list<'a, T, E: Into<Invalid>>(
    value: &'a Value,
    max: usize,
    read: impl Fn(&'a Value) -> Result<T, E>,
) -> Result<Vec<T>, Invalid> {
    let entries = value.as_array().ok_or(Reason::Type { expected: "a list" })?;
    if entries.len() > max {
        return Err(Reason::TooMany { max }.into());
    }
    let read_at = |(at, entry)| read(entry).map_err(|fault| fault.into().under(&format!("[{at}]")));
    entries.iter().enumerate().map(read_at).collect()
}

/// One of a few words.
pub fn choice<T: Copy>(value: &Value, choices: &'static [&'static str], meanings: &[T]) -> Result<T, Reason> {
    choice_of(string(value)?, choices, meanings)
}

/// The same, of its text.
pub fn choice_of<T: Copy>(text: &str, choices: &'static [&'static str], meanings: &[T]) -> Result<T, Reason> {
    let at = choices.iter().position(|choice| *choice == text).ok_or(Reason::Choice { choices })?;
    Ok(meanings[at])
}

/// A JSON object as text, to which members are added at the end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(Vec<u8>);

impl Text {
    /// An object without members.
    pub fn new() -> Self {
        Self(b"{}".to_vec())
    }

    /// Adds a member. No other may have the same name.
    pub fn set(&mut self, name: &str, value: &Value) {
        self.begin(name);
        put(&mut self.0, value);
        self.0.push(b'}');
    }

    /// The same for a value that is at hand.
    pub fn add(&mut self, name: &str, value: &Shown<'_>) {
        self.begin(name);
        value.write(&mut self.0);
        self.0.push(b'}');
    }

    /// The same for a member that is text already.
    pub fn set_text(&mut self, name: &str, value: &Self) {
        self.begin(name);
        self.0.extend_from_slice(&value.0);
        self.0.push(b'}');
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn begin(&mut self, name: &str) {
        self.0.pop();
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        put(&mut self.0, name);
        self.0.push(b':');
    }
}

impl From<Vec<u8>> for Text {
    /// The object that `text` is.
    fn from(text: Vec<u8>) -> Self {
        Self(text)
    }
}

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn near_names_are_suggested() {
        let known = ["address", "port", "weight", "metadata", "checks"];
        for (written, meant) in [
            ("host", Some("address")),
            ("adress", Some("address")),
            ("Weight", Some("weight")),
            ("prot", Some("port")),
            ("meta", Some("metadata")),
            ("check", Some("checks")),
            ("zebra", None),
            (&"weight".repeat(1000), None),
        ] {
            assert_eq!(nearest(written, &known), meant, "{written}");
        }
    }

    #[test]
    fn faults_have_paths() {
        let value = json!({"ports": [1, "x"]});
        let members = Members::of(&value, &["ports"], &[]).unwrap();
        let fault = members.optional("ports", |ports| list(ports, 4, |port| integer(port, 1..=9))).unwrap_err();
        assert_eq!(fault.field, "ports[1]");
        assert_eq!(fault.to_string(), "`ports[1]` must be a whole number");
        let value = json!({"a": 1, "hots": 2, "c": 3});
        let refused = Members::of(&value, &["a", "host"], &["c"]).err().unwrap();
        assert_eq!((refused.field.as_str(), refused.reason), ("hots", Reason::Unknown { nearest: Some("host") }));
    }

    #[test]
    fn text_is_the_object_that_its_members_make() {
        let members = json!({"a": 1, "b\"c": ["x\n", null], "d": {}});
        let mut text = Text::new();
        assert_eq!(text.as_bytes(), b"{}");
        members.as_object().unwrap().iter().for_each(|(name, value)| text.set(name, value));
        assert_eq!(text.as_bytes(), members.to_string().as_bytes());
        let mut outer = Text::new();
        outer.set_text("inner", &text);
        outer.set("after", &json!(true));
        assert_eq!(outer.into_bytes(), json!({"inner": members, "after": true}).to_string().into_bytes());
    }

    #[test]
    fn numbers_are_whole_and_in_range() {
        for (value, fault) in [
            (json!(0), Some(Reason::Range { min: 1, max: 10 })),
            (json!(11), Some(Reason::Range { min: 1, max: 10 })),
            (json!(-1), Some(Reason::Range { min: 1, max: 10 })),
            (json!(1.5), Some(Reason::Type { expected: "a whole number" })),
            (json!("5"), Some(Reason::Type { expected: "a whole number" })),
            (json!(null), Some(Reason::Type { expected: "a whole number" })),
            (json!(10), None),
        ] {
            assert_eq!(integer(&value, 1..=10).err(), fault, "{value}");
        }
    }
}
