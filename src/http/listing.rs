//! Long replies, made while they are taken in.
//!
//! A list of everything can be far larger than what one wants in memory for each peer that asks for it and reads slowly.
//! So its entries are spelled out when the connection has room for them, and not before.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use serde_json::{Map, Value};

use crate::model::json::Text;

/// Octets that are handed over at once.
const PART: usize = 16 * 1024;

/// What a list is made of.
pub trait Entry {
    /// Adds it to JSON text.
    fn write(&self, to: &mut Vec<u8>);
}

impl Entry for Value {
    fn write(&self, to: &mut Vec<u8>) {
        // Neither a vector nor a value refuses anything.
        serde_json::to_writer(to, self).ok();
    }
}

impl Entry for Text {
    fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.as_bytes());
    }
}

/// A JSON object with the members of `head`, and as its last one the list `name` of `entries`.
pub fn reply(
    head: Map<String, Value>,
    name: &str,
    entries: impl Iterator<Item = impl Entry> + Send + 'static,
) -> Response {
    let mut opening = Value::Object(head).to_string();
    opening.pop();
    let comma = if opening.len() > 1 { "," } else { "" };
    in_parts(Parts {
        next: format!("{opening}{comma}\"{name}\":[").into_bytes(),
        first: true,
        entries: Some(entries),
        closing: "]}",
    })
}

/// A JSON list of `entries`.
pub fn array(entries: impl Iterator<Item = impl Entry> + Send + 'static) -> Response {
    in_parts(Parts { next: b"[".to_vec(), first: true, entries: Some(entries), closing: "]" })
}

fn in_parts(parts: Parts<impl Iterator<Item = impl Entry> + Send + 'static>) -> Response {
    let body = Body::from_stream(stream::iter(parts.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

struct Parts<I> {
    closing: &'static str,
    /// What is spelled out and not handed over.
    next: Vec<u8>,
    first: bool,
    entries: Option<I>,
}

impl<I: Iterator<Item: Entry>> Iterator for Parts<I> {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let entries = self.entries.as_mut()?;
        while self.next.len() < PART {
            let Some(entry) = entries.next() else {
                self.entries = None;
                self.next.extend_from_slice(self.closing.as_bytes());
                break;
            };
            if !std::mem::take(&mut self.first) {
                self.next.push(b',');
            }
            entry.write(&mut self.next);
        }
        Some(std::mem::take(&mut self.next).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn text(response: Response) -> (usize, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut parts = 0;
        let octets = runtime.block_on(async {
            let mut stream = response.into_body().into_data_stream();
            let mut octets = Vec::new();
            while let Some(part) = futures_util::StreamExt::next(&mut stream).await {
                parts += 1;
                octets.extend(part.unwrap());
            }
            octets
        });
        (parts, String::from_utf8(octets).unwrap())
    }

    #[test]
    fn a_list_is_one_json_object() {
        for (head, entries) in
            [(json!({}), vec![]), (json!({"a": 1}), vec![json!(1)]), (json!({"a": 1}), vec![json!({"b": 2}), json!(3)])]
        {
            let whole = reply(head.as_object().unwrap().clone(), "list", entries.clone().into_iter());
            let mut expected = head.clone();
            expected["list"] = entries.clone().into();
            assert_eq!(text(whole).1, expected.to_string());
            assert_eq!(text(array(entries.clone().into_iter())).1, Value::from(entries).to_string());
        }
    }

    #[test]
    fn long_lists_come_in_parts() {
        let entries: Vec<Value> = (0..10_000).map(|number| json!({"number": number})).collect();
        let (parts, text) = text(reply(Map::new(), "list", entries.into_iter()));
        assert!((8..20).contains(&parts), "{parts}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap()["list"].as_array().unwrap().len(), 10_000);
    }
}
