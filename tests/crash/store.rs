//! The embedded store alone, killed while it writes and compacts as fast as it can.
//!
//! The writer is a process of its own, this very test binary. It says on standard output what is committed, so whoever
//! reads that and kills it knows what must be there.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use srvd::engine::{Batch, Store, StoreError, Write};
use srvd::model::{Condition, Defaults, Instance, InstanceId, Key, Pulse, Registration, Revision, ServiceName, Tick};
use srvd::registry::{Record, RecordName};
use srvd::store::Embedded;

/// So few octets that the store is compacted after every few batches.
const LOGS: u64 = 3_000;
const DIRECTORY: &str = "SRVD_CRASH_DIRECTORY";
const FROM: &str = "SRVD_CRASH_FROM";

/// The state of every instance after so many batches: which batch wrote it last, if it is there.
fn after(seed: u64, batches: u64) -> BTreeMap<u64, u64> {
    let mut state = BTreeMap::new();
    for batch in 0..batches {
        for (id, is_there) in writes(seed, batch) {
            match is_there {
                true => drop(state.insert(id, batch)),
                false => drop(state.remove(&id)),
            }
        }
    }
    state
}

/// What a batch does: to each instance, whether it is put or removed.
fn writes(seed: u64, batch: u64) -> BTreeMap<u64, bool> {
    let mut chance = StdRng::seed_from_u64(seed ^ batch.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    (0..chance.random_range(1..8)).map(|_| (chance.random_range(0..40), chance.random_range(0..4) > 0)).collect()
}

fn key(id: u64) -> Key {
    Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(&format!("i{id}")).unwrap() }
}

fn batch(seed: u64, number: u64) -> Batch {
    let defaults = Defaults::default();
    let body = json!({"address": "10.0.0.7", "port": 80, "metadata": {"batch": number}});
    let registration = Arc::new(Registration::from_json(&body, &defaults, [127, 0, 0, 1].into()).unwrap());
    let write = |(id, is_there)| match is_there {
        false => Write::Remove(RecordName::Instance(key(id))),
        true => Write::Put(Record::Instance(Arc::new(Instance {
            key: key(id),
            registration: Arc::clone(&registration),
            condition: Condition::default(),
            created_at: jiff::Timestamp::UNIX_EPOCH.into(),
            changed_at: jiff::Timestamp::UNIX_EPOCH.into(),
            revision: Revision(number),
            pulse: Arc::new(Pulse::begin(Tick(0), registration.ttl())),
        }))),
    };
    Batch { writes: writes(seed, number).into_iter().map(write).collect(), reserve: Some(Revision(number + 1)) }
}

/// What is in the store: how many batches, as the revision says, and the last batch of each instance.
fn content(at: &Path) -> Result<(u64, BTreeMap<u64, u64>), StoreError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let loaded = runtime.block_on(Embedded::with_logs_of(at, LOGS).load())?;
    let number = |key: &Key| key.id.as_str()[1..].parse().unwrap();
    let instances = loaded.instances.iter().map(|stored| (number(&stored.key), stored.revision.0));
    Ok((loaded.revision.0, instances.collect()))
}

/// The process that is killed. Run by itself it has nothing to do.
#[test]
fn a_writer() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (seed, from) = (number("SRVD_CRASH_SEED"), number(FROM));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut store = Embedded::with_logs_of(Path::new(&directory), LOGS);
    for number in from.. {
        runtime.block_on(store.commit(batch(seed, number))).unwrap();
        // A killed process cannot take it back.
        let said = writeln!(std::io::stdout(), "committed {}", number + 1);
        if said.is_err() {
            return;
        }
    }
}

#[test]
fn a_store_that_is_killed_while_it_is_compacted_loses_nothing() {
    let (seed, directory) = (super::seed(), tempfile::tempdir().unwrap());
    let mut chance = StdRng::seed_from_u64(seed);
    let mut committed = 0;
    for round in 0..super::rounds(10) {
        let mut writer = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "store::a_writer", "--nocapture"])
            .env(DIRECTORY, directory.path())
            .env("SRVD_CRASH_SEED", seed.to_string())
            .env(FROM, committed.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let mut said = || loop {
            let line = lines.next()?.ok()?;
            if let Some(number) = line.strip_prefix("committed ") {
                return number.parse::<u64>().ok();
            }
        };
        let from = committed;
        let enough = committed + chance.random_range(1..400);
        while committed < enough {
            committed = said().unwrap_or_else(|| panic!("the writer ended by itself, round {round}, seed {seed}"));
        }
        writer.kill().unwrap();
        while let Some(last) = said() {
            committed = last;
        }
        writer.wait().unwrap();
        let (batches, found) =
            content(directory.path()).unwrap_or_else(|error| panic!("round {round}, seed {seed}: {error}"));
        // One more may have reached the disk than was told of.
        assert!((committed..=committed + 1).contains(&batches), "{batches} of {committed}, round {round}, seed {seed}");
        assert!(found == after(seed, batches), "other instances after {batches} batches, round {round}, seed {seed}");
        assert!(batches > from, "nothing was written, round {round}");
        committed = batches;
    }
    let files = std::fs::read_dir(directory.path()).unwrap().count();
    assert!(files <= 8, "{files} files are left");
}
