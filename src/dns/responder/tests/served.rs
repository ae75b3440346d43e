//! Whatever happens to the instances of a service, DNS answers with those that are healthy and with no others; in a panic
//! with the unhealthy too.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use domain::base::{Message, ParsedName};
use domain::rdata::Srv;
use proptest::prelude::*;
use serde_json::json;

use super::fixture::*;
use crate::answer::Live;
use crate::dns::Responder;
use crate::engine::{Engine, Heartbeat};
use crate::model::{InstanceId, Key, Load, Registration, SelfReport, ServiceName, Settings, Status, Verdict};
use crate::registry::{Command, Expected, Observation, Report};
use crate::wire::RecordType;

/// What happens to one of five instances, or to their service.
#[derive(Debug, Clone)]
enum Step {
    /// With a lease or without one, with a check or without one.
    Register(u8, bool, bool),
    Deregister(u8),
    Says(u8, Option<Report>),
    /// Reports this use of memory, in percent.
    Loaded(u8, u8),
    Check(u8, Verdict),
    Drain(u8),
    Maintain(u8),
    Resume(u8),
    /// In percent.
    PanicBelow(u8),
    /// In milliseconds.
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..5u8;
    let report = prop_oneof![
        Just(None),
        Just(Some(Report::Is(SelfReport::Healthy))),
        Just(Some(Report::Is(SelfReport::Unhealthy))),
        Just(Some(Report::Is(SelfReport::Starting))),
        Just(Some(Report::Draining)),
    ];
    prop_oneof![
        4 => (id.clone(), any::<bool>(), any::<bool>()).prop_map(|(id, lease, check)| Step::Register(id, lease, check)),
        1 => id.clone().prop_map(Step::Deregister),
        4 => (id.clone(), report).prop_map(|(id, report)| Step::Says(id, report)),
        1 => (id.clone(), 0..=100u8).prop_map(|(id, used)| Step::Loaded(id, used)),
        3 => (id.clone(), any::<bool>()).prop_map(|(id, passes)| {
            Step::Check(id, if passes { Verdict::Passing } else { Verdict::Failing })
        }),
        1 => id.clone().prop_map(Step::Drain),
        1 => id.clone().prop_map(Step::Maintain),
        2 => id.prop_map(Step::Resume),
        1 => (0..=100u8).prop_map(Step::PanicBelow),
        2 => (1..40_000u64).prop_map(Step::Pass),
    ]
}

fn key(id: u8) -> Key {
    Key { service: ServiceName::parse("web").unwrap(), id: InstanceId::parse(&format!("i{id}")).unwrap() }
}

/// Carries out a step. That it is refused, as for want of the instance, is as good as any other outcome.
async fn happens(engine: &Engine, step: &Step) {
    let command = match *step {
        Step::Register(id, lease, check) => {
            let checks = if check { json!([{"kind": "tcp"}]) } else { json!([]) };
            let body = json!({"address": Ipv4Addr::new(10, 0, 0, id), "port": 1000 + u16::from(id), "checks": checks,
                              "ttl": if lease { "10s" } else { "none" }});
            let registration = Registration::from_json(&body, &rules().defaults, IpAddr::from([127, 0, 0, 1])).unwrap();
            Command::Register { key: key(id), registration: registration.into(), expected: Expected::Any }
        }
        Step::Deregister(id) => Command::Deregister { key: key(id) },
        Step::Says(id, report) => {
            return drop(engine.heartbeat(key(id), Heartbeat { report, ..Heartbeat::default() }).await);
        }
        Step::Loaded(id, used) => {
            let load = Load::from_json(&json!({"memory": f64::from(used) / 100.0})).unwrap();
            return drop(engine.heartbeat(key(id), Heartbeat { load: Some(load), ..Heartbeat::default() }).await);
        }
        Step::Check(id, verdict) => {
            let Some(instance) = engine.index().instance(&key(id)) else { return };
            let Some(check) = instance.registration.checks().first().cloned() else { return };
            let (life, registration) = (instance.pulse.clone(), instance.registration.clone());
            engine.observe(Observation { key: key(id), life, registration, check, verdict }).await;
            return engine.settled().await;
        }
        Step::Drain(id) => Command::Drain { key: key(id) },
        Step::Maintain(id) => Command::Maintain { key: key(id), reason: None },
        Step::Resume(id) => Command::Resume { key: key(id), maintenance: true, drain: true },
        Step::PanicBelow(percent) => {
            let body = json!({"panic_threshold": f64::from(percent) / 100.0});
            let settings = Settings::from_json(&body, &rules().defaults.check).unwrap();
            Command::Set { service: key(0).service, settings: Some(settings.into()) }
        }
        // Every timer fires on the way.
        Step::Pass(millis) => return tokio::time::sleep(Duration::from_millis(millis)).await,
    };
    engine.write(command).await.ok();
}

/// The ports in the SRV records of an answer: they tell the instances apart.
fn answered(responder: &Responder) -> BTreeSet<u16> {
    let mut out = Vec::new();
    responder.respond(&query("web.svc.local", RecordType::SRV, IN, None), &TCP, 1, now(), &mut out).expect("a reply");
    let message = Message::from_octets(&out).expect("a header");
    let records = message.answer().expect("a section").limit_to::<Srv<ParsedName<_>>>();
    records.map(|record| record.expect("a record").data().port()).collect()
}

fn port(id: &str) -> u16 {
    1000 + id[1..].parse::<u16>().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn the_healthy_are_answered_and_nobody_else(steps in proptest::collection::vec(step(), 1..50)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let engine = running().await;
            let responder = responder_over(engine.index().clone(), |_| {});
            for step in &steps {
                happens(&engine, step).await;
                let view = engine.index().service("web");
                let of = |status: Status| -> BTreeSet<u16> {
                    let instances = view.iter().flat_map(|view| view.instances());
                    instances.filter(|it| it.status() == status).map(|it| port(it.key.id.as_str())).collect()
                };
                let (healthy, unhealthy) = (of(Status::Healthy), of(Status::Unhealthy));
                let threshold = engine.records().settings(&key(0).service);
                let threshold = threshold.and_then(|(_, it)| it.panic_threshold).map_or(0.0, |it| it.get());
                let share = healthy.len() as f64 / (healthy.len() + unhealthy.len()).max(1) as f64;
                let with_unhealthy = &healthy | &unhealthy;
                let found = answered(&responder);
                if share < threshold {
                    prop_assert_eq!(&found, &with_unhealthy, "after {:?}: a panic", step);
                } else if share >= threshold * 1.1 || unhealthy.is_empty() {
                    prop_assert_eq!(&found, &healthy, "after {:?}", step);
                } else {
                    prop_assert!(found == healthy || found == with_unhealthy, "after {:?}: {:?}", step, found);
                }
            }
            Ok(())
        })?;
    }
}
