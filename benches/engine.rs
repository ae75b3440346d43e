//! What readers and writers of a running registry pay: looking a service up, renewing a lease, and a change from its
//! command to its publication, alone and with others.
//!
//! Names are `engine/case/size`; the size is the number of instances that are registered, five to a service, each with a
//! registration of its own. Each case checks what it did.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
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

fn registration(number: usize, weight: u16) -> Arc<Registration> {
    let address = Ipv4Addr::from_bits(0x0a00_0000 | number as u32).to_string();
    let body = json!({
        "address": address,
        "port": 8080,
        "weight": weight,
        "tags": ["v2"],
        "metadata": {"team": "shop"},
    });
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
        runtime.block_on(async {
            runner.load().await.unwrap();
            tokio::spawn(runner.run(std::future::pending()));
            for begin in (0..size).step_by(BATCH) {
                let register = |number: usize| Command::Register {
                    key: keys[number].clone(),
                    registration: registration(number, 1),
                    expected: Expected::Absent,
                };
                let commands = (begin..size.min(begin + BATCH)).map(register).collect();
                let pending = engine.write_all(commands).await.unwrap();
                assert!(pending.results().await.unwrap().all(|result| matches!(result, Ok(Done::Registered(_)))));
            }
        });
        Self { runtime, engine, keys }
    }

    /// Another key each time, far from the one before.
    fn key(&self, turn: usize) -> &Key {
        &self.keys[turn * 7919 % self.keys.len()]
    }

    /// A change of that instance. Every round brings another weight, so that each registration is one.
    fn change(&self, turn: usize) -> Command {
        let (size, key) = (self.keys.len(), self.key(turn).clone());
        let weight = 2 + (turn / size % 2) as u16;
        Command::Register { key, registration: registration(turn * 7919 % size, weight), expected: Expected::Any }
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
        // Nothing was when it is left out by a filter.
        assert!(turn == 0 || deadline >= Tick(3_600_000), "the lease is renewed");
    }
}

/// Registrations that replace others, from the commands to the views that readers see: one, or as many as come together
/// from so many connections.
fn changes(c: &mut Criterion) {
    for size in SIZES {
        let (running, mut turn) = (Running::start(size), 0);
        for (case, together) in [("change", 1), ("changes-of-32", 32)] {
            c.bench_function(&format!("engine/{case}/{size}"), |bencher| {
                let next = || {
                    let turns = turn..turn + together;
                    turn = turns.end;
                    turns.map(|turn| running.change(turn)).collect::<Vec<_>>()
                };
                let carry_out = |commands: Vec<Command>| {
                    let before = running.engine.revision();
                    running.runtime.block_on(async {
                        let mut all = Vec::with_capacity(together);
                        for command in commands {
                            all.push(running.engine.write_all(vec![command]).await.unwrap());
                        }
                        for one in all {
                            let mut done = one.results().await.unwrap();
                            assert!(done.all(|done| matches!(done, Ok(Done::Replaced(_)))));
                        }
                    });
                    assert_eq!(running.engine.revision().0, before.0 + together as u64);
                };
                bencher.iter_batched(next, carry_out, BatchSize::SmallInput);
            });
        }
    }
}

criterion_group!(benches, lookups, renewals, changes);
criterion_main!(benches);
