//! The engine on a paused clock, over a store that can be made to fail.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::model::{Defaults, InstanceId, Registration, ServiceName, Settings, Span, Status};
use crate::registry::{Expected, Record};

mod slow;
mod undone;

const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// A store that remembers its batches, and fails when told to.
#[derive(Clone, Default)]
struct Recorder {
    batches: Arc<Mutex<Vec<Batch>>>,
    failing: Arc<AtomicBool>,
}

impl Store for Recorder {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded { revision: Revision(1000), ..Loaded::default() })
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        if self.failing.load(Ordering::SeqCst) {
            let source = std::io::Error::from(std::io::ErrorKind::StorageFull).into();
            return Err(StoreError::Unusable { path: "disk".to_owned(), source });
        }
        self.batches.lock().push(batch);
        Ok(())
    }
}

impl Recorder {
    fn writes(&self) -> usize {
        self.batches.lock().iter().map(|batch| batch.writes.len()).sum()
    }

    fn reserved(&self) -> Option<Revision> {
        self.batches.lock().iter().rev().find_map(|batch| batch.reserve)
    }
}

struct Bench {
    engine: Engine,
    store: Recorder,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

pub(super) fn rules() -> Rules {
    Rules::new(Defaults::default(), 11)
}

async fn bench() -> Bench {
    let store = Recorder::default();
    let (engine, mut runner) = Engine::new(store.clone(), rules(), Clock::start());
    runner.load().await.unwrap();
    let stop = CancellationToken::new();
    let task = tokio::spawn(runner.run(stop.clone().cancelled_owned()));
    Bench { engine, store, stop, task }
}

pub(super) fn key(id: &str) -> Key {
    Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(id).unwrap() }
}

pub(super) fn register(id: &str, weight: u16) -> Command {
    let body = json!({"address": "10.0.0.7", "port": 8080, "ttl": "10s", "weight": weight});
    let registration = Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap());
    Command::Register { key: key(id), registration, expected: Expected::Any }
}

fn with_ttl(ttl: &str) -> Command {
    let body = json!({"address": "10.0.0.7", "port": 8080, "ttl": ttl});
    let registration = Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap());
    Command::Register { key: key("a"), registration, expected: Expected::Any }
}

impl Bench {
    fn status(&self, id: &str) -> Option<Status> {
        self.engine.index().instance(&key(id)).map(|instance| instance.status())
    }

    async fn write_all(&self, commands: Vec<Command>) -> Vec<Result<Done, WriteError>> {
        self.engine.write_all(commands).await.unwrap().results().await.unwrap().collect()
    }

    async fn says(&self, id: &str, report: Option<Report>) -> Result<(), WriteError> {
        self.engine.heartbeat(key(id), Heartbeat { report, ..Heartbeat::default() }).await
    }

    /// The kinds of the next events.
    async fn next(events: &mut Subscription) -> Arc<Published> {
        match events.next().await {
            Told::Change(change) => change,
            Told::Reset => panic!("nobody is that slow"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_is_durable_and_visible_when_it_is_answered() {
    let bench = bench().await;
    let Ok(Done::Registered(instance)) = bench.engine.write(register("a", 1)).await else { panic!("not registered") };
    assert_eq!((instance.revision, bench.engine.revision()), (Revision(1001), Revision(1001)));
    assert_eq!((bench.store.writes(), bench.status("a")), (1, Some(Status::Healthy)));
    assert!(bench.store.reserved().unwrap() > Revision(1001));
    bench.engine.write(register("a", 1)).await.unwrap();
    assert_eq!(bench.store.writes(), 1, "what changes nothing is not written");
    let refused = bench.engine.write(Command::Deregister { key: key("b") }).await;
    assert!(matches!(refused, Err(WriteError::Refused(Refusal::Unknown(_)))));
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_change_nothing_reach_no_store() {
    let bench = bench().await;
    bench.engine.write(register("a", 1)).await.unwrap();
    let mut events = bench.engine.subscribe();
    for _ in 0..10 {
        tokio::time::advance(Duration::from_secs(9)).await;
        bench.says("a", None).await.unwrap();
    }
    assert_eq!((bench.engine.revision(), bench.store.writes()), (Revision(1001), 1));
    let lapse = Bench::next(&mut events).await;
    assert_eq!((lapse.change, lapse.revision.0), (crate::registry::Change::Status, 1002));
    assert_eq!(bench.engine.clock().tick().0, 100_000, "ten seconds after the last heartbeat, at 90 s");
}

#[tokio::test(start_paused = true)]
async fn a_lease_lapses_and_is_reaped_on_time() {
    let bench = bench().await;
    let mut events = bench.engine.subscribe();
    bench.engine.write(register("a", 1)).await.unwrap();
    Bench::next(&mut events).await;
    Bench::next(&mut events).await;
    assert_eq!((bench.engine.clock().tick().0, bench.status("a")), (10_000, Some(Status::Lapsed)));
    bench.says("a", None).await.unwrap();
    assert_eq!(bench.status("a"), Some(Status::Healthy), "a late heartbeat brings it back");
    let changes = [Bench::next(&mut events).await, Bench::next(&mut events).await, Bench::next(&mut events).await];
    assert_eq!(changes[2].change, crate::registry::Change::Reaped);
    assert_eq!((bench.engine.clock().tick().0, bench.status("a")), (80_000, None));
    assert!(matches!(bench.says("a", None).await, Err(WriteError::Refused(Refusal::Unknown(_)))));
}

#[tokio::test(start_paused = true)]
async fn what_srvd_notices_does_not_wait_for_the_store() {
    let bench = bench().await;
    bench.engine.write(register("a", 1)).await.unwrap();
    bench.store.failing.store(true, Ordering::SeqCst);
    bench.says("a", Some(Report::Is(SelfReport::Unhealthy))).await.unwrap();
    assert_eq!((bench.status("a"), bench.store.writes()), (Some(Status::Unhealthy), 1));
    let draining = bench.says("a", Some(Report::Draining)).await;
    assert!(matches!(draining, Err(WriteError::NotDurable(_))), "leaving is a promise");
    tokio::time::sleep(Duration::from_secs(3)).await;
    bench.store.failing.store(false, Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(bench.store.writes(), 2, "written once the store is back");
}

#[tokio::test(start_paused = true)]
async fn stopping_writes_what_is_left_and_gives_back_the_reservation() {
    let bench = bench().await;
    bench.engine.write(register("a", 1)).await.unwrap();
    bench.says("a", Some(Report::Is(SelfReport::Starting))).await.unwrap();
    assert_eq!(bench.store.writes(), 1);
    bench.stop.cancel();
    bench.task.await.unwrap();
    assert_eq!((bench.store.writes(), bench.store.reserved()), (2, Some(Revision(1002))));
    assert!(matches!(bench.engine.write(register("b", 1)).await, Err(WriteError::Stopping)));
}

#[tokio::test(start_paused = true)]
async fn a_change_beside_the_registry_takes_a_revision() {
    let bench = bench().await;
    bench.engine.write(register("a", 1)).await.unwrap();
    let mut events = bench.engine.subscribe();
    bench.engine.reconfigure(rules(), false).await.unwrap();
    assert_eq!(bench.engine.revision(), Revision(1001));
    bench.engine.reconfigure(rules(), true).await.unwrap();
    assert_eq!((bench.engine.revision(), bench.store.writes()), (Revision(1002), 1));
    assert!(bench.store.reserved().unwrap() >= Revision(1002), "a crash does not give it out again");
    assert!(events.try_next().is_none(), "no instance changed");
}

#[tokio::test(start_paused = true)]
async fn a_revision_is_reserved_before_anything_was_written() {
    let bench = bench().await;
    bench.engine.reconfigure(rules(), true).await.unwrap();
    assert_eq!(bench.engine.revision(), Revision(1001));
    assert!(bench.store.reserved().unwrap() >= Revision(1001));
    bench.store.failing.store(true, Ordering::SeqCst);
    bench.engine.reconfigure(rules(), true).await.unwrap();
    assert_eq!(bench.engine.revision(), Revision(1002), "what is answered has changed, whatever the store does");
}

#[tokio::test(start_paused = true)]
async fn other_rules_hold_for_what_has_lapsed_already() {
    let bench = bench().await;
    let mut events = bench.engine.subscribe();
    bench.engine.write(register("a", 1)).await.unwrap();
    Bench::next(&mut events).await;
    Bench::next(&mut events).await;
    assert_eq!((bench.engine.clock().tick().0, bench.status("a")), (10_000, Some(Status::Lapsed)));
    bench.engine.reconfigure(Rules { reap_after: Span::from_secs(20), ..rules() }, false).await.unwrap();
    Bench::next(&mut events).await;
    assert_eq!((bench.engine.clock().tick().0, bench.status("a")), (30_000, None), "not after a minute");
}

#[tokio::test(start_paused = true)]
async fn many_writers_share_commits() {
    let bench = bench().await;
    let writers: Vec<_> = (0..200)
        .map(|number| {
            let engine = bench.engine.clone();
            tokio::spawn(async move { engine.write(register(&format!("i{number}"), 1)).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    assert_eq!(bench.store.writes(), 200);
    assert!(bench.store.batches.lock().len() < 20, "{}", bench.store.batches.lock().len());
    assert_eq!(bench.engine.index().service("web").unwrap().instances().len(), 200);
}

fn set(settings: serde_json::Value) -> Command {
    let settings = Settings::from_json(&settings, &rules().defaults.check).unwrap();
    Command::Set { service: key("a").service, settings: Some(Arc::new(settings)) }
}

#[tokio::test(start_paused = true)]
async fn settings_are_durable_and_in_the_view_when_they_are_answered() {
    let bench = bench().await;
    let service = key("a").service;
    bench.engine.write(set(json!({"record_ttl": 1}))).await.unwrap();
    assert_eq!((bench.store.writes(), bench.engine.revision()), (1, Revision(1001)));
    assert_eq!(bench.engine.records().settings(&service).unwrap().1.record_ttl, Some(1));
    assert!(bench.engine.index().service("web").is_none(), "settings make no service");
    bench.engine.write(register("a", 1)).await.unwrap();
    let ttl = || bench.engine.index().service("web").unwrap().settings().record_ttl;
    assert_eq!(ttl(), Some(1));
    bench.engine.write(set(json!({"record_ttl": 2}))).await.unwrap();
    assert_eq!((ttl(), bench.engine.index().service("web").unwrap().revision()), (Some(2), Revision(1003)));
    bench.engine.write(set(json!({"record_ttl": 2}))).await.unwrap();
    assert_eq!((bench.store.writes(), bench.engine.revision()), (3, Revision(1003)), "equal settings are no change");
    bench.store.failing.store(true, Ordering::SeqCst);
    bench.engine.write(set(json!({"record_ttl": 3, "default_checks": [{"kind": "tcp"}]}))).await.unwrap_err();
    bench.store.failing.store(false, Ordering::SeqCst);
    assert_eq!((ttl(), bench.status("a")), (Some(2), Some(Status::Healthy)));
    bench.engine.write(Command::Set { service: service.clone(), settings: None }).await.unwrap();
    assert_eq!((ttl(), bench.engine.records().settings(&service)), (None, None));
    let batches = bench.store.batches.lock();
    assert!(batches.last().unwrap().writes.iter().any(|write| matches!(write, Write::Remove(_))), "{batches:?}");
}

#[tokio::test(start_paused = true)]
async fn commands_that_came_together_share_a_commit_and_nothing_else() {
    let bench = bench().await;
    let gone = || Command::Deregister { key: key("a") };
    let clash = {
        let body = json!({"address": "10.0.0.7", "port": 8080, "tags": ["b"]});
        let registration = Arc::new(Registration::from_json(&body, &rules().defaults, FROM).unwrap());
        Command::Register { key: key("c"), registration, expected: Expected::Any }
    };
    let commands = vec![register("a", 1), register("b", 1), gone(), gone(), clash, register("a", 2)];
    let results = bench.write_all(commands).await;
    assert!(matches!(
        results[..],
        [
            Ok(Done::Registered(_)),
            Ok(Done::Registered(_)),
            Ok(Done::Deregistered),
            Err(WriteError::Refused(Refusal::Unknown(_))),
            Err(WriteError::Refused(Refusal::Clash { .. })),
            Ok(Done::Registered(_)),
        ]
    ));
    assert_eq!(bench.engine.index().instance(&key("a")).unwrap().registration.weight.0, 2);
    assert_eq!(bench.store.batches.lock().len(), 1);
    bench.store.failing.store(true, Ordering::SeqCst);
    let results = bench.write_all(vec![register("d", 1), gone(), gone()]).await;
    assert!(matches!(
        results[..],
        [Err(WriteError::NotDurable(_)), Err(WriteError::NotDurable(_)), Err(WriteError::Refused(_))]
    ));
    assert_eq!((bench.status("a"), bench.status("d")), (Some(Status::Healthy), None));
    assert_eq!(bench.write_all(Vec::new()).await.len(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_leases_are_revived_together() {
    let bench = bench().await;
    bench.write_all(vec![register("a", 1), register("b", 1)]).await;
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert_eq!((bench.status("a"), bench.status("b")), (Some(Status::Lapsed), Some(Status::Lapsed)));
    let results: Vec<_> =
        bench.engine.revive_all(["a", "x", "b"].map(key)).await.unwrap().results().await.unwrap().collect();
    assert!(matches!(results[..], [Ok(_), Err(WriteError::Refused(Refusal::Unknown(_))), Ok(_)]));
    assert_eq!((bench.status("a"), bench.status("b")), (Some(Status::Healthy), Some(Status::Healthy)));
}

#[tokio::test(start_paused = true)]
async fn pages_of_views_agree_with_all_of_them_while_services_come_and_go() {
    let bench = bench().await;
    let index = bench.engine.index();
    let of = |number: usize| Key { service: ServiceName::parse(&format!("s{number}")).unwrap(), id: key("a").id };
    let mut there = std::collections::BTreeSet::new();
    // Numbers that are spread over the names, and are met again.
    for number in (0..600).map(|turn| turn * 7919 % 263) {
        let Command::Register { registration, .. } = register("a", 1) else { unreachable!() };
        let command = match there.take(&of(number).service) {
            Some(_) => Command::Deregister { key: of(number) },
            None => {
                there.insert(of(number).service);
                Command::Register { key: of(number), registration, expected: Expected::Absent }
            }
        };
        bench.engine.write(command).await.unwrap();
        let names = |views: Vec<Arc<crate::answer::ServiceView>>| -> Vec<ServiceName> {
            views.iter().map(|view| view.name().clone()).collect()
        };
        let all: Vec<ServiceName> = there.iter().cloned().collect();
        assert_eq!(names(index.views()), all);
        let mut paged: Vec<ServiceName> = Vec::new();
        loop {
            let after = paged.last().map_or("", ServiceName::as_str).to_owned();
            let page = names(index.views_from(std::ops::Bound::Excluded(&after)).take(50).collect());
            if page.is_empty() {
                break;
            }
            paged.extend(page);
        }
        assert_eq!(paged, all);
    }
    assert!(!there.is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_next_expiries_are_told_by_the_task_and_waited_for_only_so_long() {
    let mut bench = bench().await;
    bench.write_all(vec![register("a", 1), with_ttl("20s")]).await;
    bench.engine.write(register("b", 1)).await.unwrap();
    let told = bench.engine.next_expiries().await.unwrap();
    assert_eq!(told[0], (Tick(10_000), key("b")));
    bench.task.abort();
    assert!((&mut bench.task).await.unwrap_err().is_cancelled());
    assert_eq!(bench.engine.next_expiries().await, None);
}
