//! The entries of the one list in a large body, one by one.
//!
//! A body of a batch call may hold a million entries. So it is read as a whole only to see that it is JSON, and where its
//! list is; then each entry is read by itself, into whatever its reader wants, and what is wrong with one says nothing
//! about the others.

use std::fmt;

use axum::body::Bytes;
use axum::http::StatusCode;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::body::not_json;
use super::problem::Problem;
use crate::model::{Invalid, Reason, json, limits};

/// A body whose list has been found.
#[derive(Debug)]
pub struct List {
    /// The text between its brackets.
    inside: Bytes,
    count: usize,
}

impl List {
    /// The list `member` of `body`, the only member that may be there. A long body is looked through where that keeps
    /// nobody else waiting.
    ///
    /// # Errors
    /// When the body is not JSON, is none of this shape, or has more than `at_most` entries.
    pub async fn of(body: Bytes, member: &'static str, at_most: usize) -> Result<Self, Problem> {
        if body.len() <= limits::BODY {
            return Self::find(body, member, at_most);
        }
        let found = tokio::task::spawn_blocking(move || Self::find(body, member, at_most)).await;
        found.unwrap_or_else(|_| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "the body could not be read")))
    }

    fn find(body: Bytes, member: &'static str, at_most: usize) -> Result<Self, Problem> {
        let list = match Self::alone(&body, member) {
            Some(list) => list,
            None => Self::among(body, member)?,
        };
        if list.count > at_most {
            return Err(Invalid::at(member, Reason::TooMany { max: at_most }).into());
        }
        Ok(list)
    }

    /// The list, when the body is an object with nothing else in it and it has entries: found and counted at one go.
    fn alone(body: &Bytes, member: &'static str) -> Option<Self> {
        let mut whole = serde_json::Deserializer::from_slice(body);
        let Entries { first, last, count } = Alone(member).deserialize(&mut whole).ok()?;
        whole.end().ok()?;
        let start = first?.as_ptr() as usize - body.as_ptr() as usize;
        let end = last?.as_ptr() as usize - body.as_ptr() as usize + last?.len();
        Some(Self { inside: body.slice(start..end), count })
    }

    /// The list, or what is wrong with the body.
    fn among(body: Bytes, member: &'static str) -> Result<Self, Problem> {
        let mut list = Self { inside: body.slice_ref(inside(&body, member)?.as_bytes()), count: 0 };
        let mut items = list.items();
        list.count = std::iter::from_fn(|| items.next_as::<IgnoredAny>()).count();
        Ok(list)
    }

    /// How many entries there are.
    pub fn count(&self) -> usize {
        self.count
    }

    pub fn items(&self) -> Items<'_> {
        Items { rest: &self.inside }
    }
}

/// The text between the brackets of the list.
fn inside<'a>(body: &'a [u8], member: &'static str) -> Result<&'a str, Problem> {
    if body.is_empty() {
        return Err(Invalid::at(member, Reason::Missing).into());
    }
    let members: Members<'a> = serde_json::from_slice(body).map_err(|error| {
        // What is no object may be no JSON further on.
        let flaw = serde_json::from_slice::<IgnoredAny>(body).err();
        match flaw {
            None if error.is_data() => Invalid::from(Reason::Type { expected: "an object" }).into(),
            flaw => not_json(flaw.unwrap_or(error)),
        }
    })?;
    let mut list = None;
    for (name, value) in members.0 {
        if name != member {
            let nearest = json::nearest(&name, &[member]);
            return Err(Invalid::at(name, Reason::Unknown { nearest }).into());
        }
        if list.replace(value.get()).is_some() {
            return Err(Invalid::at(member, Reason::Repeated).into());
        }
    }
    let list = list.ok_or_else(|| Invalid::at(member, Reason::Missing))?;
    let inside = list.strip_prefix('[').and_then(|list| list.strip_suffix(']'));
    Ok(inside.ok_or_else(|| Invalid::at(member, Reason::Type { expected: "a list" }))?)
}

/// The entries that are left, as JSON text.
#[derive(Debug, Clone)]
pub struct Items<'a> {
    rest: &'a [u8],
}

impl<'a> Items<'a> {
    /// The next entry as a `T`.
    ///
    /// # Errors
    /// The text of an entry that does not read as one.
    pub fn next_as<T: Deserialize<'a>>(&mut self) -> Option<Result<T, &'a str>> {
        self.next_with_text().map(|read| read.map(|(entry, _)| entry))
    }

    /// The same, with the text that an entry was read from.
    ///
    /// # Errors
    /// The text of an entry that does not read as one.
    pub fn next_with_text<T: Deserialize<'a>>(&mut self) -> Option<Result<(T, &'a [u8]), &'a str>> {
        let mut whole = serde_json::Deserializer::from_slice(self.rest).into_iter::<T>();
        let read = whole.next()?;
        let result = match read {
            Ok(entry) => {
                let end = whole.byte_offset();
                let text = self.rest[..end].trim_ascii_start();
                self.pass(end);
                Ok((entry, text))
            }
            Err(_) => {
                let mut raw = serde_json::Deserializer::from_slice(self.rest).into_iter::<&RawValue>();
                // The list was read as a whole before, so there is an entry here.
                let text = raw.next()?.ok()?.get();
                let end = raw.byte_offset();
                self.pass(end);
                Err(text)
            }
        };
        Some(result)
    }

    /// Goes on behind the entry that ends at `end`, and the comma after it.
    fn pass(&mut self, end: usize) {
        let rest = self.rest[end..].trim_ascii_start();
        self.rest = rest.strip_prefix(b",").unwrap_or(rest);
    }
}

/// Where the entries of a list begin and end, as text.
#[derive(Default)]
struct Entries<'a> {
    first: Option<&'a str>,
    last: Option<&'a str>,
    count: usize,
}

/// Reads an object whose only member is the list of this name.
struct Alone(&'static str);

impl<'de> DeserializeSeed<'de> for Alone {
    type Value = Entries<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Entries<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Alone {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with one list")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries<'de>, A::Error> {
        if map.next_key()? != Some(self.0) {
            return Err(A::Error::custom("another member"));
        }
        let list = map.next_value()?;
        match map.next_key::<&str>()? {
            None => Ok(list),
            Some(_) => Err(A::Error::custom("another member")),
        }
    }
}

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Entries<'de>, A::Error> {
                let mut entries = Entries::default();
                while let Some(entry) = list.next_element::<&RawValue>()? {
                    entries.first = entries.first.or(Some(entry.get()));
                    entries.last = Some(entry.get());
                    entries.count += 1;
                }
                Ok(entries)
            }
        }

        deserializer.deserialize_seq(All)
    }
}

/// The members of an object, in order and as text.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                // One too many says as much as all of them would.
                while members.len() < 3
                    && let Some(member) = map.next_entry()?
                {
                    members.push(member);
                }
                while map.next_entry::<serde::de::IgnoredAny, serde::de::IgnoredAny>()?.is_some() {}
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    fn list(body: &str, at_most: usize) -> Result<List, Problem> {
        List::find(body.to_owned().into(), "list", at_most)
    }

    fn read(body: &str) -> Vec<Result<u64, String>> {
        let list = list(body, usize::MAX).unwrap();
        let mut items = list.items();
        std::iter::from_fn(|| items.next_as::<u64>()).map(|item| item.map_err(str::to_owned)).collect()
    }

    #[test]
    fn entries_are_read_one_by_one() {
        for (body, expected) in [
            (r#"{"list": []}"#, vec![]),
            (r#"{"list":[ ]}"#, vec![]),
            (
                r#" {"list" : [1,2 , 3
            ] } "#,
                vec![Ok(1), Ok(2), Ok(3)],
            ),
            (r#"{"list":[1,{"a":[",]"]},3]}"#, vec![Ok(1), Err(r#"{"a":[",]"]}"#.to_owned()), Ok(3)]),
            (
                r#"{"list":["[1]",-1,null,[],4]}"#,
                vec![
                    Err(r#""[1]""#.to_owned()),
                    Err("-1".to_owned()),
                    Err("null".to_owned()),
                    Err("[]".to_owned()),
                    Ok(4),
                ],
            ),
            (r#"{"\u006cist":[1]}"#, vec![Ok(1)]),
        ] {
            assert_eq!(list(body, usize::MAX).unwrap().count(), expected.len(), "{body}");
            assert_eq!(read(body), expected, "{body}");
        }
    }

    #[test]
    fn bodies_of_another_shape_are_refused() {
        for (body, status, field) in [
            ("", 422, json!("list")),
            ("[", 400, Value::Null),
            (r#"{"list":[1,]}"#, 400, Value::Null),
            (r#"{"list":[1] 2}"#, 400, Value::Null),
            (r#"{"list":[1]} x"#, 400, Value::Null),
            ("[1]", 422, Value::Null),
            ("{}", 422, json!("list")),
            (r#"{"list":{}}"#, 422, json!("list")),
            (r#"{"list":[],"list":[]}"#, 422, json!("list")),
            (r#"{"lists":[]}"#, 422, json!("lists")),
            (r#"{"list":[1,2,3,4]}"#, 422, json!("list")),
            (r#"[1,}"#, 400, Value::Null),
            ("7", 422, Value::Null),
            (r#"{"list":[],"a":1,"b":2,"c":3}"#, 422, json!("a")),
        ] {
            let problem = list(body, 3).unwrap_err().document();
            assert_eq!((&problem["status"], &problem["field"]), (&json!(status), &field), "{body}");
        }
    }

    proptest! {
        /// A body that is read at one go is read as it would be member by member.
        #[test]
        fn both_ways_find_the_same_list(
            words in proptest::collection::vec(proptest::sample::select(&[
                "{", "}", "[", "]", ",", ":", "\"list\"", "\"l\\u0069st\"", "1", "{\"a\":[1]}", " ", "\n", "x", "\"é\"",
            ][..]), 0..9),
            frame in any::<bool>(),
        ) {
            let words = words.concat();
            let body = Bytes::from(if frame { format!("{{\"list\":[1,{words}]}}") } else { words });
            if let Some(list) = List::alone(&body, "list") {
                let other = List::among(body.clone(), "list").map_err(|problem| problem.document());
                prop_assert_eq!(other.as_ref().map(List::count), Ok(list.count()), "{:?}", body);
                prop_assert_eq!(read_all(&list), read_all(&other.unwrap()), "{:?}", body);
            }
        }
    }

    fn read_all(list: &List) -> Vec<String> {
        let mut items = list.items();
        let text = |read: Result<(Value, &[u8]), &str>| String::from_utf8(read.unwrap().1.to_vec()).unwrap();
        std::iter::from_fn(|| items.next_with_text()).map(text).collect()
    }
}
