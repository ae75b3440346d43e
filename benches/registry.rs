//! Applying changes to the registry and carrying out its deadlines, without store and publication.
//!
//! Names are `registry/case/size`; the size is the number of instances that are registered, five to a service. Each case
//! checks that its commands did what they say.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::json;
use srvd::model::{Defaults, InstanceId, Key, Moment, Registration, Revision, ServiceName, Span, Tick};
use srvd::registry::{Changes, Command, Done, Expected, Registry, Rules};

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn rules() -> Rules {
    Rules::new(Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }, 11)
}

fn now() -> Moment {
    Moment { tick: Tick(1), wall: jiff::Timestamp::UNIX_EPOCH }
}

fn key(number: usize) -> Key {
    Key {
        service: ServiceName::parse(&format!("s{}", number / 5)).unwrap(),
        id: InstanceId::parse(&format!("i-{number:x}")).unwrap(),
    }
}

fn registration(weight: u16) -> Arc<Registration> {
    let body =
        json!({"address": "10.0.0.7", "port": 8080, "weight": weight, "tags": ["v2"], "metadata": {"team": "shop"}});
    Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap())
}

fn filled(size: usize) -> Registry {
    let (mut registry, mut changes) = (Registry::new(rules(), Revision::ZERO), Changes::default());
    let same = registration(1);
    for number in 0..size {
        let command =
            Command::Register { key: key(number), registration: Arc::clone(&same), expected: Expected::Absent };
        registry.apply(command, now(), &mut changes).unwrap();
    }
    assert_eq!(changes.events.len(), size);
    registry
}

fn changes(c: &mut Criterion) {
    let variants = [registration(2), registration(3)];
    for size in [1_000, 1_000_000] {
        let mut registry = filled(size);
        let keys: Vec<Key> = (0..size).map(key).collect();
        let (mut changes, mut turn) = (Changes::default(), 0);
        c.bench_function(&format!("registry/register/{size}"), |bencher| {
            bencher.iter(|| {
                let key = keys[turn * 7919 % size].clone();
                // Every round brings another weight, so that each registration is a change.
                let registration = Arc::clone(&variants[turn / size % 2]);
                turn += 1;
                changes.events.clear();
                let done = registry.apply(
                    Command::Register { key, registration, expected: Expected::Any },
                    now(),
                    &mut changes,
                );
                assert!(matches!(black_box(done), Ok(Done::Replaced(_))) && changes.events.len() == 1);
            });
        });
        c.bench_function(&format!("registry/heartbeat/{size}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let key = keys[turn * 7919 % size].clone();
                changes.events.clear();
                let done =
                    registry.apply(Command::Heartbeat { key, report: None, pressure: None }, now(), &mut changes);
                assert!(matches!(black_box(done), Ok(Done::Noted)) && changes.events.is_empty());
            });
        });
    }
}

/// One instance after the other comes and goes, in services that stay.
fn comings(c: &mut Criterion) {
    let new = registration(1);
    for size in [1_000, 1_000_000] {
        let mut registry = filled(size);
        let keys: Vec<Key> =
            (0..size / 5).map(|number| Key { id: InstanceId::parse("new").unwrap(), ..key(number * 5) }).collect();
        let (mut changes, mut turn) = (Changes::default(), 0);
        c.bench_function(&format!("registry/come-and-go/{size}"), |bencher| {
            bencher.iter(|| {
                turn += 1;
                let key = &keys[turn * 7919 % keys.len()];
                changes.events.clear();
                let (key, registration) = (key.clone(), Arc::clone(&new));
                let come = Command::Register { key: key.clone(), registration, expected: Expected::Absent };
                let come = registry.apply(come, now(), &mut changes);
                let go = registry.apply(Command::Deregister { key }, now(), &mut changes);
                assert!(matches!((come, go), (Ok(Done::Registered(_)), Ok(Done::Deregistered))));
                assert_eq!(black_box(&changes).events.len(), 2);
            });
        });
    }
}

/// A registry in which the lease of one instance runs out at a time, and none is held back.
fn leased(size: usize) -> Registry {
    let mut rules = rules();
    rules.protection.max = Span::from_secs(0);
    let (mut registry, mut changes) = (Registry::new(rules, Revision::ZERO), Changes::default());
    let same = registration(1);
    for number in 0..size {
        let command =
            Command::Register { key: key(number), registration: Arc::clone(&same), expected: Expected::Absent };
        registry.apply(command, at(Tick(number as u64)), &mut changes).unwrap();
    }
    registry
}

fn at(tick: Tick) -> Moment {
    Moment { tick, wall: jiff::Timestamp::UNIX_EPOCH }
}

/// Carries out the next deadline, and gives the time that it took.
fn expire(registry: &mut Registry, now: Moment, changes: &mut Changes) -> Duration {
    changes.events.clear();
    let began = Instant::now();
    registry.expire(black_box(now), changes);
    began.elapsed()
}

/// A lease runs out. Between measurements, its instance is heard again.
fn lapses(c: &mut Criterion) {
    for size in [1_000, 1_000_000] {
        let (mut registry, mut changes) = (leased(size), Changes::default());
        let mut lapse = || {
            let now = at(registry.next_deadline().unwrap());
            let took = expire(&mut registry, now, &mut changes);
            let [event] = &changes.events[..] else { panic!("{} leases ran out", changes.events.len()) };
            assert!(event.after.as_ref().unwrap().condition.lapsed);
            let heard = Command::Heartbeat { key: event.key.clone(), report: None, pressure: None };
            registry.apply(heard, now, &mut changes).unwrap();
            took
        };
        c.bench_function(&format!("registry/expire/{size}"), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| lapse()).sum());
        });
    }
}

/// A deadline comes, and its lease was renewed meanwhile.
fn renewals(c: &mut Criterion) {
    for size in [1_000, 1_000_000] {
        let (mut registry, mut changes, mut turn) = (leased(size), Changes::default(), 0);
        let mut renewed = || {
            let now = at(registry.next_deadline().unwrap());
            // They come in the order of their registration, again and again.
            registry.instance(&key(turn % size)).unwrap().pulse.renew(now.tick);
            turn += 1;
            let took = expire(&mut registry, now, &mut changes);
            assert!(changes.is_empty() && registry.next_deadline().unwrap() > now.tick);
            took
        };
        c.bench_function(&format!("registry/expire-renewed/{size}"), |bencher| {
            bencher.iter_custom(|times| (0..times).map(|_| renewed()).sum());
        });
    }
}

criterion_group!(benches, changes, comings, lapses, renewals);
criterion_main!(benches);
