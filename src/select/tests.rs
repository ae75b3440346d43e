//! Who is picked: shares over many picks with fixed seeds, and what a key keeps when instances come and go.
//!
//! Over `n` picks a share of `p` lies within five standard deviations of it but for one run in a million; with the seeds
//! fixed, each test gives one answer for ever.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::answer::ServiceView;
use crate::model::{
    Condition, Defaults, Instance, InstanceId, Key, LeaseTtl, Load, LoadRules, Pulse, Registration, Revision,
    ServiceName, Status, Strategy, Tick, WallTime,
};

/// Numbers that look random (SplitMix64).
pub(super) fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed;
    move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let value = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }
}

/// An instance registered as `body` says, with the load it reported.
fn instance(id: &str, body: Value, load: Option<Value>) -> Arc<Instance> {
    let mut registration = json!({"address": "10.0.0.7", "port": 80});
    registration.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
    let defaults = Defaults::default();
    let registration =
        Arc::new(Registration::from_json(&registration, &defaults, IpAddr::from([127, 0, 0, 1])).unwrap());
    let pulse = Pulse::begin(Tick(0), LeaseTtl::Permanent);
    pulse.words(|words| words.load = load.map(|load| Load::from_json(&load).unwrap()));
    Arc::new(Instance {
        key: Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(id).unwrap() },
        condition: Condition { said: registration.status, ..Condition::default() },
        registration,
        created_at: WallTime::default(),
        changed_at: WallTime::default(),
        revision: Revision(1),
        pulse: Arc::new(pulse),
    })
}

fn view(instances: Vec<Arc<Instance>>) -> ServiceView {
    ServiceView::new(None, ServiceName::parse("web").unwrap(), Revision(1), None, false, instances.iter())
}

/// Instances `a`, `b` and so on of these weights.
fn weighing(weights: &[u16]) -> ServiceView {
    let named =
        |(place, weight)| instance(&char::from(b'a' + place as u8).to_string(), json!({"weight": weight}), None);
    view(weights.iter().enumerate().map(named).collect())
}

const RULES: LoadRules = LoadRules { cpu: 0.4, memory: 0.3, latency: 0.3, latency_ms: 1000, limit: 0.0 };

/// How often each is picked.
fn counts(view: &ServiceView, strategy: Strategy, picks: u64) -> BTreeMap<String, u64> {
    let (rotations, selector) = (Rotations::default(), Selector::default());
    let mut random = numbers(1);
    let mut counts = BTreeMap::new();
    for number in 0..picks {
        let key = format!("user-{number}");
        let pick = Pick { strategy, key: &key, selector: &selector, rules: RULES };
        let picked = pick.from(eligible(view, &selector), &rotations, &mut random).unwrap();
        *counts.entry(picked.key.id.to_string()).or_default() += 1;
    }
    counts
}

fn owner(view: &ServiceView, key: &str) -> String {
    let selector = Selector::default();
    let pick = Pick { strategy: Strategy::ConsistentHash, key, selector: &selector, rules: RULES };
    let picked = pick.from(eligible(view, &selector), &Rotations::default(), &mut || panic!("nothing is random"));
    picked.unwrap().key.id.to_string()
}

#[test]
fn shares_follow_the_weights_or_are_equal() {
    const PICKS: u64 = 30_000;
    for (strategy, weights, shares) in [
        (Strategy::Weighted, &[1, 2, 3][..], &[1.0, 2.0, 3.0][..]),
        (Strategy::Weighted, &[0, 2, 3], &[0.0, 2.0, 3.0]),
        (Strategy::Weighted, &[0, 0], &[1.0, 1.0]),
        (Strategy::Random, &[1, 2, 3], &[1.0, 1.0, 1.0]),
        (Strategy::Random, &[0, 2, 3], &[0.0, 1.0, 1.0]),
        (Strategy::ConsistentHash, &[1, 2, 3], &[1.0, 2.0, 3.0]),
        (Strategy::ConsistentHash, &[0, 5], &[0.0, 1.0]),
        // Nobody reports anything, so all are equal and the weights decide.
        (Strategy::LeastLoaded, &[1, 3], &[1.0, 3.0]),
        (Strategy::LeastConnections, &[1, 3], &[1.0, 3.0]),
        (Strategy::RoundRobin, &[1, 2, 3], &[1.0, 2.0, 3.0]),
        (Strategy::RoundRobin, &[0, 0], &[1.0, 1.0]),
    ] {
        let counted = counts(&weighing(weights), strategy, PICKS);
        let total: f64 = shares.iter().sum();
        for (place, share) in shares.iter().enumerate() {
            let name = char::from(b'a' + place as u8).to_string();
            let (p, count) = (share / total, counted.get(&name).copied().unwrap_or_default() as f64);
            let spread = (PICKS as f64 * p * (1.0 - p)).sqrt();
            assert!((count - PICKS as f64 * p).abs() <= 5.0 * spread, "{strategy:?} {weights:?}: {counted:?}");
        }
    }
}

#[test]
fn the_least_loaded_is_picked() {
    let loads = |loads: &[(&str, u16, Option<Value>)]| {
        view(loads.iter().map(|(id, weight, load)| instance(id, json!({"weight": weight}), load.clone())).collect())
    };
    for (strategy, instances, picked) in [
        (
            Strategy::LeastLoaded,
            loads(&[("a", 1, Some(json!({"cpu": 0.9}))), ("b", 9, Some(json!({"cpu": 0.95})))]),
            "a",
        ),
        (Strategy::LeastLoaded, loads(&[("a", 1, None), ("b", 1, Some(json!({"cpu": 0.9, "memory": 0.6})))]), "a"),
        (Strategy::LeastLoaded, loads(&[("a", 1, None), ("b", 1, Some(json!({"cpu": 0.9, "memory": 0.4})))]), "b"),
        (
            Strategy::LeastLoaded,
            loads(&[("a", 1, Some(json!({"latency_ms": 900}))), ("b", 1, Some(json!({"latency_ms": 800})))]),
            "b",
        ),
        (
            Strategy::LeastConnections,
            loads(&[("a", 1, Some(json!({"connections": 10}))), ("b", 4, Some(json!({"connections": 30})))]),
            "b",
        ),
        (Strategy::LeastConnections, loads(&[("a", 1, Some(json!({"connections": 10}))), ("b", 1, None)]), "b"),
        (
            Strategy::LeastConnections,
            loads(&[
                ("a", 1, Some(json!({"connections": 10}))),
                ("b", 1, Some(json!({"connections": 4}))),
                ("c", 1, None),
            ]),
            "b",
        ),
    ] {
        assert_eq!(counts(&instances, strategy, 50), [(picked.to_owned(), 50)].into());
    }
}

#[test]
fn only_the_lowest_priority_is_picked_from() {
    let instances = view(vec![
        instance("a", json!({"priority": 1, "weight": 100}), None),
        instance("b", json!({"priority": 0, "weight": 0, "tags": ["x"]}), None),
        instance("c", json!({"priority": 0, "status": "unhealthy"}), None),
        instance("d", json!({"priority": 2, "tags": ["x"], "version": "2", "metadata": {"zone": "eu", "n": 7}}), None),
    ]);
    let ids = |selector: Selector| {
        let found = eligible(&instances, &selector);
        found.iter().map(|candidate| candidate.item.key.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(ids(Selector::default()), ["b"], "weight 0 is the last resort within a priority, not across them");
    let pairs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    for (selector, expected) in [
        (Selector { tags: vec!["x".into()], ..Selector::default() }, &["b"][..]),
        (Selector { tags: vec!["x".into()], version: Some("2".into()), ..Selector::default() }, &["d"]),
        (Selector { metadata: pairs(&[("zone", "eu"), ("n", "7")]), ..Selector::default() }, &["d"]),
        (Selector { metadata: pairs(&[("zone", "us")]), ..Selector::default() }, &[]),
        (Selector { status: Some(Status::Unhealthy), ..Selector::default() }, &[]),
        (Selector { status: Some(Status::Healthy), ..Selector::default() }, &["b"]),
    ] {
        assert_eq!(ids(selector.clone()), expected, "{selector:?}");
    }
}

#[test]
fn there_may_be_nobody_to_pick() {
    let selector = Selector::default();
    for strategy in Strategy::ALL {
        let pick = Pick { strategy, key: "k", selector: &selector, rules: RULES };
        assert!(pick.from(Vec::new(), &Rotations::default(), &mut || 7).is_none(), "{strategy:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// When one goes, its keys go to others and no other key moves. How many they are is its share, as tested above.
    #[test]
    fn keys_stay_where_they_are(weights in prop::collection::vec(1..10u16, 2..9), gone: prop::sample::Index, salt: u64) {
        let before = weighing(&weights);
        let gone = gone.index(weights.len());
        let mut left = before.instances().to_vec();
        let lost = left.remove(gone).key.id.to_string();
        let after = view(left);
        for number in 0..100 {
            let key = format!("{salt}/{number}");
            let (was, is) = (owner(&before, &key), owner(&after, &key));
            prop_assert_eq!(was != is, was == lost, "{}", key);
        }
    }
}
