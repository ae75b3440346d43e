//! What only the embedded store can do, and what it does when its files are not as it left them.

use std::collections::BTreeMap;
use std::fs;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

use super::*;
use crate::engine::Write;
use crate::model::{DrainedBy, Revision};
use crate::registry::{Kind, Record, RecordName};
use crate::store::tests::{instance, key, put};

mod restoring;

/// The weight of each instance.
type Weights = BTreeMap<String, u16>;

/// What is in a store, or why it cannot be read.
async fn content(at: &Path) -> Result<Weights, StoreError> {
    let loaded = Embedded::at(at).load().await?;
    let weight = |stored: &crate::registry::Stored| (stored.key.id.as_str().to_owned(), stored.registration.weight.0);
    Ok(loaded.instances.iter().map(weight).collect())
}

fn weights(pairs: &[(&str, u16)]) -> Weights {
    pairs.iter().map(|(id, weight)| ((*id).to_owned(), *weight)).collect()
}

/// Writes three batches and returns what is there after each.
async fn three_batches(at: &Path) -> [Weights; 4] {
    let mut store = Embedded::at(at);
    for (id, weight) in [("a", 1), ("b", 2), ("a", 3)] {
        put(&mut store, &[&instance(key("web", id), weight, 1)], Some(9)).await;
    }
    [weights(&[]), weights(&[("a", 1)]), weights(&[("a", 1), ("b", 2)]), weights(&[("a", 3), ("b", 2)])]
}

#[tokio::test]
async fn a_directory_in_use_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Embedded::at(directory.path());
    first.load().await.unwrap();
    let second = Embedded::at(directory.path()).load().await.unwrap_err();
    assert!(matches!(second, StoreError::InUse { .. }), "{second}");
    drop(first);
    Embedded::at(directory.path()).load().await.unwrap();
}

#[tokio::test]
async fn no_flipped_bit_changes_what_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let [.., all] = three_batches(directory.path()).await;
    let file = directory.path().join("log-0.srvd");
    let octets = fs::read(&file).unwrap();
    let mut refused = 0;
    for at in 0..octets.len() {
        let mut damaged = octets.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, &damaged).unwrap();
        match content(directory.path()).await {
            Ok(found) => assert_eq!(found, all, "octet {at}"),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Format { .. })) => {
                assert!(error.to_string().contains("log-0.srvd"), "{error}");
                assert_eq!(fs::read(&file).unwrap(), damaged, "a damaged file is left as it is");
                refused += 1;
            }
            Err(error) => panic!("octet {at}: {error}"),
        }
    }
    // All but those of the last frame, which says no more than that the log was closed.
    assert_eq!(refused, octets.len() - 17);
}

#[tokio::test]
async fn a_log_that_is_cut_short_holds_whole_batches() {
    let directory = tempfile::tempdir().unwrap();
    let states = three_batches(directory.path()).await;
    let file = directory.path().join("log-0.srvd");
    let octets = fs::read(&file).unwrap();
    let mut seen = 0;
    for length in 0..=octets.len() {
        fs::write(&file, &octets[..length]).unwrap();
        match content(directory.path()).await {
            Ok(found) => {
                let batches = states.iter().position(|state| *state == found).expect("the state after some batch");
                assert!(batches >= seen, "octet {length}");
                seen = batches;
            }
            // Its beginning is written before it gets its name.
            Err(StoreError::Damaged { .. }) => assert_eq!(seen, 0),
            Err(error) => panic!("octet {length}: {error}"),
        }
    }
    assert_eq!(seen, 3);
}

#[tokio::test]
async fn a_store_goes_on_after_a_torn_batch() {
    let directory = tempfile::tempdir().unwrap();
    let [.., before, _] = three_batches(directory.path()).await;
    let file = directory.path().join("log-0.srvd");
    let octets = fs::read(&file).unwrap();
    for rest in [&b""[..], &[0; 100], &[0xff; 5000]] {
        // Without the frame that says it was closed, and the end of the last batch.
        fs::write(&file, [&octets[..octets.len() - 17 - 3], rest].concat()).unwrap();
        assert_eq!(content(directory.path()).await.unwrap(), before);
        put(&mut Embedded::at(directory.path()), &[&instance(key("web", "c"), 4, 1)], None).await;
        let mut after = before.clone();
        after.insert("c".to_owned(), 4);
        assert_eq!(content(directory.path()).await.unwrap(), after);
    }
}

#[tokio::test]
async fn damage_before_the_last_batch_is_no_torn_batch() {
    let directory = tempfile::tempdir().unwrap();
    three_batches(directory.path()).await;
    let file = directory.path().join("log-0.srvd");
    let octets = fs::read(&file).unwrap();
    // As after a crash, when nothing says that the log was closed.
    let octets = &octets[..octets.len() - 17];
    let last = octets.windows(4).rposition(|name| name == b"web/").unwrap() - 24;
    for at in (60..last).step_by(7) {
        for zeros in [0, 5_000] {
            let mut damaged = [octets, &vec![0; zeros]].concat();
            damaged[at] ^= 0x10;
            fs::write(&file, &damaged).unwrap();
            let error = content(directory.path()).await.unwrap_err();
            assert!(matches!(error, StoreError::Damaged { .. }), "octet {at}: {error}");
        }
    }
}

#[tokio::test]
async fn zeros_are_written_ahead_and_mean_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let [.., all] = three_batches(directory.path()).await;
    let mut open = Embedded::at(directory.path());
    put(&mut open, &[&instance(key("web", "c"), 4, 1)], None).await;
    let crashed = copied(directory.path());
    drop(open);
    let log = |at: &Path| fs::read(at.join("log-0.srvd")).unwrap();
    assert!(log(directory.path()).len() < 2_000, "a log that is closed has none");
    let octets = log(crashed.path());
    let end = octets.iter().rposition(|octet| *octet != 0).unwrap() + 1;
    assert!(octets.len() > end + 100_000, "{} octets, {end} of them written", octets.len());
    assert_eq!(content(crashed.path()).await.unwrap(), weights(&[("a", 3), ("b", 2), ("c", 4)]));
    // Any part of the last frame may be missing, not only its end.
    let frame = octets.windows(4).rposition(|name| name == b"web/").unwrap() - 20;
    for (from, to) in [(frame, end), (frame, frame + 30), (frame + 30, end), (end - 8, end)] {
        let mut torn = octets.clone();
        torn[from..to].fill(0);
        fs::write(crashed.path().join("log-0.srvd"), &torn).unwrap();
        assert_eq!(content(crashed.path()).await.unwrap(), all, "without octets {from} to {to}");
        put(&mut Embedded::at(crashed.path()), &[&instance(key("web", "d"), 4, 1)], None).await;
        assert_eq!(content(crashed.path()).await.unwrap().len(), 3, "without octets {from} to {to}");
    }
}

#[tokio::test]
async fn a_missing_file_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    three_batches(directory.path()).await;
    fs::rename(directory.path().join("log-0.srvd"), directory.path().join("log-1.srvd")).unwrap();
    let error = content(directory.path()).await.unwrap_err();
    assert!(error.to_string().contains("log-0.srvd is missing"), "{error}");
}

#[tokio::test]
async fn a_later_format_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    three_batches(directory.path()).await;
    let file = directory.path().join("log-0.srvd");
    let mut octets = fs::read(&file).unwrap();
    // The format is at the beginning of the first frame's body, after its tag.
    octets[25] += 1;
    let length = u32::from_le_bytes(octets[8..12].try_into().unwrap()) as usize;
    let check = crc32fast::hash(&octets[24..24 + length]).to_le_bytes();
    octets[20..24].copy_from_slice(&check);
    fs::write(&file, &octets).unwrap();
    let error = content(directory.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Format { found: 4, known: 3, .. }), "{error}");
}

/// What the files of a store are at some moment, elsewhere.
fn copied(from: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // Files may go while the store is compacted, as they may before a crash.
        fs::copy(&path, copy.path().join(path.file_name().unwrap())).ok();
    }
    copy
}

#[tokio::test]
async fn a_store_that_is_compacted_all_the_time_loses_nothing() {
    for seed in 0..8 {
        let mut chance = StdRng::seed_from_u64(seed);
        let directory = tempfile::tempdir().unwrap();
        let limits = Limits { log: 2_000 };
        let open = || Embedded { path: directory.path().to_owned(), limits, thread: None };
        let (mut store, mut model, mut reserved) = (open(), Weights::new(), 0);
        for step in 0..300 {
            let id = format!("i{}", chance.random_range(0..20));
            let write = if chance.random_range(0..4) == 0 {
                model.remove(&id);
                Write::Remove(RecordName::Instance(key("web", &id)))
            } else {
                model.insert(id.clone(), step);
                Write::Put(Record::Instance(instance(key("web", &id), step, u64::from(step) + 1)))
            };
            reserved += u64::from(chance.random_range(0..10) == 0);
            let reserve = Some(Revision(reserved)).filter(|reserved| *reserved > Revision::ZERO);
            store.commit(Batch { writes: vec![write], reserve }).await.unwrap();
            if chance.random_range(0..12) == 0 {
                drop(store);
                store = open();
                assert_eq!(store.load().await.unwrap().revision, Revision(reserved), "seed {seed}, step {step}");
            }
            if chance.random_range(0..25) == 0 {
                drop(store);
                assert_eq!(content(copied(directory.path()).path()).await.unwrap(), model, "seed {seed}, step {step}");
                store = open();
            }
        }
        drop(store);
        assert_eq!(content(directory.path()).await.unwrap(), model, "seed {seed}");
        let octets: u64 = fs::read_dir(directory.path()).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).sum();
        assert!(octets < 40_000, "{octets} octets for twenty instances");
    }
}

#[tokio::test]
async fn a_damaged_state_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let copy = directory.path().join("copy");
    three_batches(&directory.path().join("first")).await;
    restoring::backup(&directory.path().join("first"), &copy).await;
    let second = directory.path().join("second");
    Restoration { copy, directory: second.clone(), replace: false }.carry_out(|_| {}).unwrap();
    let file = second.join("state-0.srvd");
    let octets = fs::read(&file).unwrap();
    for at in 0..octets.len() {
        let mut damaged = octets.clone();
        damaged[at] ^= 1 << (at % 8);
        fs::write(&file, &damaged).unwrap();
        let error = content(&second).await.expect_err("a flipped bit");
        assert!(matches!(error, StoreError::Damaged { .. } | StoreError::Format { .. }), "octet {at}: {error}");
        fs::write(&file, &octets[..at]).unwrap();
        assert!(content(&second).await.is_err(), "cut at octet {at}");
    }
}

/// Writes rows as an older version did.
fn write_rows(at: &Path, format: u64, instances: &[(&str, String)]) {
    let database = redb::Database::create(at.join("registry.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut about = transaction.open_table(redb::TableDefinition::<&str, u64>::new("about")).unwrap();
        about.insert("format", format).unwrap();
        about.insert("revision", 70).unwrap();
        let name = Kind::Instance.plural();
        let mut table = transaction.open_table(redb::TableDefinition::<&str, &[u8]>::new(name)).unwrap();
        for (name, value) in instances {
            table.insert(name, value.as_bytes()).unwrap();
        }
    }
    transaction.commit().unwrap();
}

#[tokio::test]
async fn a_file_of_an_older_version_is_taken_over_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let row = |checks: serde_json::Value| {
        let registration = json!({"address": "10.0.0.7", "port": 80, "ttl": "none", "checks": checks});
        json!({"registration": registration, "draining": true, "lapsed": false, "said": "healthy", "verdicts": ["passing"],
               "created_at": "2026-01-01T00:00:00Z", "changed_at": "2026-01-01T00:00:00Z", "revision": 7})
        .to_string()
    };
    let check = json!({"kind": "tcp", "interval": "1s", "timeout": "1s", "rise": 1, "fall": 1});
    write_rows(directory.path(), 1, &[("web/a", row(json!([check]))), ("web/b", row(json!([])))]);
    let old = fs::read(directory.path().join("registry.redb")).unwrap();
    let mut store = Embedded::at(directory.path());
    let loaded = store.load().await.unwrap();
    let brings: Vec<_> = loaded.instances.iter().map(|stored| stored.registration.brings_checks).collect();
    assert_eq!((brings, loaded.revision), (vec![true, false], Revision(70)));
    assert!(loaded.instances.iter().all(|stored| stored.condition.draining == Some(DrainedBy::Itself)));
    put(&mut store, &[&instance(key("web", "c"), 1, 71)], None).await;
    drop(store);
    assert_eq!(content(directory.path()).await.unwrap().len(), 3, "it is not taken over again");
    let kept = fs::read(directory.path().join("registry.redb.imported")).unwrap();
    assert_eq!(kept.len(), old.len());
}

#[tokio::test]
async fn an_old_file_that_does_not_read_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    write_rows(directory.path(), 2, &[("web/a", "{}".to_owned())]);
    for _ in 0..2 {
        let error = content(directory.path()).await.unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { detail, .. } if detail.contains("web/a")), "{error}");
        assert!(directory.path().join("registry.redb").exists());
    }
    let later = tempfile::tempdir().unwrap();
    write_rows(later.path(), 3, &[]);
    let error = content(later.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Format { found: 3, known: 2, .. }), "{error}");
    let damaged = tempfile::tempdir().unwrap();
    fs::write(damaged.path().join("registry.redb"), [0x55; 4096]).unwrap();
    let error = content(damaged.path()).await.unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}
