//! What readers and writers of a running registry pay: looking a service up, renewing a lease, and a change from its
//! command to its publication.
//!
//! Names are `engine/case/size`; the size is the number of instances that are registered, five to a service. Each case
//! checks what it did.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use srvd::answer::Live;
use srvd::engine::{Clock, Engine, Heartbeat};
use srvd::model::{Defaults, InstanceId, Key, Registration, ServiceName, Span, Tick};
use srvd::registry::{Command, Done, Expected, Rules};
use srvd::store::Memory;
use tokio::runtime::{Builder, Runtime};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SIZES: [usize; 2] = [1_000, 1_000_000];
/// Registrations that are handed over together.
const BATCH: usize = 10_000;

fn rules() -> Rules {
    Rules::new(Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }, 11)
}

fn key(number: usize) -> Key {
    Key {
        service: ServiceName::parse(&format!("s{}", number / 5)).unwrap(),
        id: InstanceId::parse(&format!("i-{number:x}")).unwrap(),
    }
}

fn registration(weight: u16) -> Arc<Registration> {
    let body = json!({"address": "10.0.0.7", "port": 8080, "weight": weight});
    Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap())
}

/// An engine over the memory store, which runs as a task of a runtime of its own.
struct Running {
    runtime: Runtime,
    engine: Engine,
    keys: Vec<Key>,
}

impl Running {
    fn start(size: usize) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let (engine, mut runner) = Engine::new(Memory, rules(), Clock::start());
        let keys: Vec<Key> = (0..size).map(key).collect();
        let same = registration(1);
        runtime.block_on(async {
            runner.load().await.unwrap();
            tokio::spawn(runner.run(std::future::pending()));
            for keys in keys.chunks(BATCH) {
                let register = |key: &Key| Command::Register {
                    key: key.clone(),
                    registration: Arc::clone(&same),
                    expected: Expected::Absent,
                };
                let pending = engine.write_all(keys.iter().map(register).collect()).await.unwrap();
                assert!(pending.results().await.unwrap().all(|result| matches!(result, Ok(Done::Registered(_)))));
            }
        });
        Self { runtime, engine, keys }
    }

    /// Another key each time, far from the one before.
    fn key(&self, turn: usize) -> &Key {
        &self.keys[turn * 7919 % self.keys.len()]
    }
}

fn lookups(c: &mut Criterion) {
    for size in SIZES {
        let (running, mut turn) = (Running::start(size), 0);
        let index = running.engine.index();
        c.bench_function(&format!("engine/look-up/{size}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let name = running.key(turn).service.as_str();
                let view = index.service(black_box(name)).unwrap();
                assert_eq!(view.name().as_str(), name);
                view
            });
        });
    }
}

/// Bare heartbeats, which do not reach the task of the engine.
fn renewals(c: &mut Criterion) {
    for size in SIZES {
        let (running, mut turn) = (Running::start(size), 0);
        c.bench_function(&format!("engine/renew/{size}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let heartbeat = running.engine.heartbeat(running.key(turn).clone(), Heartbeat::default());
                running.runtime.block_on(heartbeat).unwrap();
            });
        });
        let renewed = running.engine.index().instance(running.key(turn)).unwrap();
        let deadline = renewed.pulse.deadline().unwrap();
        assert!(turn > 0 && deadline >= Tick(3_600_000), "the lease is renewed");
    }
}

/// A registration that replaces another, from the command to the view that readers see.
fn changes(c: &mut Criterion) {
    for size in SIZES {
        let (running, mut turn) = (Running::start(size), 0);
        let variants = [registration(2), registration(3)];
        c.bench_function(&format!("engine/change/{size}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let key = running.key(turn).clone();
                // Every round brings another weight, so that each registration is a change.
                let registration = Arc::clone(&variants[turn / size % 2]);
                let before = running.engine.revision();
                let command = Command::Register { key, registration, expected: Expected::Any };
                let done = running.runtime.block_on(running.engine.write(command));
                assert!(matches!(done, Ok(Done::Replaced(_))) && running.engine.revision() > before);
            });
        });
    }
}

criterion_group!(benches, lookups, renewals, changes);
criterion_main!(benches);
