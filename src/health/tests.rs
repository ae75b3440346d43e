//! The whole part against a real engine and real sockets: what targets do becomes what the registry says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;
use crate::engine::{Batch, CheckError, Checked, Checks, Clock, Loaded, Store, StoreError, Subscription};
use crate::model::pulse::Words;
use crate::model::{
    CheckDefaults, CheckResult, Condition, Defaults, InstanceId, Key, Registration, Revision, ServiceName, Span,
    Status, Verdict,
};
use crate::registry::{Command, Expected, Rules, Stored};

/// A failed test ends after this long instead of hanging.
const GUARD: Duration = Duration::from_secs(30);

/// A store that keeps nothing and begins with what it is given.
pub struct Amnesia(pub Vec<Stored>);

impl Store for Amnesia {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded { revision: Revision(1), instances: std::mem::take(&mut self.0), ..Loaded::default() })
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

pub fn key(id: &str) -> Key {
    Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(id).unwrap() }
}

fn defaults() -> Defaults {
    let check = CheckDefaults { interval: Span::from_millis(100), timeout: Span::from_secs(10), rise: 1, fall: 2 };
    Defaults { ttl: Span::from_secs(3600), check, ..Defaults::default() }
}

pub fn registration(body: &Value) -> Arc<Registration> {
    Arc::new(Registration::from_json(body, &defaults(), IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap())
}

/// A running engine.
pub async fn engine(stored: Vec<Stored>) -> Engine {
    let rules = Rules::new(defaults(), 11);
    let (engine, mut runner) = Engine::new(Amnesia(stored), rules, Clock::start());
    runner.load().await.unwrap();
    tokio::spawn(runner.run(std::future::pending()));
    engine
}

pub async fn register(engine: &Engine, id: &str, registration: Arc<Registration>) {
    engine.write(Command::Register { key: key(id), registration, expected: Expected::Any }).await.unwrap();
}

/// An engine whose instances are checked.
struct Bench {
    engine: Engine,
    port: Checks,
    changes: Subscription,
    stop: Option<oneshot::Sender<()>>,
    checks: JoinHandle<()>,
}

impl Bench {
    async fn new(stored: Vec<Stored>, in_flight: usize) -> Self {
        let engine = engine(stored).await;
        let (stop, stopped) = oneshot::channel::<()>();
        let changes = engine.subscribe();
        let settings = Settings { in_flight, ..Settings::default() };
        let (port, requests) = Checks::new();
        let checks = tokio::spawn(run(engine.clone(), settings, requests, async { drop(stopped.await) }));
        Self { engine, port, changes, stop: Some(stop), checks }
    }

    async fn register(&self, id: &str, port: u16, check: Value) {
        let body = json!({"address": "127.0.0.1", "port": port, "checks": [check]});
        register(&self.engine, id, registration(&body)).await;
    }

    /// Waits until the instance has this status.
    async fn until(&mut self, id: &str, status: Status) {
        let key = key(id);
        let comes = async {
            while self.engine.index().instance(&key).is_none_or(|instance| instance.status() != status) {
                self.changes.next().await;
            }
        };
        timeout(GUARD, comes).await.unwrap_or_else(|_| panic!("{id} never turned {status:?}"));
    }

    fn results(&self, id: &str) -> Vec<Option<CheckResult>> {
        let instance = self.engine.index().instance(&key(id)).unwrap();
        let result = |words: &mut Words| {
            instance.registration.checks().iter().map(|check| words.result(check).cloned()).collect()
        };
        instance.pulse.words(result)
    }
}

/// Answers every request with the status that stands in the number, and counts requests.
async fn responder(status: u16) -> (u16, Arc<AtomicU16>, Arc<AtomicUsize>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (status, count) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
    let (says, counts) = (Arc::clone(&status), Arc::clone(&count));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            counts.fetch_add(1, Ordering::SeqCst);
            let answer = format!("HTTP/1.1 {} x\r\ncontent-length: 0\r\n\r\n", says.load(Ordering::SeqCst));
            if stream.read(&mut [0; 1024]).await.is_ok_and(|octets| octets > 0) {
                stream.write_all(answer.as_bytes()).await.ok();
            }
        }
    });
    (port, status, count)
}

async fn closes(stream: &mut TcpStream) {
    timeout(GUARD, stream.read_to_end(&mut Vec::new())).await.expect("the connection ends").ok();
}

#[tokio::test]
async fn the_status_follows_the_target() {
    let mut bench = Bench::new(Vec::new(), 8).await;
    let (port, status, count) = responder(200).await;
    bench.register("a", port, json!({"kind": "http"})).await;
    assert_eq!(bench.engine.index().instance(&key("a")).unwrap().status(), Status::Starting);
    bench.until("a", Status::Healthy).await;
    assert_eq!(bench.results("a")[0].as_ref().map(|result| result.detail.as_str()), Some("200 OK"));
    let before = count.load(Ordering::SeqCst);
    status.store(503, Ordering::SeqCst);
    bench.until("a", Status::Unhealthy).await;
    assert!(count.load(Ordering::SeqCst) >= before + 2, "it takes `fall` failures");
    let result = bench.results("a")[0].clone().unwrap();
    assert_eq!((result.passed, result.detail.as_str()), (false, "503 Service Unavailable"));
    status.store(204, Ordering::SeqCst);
    bench.until("a", Status::Healthy).await;
}

#[tokio::test]
async fn every_place_of_a_check_that_stands_twice_gets_the_verdict() {
    let mut bench = Bench::new(Vec::new(), 8).await;
    let (port, ..) = responder(200).await;
    let checks = json!([{"kind": "tcp"}, {"kind": "http"}, {"kind": "tcp"}]);
    let body = json!({"address": "127.0.0.1", "port": port, "checks": checks});
    register(&bench.engine, "a", registration(&body)).await;
    bench.until("a", Status::Healthy).await;
    let details: Vec<_> = bench.results("a").into_iter().map(|result| result.unwrap().detail).collect();
    assert_eq!(details, ["connected", "200 OK", "connected"]);
}

#[tokio::test]
async fn a_verdict_from_before_a_restart_needs_the_whole_streak() {
    let (port, _, count) = responder(500).await;
    let body = json!({"address": "127.0.0.1", "port": port, "checks": [{"kind": "http", "fall": 3}]});
    let stored = Stored {
        key: key("a"),
        registration: Arc::unwrap_or_clone(registration(&body)),
        condition: Condition { checks: [Verdict::Passing].into_iter().collect(), ..Condition::default() },
        created_at: jiff::Timestamp::UNIX_EPOCH,
        changed_at: jiff::Timestamp::UNIX_EPOCH,
        revision: Revision(1),
    };
    let mut bench = Bench::new(vec![stored], 8).await;
    bench.until("a", Status::Unhealthy).await;
    assert!(count.load(Ordering::SeqCst) >= 3);
}

#[tokio::test]
async fn another_address_begins_anew() {
    let mut bench = Bench::new(Vec::new(), 8).await;
    let ((good, ..), (bad, ..)) = (responder(200).await, responder(500).await);
    bench.register("a", good, json!({"kind": "http", "fall": 100})).await;
    bench.until("a", Status::Healthy).await;
    bench.register("a", bad, json!({"kind": "http", "fall": 100})).await;
    bench.until("a", Status::Unhealthy).await;
}

#[tokio::test]
async fn what_is_deregistered_is_dropped_with_its_connection() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let bench = Bench::new(Vec::new(), 1).await;
    let port = listener.local_addr().unwrap().port();
    bench.register("a", port, json!({"kind": "http", "timeout": "5m"})).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    bench.engine.write(Command::Deregister { key: key("a") }).await.unwrap();
    closes(&mut stream).await;
    bench.register("b", port, json!({"kind": "http", "timeout": "5m"})).await;
    timeout(GUARD, listener.accept()).await.expect("the only slot is free again").unwrap();
}

#[tokio::test]
async fn stopping_ends_every_run_at_once() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut bench = Bench::new(Vec::new(), 8).await;
    let check = json!({"kind": "http", "timeout": "5m"});
    bench.register("a", listener.local_addr().unwrap().port(), check).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    bench.stop.take();
    timeout(GUARD, &mut bench.checks).await.expect("it stops").unwrap();
    closes(&mut stream).await;
}

/// A target that holds connections open; before each it looks which of the earlier ones still are. Blocking, so that
/// what the kernel says at that moment is what counts.
fn hold(listener: std::net::TcpListener, most: &AtomicUsize) {
    let mut open: Vec<std::net::TcpStream> = Vec::new();
    for stream in listener.incoming() {
        let stream = stream.unwrap();
        stream.set_nonblocking(true).unwrap();
        open.push(stream);
        open.retain_mut(|stream| {
            loop {
                match std::io::Read::read(stream, &mut [0; 1024]) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
                }
            }
        });
        most.fetch_max(open.len(), Ordering::SeqCst);
    }
}

#[tokio::test]
async fn no_more_run_at_once_than_there_are_slots() {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let most = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&most);
    std::thread::spawn(move || hold(listener, &counter));
    let mut bench = Bench::new(Vec::new(), 2).await;
    let ids = ["a", "b", "c", "d", "e", "f"];
    for id in ids {
        bench.register(id, port, json!({"kind": "http", "timeout": "150ms"})).await;
    }
    for id in ids {
        bench.until(id, Status::Unhealthy).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}

/// What the checks of an instance find when they are asked for.
async fn ask(bench: &Bench, id: &str) -> Result<Vec<Checked>, CheckError> {
    timeout(GUARD, bench.port.run(key(id))).await.expect("it comes back")
}

#[tokio::test]
async fn checks_run_when_asked_for() {
    let mut bench = Bench::new(Vec::new(), 8).await;
    let (port, status, _) = responder(200).await;
    let http = json!({"kind": "http", "interval": "24h", "fall": 2});
    let checks = json!([http, {"kind": "tcp", "interval": "24h"}, http]);
    let body = json!({"address": "127.0.0.1", "port": port, "checks": checks});
    register(&bench.engine, "a", registration(&body)).await;
    bench.until("a", Status::Healthy).await;
    status.store(503, Ordering::SeqCst);
    for verdict in [Verdict::Passing, Verdict::Failing] {
        let checked = ask(&bench, "a").await.unwrap();
        let shown: Vec<_> = checked.iter().map(|one| (one.result.passed, one.result.detail.as_str())).collect();
        let bad = (false, "503 Service Unavailable");
        assert_eq!(shown, [bad, (true, "connected"), bad], "in the order of the registration");
        assert_eq!(checked[0].verdict, verdict, "it counts");
        assert_eq!(bench.results("a")[0].as_ref(), Some(&checked[0].result));
    }
    bench.until("a", Status::Unhealthy).await;
}

#[tokio::test]
async fn who_asks_for_nothing_gets_nothing() {
    let bench = Bench::new(Vec::new(), 8).await;
    assert_eq!(ask(&bench, "a").await, Err(CheckError::Unknown(key("a"))));
    register(&bench.engine, "a", registration(&json!({"address": "127.0.0.1", "port": 1, "checks": []}))).await;
    assert_eq!(ask(&bench, "a").await, Ok(Vec::new()));
}

#[tokio::test]
async fn who_waits_for_a_check_hears_of_its_end() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let mut bench = Bench::new(Vec::new(), 8).await;
    let port = listener.local_addr().unwrap().port();
    for (id, expected) in [("a", CheckError::Unknown(key("a"))), ("b", CheckError::Stopping)] {
        bench.register(id, port, json!({"kind": "http", "interval": "24h", "timeout": "5m"})).await;
        let (_held, _) = listener.accept().await.unwrap();
        let port = bench.port.clone();
        let asked = tokio::spawn(async move { port.run(key(id)).await });
        if id == "a" {
            bench.engine.write(Command::Deregister { key: key("a") }).await.unwrap();
        } else {
            bench.stop.take();
        }
        let answer = timeout(GUARD, asked).await.expect("it ends").unwrap();
        assert_eq!(answer, Err(expected));
    }
}

#[tokio::test]
async fn a_target_that_comes_and_goes_is_damped() {
    let mut bench = Bench::new(Vec::new(), 8).await;
    let (port, status, _) = responder(200).await;
    bench.register("a", port, json!({"kind": "http", "interval": "24h", "rise": 1, "fall": 1})).await;
    bench.until("a", Status::Healthy).await;
    let mut needed = Vec::new();
    for _ in 0..4 {
        status.store(503, Ordering::SeqCst);
        ask(&bench, "a").await.unwrap();
        status.store(200, Ordering::SeqCst);
        let mut passes = 1;
        while ask(&bench, "a").await.unwrap()[0].verdict == Verdict::Failing {
            passes += 1;
        }
        needed.push(passes);
    }
    assert_eq!(needed, [1, 1, 2, 8]);
}
