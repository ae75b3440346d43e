//! The embedded store at its port: rows a second made durable, beside what the disk can do; and what a start takes.
//!
//! `cargo bench --bench store` writes a million instances into a directory for temporary files (`TMPDIR` chooses the
//! disk), replaces some of them at random in batches of several sizes, and starts on them. With `-- --test` everything is
//! small and run once. Every figure is of work whose result is checked at the end: each instance is read back as it was
//! written last.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use srvd::engine::{Batch, Store, Write};
use srvd::model::{Condition, Defaults, Instance, InstanceId, Key, Pulse, Registration, Revision, ServiceName, Tick};
use srvd::registry::Record;
use srvd::store::Embedded;

/// Instances of one service.
const SERVICE: u64 = 5;

/// How much is done.
struct Size {
    instances: u64,
    each: Duration,
}

fn main() {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let size = if is_test {
        Size { instances: 2_000, each: Duration::from_millis(20) }
    } else {
        Size { instances: 1_000_000, each: Duration::from_secs(2) }
    };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    println!("store/fdatasync: {:.0} a second", syncs(directory.path(), size.each));
    let mut weights = HashMap::new();
    let data = directory.path().join("data");
    runtime.block_on(async {
        let mut store = Embedded::at(&data);
        fill(&mut store, &size, &mut weights).await;
        for batch in [1, 16, 64, 256, 1_024, 20_000] {
            churn(&mut store, batch, &size, &mut weights).await;
        }
    });
    println!("store/files: {} MB for {} instances", octets(&data) >> 20, size.instances);
    runtime.block_on(load(&data, &weights));
    println!("store: memory at most {} MB", peak_kib() >> 10);
}

/// How often the disk takes a small append.
fn syncs(at: &Path, each: Duration) -> f64 {
    let mut file = File::create(at.join("syncs")).expect("a file");
    let (began, mut count) = (Instant::now(), 0);
    while began.elapsed() < each {
        file.write_all(&[0; 200]).and_then(|()| file.sync_data()).expect("it can be written");
        count += 1;
    }
    f64::from(count) / began.elapsed().as_secs_f64()
}

async fn fill(store: &mut Embedded, size: &Size, weights: &mut HashMap<u64, u16>) {
    let (mut committing, mut number) = (Duration::ZERO, 0);
    while number < size.instances {
        let upto = (number + 20_000).min(size.instances);
        let batch = batch((number..upto).map(|number| (number, 1)));
        let began = Instant::now();
        store.commit(batch).await.expect("the batch is committed");
        committing += began.elapsed();
        weights.extend((number..upto).map(|number| (number, 1)));
        number = upto;
    }
    let rows = size.instances as f64 / committing.as_secs_f64();
    println!("store/fill/20000: {rows:.0} rows a second until there are {}", size.instances);
}

/// Replaces instances at random.
async fn churn(store: &mut Embedded, rows: u64, size: &Size, weights: &mut HashMap<u64, u16>) {
    let (mut committing, mut count, mut chance) = (Duration::ZERO, 0u64, rows);
    let mut commits = 0u32;
    while committing < size.each {
        let mut next = || {
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((chance >> 20) % size.instances, (chance >> 48) as u16)
        };
        let chosen: HashMap<u64, u16> = (0..rows).map(|_| next()).collect();
        let batch = batch(chosen.iter().map(|(number, weight)| (*number, *weight)));
        let began = Instant::now();
        store.commit(batch).await.expect("the batch is committed");
        committing += began.elapsed();
        count += chosen.len() as u64;
        commits += 1;
        weights.extend(chosen);
    }
    let seconds = committing.as_secs_f64();
    println!(
        "store/commit/{rows}: {:.0} rows a second, {:.0} commits",
        count as f64 / seconds,
        f64::from(commits) / seconds
    );
}

async fn load(at: &Path, weights: &HashMap<u64, u16>) {
    let mut store = Embedded::at(at);
    let (began, mut wrong, mut count) = (Instant::now(), 0, 0);
    let read = store.load_in_parts(|part| {
        for stored in part.instances {
            let number = stored.key.id.as_str()[1..].parse().expect("a number");
            wrong += u64::from(weights.get(&number) != Some(&stored.registration.weight.0));
            count += 1;
        }
    });
    read.await.expect("the state is read");
    let took = began.elapsed();
    assert_eq!((wrong, count), (0, weights.len()), "every instance is there as it was written last");
    println!("store/load/{count}: {took:.2?}");
}

fn batch(rows: impl Iterator<Item = (u64, u16)>) -> Batch {
    let defaults = Defaults::default();
    let body = json!({"address": "10.0.0.7", "port": 8080, "tags": ["v2"], "version": "2.1.0",
                      "metadata": {"team": "shop", "zone": "a"}});
    let registration = Registration::from_json(&body, &defaults, [127, 0, 0, 1].into()).expect("a registration");
    let writes = rows.map(|(number, weight)| {
        let mut registration = registration.clone();
        registration.weight.0 = weight;
        Write::Put(Record::Instance(Arc::new(instance(number, registration))))
    });
    Batch { writes: writes.collect(), reserve: None }
}

fn instance(number: u64, registration: Registration) -> Instance {
    let service = ServiceName::parse(&format!("service-{}", number / SERVICE)).expect("a name");
    let id = InstanceId::parse(&format!("i{number}")).expect("a name");
    Instance {
        key: Key { service, id },
        pulse: Arc::new(Pulse::begin(Tick(0), registration.ttl())),
        registration: Arc::new(registration),
        condition: Condition::default(),
        created_at: jiff::Timestamp::UNIX_EPOCH.into(),
        changed_at: jiff::Timestamp::UNIX_EPOCH.into(),
        revision: Revision(number + 1),
    }
}

fn octets(at: &Path) -> u64 {
    let entries = fs::read_dir(at).expect("a directory").map(|entry| entry.expect("an entry").metadata());
    entries.map(|metadata| metadata.map_or(0, |file| file.len())).sum()
}

/// The most memory that this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}
