//! When an instance is safe to stop, on a paused clock.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use serde_json::json;
use tokio::time::{advance, sleep};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::*;
use crate::answer::explain::{Explain, Explained};
use crate::config::Setting;
use crate::engine::{Batch, Clock, Engine, Heartbeat, Loaded, Store, StoreError};
use crate::http::{About, Readiness, Room, Watchers, Works, router};
use crate::model::{Defaults, InstanceId, Moment, Registration, SelfReport, ServiceName, Settings};
use crate::registry::{Expected, Report, Rules};
use crate::wire::{Name, RecordType};

/// A store that takes everything and keeps nothing.
struct Nowhere;

impl Store for Nowhere {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

fn rules(record_ttl: u32) -> Rules {
    Rules { record_ttl, ..Rules::new(Defaults::default(), 11) }
}

fn key() -> Key {
    Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse("a").unwrap() }
}

/// Answers no questions.
#[derive(Debug)]
struct Nobody;

impl Explain for Nobody {
    fn explain(&self, _: &Name, _: RecordType, _: IpAddr, _: Moment, _: u64) -> Explained {
        unreachable!("nobody asks")
    }
}

/// A server with the instance `web/a`, whose records have a TTL of five seconds.
async fn api() -> Api {
    let (engine, mut runner) = Engine::new(Nowhere, rules(5), Clock::start());
    runner.load().await.unwrap();
    tokio::spawn(runner.run(std::future::pending()));
    let about = About { zone: "svc.local".to_owned(), store: "memory", dns: Vec::new(), http: Vec::new() };
    let api = Api::from(Works {
        engine,
        checks: crate::engine::Checks::new().0,
        deliveries: Default::default(),
        answers: Arc::new(Nobody),
        defaults: Setting::new(Defaults::default()),
        about: Arc::new(about),
        readiness: Readiness::default(),
        bodies: Room::default(),
        rotations: Arc::default(),
        watchers: Watchers::among(100),
        scrapes: crate::http::Scrapes::default(),
        requests: Arc::default(),
        access: Arc::default(),
        history: Arc::default(),
        sources: Arc::new([]),
        stopping: CancellationToken::new(),
    });
    register(&api).await;
    api
}

async fn register(api: &Api) {
    let body = json!({"address": "10.0.0.7", "port": 8080, "ttl": "none"});
    let registration = Arc::new(Registration::from_json(&body, &Defaults::default(), [127, 0, 0, 1].into()).unwrap());
    api.engine.write(Command::Register { key: key(), registration, expected: Expected::Any }).await.unwrap();
}

async fn set_ttl(api: &Api, record_ttl: u32) {
    let settings = Settings { record_ttl: Some(record_ttl), ..Settings::UNSET };
    let command = Command::Set { service: key().service, settings: Some(Arc::new(settings)) };
    api.engine.write(command).await.unwrap();
}

/// Calls `METHOD /v1/services/web/instances/a/REST`: the status and the body of the reply.
async fn call(api: &Api, line: &str) -> (StatusCode, Value) {
    let (method, rest) = line.split_once(' ').unwrap();
    let request = Request::builder().method(method).uri(format!("/v1/services/web/instances/a/{rest}"));
    let request = request.header("host", "srvd");
    let response = router(api.clone()).oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

/// The tick at which a reply says that it is safe.
async fn safe_at(api: &Api, line: &str) -> u64 {
    let (status, reply) = call(api, line).await;
    assert_eq!(status, StatusCode::OK, "{line}: {reply}");
    let text = reply["safe_at"].as_str().unwrap_or_else(|| panic!("no safe_at: {reply}"));
    let at: jiff::Timestamp = text.parse().unwrap();
    let start = api.engine.clock().now().wall_at(Tick(0));
    at.duration_since(start).as_millis() as u64
}

fn tick(api: &Api) -> u64 {
    api.engine.clock().tick().0
}

#[tokio::test(start_paused = true)]
async fn it_is_safe_a_ttl_and_a_second_after_the_instance_left() {
    let api = api().await;
    advance(Duration::from_secs(10)).await;
    for (out, back) in [("PUT drain", "DELETE drain"), ("PUT maintenance", "DELETE maintenance")] {
        let now = tick(&api);
        assert_eq!(safe_at(&api, out).await, now + 6_000);
        let revision = api.engine.revision();
        advance(Duration::from_secs(1)).await;
        assert_eq!(safe_at(&api, out).await, now + 6_000, "{out} once more says the same");
        assert_eq!(api.engine.revision(), revision);
        advance(Duration::from_secs(60)).await;
        assert_eq!(safe_at(&api, back).await, now + 61_000 + 6_000, "served again, it may be in caches again");
        let revision = api.engine.revision();
        assert_eq!(safe_at(&api, back).await, now + 61_000 + 6_000);
        assert_eq!(api.engine.revision(), revision);
    }
}

#[tokio::test(start_paused = true)]
async fn what_left_by_itself_is_safe_sooner() {
    let api = api().await;
    let unhealthy = Heartbeat { report: Some(Report::Is(SelfReport::Unhealthy)), ..Heartbeat::default() };
    advance(Duration::from_secs(3)).await;
    api.engine.heartbeat(key(), unhealthy).await.unwrap();
    advance(Duration::from_secs(20)).await;
    assert_eq!(safe_at(&api, "PUT drain?wait=true").await, 9_000);
    assert_eq!(tick(&api), 23_000, "nothing to wait for");
}

#[tokio::test(start_paused = true)]
async fn a_longer_ttl_of_a_moment_ago_counts() {
    let api = api().await;
    set_ttl(&api, 60).await;
    advance(Duration::from_secs(10)).await;
    set_ttl(&api, 1).await;
    advance(Duration::from_secs(1)).await;
    assert_eq!(safe_at(&api, "PUT drain").await, 71_000);
    set_ttl(&api, 300).await;
    assert_eq!(safe_at(&api, "PUT drain").await, 71_000, "what was never given out does not count");
}

#[tokio::test(start_paused = true)]
async fn so_does_one_that_a_reload_lowered() {
    let api = api().await;
    api.engine.reconfigure(rules(60), true).await.unwrap();
    advance(Duration::from_secs(10)).await;
    api.engine.reconfigure(rules(1), true).await.unwrap();
    advance(Duration::from_secs(1)).await;
    assert_eq!(safe_at(&api, "PUT drain").await, 71_000);
}

#[tokio::test(start_paused = true)]
async fn waiting_ends_when_it_is_safe_or_the_time_is_over() {
    for (parameter, held) in [
        ("", 0),
        ("?wait", 6_000),
        ("?wait=true", 6_000),
        ("?wait=false", 0),
        ("?wait=2s", 2_000),
        ("?wait=10m", 6_000),
    ] {
        let api = api().await;
        let begun = tick(&api);
        assert_eq!(safe_at(&api, &format!("PUT drain{parameter}")).await, begun + 6_000, "{parameter}");
        assert_eq!(tick(&api), begun + held, "{parameter}");
        assert_eq!(safe_at(&api, "DELETE drain?wait=true").await, tick(&api) + 6_000);
        assert_eq!(tick(&api), begun + held, "no time makes an instance safe that is in DNS");
    }
    let api = api().await;
    for wrong in ["11m", "-1s", "5", "yes"] {
        assert_eq!(call(&api, &format!("PUT drain?wait={wrong}")).await.0, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_wait_sees_what_others_do_meanwhile() {
    let api = api().await;
    let waiting = api.clone();
    let waiter = tokio::spawn(async move { safe_at(&waiting, "PUT drain?wait=true").await });
    sleep(Duration::from_secs(1)).await;
    call(&api, "DELETE drain").await;
    sleep(Duration::from_secs(1)).await;
    call(&api, "PUT drain").await;
    assert_eq!(waiter.await.unwrap(), 8_000, "the later drain counts");
    assert_eq!(tick(&api), 8_000);
    let waiting = api.clone();
    let waiter = tokio::spawn(async move { call(&waiting, "PUT maintenance?wait=1m").await });
    assert!(waiter.await.unwrap().0.is_success());
    assert_eq!(tick(&api), 8_000);
}

#[tokio::test(start_paused = true)]
async fn a_stopping_server_replies_at_once() {
    let api = api().await;
    let waiting = api.clone();
    let waiter = tokio::spawn(async move { safe_at(&waiting, "PUT drain?wait=true").await });
    sleep(Duration::from_secs(1)).await;
    api.stopping.cancel();
    assert_eq!((waiter.await.unwrap(), tick(&api)), (6_000, 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_mark_without_an_instance_was_safe_when_it_was_set() {
    let api = api().await;
    assert_eq!(safe_at(&api, "PUT maintenance").await, 6_000);
    advance(Duration::from_secs(2)).await;
    api.engine.write(Command::Deregister { key: key() }).await.unwrap();
    let (status, reply) = call(&api, "PUT maintenance").await;
    assert_eq!((status, reply.get("instance")), (StatusCode::OK, None));
    assert_eq!(safe_at(&api, "PUT maintenance?wait=true").await, 6_000);
    assert_eq!(tick(&api), 6_000);
    register(&api).await;
    let (_, reply) = call(&api, "PUT resume").await;
    assert_eq!(reply["instance"]["status"], "healthy");
    for line in ["PUT drain", "DELETE drain", "PUT maintenance", "DELETE maintenance", "PUT resume"] {
        assert_eq!(call(&api, line).await.0, StatusCode::OK, "{line}");
    }
    call(&api, "PUT resume").await;
    api.engine.write(Command::Deregister { key: key() }).await.unwrap();
    for line in ["PUT drain", "DELETE drain", "PUT maintenance", "DELETE maintenance", "PUT resume"] {
        assert_eq!(call(&api, line).await.0, StatusCode::NOT_FOUND, "{line}");
    }
}
