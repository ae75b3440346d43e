//! One battery of behaviours for every store.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{Embedded, Memory, etcd};
use crate::engine::{Batch, Loaded, Store, Write};
use crate::model::{
    CheckDefaults, Condition, Defaults, DrainedBy, Instance, InstanceId, Key, LeaseTtl, Maintenance, Moment, Pulse,
    Registration, Revision, SelfReport, ServiceName, Settings, Span, Subscription, SubscriptionId, Tick, Verdict,
    Verdicts, WallTime,
};
use crate::registry::{Kind, Record, RecordName, Stored};

/// A store that can be closed and opened again on the same state.
trait Reopen: Store + Sized {
    /// Whether the state outlives the store.
    const KEEPS: bool;
    /// Whether it keeps the revision that its owner reserves, instead of having revisions of its own.
    const RESERVES: bool;

    fn open(at: &Path) -> Self;
}

impl Reopen for etcd::Alone {
    const KEEPS: bool = true;
    const RESERVES: bool = false;

    fn open(at: &Path) -> Self {
        Self::at(at)
    }
}

impl Reopen for Embedded {
    const KEEPS: bool = true;
    const RESERVES: bool = true;

    fn open(at: &Path) -> Self {
        Self::at(at)
    }
}

impl Reopen for Memory {
    const KEEPS: bool = false;
    const RESERVES: bool = true;

    fn open(_: &Path) -> Self {
        Self
    }
}

/// What is there again of what was written.
fn kept<S: Reopen, T: Default>(written: T) -> T {
    if S::KEEPS { written } else { T::default() }
}

pub(super) fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

fn check_defaults() -> CheckDefaults {
    CheckDefaults { interval: Span::from_secs(1), timeout: Span::from_secs(1), rise: 1, fall: 1 }
}

fn time(text: &str) -> WallTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

pub(super) fn instance(key: Key, weight: u16, revision: u64) -> Arc<Instance> {
    let defaults = Defaults { ttl: Span::from_secs(7), check: check_defaults(), ..Defaults::default() };
    let body = json!({"addresses": ["10.0.0.7", "2001:db8::7"], "port": 80, "weight": weight, "tags": ["v2"],
                      "metadata": {"n": [1, true, "x"]}, "checks": [{"kind": "http"}, {"kind": "tcp"}]});
    let registration = Registration::from_json(&body, &defaults, [127, 0, 0, 1].into()).unwrap();
    Arc::new(Instance {
        key,
        registration: Arc::new(registration),
        condition: Condition {
            maintenance: None,
            draining: Some(DrainedBy::Operator),
            lapsed: true,
            said: SelfReport::Unhealthy,
            overloaded: true,
            checks: [Verdict::Passing, Verdict::Failing].into_iter().collect(),
            ..Condition::default()
        },
        created_at: time("2026-01-01T00:00:00Z"),
        changed_at: time("2026-01-01T00:00:01.5Z"),
        revision: Revision(revision),
        pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
    })
}

pub(super) async fn put<S: Store>(store: &mut S, instances: &[&Arc<Instance>], reserve: Option<u64>) {
    let writes = instances.iter().map(|instance| Write::Put(Record::Instance(Arc::clone(instance)))).collect();
    store.commit(Batch { writes, reserve: reserve.map(Revision) }).await.unwrap();
}

async fn a_new_store_is_empty<S: Reopen>(at: &Path) {
    let loaded = S::open(at).load().await.unwrap();
    assert!(!S::RESERVES || loaded.revision == Revision::ZERO);
    assert_eq!((loaded.instances.len(), loaded.records.len()), (0, 0));
}

async fn what_was_committed_is_there_again<S: Reopen>(at: &Path) {
    let (a, b) = (instance(key("web", "a"), 3, 7), instance(key("db", "b"), 0, 8));
    put(&mut S::open(at), &[&a, &b], Some(100)).await;
    let loaded = S::open(at).load().await.unwrap();
    assert!(!S::RESERVES || loaded.revision == kept::<S, _>(Revision(100)));
    assert_eq!(instances(&loaded), kept::<S, _>(said_of(&[a, b])));
}

async fn every_member_is_kept<S: Reopen>(at: &Path) {
    let bodies = [
        json!({"address": "db.example.com", "port": 1, "ttl": "none"}),
        json!({"address": "10.0.0.7", "ports": {"http": 80}, "protocol": "udp", "scheme": "https", "version": "2.1 b"}),
        json!({"address": "2001:db8::1", "port": 65535, "ports": {"http": 80, "metrics": 9100}, "weight": 65535,
               "priority": 65535, "tags": ["v2", "not a label"], "status": "starting"}),
        json!({"addresses": ["10.0.0.7"], "port": 80, "ttl": "24h", "deregister_after": "30d", "slow_start": "30s",
               "metadata": {"a": "é", "b": [1.5, true, "x"], "c": []}, "status": "unhealthy"}),
        json!({"address": "10.0.0.7", "port": 80, "checks": [{"kind": "grpc", "service": "a"},
               {"kind": "http", "scheme": "https", "verify": false, "headers": {"host": "a"}, "expect": [204, "300-399"]}]}),
        json!({"address": "10.0.0.7", "port": 80, "checks": []}),
    ];
    let defaults = Defaults { ttl: Span::from_secs(7), check: check_defaults(), ..Defaults::default() };
    let numbered = (1..).zip(bodies).map(|(number, body)| {
        let registration = Registration::from_json(&body, &defaults, [127, 0, 0, 1].into()).unwrap();
        let verdicts = Verdicts::of(registration.checks().len(), []);
        let condition = Condition { said: registration.status, checks: verdicts, ..Condition::default() };
        let base = instance(key("web", &format!("i{number}")), 1, number);
        Arc::new(Instance { registration: Arc::new(registration), condition, ..Arc::unwrap_or_clone(base) })
    });
    let written: Vec<Arc<Instance>> = numbered.collect();
    put(&mut S::open(at), &written.iter().collect::<Vec<_>>(), None).await;
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!(instances(&loaded), kept::<S, _>(said_of(&written)));
}

async fn the_last_state_of_a_key_counts<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    put(&mut store, &[&instance(key("web", "a"), 1, 1), &instance(key("web", "b"), 1, 2)], Some(10)).await;
    let last = instance(key("web", "a"), 2, 3);
    put(&mut store, &[&last], None).await;
    let gone = ["b", "never"].map(|id| Write::Remove(RecordName::Instance(key("web", id))));
    store.commit(Batch { writes: gone.into(), reserve: None }).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    let is_left = loaded.revision == kept::<S, _>(Revision(10));
    assert!(!S::RESERVES || is_left, "a batch without a reservation leaves it");
    assert_eq!(instances(&loaded), kept::<S, _>(said_of(&[last])));
}

async fn what_went_can_come_back<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    let back = instance(key("web", "a"), 2, 3);
    put(&mut store, &[&instance(key("web", "a"), 1, 1)], None).await;
    let gone = Write::Remove(RecordName::Instance(key("web", "a")));
    store.commit(Batch { writes: vec![gone], reserve: Some(Revision(7)) }).await.unwrap();
    put(&mut store, &[&back], None).await;
    drop(store);
    assert_eq!(instances(&S::open(at).load().await.unwrap()), kept::<S, _>(said_of(&[back])));
}

async fn a_large_batch_is_there_whole<S: Reopen>(at: &Path) {
    let written: Vec<_> = (0..10_000).map(|number| instance(key("web", &format!("i{number}")), 1, number)).collect();
    put(&mut S::open(at), &written.iter().collect::<Vec<_>>(), Some(20_000)).await;
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!(instances(&loaded).len(), kept::<S, _>(10_000));
}

async fn records_come_before_instances<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    let many: Vec<_> = (0..10_000).map(|number| instance(key("web", &format!("i{number}")), 1, number)).collect();
    put(&mut store, &many.iter().collect::<Vec<_>>(), Some(9)).await;
    let writes = records("").into_iter().map(Write::Put).collect();
    store.commit(Batch { writes, reserve: None }).await.unwrap();
    drop(store);
    let mut parts = Vec::new();
    let count = |part: Loaded| parts.push((part.revision, part.records.len(), part.instances.len()));
    S::open(at).load_in_parts(count).await.unwrap();
    assert_eq!(parts[0].1, kept::<S, _>(records("").len()), "all in the first part");
    assert!(!S::RESERVES || parts.iter().all(|(revision, _, _)| *revision == kept::<S, _>(Revision(9))));
    let total: usize = parts.iter().map(|(_, _, instances)| instances).sum();
    assert_eq!(total, kept::<S, _>(10_000));
}

async fn an_empty_batch_is_no_change<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    put(&mut store, &[&instance(key("web", "a"), 1, 1)], Some(5)).await;
    store.commit(Batch::default()).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    assert!(!S::RESERVES || loaded.revision == kept::<S, _>(Revision(5)));
    assert_eq!(loaded.instances.len(), kept::<S, _>(1));
}

/// What instances say, in the order of their revisions, to compare.
fn instances(loaded: &Loaded) -> Vec<String> {
    let mut stored: Vec<_> = loaded.instances.iter().collect();
    stored.sort_by_key(|stored| stored.revision);
    stored.into_iter().map(|stored| format!("{stored:?}")).collect()
}

/// The same of those that are written.
fn said_of(written: &[Arc<Instance>]) -> Vec<String> {
    let stored = written.iter().map(|instance| Stored {
        key: instance.key.clone(),
        registration: (*instance.registration).clone(),
        condition: instance.condition.clone(),
        created_at: instance.created_at.timestamp(),
        changed_at: instance.changed_at.timestamp(),
        revision: instance.revision,
    });
    instances(&Loaded { instances: stored.collect(), ..Loaded::default() })
}

/// A record of each kind but instances, under names that two kinds share.
pub(super) fn records(text: &str) -> Vec<Record> {
    let service = ServiceName::parse("web").unwrap();
    let settings = json!({"record_ttl": 1, "description": text, "default_checks": [{"kind": "tcp"}]});
    let subscription = json!({"service": "web", "callback": format!("http://127.0.0.1/{text}")});
    let since = Moment { tick: Tick(0), wall: "2026-01-01T00:00:01.5Z".parse().unwrap() };
    vec![
        Record::Settings(service, Arc::new(Settings::from_json(&settings, &check_defaults()).unwrap())),
        Record::Maintenance(key("web", "a"), Arc::new(Maintenance { reason: Some(text.into()), since })),
        Record::Maintenance(key("web", "b"), Arc::new(Maintenance { reason: None, since })),
        Record::Subscription(
            SubscriptionId::parse("web").unwrap(),
            Arc::new(Subscription::from_json(&subscription).unwrap()),
        ),
    ]
}

/// What a record says, to compare.
fn said(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| format!("{record:?}")).collect()
}

async fn every_kind_of_record_is_kept<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    let written = |text| records(text).into_iter().map(Write::Put);
    let mut writes: Vec<Write> = written("first").collect();
    writes.push(Write::Put(Record::Instance(instance(key("web", "a"), 1, 1))));
    store.commit(Batch { writes, reserve: None }).await.unwrap();
    store.commit(Batch { writes: written("second").collect(), reserve: None }).await.unwrap();
    drop(store);
    let mut store = S::open(at);
    let mut loaded = store.load().await.unwrap();
    loaded.records.sort_by_key(Record::name);
    assert_eq!((said(&loaded.records), loaded.instances.len()), kept::<S, _>((said(&records("second")), 1)));
    let gone = loaded.records.iter().map(|record| Write::Remove(record.name())).collect();
    store.commit(Batch { writes: gone, reserve: None }).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!((loaded.records.len(), loaded.instances.len()), kept::<S, _>((0, 1)));
}

#[test]
fn every_kind_is_tried() {
    let mut kinds: Vec<Kind> = records("").iter().map(Record::kind).collect();
    kinds.push(Kind::Instance);
    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)));
}

/// Runs every behaviour over every store.
macro_rules! battery {
    ($($name:ident: $store:ty;)*) => {
        $(mod $name {
            use super::*;
            battery!(@each $store:
                a_new_store_is_empty
                what_was_committed_is_there_again
                every_member_is_kept
                the_last_state_of_a_key_counts
                what_went_can_come_back
                a_large_batch_is_there_whole
                records_come_before_instances
                every_kind_of_record_is_kept
                an_empty_batch_is_no_change
            );
        })*
    };
    (@each $store:ty: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                let directory = tempfile::tempdir().unwrap();
                super::$behaviour::<$store>(directory.path()).await;
            }
        )*
    };
}

// A further store is a line here.
battery! {
    memory: Memory;
    embedded: Embedded;
    in_etcd: etcd::Alone;
}
