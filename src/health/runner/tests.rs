//! What the task does when changes come faster than it hears of them, and when results come too late.

use std::time::Duration;

use serde_json::json;

use super::*;
use crate::engine::Checks;
use crate::health::probe::Pass;
use crate::health::tests::{engine, key, register, registration};
use crate::model::{Status, Verdict};
use crate::outbound::{Fault, Hindrance};
use crate::registry::{Command, Observation};

fn finding(outcome: impl Into<Outcome>) -> Finding {
    Finding::new(None, outcome.into(), Duration::from_millis(3))
}

fn checked(port: u16) -> Arc<crate::model::Registration> {
    registration(&json!({"address": "127.0.0.1", "port": port, "checks": [{"kind": "tcp"}]}))
}

/// The verdict that is published for the only check of `a`, after all that was sent before has been taken in.
async fn verdict(engine: &Engine) -> Verdict {
    register(engine, "fence", registration(&json!({"address": "127.0.0.1", "port": 1, "checks": []}))).await;
    engine.index().instance(&key("a")).unwrap().condition.checks.get(0).unwrap()
}

#[tokio::test]
async fn whoever_falls_behind_starts_over() {
    let engine = engine(Vec::new()).await;
    let mut changes = engine.subscribe();
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "gone", checked(1)).await;
    runner.catch_up(&mut changes);
    engine.write(Command::Deregister { key: key("gone") }).await.unwrap();
    register(&engine, "a", checked(2)).await;
    let plain =
        |weight: u32| registration(&json!({"address": "127.0.0.1", "port": 1, "weight": weight % 2, "checks": []}));
    for weight in 0..=crate::engine::Window::USUAL.changes as u32 {
        register(&engine, "busy", plain(weight)).await;
    }
    runner.catch_up(&mut changes);
    assert_eq!(runner.schedule.len(), 1);
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    assert_eq!(run.key, key("a"));
}

#[tokio::test]
async fn results_count_for_what_they_are_about() {
    let engine = engine(Vec::new()).await;
    let mut changes = engine.subscribe();
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    runner.catch_up(&mut changes);
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    // The registration changes before the runner hears of it.
    register(&engine, "a", checked(2)).await;
    runner.found(&run, &finding(Fault::ConnectionRefused)).await;
    assert_eq!(verdict(&engine).await, Verdict::Unknown);
    assert!(engine.index().instance(&key("a")).unwrap().pulse.words(|words| words.results.is_empty()));
    runner.catch_up(&mut changes);
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    runner.found(&run, &finding(Outcome::Passed(Pass::Connected))).await;
    assert_eq!(verdict(&engine).await, Verdict::Passing);
}

#[tokio::test(start_paused = true)]
async fn what_srvd_lacks_is_no_result() {
    let engine = engine(Vec::new()).await;
    let mut changes = engine.subscribe();
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    runner.catch_up(&mut changes);
    for (outcome, expected) in [
        (Outcome::from(Hindrance::NoSocket), Verdict::Unknown),
        (Outcome::Passed(Pass::Connected), Verdict::Passing),
        (Hindrance::StoodStill.into(), Verdict::Passing),
        (Fault::Closed.into(), Verdict::Passing),
        (Hindrance::NoSocket.into(), Verdict::Passing),
        (Fault::Closed.into(), Verdict::Failing),
    ] {
        let due = runner.schedule.next_due().unwrap();
        tokio::time::sleep_until(engine.clock().instant(due)).await;
        let run = runner.schedule.start(engine.clock().tick()).unwrap();
        runner.found(&run, &finding(outcome)).await;
        assert_eq!(verdict(&engine).await, expected);
    }
}

/// A verdict that the registry lost, for whatever reason, is told again with the next result.
#[tokio::test(start_paused = true)]
async fn a_verdict_that_does_not_stand_is_told_again() {
    let engine = engine(Vec::new()).await;
    let mut changes = engine.subscribe();
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    runner.catch_up(&mut changes);
    for told in [None, Some(Verdict::Failing)] {
        if let Some(verdict) = told {
            let instance = engine.index().instance(&key("a")).unwrap();
            let (life, registration) = (Arc::clone(&instance.pulse), Arc::clone(&instance.registration));
            let check = registration.checks()[0].clone();
            engine.observe(Observation { key: key("a"), life, registration, check, verdict }).await;
            assert_eq!(self::verdict(&engine).await, verdict);
        }
        let due = runner.schedule.next_due().unwrap();
        tokio::time::sleep_until(engine.clock().instant(due)).await;
        let run = runner.schedule.start(engine.clock().tick()).unwrap();
        runner.found(&run, &finding(Outcome::Passed(Pass::Connected))).await;
        assert_eq!(self::verdict(&engine).await, Verdict::Passing);
    }
}

#[tokio::test]
async fn a_probe_that_panics_frees_its_check() {
    let engine = engine(Vec::new()).await;
    let mut changes = engine.subscribe();
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    runner.catch_up(&mut changes);
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    let probe = runner.probes.spawn(async { panic!("on purpose") });
    runner.running.insert(run.id, (run, probe));
    assert_eq!(runner.next_turn(), None);
    let ended = runner.probes.join_next().await.unwrap();
    runner.ended(ended).await;
    assert!(runner.running.is_empty() && runner.next_turn().is_some());
    assert_eq!(engine.index().instance(&key("a")).unwrap().status(), Status::Starting);
}

#[tokio::test]
async fn a_run_under_way_is_not_the_one_that_was_asked_for() {
    let engine = engine(Vec::new()).await;
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    let ask = |runner: &mut Runner| {
        let (reply, results) = tokio::sync::oneshot::channel();
        runner.asked(CheckRequest { key: key("a"), reply });
        results
    };
    // The event of the registration has not been taken in.
    let mut first = ask(&mut runner);
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    let mut second = ask(&mut runner);
    runner.found(&run, &finding(Fault::Closed)).await;
    assert_eq!(first.try_recv().unwrap().unwrap()[0].result.detail, "connection closed without an answer");
    assert!(second.try_recv().is_err(), "it began before it was asked for");
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    runner.found(&run, &finding(Outcome::from(Hindrance::NoSocket))).await;
    let hindered = &second.try_recv().unwrap().unwrap()[0];
    assert_eq!((hindered.result.detail.as_str(), hindered.verdict), ("srvd has no socket left", Verdict::Failing));
}

#[tokio::test]
async fn no_more_wait_than_there_is_room_for() {
    let engine = engine(Vec::new()).await;
    let mut runner = Runner::new(engine.clone(), Settings::default(), Checks::new().1);
    register(&engine, "a", checked(1)).await;
    let mut waiting = Vec::new();
    while runner.asks.has_room() {
        let (reply, results) = tokio::sync::oneshot::channel();
        runner.asked(CheckRequest { key: key("a"), reply });
        waiting.push(results);
    }
    assert_eq!(waiting.len(), 256);
    waiting.pop();
    assert!(runner.asks.has_room(), "one that is gone makes room");
    let run = runner.schedule.start(engine.clock().tick()).unwrap();
    runner.found(&run, &finding(Outcome::Passed(Pass::Connected))).await;
    assert!(waiting.iter_mut().all(|results| results.try_recv().is_ok()), "one run serves all");
}
