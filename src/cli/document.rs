//! Files of JSON that options name: one object, or many in an array or one after the other.
//!
//! Of many, one is in memory at a time, so that a file may be longer than memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use anyhow::{Context, bail};
use serde::Deserializer;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde_json::de::IoRead;
use serde_json::{Map, Value};

/// The largest file of one object in octets; the server takes no larger body.
const MAX_OBJECT: u64 = 1 << 20;

/// The JSON object in the file at `path`, or in `input` when that is `-`.
///
/// # Errors
/// When it cannot be read, is too long, or is no JSON object.
pub(super) fn object(path: &Path, input: &mut dyn Read) -> anyhow::Result<Map<String, Value>> {
    let mut text = Vec::new();
    if path == Path::new("-") {
        input.take(MAX_OBJECT + 1).read_to_end(&mut text)?;
    } else {
        File::open(path)?.take(MAX_OBJECT + 1).read_to_end(&mut text)?;
    }
    if text.len() as u64 > MAX_OBJECT {
        bail!("more than {MAX_OBJECT} octets, which no registration has");
    }
    serde_json::from_slice(&text).context("not a JSON object")
}

/// Why reading entries ended early.
#[derive(Debug)]
pub(super) enum Ended<E> {
    /// The file is at fault.
    File(anyhow::Error),
    /// Whoever takes the entries would not go on.
    Taker(E),
}

/// Gives every object in `source` to `each`, with its number from 1 on: the items of an array, or objects that follow
/// each other, as on lines.
///
/// # Errors
/// Those of reading, with the number of the entry; and the first that `each` returns.
pub(super) fn entries<E>(
    source: impl Read,
    mut each: impl FnMut(u64, Map<String, Value>) -> Result<(), E>,
) -> Result<(), Ended<E>> {
    let mut source = BufReader::with_capacity(1 << 16, source);
    let is_array = first(&mut source).map_err(|error| Ended::File(error.into()))? == Some(b'[');
    let mut entries = Entries { number: 0, each: &mut each, stopped: None };
    let read = match is_array {
        true => array(source, &mut entries),
        false => sequence(source, &mut entries),
    };
    match (entries.stopped, read) {
        (Some(error), _) => Err(Ended::Taker(error)),
        (None, Err(error)) => Err(Ended::File(
            anyhow::Error::from(error).context(format!("entry {} is no JSON object", entries.number + 1)),
        )),
        (None, Ok(())) => Ok(()),
    }
}

/// The first octet that is no blank, which stays to be read.
fn first(source: &mut impl BufRead) -> io::Result<Option<u8>> {
    loop {
        let octets = source.fill_buf()?;
        let Some(found) = octets.iter().position(|octet| !octet.is_ascii_whitespace()) else {
            match octets.len() {
                0 => return Ok(None),
                blanks => source.consume(blanks),
            }
            continue;
        };
        let octet = octets[found];
        source.consume(found);
        return Ok(Some(octet));
    }
}

struct Entries<'a, F, E> {
    number: u64,
    each: &'a mut F,
    stopped: Option<E>,
}

impl<E, F: FnMut(u64, Map<String, Value>) -> Result<(), E>> Entries<'_, F, E> {
    /// Whether more is wanted.
    fn take(&mut self, entry: Map<String, Value>) -> bool {
        self.number += 1;
        self.stopped = (self.each)(self.number, entry).err();
        self.stopped.is_none()
    }
}

fn sequence<E, F>(source: impl Read, entries: &mut Entries<'_, F, E>) -> serde_json::Result<()>
where
    F: FnMut(u64, Map<String, Value>) -> Result<(), E>,
{
    for entry in serde_json::Deserializer::from_reader(source).into_iter() {
        if !entries.take(entry?) {
            break;
        }
    }
    Ok(())
}

fn array<E, F>(source: impl Read, entries: &mut Entries<'_, F, E>) -> serde_json::Result<()>
where
    F: FnMut(u64, Map<String, Value>) -> Result<(), E>,
{
    let mut deserializer = serde_json::Deserializer::new(IoRead::new(source));
    (&mut *entries).deserialize(&mut deserializer)?;
    deserializer.end()
}

impl<'de, E, F> DeserializeSeed<'de> for &mut Entries<'_, F, E>
where
    F: FnMut(u64, Map<String, Value>) -> Result<(), E>,
{
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, E, F> Visitor<'de> for &mut Entries<'_, F, E>
where
    F: FnMut(u64, Map<String, Value>) -> Result<(), E>,
{
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(entry) = items.next_element()? {
            if !self.take(entry) {
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, at_most: u64) -> (Vec<String>, Result<(), String>) {
        let mut seen = Vec::new();
        let ended = entries(text.as_bytes(), |number, entry| {
            seen.push(format!("{number} {}", Value::Object(entry)));
            if number == at_most { Err("enough") } else { Ok(()) }
        });
        let ended = ended.map_err(|ended| match ended {
            Ended::File(error) => format!("{error:#}"),
            Ended::Taker(error) => error.to_owned(),
        });
        (seen, ended)
    }

    #[test]
    fn arrays_and_objects_that_follow_each_other() {
        for text in
            ["[{\"a\":1},{}]", "\n [ {\"a\":1}\n,{}\n]\n", "{\"a\":1}\n{}\n", "{\"a\":\n1}{}", "\n\n{\"a\":1} {}"]
        {
            assert_eq!(read(text, 9), (vec!["1 {\"a\":1}".to_owned(), "2 {}".to_owned()], Ok(())), "{text}");
        }
        for empty in ["", " \n", "[]"] {
            assert_eq!(read(empty, 9), (vec![], Ok(())), "{empty:?}");
        }
    }

    #[test]
    fn the_entry_that_is_wrong_is_named() {
        for (text, seen, words) in [
            ("{}\n{\"a\":\n", 1, "entry 2 is no JSON object"),
            ("{}\n7\n", 1, "entry 2 is no JSON object: invalid type"),
            ("[{},{},7]", 2, "entry 3 is no JSON object"),
            ("[{}", 1, "entry 2 is no JSON object"),
            ("[{}] x", 1, "entry 2 is no JSON object: trailing characters"),
            ("web", 0, "entry 1 is no JSON object: expected value at line 1 column 1"),
        ] {
            let (entries, ended) = read(text, 9);
            let error = ended.unwrap_err();
            assert!(entries.len() == seen && error.starts_with(words), "{text}: {error}");
        }
    }

    #[test]
    fn whoever_takes_them_may_stop() {
        for text in ["{}{}nonsense", "[{},{},nonsense"] {
            let (seen, ended) = read(text, 2);
            assert_eq!((seen.len(), ended), (2, Err("enough".to_owned())));
        }
    }
}
