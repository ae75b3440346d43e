//! What readers make of what they are told is what there is: random changes against the real engine, readers that come
//! and go, and readers so slow that they have to start over.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use tokio::time::timeout;

use super::*;
use crate::answer::ServiceView;
use crate::engine::{Batch, Clock, Engine, Heartbeat, Loaded, Store, StoreError};
use crate::model::{Defaults, Instance, InstanceId, Key, Registration, SelfReport, ServiceName};
use crate::registry::{Changes, Command, Expected, Registry, Report, Rules};

/// Keeps nothing.
struct Nowhere;

impl Store for Nowhere {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded { revision: Revision(100), instances: Vec::new(), records: Vec::new() })
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

async fn engine(changes: usize) -> Engine {
    let rules = Rules::new(Defaults::default(), 11);
    let window = Window { changes, octets: usize::MAX };
    let (engine, mut runner) = Engine::with_window(Nowhere, rules, Clock::start(), window);
    runner.load().await.unwrap();
    tokio::spawn(runner.run(std::future::pending()));
    engine
}

fn service(name: &str) -> ServiceName {
    ServiceName::parse(name).unwrap()
}

fn key(name: &str, id: &str) -> Key {
    Key { service: service(name), id: InstanceId::parse(id).unwrap() }
}

async fn register(engine: &Engine, key: Key, weight: u16) {
    let body = json!({"address": "10.0.0.7", "port": 1, "ttl": "none", "weight": weight});
    write(engine, key, &body).await;
}

async fn write(engine: &Engine, key: Key, body: &serde_json::Value) {
    let registration = Registration::from_json(body, &Defaults::default(), IpAddr::from([127, 0, 0, 1])).unwrap();
    let registration = Arc::new(registration);
    engine.write(Command::Register { key, registration, expected: Expected::Any }).await.unwrap();
}

async fn deregister(engine: &Engine, key: Key) {
    // Nothing is wrong when it is not there.
    engine.write(Command::Deregister { key }).await.ok();
}

/// The revision of each instance, as a reader has put it together.
type State = BTreeMap<Key, Revision>;

fn shown<'a>(instances: impl IntoIterator<Item = &'a Arc<Instance>>) -> State {
    instances.into_iter().map(|instance| (instance.key.clone(), instance.revision)).collect()
}

fn present(engine: &Engine, name: Option<&ServiceName>) -> State {
    let mut state = State::new();
    for view in engine.index().views().iter().filter(|view| name.is_none_or(|name| view.name() == name)) {
        state.extend(shown(view.instances()));
    }
    state
}

/// A client of the stream: its state and the revision that it has come to, which outlive the connection.
struct Reader {
    service: Option<ServiceName>,
    connection: Option<Subscription>,
    state: State,
    reached: Option<Revision>,
    resets: usize,
}

impl Reader {
    fn new(engine: &Engine, service: Option<&str>) -> Self {
        let service = service.map(|name| ServiceName::parse(name).unwrap());
        let connection = Some(engine.watch(service.clone(), Some(Revision(100))));
        Self { service, connection, state: State::new(), reached: Some(Revision(100)), resets: 0 }
    }

    /// Takes in what there is, `at_most` messages of it; then the connection breaks if `breaks`.
    fn read(&mut self, engine: &Engine, mut at_most: usize, breaks: bool) {
        let service = &self.service;
        let reached = self.reached;
        let connection = self.connection.get_or_insert_with(|| engine.watch(service.clone(), reached));
        while at_most > 0 {
            at_most -= 1;
            match connection.try_next() {
                None => break,
                Some(Told::Change(change)) => {
                    assert!(self.reached < Some(change.revision), "{:?} then {}", self.reached, change.revision);
                    self.reached = Some(change.revision);
                    match &change.after {
                        Some(after) => drop(self.state.insert(change.key.clone(), after.revision)),
                        None => drop(self.state.remove(&change.key)),
                    }
                }
                Some(Told::Reset) => {
                    self.resets += 1;
                    let snapshot = connection.snapshot();
                    let taken = at_most.min(snapshot.instances().len());
                    self.state = shown(&snapshot.instances()[..taken]);
                    self.reached = Some(snapshot.reached(taken));
                    at_most -= taken;
                    if taken < snapshot.instances().len() {
                        // It broke off half-way.
                        self.connection = None;
                        return;
                    }
                    self.reached = Some(snapshot.revision());
                }
            }
        }
        if breaks {
            self.connection = None;
        }
    }

    fn is_whole(&mut self, engine: &Engine) {
        self.read(engine, usize::MAX, false);
        assert_eq!(self.state, present(engine, self.service.as_ref()), "{:?}", self.service);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Register(u8, u8, u16),
    Deregister(u8, u8),
    Says(u8, u8, SelfReport),
    /// A reader takes in so many messages, and its connection breaks or stays.
    Read(usize, usize, bool),
    /// A reader comes back from a future that never was.
    Lost(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let said = prop_oneof![Just(SelfReport::Healthy), Just(SelfReport::Unhealthy), Just(SelfReport::Starting)];
    prop_oneof![
        12 => (0..3u8, 0..6u8, 0..3u16).prop_map(|(service, id, weight)| Step::Register(service, id, weight)),
        6 => (0..3u8, 0..6u8).prop_map(|(service, id)| Step::Deregister(service, id)),
        4 => (0..3u8, 0..6u8, said).prop_map(|(service, id, said)| Step::Says(service, id, said)),
        12 => (0..3usize, 0..20usize, any::<bool>()).prop_map(|(reader, most, breaks)| Step::Read(reader, most, breaks)),
        1 => (0..3usize).prop_map(Step::Lost),
    ]
}

/// Plays `steps` with a log of so many changes, and gives how often a reader had to start over.
async fn play(steps: Vec<Step>, window: usize) -> usize {
    let engine = engine(window).await;
    let mut readers = [None, Some("s0"), Some("s1")].map(|service| Reader::new(&engine, service));
    for step in steps {
        let name = |service: u8, id: u8| key(&format!("s{service}"), &format!("i{id}"));
        match step {
            Step::Register(service, id, weight) => register(&engine, name(service, id), weight).await,
            Step::Deregister(service, id) => deregister(&engine, name(service, id)).await,
            Step::Says(service, id, said) => {
                let heartbeat = Heartbeat { report: Some(Report::Is(said)), ..Heartbeat::default() };
                engine.heartbeat(name(service, id), heartbeat).await.ok();
            }
            Step::Read(reader, at_most, breaks) => readers[reader].read(&engine, at_most, breaks),
            Step::Lost(reader) => {
                let service = readers[reader].service.clone();
                readers[reader].connection = Some(engine.watch(service, Some(Revision(u64::MAX))));
            }
        }
    }
    readers.iter_mut().for_each(|reader| reader.is_whole(&engine));
    readers.iter().map(|reader| reader.resets).sum()
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn whoever_follows_has_what_there_is(steps in prop::collection::vec(step(), 0..120), window in 1..40usize) {
        run(play(steps, window));
    }
}

#[test]
fn slow_readers_start_over_and_others_do_not() {
    let steps = || (0..30).map(|n| Step::Register(0, n % 6, u16::from(n)));
    assert_eq!(run(play(steps().collect(), 30)), 0);
    assert_eq!(run(play(steps().collect(), 29)), 2, "the readers of all and of the service");
}

/// How often somebody was woken.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl std::task::Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test]
async fn a_change_wakes_those_who_wait_for_its_service() {
    let engine = engine(10).await;
    for (subscribed, wakes) in [(Some("web"), 1), (Some("db"), 0), (None, 1)] {
        let mut subscription = engine.watch(subscribed.map(service), None);
        let woken = Arc::new(Wakes::default());
        let mut next = std::pin::pin!(subscription.next());
        let waker = Arc::clone(&woken).into();
        assert!(next.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        register(&engine, key("web", "a"), wakes).await;
        deregister(&engine, key("web", "a")).await;
        assert_eq!(woken.0.load(Ordering::SeqCst), usize::from(wakes), "{subscribed:?}");
    }
}

#[tokio::test]
async fn readers_share_what_is_sent() {
    let engine = engine(10).await;
    let mut readers = [None, Some(service("web"))].map(|name| engine.watch(name, None));
    register(&engine, key("web", "a"), 1).await;
    let texts = readers.each_mut().map(|reader| match reader.try_next() {
        Some(Told::Change(change)) => change.text(|change| change.revision.to_string().into()),
        other => panic!("{other:?}"),
    });
    assert_eq!((&texts[0][..], texts[0].as_ptr()), (&b"101"[..], texts[1].as_ptr()));
}

#[tokio::test]
async fn nothing_is_kept_for_services_that_nobody_needs() {
    let engine = engine(2).await;
    let services = || engine.hub.services.lock().len();
    for number in 0..20 {
        register(&engine, key(&format!("s{number}"), "a"), 1).await;
    }
    assert_eq!(services(), 2, "those in the log");
    let readers: Vec<_> = (0..5).map(|_| engine.watch(Some(service("idle")), None)).collect();
    assert_eq!(services(), 3);
    drop(readers);
    assert_eq!(services(), 2);
}

#[test]
fn large_instances_leave_room_for_few() {
    let window = Window { changes: 1000, octets: 20 * 3 * 255 };
    let mut log = Log::after(Revision(100), FIRST_PLACE);
    run(async {
        let engine = engine(1000).await;
        let mut changes = engine.subscribe();
        register(&engine, key("web", "a"), 1).await;
        let Some(Told::Change(small)) = changes.try_next() else { panic!("a change") };
        let tags = json!({"address": "10.0.0.7", "port": 1, "tags": ["x".repeat(255), "y".repeat(255)]});
        write(&engine, key("web", "a"), &tags).await;
        let Some(Told::Change(large)) = changes.try_next() else { panic!("a change") };
        let mut kept = |change: &Arc<Published>| {
            (0..100).for_each(|_| log.push(Arc::clone(change)));
            while log.is_larger_than(window) {
                log.pop();
            }
            log.len()
        };
        assert!(kept(&small) > 2 * kept(&large));
    });
}

/// Whether a wait for a change of `web` after `since` is over at once.
fn is_over(engine: &Engine, since: u64) -> bool {
    let web = service("web");
    let wait = engine.changed(&web, Revision(since));
    let woken = Arc::new(Wakes::default()).into();
    std::pin::pin!(wait).poll(&mut Context::from_waker(&woken)).is_ready()
}

#[tokio::test]
async fn a_wait_is_over_when_the_service_changed() {
    let engine = engine(3).await;
    assert!(!is_over(&engine, 0), "who has seen nothing waits for it to appear");
    assert!(!is_over(&engine, 100), "it was not there at 100 either");
    assert!(is_over(&engine, 99), "what was at 99 is not known");
    assert!(is_over(&engine, 101), "there was no 101 yet");
    register(&engine, key("web", "a"), 1).await;
    register(&engine, key("db", "a"), 1).await;
    assert!(is_over(&engine, 0) && is_over(&engine, 100));
    assert!(!is_over(&engine, 101) && !is_over(&engine, 102), "another service changed at 102");
    assert!(is_over(&engine, 103));
    deregister(&engine, key("web", "a")).await;
    assert!(is_over(&engine, 101), "it is gone");
    assert!(!is_over(&engine, 103) && !is_over(&engine, 0), "and was not there any more");
}

#[tokio::test(start_paused = true)]
async fn a_wait_ends_with_the_change() {
    let engine = engine(3).await;
    let waiter = engine.clone();
    let wait = tokio::spawn(async move { waiter.changed(&service("web"), Revision::ZERO).await });
    register(&engine, key("db", "a"), 1).await;
    tokio::task::yield_now().await;
    assert!(!wait.is_finished());
    register(&engine, key("web", "a"), 1).await;
    timeout(Duration::from_secs(600), wait).await.expect("the wait ends").unwrap();
    assert!(engine.index().service("web").is_some());
}

/// The index is changed first, so a snapshot may show a service as the log does not tell it yet.
#[test]
fn what_a_snapshot_showed_is_not_told_again() {
    let index = Arc::<Index>::default();
    let hub = Arc::new(Hub::new(Arc::clone(&index), Arc::default(), Window { changes: 10, octets: usize::MAX }));
    let rules = Rules::new(Defaults::default(), 11);
    let mut registry = Registry::new(rules, Revision(100));
    hub.begin(Revision(100));
    let now = run(async { Clock::start().now() });
    let body = json!({"address": "10.0.0.7", "port": 1});
    let registration =
        Registration::from_json(&body, &Defaults::default(), IpAddr::from([127, 0, 0, 1])).map(Arc::new).unwrap();
    let mut changes = Changes::default();
    for (name, id) in [("web", "a"), ("web", "b"), ("db", "c")] {
        let registration = Arc::clone(&registration);
        let command = Command::Register { key: key(name, id), registration, expected: Expected::Any };
        registry.apply(command, now, &mut changes).unwrap();
    }
    let web = service("web");
    let (revision, instances) = registry.service(&web).unwrap();
    index.publish(&web, Some(Arc::new(ServiceView::new(None, web.clone(), revision, None, false, instances))));
    let mut reader = hub.subscribe(None, Some(Revision(99)));
    assert!(matches!(reader.try_next(), Some(Told::Reset)));
    let snapshot = reader.snapshot();
    assert_eq!((snapshot.instances().len(), snapshot.revision()), (2, Revision(100)));
    assert_eq!(snapshot.reached(2), Revision(100), "101 to 103 are told to whoever comes back from here");
    hub.publish(changes.events, now.wall);
    let Some(Told::Change(told)) = reader.try_next() else { panic!("a change") };
    assert_eq!((&told.key, reader.try_next().is_none()), (&key("db", "c"), true));
}
