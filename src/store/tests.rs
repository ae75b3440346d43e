//! One battery of behaviours for every store that keeps state, and what only the embedded one can do.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{Embedded, Memory, etcd};
use crate::engine::{Batch, Store, StoreError, Write};
use crate::model::{
    CheckDefaults, Condition, Defaults, DrainedBy, Instance, InstanceId, Key, LeaseTtl, Maintenance, Moment, Pulse,
    Registration, Revision, SelfReport, ServiceName, Settings, Span, Subscription, SubscriptionId, Tick, Verdict,
    WallTime,
};
use crate::registry::{Kind, Record, RecordName};

/// A store that can be closed and opened again on the same state.
trait Reopen: Store + Sized {
    /// Whether it keeps the revision that its owner reserves, instead of having revisions of its own.
    const RESERVES: bool;

    fn open(at: &Path) -> Self;
}

impl Reopen for etcd::Alone {
    const RESERVES: bool = false;

    fn open(at: &Path) -> Self {
        Self::at(at)
    }
}

impl Reopen for Embedded {
    const RESERVES: bool = true;

    fn open(at: &Path) -> Self {
        Self::at(at)
    }
}

fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

fn check_defaults() -> CheckDefaults {
    CheckDefaults { interval: Span::from_secs(1), timeout: Span::from_secs(1), rise: 1, fall: 1 }
}

fn time(text: &str) -> WallTime {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn instance(key: Key, weight: u16, revision: u64) -> Arc<Instance> {
    let defaults = Defaults { ttl: Span::from_secs(7), check: check_defaults(), checks: Vec::new() };
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

async fn put<S: Store>(store: &mut S, instances: &[&Arc<Instance>], reserve: Option<u64>) {
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
    assert!(!S::RESERVES || loaded.revision == Revision(100));
    let mut found = loaded.instances;
    found.sort_by_key(|stored| stored.revision);
    for (stored, written) in found.iter().zip([a, b]) {
        assert_eq!(stored.key, written.key);
        assert_eq!(stored.registration, *written.registration);
        assert_eq!(stored.condition, written.condition);
        assert_eq!((stored.created_at.into(), stored.changed_at.into()), (written.created_at, written.changed_at));
        assert_eq!(stored.revision, written.revision);
    }
    assert_eq!(found.len(), 2);
}

async fn the_last_state_of_a_key_counts<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    put(&mut store, &[&instance(key("web", "a"), 1, 1), &instance(key("web", "b"), 1, 2)], Some(10)).await;
    put(&mut store, &[&instance(key("web", "a"), 2, 3)], None).await;
    let gone = ["b", "never"].map(|id| Write::Remove(RecordName::Instance(key("web", id))));
    store.commit(Batch { writes: gone.into(), reserve: None }).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    assert!(!S::RESERVES || loaded.revision == Revision(10), "a batch without a reservation leaves it");
    let found: Vec<_> = loaded.instances.iter().map(|stored| stored.registration.weight.0).collect();
    assert_eq!(found, [2]);
}

/// A record of each kind but instances, under names that two kinds share.
fn records(text: &str) -> Vec<Record> {
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
    assert_eq!((said(&loaded.records), loaded.instances.len()), (said(&records("second")), 1));
    let gone = loaded.records.iter().map(|record| Write::Remove(record.name())).collect();
    store.commit(Batch { writes: gone, reserve: None }).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!((loaded.records.len(), loaded.instances.len()), (0, 1));
}

#[test]
fn every_kind_is_tried() {
    let mut kinds: Vec<Kind> = records("").iter().map(Record::kind).collect();
    kinds.push(Kind::Instance);
    assert!(Kind::ALL.iter().all(|kind| kinds.contains(kind)));
}

/// Runs every behaviour over a store.
macro_rules! battery {
    ($store:ty: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                let directory = tempfile::tempdir().unwrap();
                super::$behaviour::<$store>(directory.path()).await;
            }
        )*
    };
}

mod embedded {
    battery!(super::Embedded:
        a_new_store_is_empty
        what_was_committed_is_there_again
        the_last_state_of_a_key_counts
        every_kind_of_record_is_kept
    );
}

mod in_etcd {
    battery!(super::etcd::Alone:
        a_new_store_is_empty
        what_was_committed_is_there_again
        the_last_state_of_a_key_counts
        every_kind_of_record_is_kept
    );
}

#[tokio::test]
async fn memory_takes_everything_and_keeps_nothing() {
    let mut store = Memory;
    put(&mut store, &[&instance(key("web", "a"), 1, 1)], Some(1)).await;
    assert!(store.load().await.unwrap().instances.is_empty());
}

#[tokio::test]
async fn a_file_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Embedded::at(directory.path());
    first.load().await.unwrap();
    let second = Embedded::at(directory.path()).load().await.unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(first);
    Embedded::at(directory.path()).load().await.unwrap();
}

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    put(&mut Embedded::at(directory.path()), &[&instance(key("web", "a"), 1, 1)], None).await;
    let file = directory.path().join("registry.redb");
    let mut octets = std::fs::read(&file).unwrap();
    octets[..64].fill(0x55);
    std::fs::write(&file, &octets).unwrap();
    let error = Embedded::at(directory.path()).load().await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error:?}");
    assert_eq!(std::fs::read(&file).unwrap(), octets);
}

/// Writes rows as an older version did, past the store.
fn write_rows(at: &Path, format: u64, instances: &[(&str, String)]) {
    let database = redb::Database::create(at.join("registry.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut about = transaction.open_table(redb::TableDefinition::<&str, u64>::new("about")).unwrap();
        about.insert("format", format).unwrap();
        about.insert("revision", 70).unwrap();
        let mut table = transaction.open_table(redb::TableDefinition::<&str, &[u8]>::new("instances")).unwrap();
        for (name, value) in instances {
            table.insert(name, value.as_bytes()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_the_first_format_is_read_and_raised() {
    let directory = tempfile::tempdir().unwrap();
    let row = |checks: serde_json::Value| {
        let registration = json!({"address": "10.0.0.7", "port": 80, "ttl": "none", "checks": checks});
        json!({"registration": registration, "draining": true, "lapsed": false, "said": "healthy", "verdicts": ["passing"],
               "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z", "revision": 7})
        .to_string()
    };
    let check = json!({"kind": "tcp", "interval": "1s", "timeout": "1s", "rise": 1, "fall": 1});
    write_rows(directory.path(), 1, &[("web/a", row(json!([check]))), ("web/b", row(json!([])))]);
    let mut store = Embedded::at(directory.path());
    let loaded = store.load().await.unwrap();
    let brings: Vec<_> = loaded.instances.iter().map(|stored| stored.registration.brings_checks).collect();
    assert_eq!((brings, loaded.revision), (vec![true, false], Revision(70)));
    assert!(loaded.instances.iter().all(|stored| stored.condition.draining == Some(DrainedBy::Itself)));
    put(&mut store, &[&instance(key("web", "c"), 1, 71)], None).await;
    assert_eq!(store.load().await.unwrap().instances.len(), 3);
    drop(store);
    let database = redb::Database::create(directory.path().join("registry.redb")).unwrap();
    let about = redb::TableDefinition::<&str, u64>::new("about");
    let transaction = redb::ReadableDatabase::begin_read(&database).unwrap();
    let format = transaction.open_table(about).unwrap().get("format").unwrap().unwrap().value();
    assert_eq!(format, 2, "an older version must not take it for its own");
}

#[tokio::test]
async fn a_file_of_a_later_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    write_rows(directory.path(), 3, &[]);
    let error = Embedded::at(directory.path()).load().await.unwrap_err();
    assert!(matches!(error, StoreError::Format { found: 3, known: 2, .. }), "{error}");
}
