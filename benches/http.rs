//! What a registration costs on its way in and out again: read from JSON text, and written as the reply repeats it.
//!
//! Names are `http/case/form`: `plain` and `tree` are the two ways of reading, of which a server takes the second for what
//! the first leaves; `bare` has an address and a port alone, `full` most of what there is to say. Each case checks what it
//! read or wrote.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use serde_json::{Value, json};
use srvd::model::{Defaults, Instance, Key, Moment, Registration, Revision, Tick, Written};
use srvd::registry::{Changes, Command, Done, Expected, Registry, Rules};
use srvd::render;

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn now() -> Moment {
    Moment { tick: Tick(1), wall: "2026-01-01T00:00:00Z".parse().unwrap() }
}

/// Registrations as text, with what they are called.
fn texts() -> [(&'static str, String); 2] {
    let bare = json!({"service": "web", "id": "i-1", "address": "10.0.0.7", "port": 8080});
    let full = json!({
        "service": "web", "id": "i-1", "address": "10.0.0.7", "port": 8080, "ports": {"metrics": 9100},
        "weight": 7, "ttl": "1h", "version": "2.1.0", "tags": ["v2", "canary"],
        "metadata": {"team": "shop", "max": 1000}, "checks": [{"kind": "http", "path": "/health"}],
    });
    [("bare", bare.to_string()), ("full", full.to_string())]
}

fn plain(text: &str, defaults: &Defaults) -> (Key, Registration) {
    let written: Written<'_> = serde_json::from_str(text).unwrap();
    (written.key().unwrap(), written.registration(defaults, FROM).unwrap())
}

fn tree(text: &str, defaults: &Defaults) -> Registration {
    let value: Value = serde_json::from_str(text).unwrap();
    Registration::from_json(&value, defaults, FROM).unwrap()
}

fn registered(text: &str) -> Arc<Instance> {
    let (mut registry, mut changes) =
        (Registry::new(Rules::new(Defaults::default(), 11), Revision::ZERO), Changes::default());
    let (key, registration) = plain(text, &Defaults::default());
    let command = Command::Register { key, registration: Arc::new(registration), expected: Expected::Absent };
    match registry.apply(command, now(), &mut changes) {
        Ok(Done::Registered(instance)) => instance,
        other => panic!("not registered: {other:?}"),
    }
}

fn parse(c: &mut Criterion) {
    let defaults = Defaults::default();
    for (name, text) in texts() {
        let (_, expected) = plain(&text, &defaults);
        assert_eq!(expected, tree(&text, &defaults));
        c.bench_function(&format!("http/parse-registration/{name}-plain"), |bencher| {
            bencher.iter(|| assert_eq!(plain(black_box(&text), &defaults).1.port, expected.port));
        });
        c.bench_function(&format!("http/parse-registration/{name}-tree"), |bencher| {
            bencher.iter(|| assert_eq!(tree(black_box(&text), &defaults).port, expected.port));
        });
    }
}

fn write(c: &mut Criterion) {
    for (name, text) in texts() {
        let instance = registered(&text);
        let expected = render::instance(&instance, now()).to_string();
        let mut to = Vec::new();
        render::write_instance(&mut to, &instance, now());
        assert_eq!(to, expected.as_bytes());
        c.bench_function(&format!("http/write-instance/{name}"), |bencher| {
            bencher.iter(|| {
                to.clear();
                render::write_instance(&mut to, black_box(&instance), now());
                assert_eq!(to.len(), expected.len());
            });
        });
    }
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
