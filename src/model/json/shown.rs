//! Values as they are at hand, on their way into JSON text or into a tree.
//!
//! Whoever lists the members of an instance says what each is, and not what becomes of it: text needs no string of its
//! own for an address, a tree does.

use std::fmt::Display;
use std::io::Write;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::model::{Metadata, Port, PortName, Tag};

/// The value of a member.
pub enum Shown<'a> {
    Text(&'a str),
    /// What shows itself as printable ASCII without quotes and backslashes.
    Plain(&'a dyn Display),
    Number(u64),
    Truth(bool),
    /// A time of day, in RFC 3339 and UTC, to the millisecond.
    Time(Timestamp),
    Tags(&'a [Tag]),
    Ports(&'a [(PortName, Port)]),
    Metadata(&'a Metadata),
    Tree(Value),
}

impl Shown<'_> {
    /// Adds it to JSON text.
    pub fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => put(to, text),
            // A vector takes everything.
            Self::Plain(shown) => drop(write!(to, "\"{shown}\"")),
            Self::Number(number) => put(to, number),
            Self::Truth(truth) => put(to, truth),
            Self::Time(time) => write_time(to, *time),
            Self::Tags(tags) => list(to, *b"[]", tags.iter(), |to, tag| put(to, tag.as_str())),
            Self::Ports(ports) => list(to, *b"{}", ports.iter(), |to, (name, port)| {
                put(to, name.as_str());
                to.push(b':');
                put(to, &port.number());
            }),
            Self::Metadata(metadata) => metadata.write(to),
            Self::Tree(value) => put(to, value),
        }
    }

    /// The same as a value by itself.
    pub fn into_value(self) -> Value {
        match self {
            Self::Text(text) => text.into(),
            Self::Plain(shown) => shown.to_string().into(),
            Self::Number(number) => number.into(),
            Self::Truth(truth) => truth.into(),
            Self::Time(time) => format!("{time:.3}").into(),
            Self::Tags(tags) => tags.iter().map(Tag::as_str).collect(),
            Self::Ports(ports) => {
                Value::Object(ports.iter().map(|(name, port)| (name.to_string(), port.number().into())).collect())
            }
            Self::Metadata(metadata) => metadata.to_json(),
            Self::Tree(value) => value,
        }
    }
}

/// An object that is being written to the end of a text.
pub struct Object<'a> {
    to: &'a mut Vec<u8>,
    empty: bool,
}

impl<'a> Object<'a> {
    /// Begins an object, which lasts until [`Self::end`].
    pub fn begin(to: &'a mut Vec<u8>) -> Self {
        to.push(b'{');
        Self { to, empty: true }
    }

    /// Adds a member; its name is a word, and no other has it.
    pub fn add(&mut self, name: &'static str, value: &Shown<'_>) {
        value.write(self.name(name));
    }

    /// Begins a member; its value is what is added to the text.
    pub fn name(&mut self, name: &'static str) -> &mut Vec<u8> {
        if !std::mem::take(&mut self.empty) {
            self.to.push(b',');
        }
        self.to.push(b'"');
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
        self.to
    }

    pub fn end(self) {
        self.to.push(b'}');
    }
}

/// Adds a value to JSON text.
pub fn put(to: &mut Vec<u8>, value: &(impl Serialize + ?Sized)) {
    // Neither a vector nor such a value refuses anything.
    serde_json::to_writer(to, value).ok();
}

/// Adds entries between brackets, each after a comma but the first.
pub fn list<T>(
    to: &mut Vec<u8>,
    [opening, closing]: [u8; 2],
    entries: impl Iterator<Item = T>,
    entry: impl Fn(&mut Vec<u8>, T),
) {
    to.push(opening);
    for (at, each) in entries.enumerate() {
        if at > 0 {
            to.push(b',');
        }
        entry(to, each);
    }
    to.push(closing);
}

/// Milliseconds of the first moment that takes more than four digits for its year.
const YEAR_10000: i64 = 253_402_300_800_000;
const DAY: i64 = 86_400_000;

fn write_time(to: &mut Vec<u8>, time: Timestamp) {
    let millis = time.as_millisecond();
    if !(0..YEAR_10000).contains(&millis) {
        // A vector takes everything.
        return drop(write!(to, "\"{time:.3}\""));
    }
    let (year, month, day) = date(millis / DAY);
    let rest = millis % DAY;
    let mut text = *b"\"0000-00-00T00:00:00.000Z\"";
    for (place, digits, number) in [
        (1, 4, year),
        (6, 2, month),
        (9, 2, day),
        (12, 2, rest / 3_600_000),
        (15, 2, rest / 60_000 % 60),
        (18, 2, rest / 1_000 % 60),
        (21, 3, rest % 1_000),
    ] {
        let mut left = number;
        for digit in text[place..place + digits].iter_mut().rev() {
            *digit = b'0' + (left % 10) as u8;
            left /= 10;
        }
    }
    to.extend_from_slice(&text);
}

/// Year, month and day of a number of days since 1970-01-01, counted in years that begin in March, so that the day that
/// comes every fourth year is the last of its year (H. Hinnant, "chrono-compatible low-level date algorithms").
fn date(days: i64) -> (i64, i64, i64) {
    let since_0000_03_01 = days + 719_468;
    let (era, of_era) = (since_0000_03_01 / 146_097, since_0000_03_01 % 146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn written(shown: &Shown<'_>) -> String {
        let mut text = Vec::new();
        shown.write(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn text_and_tree_say_the_same() {
        let tags = ["a\"b", "é"].map(|tag| Tag::parse(tag).unwrap());
        let ports = [("http", 80), ("metrics", 9100)];
        let ports = ports.map(|(name, port)| (PortName::parse(name).unwrap(), Port::new(port).unwrap()));
        let metadata = json!({"a": "x\n", "b": [1, true, "é"], "c": 0.5, "d": [], "e": -1});
        let (metadata, none) = (Metadata::from_json(&metadata).unwrap(), Metadata::default());
        for shown in [
            || Shown::Text("a\"\\\u{1}é"),
            || Shown::Plain(&7),
            || Shown::Number(u64::MAX),
            || Shown::Truth(true),
            || Shown::Tags(&[]),
            || Shown::Ports(&[]),
        ] {
            assert_eq!(written(&shown()), shown().into_value().to_string());
        }
        for [shown, same] in [
            [Shown::Tags(&tags), Shown::Tags(&tags)],
            [Shown::Ports(&ports), Shown::Ports(&ports)],
            [Shown::Metadata(&metadata), Shown::Metadata(&metadata)],
            [Shown::Metadata(&none), Shown::Metadata(&none)],
            [Shown::Tree(json!({"a": [1]})), Shown::Tree(json!({"a": [1]}))],
        ] {
            assert_eq!(written(&shown), same.into_value().to_string());
        }
    }

    #[test]
    fn an_object_is_its_members() {
        let mut text = b"x".to_vec();
        Object::begin(&mut text).end();
        let mut outer = Object::begin(&mut text);
        outer.add("a", &Shown::Number(1));
        let mut inner = Object::begin(outer.name("b"));
        inner.add("c", &Shown::Text("d"));
        inner.end();
        outer.add("e", &Shown::Truth(false));
        outer.end();
        assert_eq!(String::from_utf8(text).unwrap(), r#"x{}{"a":1,"b":{"c":"d"},"e":false}"#);
    }

    proptest! {
        #[test]
        fn times_are_written_as_jiff_shows_them(
            nanos in prop_oneof![
                Timestamp::MIN.as_nanosecond()..=Timestamp::MAX.as_nanosecond(),
                0..=4_102_444_800_000_000_000_i128,
            ],
        ) {
            let time = Timestamp::from_nanosecond(nanos).unwrap();
            prop_assert_eq!(written(&Shown::Time(time)), format!("\"{time:.3}\""));
        }
    }

    #[test]
    fn times_at_the_edges_are_right() {
        for time in [
            "1970-01-01T00:00:00Z",
            "1999-12-31T23:59:59.999999Z",
            "2000-02-29T00:00:00Z",
            "2024-02-29T12:00:00Z",
            "2100-02-28T23:59:59Z",
            "2100-03-01T00:00:00Z",
            "9999-12-30T22:00:00Z",
            "1969-12-31T23:59:59.9Z",
        ] {
            let time: Timestamp = time.parse().unwrap();
            assert_eq!(written(&Shown::Time(time)), format!("\"{time:.3}\""));
        }
    }
}
