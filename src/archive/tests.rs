//! The forms stay as they are: what was written once is read for ever, and nothing that is no record is taken for one.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::*;
use crate::model::{
    CheckDefaults, Condition, Defaults, Instance, InstanceId, Key, Pulse, Registration, Revision, ServiceName, Span,
    Tick,
};
use crate::registry::Record;

fn instance(body: &serde_json::Value) -> Record {
    let check = CheckDefaults { interval: Span::from_secs(1), timeout: Span::from_secs(1), rise: 1, fall: 1 };
    let defaults = Defaults { check, ..Defaults::default() };
    let registration = Registration::from_json(body, &defaults, [127, 0, 0, 1].into()).unwrap();
    Record::Instance(Arc::new(Instance {
        key: Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse("a").unwrap() },
        pulse: Arc::new(Pulse::begin(Tick(0), registration.ttl())),
        condition: Condition {
            checks: crate::model::Verdicts::of(registration.checks().len(), []),
            ..Condition::default()
        },
        registration: Arc::new(registration),
        created_at: "1970-01-01T00:00:01Z".parse::<jiff::Timestamp>().unwrap().into(),
        changed_at: "1970-01-01T00:00:01Z".parse::<jiff::Timestamp>().unwrap().into(),
        revision: Revision(7),
    }))
}

fn written(record: &Record) -> Vec<u8> {
    let mut octets = Vec::new();
    Coder::default().put(&mut octets, record);
    octets
}

#[test]
fn the_compact_form_is_what_it_was() {
    let record = instance(&json!({"address": "10.0.0.7", "port": 80}));
    let expected = [
        &[1, 5][..],
        b"web/a",
        &[34, 2],
        &[0, 0, 5, 7],
        &[0x00, 0xca, 0x9a, 0x3b, 0, 0, 0, 0],
        &[0x00, 0xca, 0x9a, 0x3b, 0, 0, 0, 0],
        &[1, 4, 10, 0, 0, 7, 80, 0],
        &[1, 0, 0xb0, 0xea, 1],
    ]
    .concat();
    assert_eq!(written(&record), expected);
}

#[test]
fn entries_that_are_spoiled_are_refused_or_read() {
    let rich = json!({"addresses": ["10.0.0.7", "2001:db8::7"], "ports": {"http": 80}, "port": 80, "version": "2",
                      "scheme": "https", "tags": ["a", "b"], "metadata": {"a": [1, "x"]}, "slow_start": "30s",
                      "deregister_after": "1m", "checks": [{"kind": "http"}, {"kind": "tcp"}]});
    let whole = written(&instance(&rich));
    let (mut chance, mut coder, mut refused) = (StdRng::seed_from_u64(7), Coder::default(), 0);
    for _ in 0..20_000 {
        let mut octets = whole.clone();
        for _ in 0..chance.random_range(1..4) {
            let at = chance.random_range(0..octets.len());
            octets[at] = chance.random();
        }
        octets.truncate(chance.random_range(1..=octets.len()));
        let read = Entry::take(&mut octets.as_slice()).map(|entry| coder.read(&entry).is_ok());
        refused += u32::from(read != Some(true));
    }
    assert!(refused > 10_000, "{refused}");
    let entry = Entry::take(&mut whole.as_slice()).map(|entry| coder.read(&entry).is_ok());
    assert_eq!(entry, Some(true), "what was read before spoils nothing");
}

#[test]
fn a_form_that_is_not_known_is_named() {
    let mut octets = Vec::new();
    Coder::put_value(&mut octets, crate::registry::Kind::Instance, "web/a", 9, b"later");
    let entry = Entry::take(&mut octets.as_slice()).unwrap();
    let error = Coder::default().read(&entry).unwrap_err();
    assert!(error.contains("web/a") && error.contains("form 9"), "{error}");
}

#[test]
fn a_whole_frame_is_found_wherever_it_is() {
    let mut octets = vec![0xff; 100];
    framed(&mut octets, 7, |body| body.extend_from_slice(b"body"));
    octets.extend_from_slice(&[0xff; 10]);
    assert!(has_later_frame(&octets, 6));
    assert!(!has_later_frame(&octets, 7), "only later ones count");
    assert!(!has_later_frame(&octets[..118], 6), "it is not whole");
}
