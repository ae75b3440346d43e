//! What an instance wants its clients to know: pairs that also fit into TXT strings (RFC 6763 §6).

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::{Invalid, Reason, limits};

/// Pairs of a printable key and a value that fits a TXT string with it. The JSON form of each value is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata(BTreeMap<SmolStr, Value>);

impl Metadata {
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        let object = value.as_object().ok_or(Reason::Type { expected: "an object" })?;
        if object.len() > limits::METADATA_PAIRS {
            return Err(Reason::TooMany { max: limits::METADATA_PAIRS }.into());
        }
        let mut pairs = BTreeMap::new();
        for (key, value) in object {
            check_pair(key, value).map_err(|reason| Invalid::at(key, reason))?;
            pairs.insert(SmolStr::new(key), value.clone());
        }
        Ok(Self(pairs))
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.0.iter().map(|(key, value)| (key.to_string(), value.clone())).collect::<Map<_, _>>())
    }

    /// Each key with its value as text; lists are joined by commas.
    pub fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.0.iter().filter_map(|(key, value)| Some((key.as_str(), text(value)?)))
    }

    /// The value of `key` as text.
    pub fn text(&self, key: &str) -> Option<String> {
        text(self.0.get(key)?)
    }
}

fn check_pair(key: &str, value: &Value) -> Result<(), Reason> {
    if !limits::METADATA_KEY.contains(&key.len()) {
        return Err(Reason::Length { min: *limits::METADATA_KEY.start(), max: *limits::METADATA_KEY.end() });
    }
    if !key.bytes().all(|octet| (0x20..=0x7e).contains(&octet) && octet != b'=') {
        return Err(Reason::MetadataKey);
    }
    let octets = key.len() + 1 + text(value).ok_or(Reason::MetadataValue)?.len();
    if octets > limits::TXT_STRING {
        return Err(Reason::MetadataLength { octets, max: limits::TXT_STRING });
    }
    Ok(())
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Array(list) => Some(list.iter().map(scalar).collect::<Option<Vec<_>>>()?.join(",")),
        single => scalar(single),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
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
