//! The quick reader against the one that has the last word.

use proptest::prelude::*;
use serde_json::json;
use std::net::Ipv4Addr;

use super::*;
use crate::model::{CheckDefaults, Invalid};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

fn defaults() -> Defaults {
    let checks = vec![CheckSpec::from_json(&json!({"kind": "tcp"}), &CheckDefaults::default()).unwrap()];
    Defaults { checks, ..Defaults::default() }
}

/// What the quick reader makes of a text.
fn quick(text: &str) -> Option<(Option<Key>, Registration)> {
    let written: Written<'_> = serde_json::from_str(text).ok()?;
    Some((written.key(), written.registration(&defaults(), FROM)?))
}

/// What the precise one makes of it.
fn precise(text: &str) -> Result<(Option<Key>, Registration), Option<Invalid>> {
    let value: Value = serde_json::from_str(text).map_err(|_| None)?;
    let name = |member: &str| value.get(member).and_then(Value::as_str);
    let service = name("service").and_then(|text| ServiceName::parse(text).ok());
    let id = name("id").and_then(|text| InstanceId::parse(text).ok());
    let key = service.zip(id).map(|(service, id)| Key { service, id });
    Ok((key, Registration::from_json(&value, &defaults(), FROM)?))
}

/// Right values of each member, as text.
const GOOD: &[(&str, &[&str])] = &[
    ("service", &[r#""web""#, r#""Web-1""#]),
    ("id", &[r#""a""#, r#""I-7""#]),
    ("address", &[r#""10.0.0.7""#, r#""auto""#, r#""2001:DB8::1""#, r#""Db.example.""#]),
    ("port", &["8080", "1", "65535"]),
    ("ports", &["{}", r#"{"http":80,"Metrics":9100}"#]),
    ("protocol", &[r#""tcp""#, r#""udp""#]),
    ("scheme", &[r#""HTTPS""#, r#""http""#]),
    ("version", &[r#""2.1.0""#]),
    ("weight", &["0", "1", "65535"]),
    ("priority", &["0", "7"]),
    ("tags", &["[]", r#"["v2"]"#, r#"["v2", "Canary", "v2"]"#]),
    ("metadata", &["{}", r#"{"team":"shop"}"#, r#"{"z":[1,"b",true,-2,0.5],"a":1e3,"n":[]}"#, r#"{"t":"q\"\u00e9"}"#]),
    ("status", &[r#""starting""#, r#""draining""#, r#""healthy""#]),
    ("ttl", &[r#""none""#, r#""1h30m""#, r#""1s""#]),
    ("deregister_after", &[r#""1m""#]),
    ("slow_start", &[r#""60s""#]),
    ("checks", &["[]", r#"[{"kind":"http","path":"/up"},{"kind":"tcp","port":9}]"#]),
];

/// What is wrong as the value of some members or of all.
const BAD: &[&str] = &[
    "null",
    "-1",
    "-0",
    "1.0",
    "65536",
    "18446744073709551616",
    "1e400",
    "true",
    r#""""#,
    r#""\u0061""#,
    r#""é""#,
    r#""-""#,
    "[1]",
    "[null]",
    r#"{"a":null}"#,
    r#"{"a":{"b":1}}"#,
    r#"{"a=b":1}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"\u0061":1}"#,
    r#"{"a":[["b"]]}"#,
    r#"{"http":0}"#,
    r#""5m1h""#,
    r#"["a","a","",""]"#,
    r#"[{"kind":"none"}]"#,
    "{",
    "\"",
    "[1,]",
    "nul",
];

/// Members that are known elsewhere, or nowhere.
const OTHERS: &[&str] = &["adress", "revision", "url", "", "\\u0069d", "a\u{1}b"];

fn good_member() -> impl Strategy<Value = (String, String)> {
    let member = proptest::sample::select(GOOD);
    member.prop_flat_map(|(name, values)| {
        proptest::sample::select(values).prop_map(move |value| (name.to_owned(), value.to_owned()))
    })
}

fn member() -> impl Strategy<Value = (String, String)> {
    let name = proptest::sample::select(GOOD).prop_map(|(name, _)| name.to_owned());
    let other = proptest::sample::select(OTHERS).prop_map(str::to_owned);
    let bad = || proptest::sample::select(BAD).prop_map(str::to_owned);
    prop_oneof![12 => good_member(), 1 => (name, bad()), 1 => (other, bad())]
}

fn object(members: &[(String, String)], space: &str) -> String {
    let members: Vec<String> =
        members.iter().map(|(name, value)| format!("{space}\"{name}\"{space}:{space}{value}{space}")).collect();
    format!("{space}{{{}}}{space}", members.join(","))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    /// What is right and plain is taken, and taken alike.
    #[test]
    fn plain_registrations_are_taken(
        members in proptest::collection::vec(good_member(), 0..12),
        space in proptest::sample::select(&["", " ", "\n\t"][..]),
    ) {
        let mut members = members;
        members.insert(0, ("port".to_owned(), "80".to_owned()));
        members.insert(1, ("address".to_owned(), "\"10.0.0.1\"".to_owned()));
        let mut seen = std::collections::BTreeSet::new();
        members.retain(|(name, _)| seen.insert(name.clone()));
        let text = object(&members, space);
        let taken = quick(&text);
        prop_assert!(taken.is_some(), "{}", text);
        prop_assert_eq!(taken, precise(&text).ok(), "{}", text);
    }

    /// Of whatever else there is, the quick reader takes nothing that the precise one reads in another way.
    #[test]
    fn nothing_is_read_in_two_ways(
        members in proptest::collection::vec(member(), 0..9),
        damage in proptest::option::weighted(0.3, (any::<proptest::sample::Index>(), any::<char>(), 0..3usize)),
    ) {
        let mut text: Vec<char> = object(&members, "").chars().collect();
        if let Some((at, character, cut)) = damage {
            let at = at.index(text.len());
            text.splice(at..(at + cut).min(text.len()), [character]);
        }
        let text: String = text.into_iter().collect();
        if let Some(taken) = quick(&text) {
            prop_assert_eq!(Ok(taken), precise(&text), "{}", text);
        }
    }
}

#[test]
fn what_is_not_taken_is_left_to_the_other() {
    let good = r#""address":"10.0.0.7","port":80"#;
    assert!(quick(&format!("{{{good}}}")).is_some());
    let pairs: String = (0..65).map(|n| format!("\"k{n}\":1,")).collect();
    let tags = "\"t\",".repeat(64);
    for more in [
        r#""port":80"#,
        r#""revision":7"#,
        r#""tags":["\u0061"]"#,
        r#""weight":1.0"#,
        r#""addresses":["10.0.0.1"]"#,
        r#""host":"a""#,
        r#""metadata":{"a":1,"a":2}"#,
        &format!(r#""metadata":{{{}}}"#, pairs.trim_end_matches(',')),
        &format!(r#""tags":[{tags}"u"]"#),
    ] {
        assert_eq!(quick(&format!("{{{good},{more}}}")), None, "{more}");
    }
    assert_eq!((quick("[]"), quick("{}"), quick(r#"{"port":1}"#)), (None, None, None));
}
