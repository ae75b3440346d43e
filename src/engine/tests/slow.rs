//! Stores that are slow, hang and fail: what srvd notices does not wait for them, and what clients are told is true.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::Semaphore;

use super::super::run::{GIVE_UP, PATIENCE};
use super::*;
use crate::registry::RecordName;

/// What is on the disk: the weight of each instance.
type Disk = Arc<Mutex<BTreeMap<RecordName, u16>>>;

/// A store whose commits wait for permits, take a while, and may fail before or after they reached the disk.
#[derive(Clone)]
struct Slow {
    disk: Disk,
    gate: Arc<Semaphore>,
    chance: Option<Arc<Mutex<StdRng>>>,
}

impl Slow {
    fn new(permits: usize, chance: Option<u64>) -> Self {
        let chance = chance.map(|seed| Arc::new(Mutex::new(StdRng::seed_from_u64(seed))));
        Self { disk: Disk::default(), gate: Arc::new(Semaphore::new(permits)), chance }
    }

    fn weight(&self, id: &str) -> Option<u16> {
        self.disk.lock().get(&RecordName::Instance(key(id))).copied()
    }

    fn draw(&self, sides: u64) -> u64 {
        self.chance.as_ref().map_or(0, |chance| chance.lock().random_range(0..sides))
    }
}

impl Store for Slow {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.gate.acquire().await.unwrap().forget();
        let delay = [0, 0, 1, 100, 600, 3_000, 15_000][self.draw(7) as usize];
        tokio::time::sleep(Duration::from_millis(delay)).await;
        let fate = self.draw(6);
        if fate != 5 {
            for write in batch.writes {
                match write {
                    Write::Put(Record::Instance(instance)) => {
                        let name = RecordName::Instance(instance.key.clone());
                        self.disk.lock().insert(name, instance.registration.weight.0);
                    }
                    Write::Put(_) => {}
                    Write::Remove(name) => drop(self.disk.lock().remove(&name)),
                }
            }
        }
        if fate >= 4 {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull).into();
            return Err(StoreError::Unusable { path: "disk".to_owned(), source });
        }
        Ok(())
    }
}

struct Running {
    engine: Engine,
    store: Slow,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

async fn running(store: Slow) -> Running {
    let (engine, mut runner) = Engine::new(store.clone(), rules(), Clock::start());
    runner.load().await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(runner.run(stop.clone().cancelled_owned()));
    Running { engine, store, stop, task }
}

impl Running {
    fn write(&self, command: Command) -> tokio::task::JoinHandle<Result<Done, WriteError>> {
        let engine = self.engine.clone();
        tokio::spawn(async move { engine.write(command).await })
    }

    fn has(&self, id: &str) -> Option<Status> {
        self.engine.index().instance(&key(id)).map(|instance| instance.status())
    }
}

#[tokio::test(start_paused = true)]
async fn leases_lapse_while_a_commit_hangs() {
    let running = running(Slow::new(1, None)).await;
    running.engine.write(register("a", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(9)).await;
    let mut events = running.engine.subscribe();
    let (new, other) = (running.write(register("b", 1)), running.write(Command::Drain { key: key("a") }));
    let lapse = Bench::next(&mut events).await;
    assert_eq!(
        (running.engine.clock().tick().0, lapse.after.as_ref().map(|it| it.status())),
        (10_000, Some(Status::Lapsed))
    );
    assert_eq!((running.has("b"), new.is_finished()), (None, false), "nothing that is not durable is to be seen");
    running.store.gate.add_permits(10);
    let (new, other) = (new.await.unwrap(), other.await.unwrap());
    assert!(matches!((new, other), (Ok(Done::Registered(_)), Ok(Done::Stands(_)))));
    assert_eq!((running.has("a"), running.has("b")), (Some(Status::Draining), Some(Status::Healthy)));
    let later = [Bench::next(&mut events).await.revision, Bench::next(&mut events).await.revision];
    assert!(lapse.revision < later[0] && later[0] < later[1], "told in the order of revisions");
}

#[tokio::test(start_paused = true)]
async fn writers_are_let_go_when_the_store_hangs() {
    let running = running(Slow::new(1, None)).await;
    running.engine.write(register("a", 1)).await.unwrap();
    let refused = running.engine.write(register("b", 1)).await;
    assert!(
        matches!(&refused, Err(WriteError::NotDurable(detail)) if detail.contains("does not answer")),
        "{refused:?}"
    );
    assert_eq!(running.engine.clock().tick().0, GIVE_UP.as_millis() as u64);
    running.engine.write(register("a", 2)).await.unwrap_err();
    assert_eq!(running.engine.clock().tick().0, GIVE_UP.as_millis() as u64, "the next ones do not wait");
    running.store.gate.add_permits(100);
    // The engine hears of it.
    tokio::time::sleep(Duration::from_millis(1)).await;
    running.engine.write(register("c", 3)).await.unwrap();
    let weights = ["a", "b", "c"].map(|id| running.store.weight(id));
    assert_eq!(weights, [Some(1), None, Some(3)], "what was refused is gone from the disk too");
    running.engine.write(register("b", 4)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_went_while_its_write_was_late_is_not_brought_back() {
    let running = running(Slow::new(100, None)).await;
    running.engine.write(register("a", 1)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(69_500)).await;
    assert_eq!(running.has("a"), Some(Status::Lapsed));
    running.store.gate.forget_permits(100);
    let late = running.write(Command::Drain { key: key("a") });
    tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
    assert_eq!((running.has("a"), running.store.weight("a")), (None, Some(1)), "reaped, and not written yet");
    running.store.gate.add_permits(100);
    assert!(matches!(late.await.unwrap(), Err(WriteError::Refused(Refusal::Unknown(_)))));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(running.store.weight("a"), None);
}

fn permanent(id: &str, weight: u16) -> Command {
    let body = json!({"address": "10.0.0.7", "port": 8080, "ttl": "none", "weight": weight});
    let registration = Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap());
    Command::Register { key: key(id), registration, expected: Expected::Any }
}

/// One client's changes of its own instance; what it was told, it finds on the disk.
async fn client(engine: Engine, store: Slow, id: String, seed: u64) {
    let mut chance = StdRng::seed_from_u64(seed);
    for weight in 1..30 {
        tokio::time::sleep(Duration::from_millis(chance.random_range(0..2_000))).await;
        let (command, then) = match chance.random_range(0..4) {
            0 => (Command::Deregister { key: key(&id) }, None),
            1 => (register(&id, weight), Some(weight)),
            _ => (permanent(&id, weight), Some(weight)),
        };
        match engine.write(command).await {
            Ok(_) => {
                assert_eq!(store.weight(&id), then, "{id} on the disk, seed {seed}");
                let shown = engine.index().instance(&key(&id)).map(|instance| instance.registration.weight.0);
                assert_eq!(shown, then, "{id} in the index, seed {seed}");
            }
            Err(WriteError::Refused(_)) => assert_eq!(then, None, "{id}, seed {seed}"),
            Err(WriteError::NotDurable(_)) => {}
            Err(WriteError::Stopping) => panic!("it was not told to stop"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn whatever_the_store_does_clients_are_told_the_truth() {
    for seed in 0..40 {
        let running = running(Slow::new(Semaphore::MAX_PERMITS, Some(seed))).await;
        let mut events = running.engine.subscribe();
        let names = (0..6).map(|number| format!("i{number}"));
        let clients: Vec<_> = names
            .clone()
            .map(|id| client(running.engine.clone(), running.store.clone(), id, seed))
            .map(tokio::spawn)
            .collect();
        for client in clients {
            client.await.unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
        let mut last = Revision::ZERO;
        while let Some(told) = events.try_next() {
            let Told::Change(change) = told else { continue };
            assert!(change.revision > last, "revisions are told in order, seed {seed}");
            last = change.revision;
        }
        // Until all that was refused or noticed has been written again.
        tokio::time::sleep(Duration::from_secs(200)).await;
        for id in names {
            let shown = running.engine.index().instance(&key(&id)).map(|instance| instance.registration.weight.0);
            assert_eq!(running.store.weight(&id), shown, "{id} at the end, seed {seed}");
        }
        running.stop.cancel();
        running.task.await.unwrap();
    }
}
