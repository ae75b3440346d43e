//! Calls to instances that fail.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use srvd::client::dns::Resolver;
use srvd::client::{
    AttemptError, Breaker, BreakerRules, CacheRules, CallError, CallRules, Caller, Client, Discovery, Failure,
    Instance, Probe, Strategy,
};
use srvd::model::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

use crate::common::backend::{self, Backend};
use crate::common::{Server, Setup, eventually};
use crate::{client, impatient, runtime, same};

/// Asks a backend for its name; a status above 499 is its fault.
async fn name(instance: Arc<Instance>) -> Result<String, Failure<io::Error>> {
    let endpoint = instance.endpoint();
    let mut stream = TcpStream::connect(&endpoint).await?;
    stream.write_all(format!("GET / HTTP/1.1\r\nHost: {endpoint}\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.starts_with("HTTP/1.1 200") => Ok(body.to_owned()),
        Some((head, _)) if head.starts_with("HTTP/1.1 4") => Err(Failure::Final(io::Error::other(head.to_owned()))),
        _ => Err(Failure::Retry(io::Error::other(answer))),
    }
}

/// Short pauses, and breakers that open after two failures.
fn rules() -> CallRules {
    CallRules {
        strategy: Strategy::RoundRobin,
        first_pause: Duration::from_millis(1),
        breaker: BreakerRules { failures: 2, rest: Span::from_millis(300) },
        ..CallRules::default()
    }
}

fn caller(client: Client, rules: CallRules) -> Caller {
    Caller::new(Discovery::new(client, CacheRules::default()), "web", rules).unwrap()
}

fn register(server: &Server, backend: &Backend, id: &str, priority: u16) {
    let (address, port) = (backend.address.ip().to_string(), backend.address.port());
    server.register("web", id, json!({"address": address, "port": port, "priority": priority, "ttl": "none"}));
}

/// Who answers so many calls, and how often.
fn answers(runtime: &Runtime, caller: &Caller, calls: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..calls {
        *answers.entry(runtime.block_on(caller.call(name)).unwrap()).or_insert(0) += 1;
    }
    answers
}

#[test]
fn calls_go_past_instances_that_fail_and_come_back_to_them() {
    let (server, runtime) = (Server::start(), runtime());
    let mut a = backend::alone_on([127, 0, 63, 1], "a");
    let b = backend::alone_on([127, 0, 63, 2], "b");
    register(&server, &a, "a", 0);
    register(&server, &b, "b", 0);
    let caller = caller(client(&[&server]), rules());
    assert_eq!(answers(&runtime, &caller, 4), BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
    a.close();
    assert_eq!(answers(&runtime, &caller, 8), BTreeMap::from([("b".into(), 8)]), "every call is answered");
    assert!(matches!(caller.breaker("a"), Breaker::Open { .. }), "{:?}", caller.breaker("a"));
    a.reopen();
    eventually("one call finds out that it is back", || {
        runtime.block_on(caller.call(name)).unwrap();
        same(caller.breaker("a"), Breaker::default())
    });
    assert_eq!(answers(&runtime, &caller, 4), BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
}

#[test]
fn the_next_priority_has_its_turn_when_the_first_fails() {
    let (server, runtime) = (Server::start(), runtime());
    let mut first = backend::alone_on([127, 0, 63, 3], "first");
    let mut second = backend::alone_on([127, 0, 63, 4], "second");
    register(&server, &first, "a", 0);
    register(&server, &second, "b", 1);
    let caller = caller(client(&[&server]), rules());
    assert_eq!(answers(&runtime, &caller, 5), BTreeMap::from([("first".into(), 5)]));
    first.close();
    assert_eq!(answers(&runtime, &caller, 5), BTreeMap::from([("second".into(), 5)]));
    second.close();
    let error = runtime.block_on(caller.call(name)).unwrap_err();
    assert!(matches!(error, CallError::Failed { .. } | CallError::NoneAdmitted(_)), "{error}");
}

#[test]
fn failures_are_retried_three_times_and_no_more() {
    let (server, runtime) = (Server::start(), runtime());
    let backend = Backend::start("a");
    register(&server, &backend, "a", 0);
    let patient = CallRules { breaker: BreakerRules { failures: 100, ..BreakerRules::default() }, ..rules() };
    let caller = caller(client(&[&server]), patient);
    backend.fail_next(3);
    assert_eq!(runtime.block_on(caller.call(name)).unwrap(), "a");
    assert_eq!(backend.requests(), 4);
    backend.fail_next(4);
    let error = runtime.block_on(caller.call(name)).unwrap_err();
    assert!(matches!(&error, CallError::Failed { attempts: 4, .. }), "{error}");
    assert_eq!(backend.requests(), 8);
    backend.reply(404);
    let error = runtime.block_on(caller.call(name)).unwrap_err();
    assert!(matches!(&error, CallError::Final(_)), "{error}");
    assert_eq!((backend.requests(), caller.breaker("a")), (9, Breaker::default()), "that is not its fault");
    server.says("web", "a", "unhealthy");
    eventually("nobody is left to call", || match runtime.block_on(caller.call(name)).unwrap_err() {
        CallError::NoInstance(_) => Ok(()),
        other => Err(other),
    });
}

#[test]
fn a_call_that_hangs_is_a_failure_and_one_that_is_dropped_is_none() {
    let (server, runtime) = (Server::start(), runtime());
    let backend = Backend::start("a");
    register(&server, &backend, "a", 0);
    let hasty = CallRules { timeout: Duration::from_millis(10), retries: 0, ..rules() };
    let caller = caller(client(&[&server]), hasty);
    let hanging = |_| std::future::pending::<Result<(), Failure<io::Error>>>();
    let error = runtime.block_on(caller.call(hanging)).unwrap_err();
    assert!(matches!(&error, CallError::Failed { failure: AttemptError::TimedOut(_), .. }), "{error}");
    assert_eq!(caller.breaker("a"), Breaker::Closed { failures: 1 });
    let given_up = runtime.block_on(async { tokio::time::timeout(Duration::ZERO, caller.call(hanging)).await });
    assert!(given_up.is_err());
    assert_eq!(caller.breaker("a"), Breaker::Closed { failures: 1 });
}

#[test]
fn who_fails_its_probe_is_not_called() {
    let (server, runtime) = (Server::start(), runtime());
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    register(&server, &a, "a", 0);
    register(&server, &b, "b", 0);
    for probe in [Probe::http("/ready", Duration::from_secs(5)), Probe::tcp(Duration::from_secs(5))] {
        let takes_http = probe != Probe::tcp(Duration::from_secs(5));
        a.reply(if takes_http { 503 } else { 200 });
        let caller = caller(client(&[&server]), CallRules { probe: Some(probe), ..rules() });
        let called = AtomicUsize::new(0);
        for _ in 0..4 {
            let answer = runtime.block_on(caller.call(|instance| {
                called.fetch_add(usize::from(instance.id.as_str() == "a"), Ordering::Relaxed);
                name(instance)
            }));
            answer.unwrap();
        }
        assert_eq!(called.into_inner() > 0, !takes_http);
    }
}

#[test]
fn a_key_stays_with_its_instance() {
    let (server, runtime) = (Server::start(), runtime());
    let mut backends: Vec<Backend> = (1..=4).map(|at| backend::alone_on([127, 0, 64, at], &at.to_string())).collect();
    for (at, backend) in backends.iter().enumerate() {
        register(&server, backend, &format!("i{at}"), 0);
    }
    let caller = caller(client(&[&server]), CallRules { strategy: Strategy::ConsistentHash, ..rules() });
    let owners = || -> Vec<String> {
        (0..40).map(|key| runtime.block_on(caller.call_for(&format!("user-{key}"), name)).unwrap()).collect()
    };
    let before = owners();
    assert_eq!(owners(), before);
    backends[1].close();
    let after = owners();
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || before == "2" && after != "2", "a key of {before} went to {after}");
    }
    assert_ne!(before, after, "some key was with the one that is gone");
}

#[test]
fn calls_go_on_while_no_server_is_there() {
    let (mut server, runtime) = (Server::start(), runtime());
    let backend = Backend::start("a");
    register(&server, &backend, "a", 0);
    let discovery = Discovery::new(client(&[&server]), impatient());
    let caller = Caller::new(discovery.clone(), "web", rules()).unwrap();
    assert_eq!(runtime.block_on(caller.call(name)).unwrap(), "a");
    server.kill9();
    eventually("what is known is stale", || {
        assert_eq!(runtime.block_on(caller.call(name)).unwrap(), "a");
        if discovery.metrics().stale > 0 { Ok(()) } else { Err("fresh") }
    });
    let unknown = Caller::new(discovery, "other", rules()).unwrap();
    let error = runtime.block_on(unknown.call(name)).unwrap_err();
    assert!(error.to_string().starts_with("no server answers: cannot reach http://127.0.0.1:"), "{error}");
}

#[test]
fn calls_by_plain_dns() {
    let (server, runtime) = (Setup::new().set("dns.record_ttl", 1).start(), runtime());
    let mut a = backend::alone_on([127, 0, 63, 5], "a");
    let b = backend::alone_on([127, 0, 63, 6], "b");
    register(&server, &a, "a", 0);
    register(&server, &b, "b", 0);
    let resolver = Resolver::new([server.dns[0]], "svc.local").unwrap();
    let caller = Caller::new(Discovery::over_dns(resolver, CacheRules::default()), "web", rules()).unwrap();
    assert_eq!(answers(&runtime, &caller, 4), BTreeMap::from([("a".into(), 2), ("b".into(), 2)]));
    a.close();
    assert_eq!(answers(&runtime, &caller, 4), BTreeMap::from([("b".into(), 4)]));
}
