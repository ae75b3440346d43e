//! One battery of behaviours for every store that keeps state, and what only the embedded one can do.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::{Embedded, Memory};
use crate::engine::{Batch, Store, StoreError, Write};
use crate::model::{
    CheckDefaults, Condition, Defaults, Instance, InstanceId, Key, LeaseTtl, Pulse, Registration, Revision, SelfReport,
    ServiceName, Span, Tick, Verdict,
};

/// A store that can be closed and opened again on the same state.
trait Reopen: Store + Sized {
    fn open(at: &Path) -> Self;
}

impl Reopen for Embedded {
    fn open(at: &Path) -> Self {
        Self::at(at)
    }
}

fn key(service: &str, id: &str) -> Key {
    Key { service: ServiceName::parse(service).unwrap(), id: InstanceId::parse(id).unwrap() }
}

fn instance(key: Key, weight: u16, revision: u64) -> Arc<Instance> {
    let check = CheckDefaults { interval: Span::from_secs(1), timeout: Span::from_secs(1), rise: 1, fall: 1 };
    let defaults = Defaults { ttl: Span::from_secs(7), check, checks: Vec::new() };
    let body = json!({"addresses": ["10.0.0.7", "2001:db8::7"], "port": 80, "weight": weight, "tags": ["v2"],
                      "metadata": {"n": [1, true, "x"]}, "checks": [{"kind": "http"}, {"kind": "tcp"}]});
    let registration = Registration::from_json(&body, &defaults, [127, 0, 0, 1].into()).unwrap();
    Arc::new(Instance {
        key,
        registration: Arc::new(registration),
        condition: Condition {
            draining: true,
            lapsed: true,
            said: SelfReport::Unhealthy,
            checks: [Verdict::Passing, Verdict::Failing].into_iter().collect(),
        },
        created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        changed_at: "2026-01-01T00:00:01.5Z".parse().unwrap(),
        revision: Revision(revision),
        pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
    })
}

async fn put<S: Store>(store: &mut S, instances: &[&Arc<Instance>], reserve: Option<u64>) {
    let writes = instances.iter().map(|instance| Write::Put(Arc::clone(instance))).collect();
    store.commit(Batch { writes, reserve: reserve.map(Revision) }).await.unwrap();
}

async fn a_new_store_is_empty<S: Reopen>(at: &Path) {
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!((loaded.revision, loaded.instances.len()), (Revision::ZERO, 0));
}

async fn what_was_committed_is_there_again<S: Reopen>(at: &Path) {
    let (a, b) = (instance(key("web", "a"), 3, 7), instance(key("db", "b"), 0, 8));
    put(&mut S::open(at), &[&a, &b], Some(100)).await;
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!(loaded.revision, Revision(100));
    let mut found = loaded.instances;
    found.sort_by_key(|stored| stored.revision);
    for (stored, written) in found.iter().zip([a, b]) {
        assert_eq!(stored.key, written.key);
        assert_eq!(stored.registration, *written.registration);
        assert_eq!(stored.condition, written.condition);
        assert_eq!((stored.created_at, stored.changed_at), (written.created_at, written.changed_at));
        assert_eq!(stored.revision, written.revision);
    }
    assert_eq!(found.len(), 2);
}

async fn the_last_state_of_a_key_counts<S: Reopen>(at: &Path) {
    let mut store = S::open(at);
    put(&mut store, &[&instance(key("web", "a"), 1, 1), &instance(key("web", "b"), 1, 2)], Some(10)).await;
    put(&mut store, &[&instance(key("web", "a"), 2, 3)], None).await;
    let gone =
        Batch { writes: vec![Write::Remove(key("web", "b")), Write::Remove(key("web", "never"))], reserve: None };
    store.commit(gone).await.unwrap();
    drop(store);
    let loaded = S::open(at).load().await.unwrap();
    assert_eq!(loaded.revision, Revision(10), "a batch without a reservation leaves it");
    let found: Vec<_> = loaded.instances.iter().map(|stored| stored.registration.weight.0).collect();
    assert_eq!(found, [2]);
}

/// Runs every behaviour over a store.
macro_rules! battery {
    ($store:ident: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                let directory = tempfile::tempdir().unwrap();
                super::$behaviour::<super::$store>(directory.path()).await;
            }
        )*
    };
}

mod embedded {
    battery!(Embedded: a_new_store_is_empty what_was_committed_is_there_again the_last_state_of_a_key_counts);
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
