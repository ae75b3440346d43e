//! What an instance wants its clients to know: pairs that also fit into TXT strings (RFC 6763 §6).

mod typed;

use serde_json::{Map, Number, Value};
use smol_str::SmolStr;

use super::{Invalid, Reason, json, limits};

/// Pairs of a printable key and a value that fits a TXT string with it. The JSON form of each value is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata(
    /// In the order of their keys.
    Box<[(SmolStr, Item)]>,
);

/// A value, in less room than JSON takes for any.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Item {
    One(Scalar),
    List(Box<[Scalar]>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scalar {
    Text(SmolStr),
    Number(Number),
    Truth(bool),
}

impl Metadata {
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let object = value.as_object().ok_or(Reason::Type { expected: "an object" })?;
        if object.len() > limits::METADATA_PAIRS {
            return Err(Reason::TooMany { max: limits::METADATA_PAIRS }.into());
        }
        let mut pairs = Vec::with_capacity(object.len());
        for (key, value) in object {
            let item = checked(key, value).map_err(|reason| Invalid::at(key, reason))?;
            pairs.push((SmolStr::new(key), item));
        }
        pairs.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(Self(pairs.into()))
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(key, item)| (key.to_string(), item.to_json())).collect::<Map<_, _>>())
    }

    /// Adds the same as [`Self::to_json`] to JSON text.
    pub fn write(&self, to: &mut Vec<u8>) {
        json::write_list(to, *b"{}", self.0.iter(), |to, (key, item)| {
            json::put(to, key.as_str());
            to.push(b':');
            match item {
                Item::One(scalar) => scalar.write(to),
                Item::List(list) => json::write_list(to, *b"[]", list.iter(), |to, scalar| scalar.write(to)),
            }
        });
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Each key with its value as text; lists are joined by commas.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().map(|(key, item)| (key.as_str(), item.text()))
    }

    /// The value of `key` as text.
    pub fn text(&self, key: &str) -> Option<String> {
        let at = self.0.binary_search_by(|(own, _)| own.as_str().cmp(key)).ok()?;
        Some(self.0[at].1.text())
    }
}

impl Item {
    fn from_json(value: &Value) -> Result<Self, Reason> {
        match value {
            Value::Array(list) => list.iter().map(Scalar::from_json).collect::<Result<_, _>>().map(Self::List),
            single => Scalar::from_json(single).map(Self::One),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::One(scalar) => scalar.to_json(),
            Self::List(list) => list.iter().map(Scalar::to_json).collect(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::One(scalar) => scalar.text(),
            Self::List(list) => list.iter().map(Scalar::text).collect::<Vec<_>>().join(","),
        }
    }
}

impl Scalar {
    fn from_json(value: &Value) -> Result<Self, Reason> {
        match value {
            Value::String(text) => Ok(Self::Text(text.into())),
            Value::Number(number) => Ok(Self::Number(number.clone())),
            Value::Bool(truth) => Ok(Self::Truth(*truth)),
            Value::Null | Value::Array(_) | Value::Object(_) => Err(Reason::MetadataValue),
        }
    }

    fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => text.as_str().into(),
            Self::Number(number) => number.clone().into(),
            Self::Truth(truth) => (*truth).into(),
        }
    }

    fn write(&self, to: &mut Vec<u8>) {
        match self {
            Self::Text(text) => json::put(to, text.as_str()),
            Self::Number(number) => json::put(to, number),
            Self::Truth(truth) => json::put(to, truth),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.to_string(),
            Self::Number(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
        }
    }
}

fn checked(key: &str, value: &Value) -> Result<Item, Reason> {
    check_key(key)?;
    let item = Item::from_json(value)?;
    check_length(key, &item)?;
    Ok(item)
}

fn check_key(key: &str) -> Result<(), Reason> {
    if !limits::METADATA_KEY.contains(&key.len()) {
        return Err(Reason::Length { min: *limits::METADATA_KEY.start(), max: *limits::METADATA_KEY.end() });
    }
    if !key.bytes().all(|octet| (0x20..=0x7e).contains(&octet) && octet != b'=') {
        return Err(Reason::MetadataKey);
    }
    Ok(())
}

fn check_length(key: &str, item: &Item) -> Result<(), Reason> {
    let value = match item {
        Item::One(Scalar::Text(text)) => text.len(),
        item => item.text().len(),
    };
    let octets = key.len() + 1 + value;
    if octets > limits::TXT_STRING {
        return Err(Reason::MetadataLength { octets, max: limits::TXT_STRING });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_become_text() {
        let pairs =
            json!({"team": "shop", "max": 1000, "ratio": 0.5, "public": true, "lists": ["a", 2, false], "none": []});
        let metadata = Metadata::from_json(&pairs).unwrap();
        assert_eq!(metadata.to_json(), pairs);
        let texts: Vec<String> = metadata.texts().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(texts, ["lists=a,2,false", "max=1000", "none=", "public=true", "ratio=0.5", "team=shop"]);
    }

    #[test]
    fn bad_pairs_are_named() {
        for (pairs, field, reason) in [
            (json!({"a=b": 1}), "a=b", Reason::MetadataKey),
            (json!({"é": 1}), "é", Reason::MetadataKey),
            (json!({"a": null}), "a", Reason::MetadataValue),
            (json!({"a": {"b": 1}}), "a", Reason::MetadataValue),
            (json!({"a": [["b"]]}), "a", Reason::MetadataValue),
            (json!({"a": "x".repeat(254)}), "a", Reason::MetadataLength { octets: 256, max: 255 }),
            (json!([1]), "", Reason::Type { expected: "an object" }),
        ] {
            assert_eq!(Metadata::from_json(&pairs), Err(Invalid::at(field, reason)), "{pairs}");
        }
        assert!(Metadata::from_json(&json!({"a": "x".repeat(253)})).is_ok());
        let many: Map<String, Value> = (0..65).map(|n| (n.to_string(), json!(n))).collect();
        assert!(Metadata::from_json(&Value::Object(many)).is_err());
    }
}
