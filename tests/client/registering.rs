//! Registrations that stay, and leave.

use std::time::Duration;

use serde_json::{Value, json};
use srvd::client::{Check, Error, LeaseState, Leave, LoadReport, OwnStatus, Registration};

use crate::common::backend::Backend;
use crate::common::events::Events;
use crate::common::{Server, eventually};
use crate::{again, client, forgetful, runtime, same};

const SHORT: Duration = Duration::from_secs(1);

#[test]
fn heartbeats_keep_an_instance_and_carry_what_it_says() {
    let (server, runtime) = (Server::start(), runtime());
    let registration = Registration::new("web", 8080).tag("v2").metadata("team", "shop").ttl(SHORT);
    let registered = runtime.block_on(client(&[&server]).register(registration)).unwrap();
    let id = registered.id().to_owned();
    let first = server.instance("web", &id);
    assert_eq!((&first["address"], &first["tags"], &first["ttl"]), (&json!("127.0.0.1"), &json!(["v2"]), &json!("1s")));

    runtime.block_on(registered.set_status(OwnStatus::Unhealthy, Some("queue is full"))).unwrap();
    runtime.block_on(registered.report_load(LoadReport::new().cpu(0.5).connections(7))).unwrap();
    let said = server.instance("web", &id);
    assert_eq!((&said["status"], &said["message"]), (&json!("unhealthy"), &json!("queue is full")));
    assert_eq!((&said["load"]["cpu"], &said["load"]["connections"]), (&json!(0.5), &json!(7)));
    runtime.block_on(registered.set_status(OwnStatus::Healthy, None)).unwrap();
    let well = server.instance("web", &id);
    assert_eq!((&well["status"], &well["message"]), (&json!("healthy"), &Value::Null));

    // By itself, and not once alone: the second is more than a lease after the first.
    let mut seen = std::collections::BTreeSet::from([well["last_heartbeat"].to_string()]);
    eventually("five more heartbeats", || {
        let instance = server.instance("web", &id);
        assert_eq!(instance["status"], "healthy");
        seen.insert(instance["last_heartbeat"].to_string());
        if seen.len() > 5 { Ok(()) } else { Err(seen.len()) }
    });
    drop(registered);
    eventually("the lease runs out", || same(server.instance("web", &id)["status"].clone(), json!("lapsed")));
}

#[test]
fn shutdown_drains_waits_and_deregisters() {
    let (server, runtime) = (forgetful("127.0.61.1"), runtime());
    let mut events = Events::open(server.http[0], "/v1/watch?service=web", "");
    let registered = runtime.block_on(client(&[&server]).register(Registration::new("web", 8080).id("a"))).unwrap();
    // Somebody has it in a cache from here on.
    assert_eq!(server.dig("web.svc.local A").data("A"), ["127.0.0.1"]);
    assert!(runtime.block_on(registered.leave(Leave::drain())).unwrap(), "no cache can hold it any more");
    let told = [events.next(), events.next(), events.next()].map(|event| event.data);
    let changes = told.each_ref().map(|data| data["change"].as_str().unwrap());
    assert_eq!(changes, ["registered", "status", "deregistered"]);
    assert_eq!(told[1]["instance"]["status"], "draining");
    let at = |data: &Value| data["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let waited = at(&told[2]).duration_since(at(&told[1]));
    assert!(
        waited >= jiff::SignedDuration::from_millis(900),
        "the record's TTL is a second, and it left after {waited}"
    );

    let registered = runtime.block_on(client(&[&server]).register(Registration::new("web", 8080).id("a"))).unwrap();
    assert_eq!(server.instance("web", "a")["status"], "healthy", "a drain ends with its registration");
    assert!(!runtime.block_on(registered.leave(Leave::at_once())).unwrap());
    server.api.get("/v1/services/web").expect(404);
}

#[test]
fn maintenance_stays_with_the_name() {
    let (server, runtime) = (forgetful("127.0.61.2"), runtime());
    let client = client(&[&server]);
    let registered = runtime.block_on(client.register(Registration::new("web", 8080).id("a"))).unwrap();
    assert!(runtime.block_on(registered.leave(Leave::maintenance("new disk"))).unwrap());
    server.api.get("/v1/services/web").expect(404);
    let registered = runtime.block_on(client.register(Registration::new("web", 8080).id("a"))).unwrap();
    let instance = server.instance("web", "a");
    assert_eq!((&instance["status"], &instance["reason"]), (&json!("maintenance"), &json!("in maintenance: new disk")));
    runtime.block_on(registered.shutdown()).unwrap();
}

#[test]
fn a_server_that_forgot_is_told_again() {
    let (mut server, runtime) = (forgetful("127.0.61.3"), runtime());
    let backend = Backend::start("web");
    let check = Check::http("/").every(SHORT).timeout(SHORT);
    let registration = Registration::new("web", backend.address.port()).id("a").ttl(SHORT).check(check);
    let registered = runtime.block_on(client(&[&server]).register(registration)).unwrap();
    runtime.block_on(registered.set_status(OwnStatus::Unhealthy, Some("warming up"))).unwrap();
    server.kill9();
    let state = registered.state();
    eventually("the loss is noticed", || match &*state.borrow() {
        LeaseState::Lost(why) if why.contains("cannot reach") => Ok(()),
        other => Err(format!("{other:?}")),
    });
    let error = runtime.block_on(registered.set_status(OwnStatus::Unhealthy, Some("still away"))).unwrap_err();
    assert!(matches!(error, Error::Away(_)) && error.is_passing(), "{error}");
    let server = again(&server);
    eventually("it registers again", || same(server.api.get("/v1/services/web/instances/a").status, 200));
    let message = || server.instance("web", "a")["message"].clone();
    eventually("with what it said while nobody heard", || same(message(), json!("still away")));
    eventually("the lease is held", || same(state.borrow().clone(), LeaseState::Held));
    runtime.block_on(registered.leave(Leave::at_once())).unwrap();
    server.api.get("/v1/services/web").expect(404);
}

#[test]
fn another_server_takes_over() {
    let (mut first, second, runtime) = (forgetful("127.0.61.4"), forgetful("127.0.61.5"), runtime());
    let both = client(&[&first, &second]);
    let registered = runtime.block_on(both.register(Registration::new("web", 8080).id("a").ttl(SHORT))).unwrap();
    runtime.block_on(registered.set_status(OwnStatus::Unhealthy, Some("so it is"))).unwrap();
    second.api.get("/v1/services/web").expect(404);
    first.kill9();
    eventually("the second server knows it", || same(second.api.get("/v1/services/web/instances/a").status, 200));
    eventually("and what it said", || same(second.instance("web", "a")["message"].clone(), json!("so it is")));
    runtime.block_on(registered.set_status(OwnStatus::Healthy, None)).unwrap();
    assert_eq!(second.instance("web", "a")["status"], "healthy");
    runtime.block_on(registered.shutdown()).unwrap();
    second.api.get("/v1/services/web").expect(404);
}

#[test]
fn what_is_wrong_is_said() {
    let (mut server, runtime) = (Server::start(), runtime());
    let client = client(&[&server]);
    let refused = |registration| match runtime.block_on(client.register(registration)) {
        Err(Error::Refused { subject, problem }) => (subject, problem),
        other => panic!("{other:?}"),
    };
    let (subject, problem) = refused(Registration::new("web", 80).id("a").check(Check::tcp().rise(0)));
    assert_eq!((subject.as_str(), problem.status, problem.field.as_deref()), ("web/a", 422, Some("checks[0].rise")));
    let (_, problem) = refused(Registration::new("web", 0).id("a"));
    assert_eq!((problem.status, problem.field.as_deref()), (422, Some("port")));
    let (subject, problem) = refused(Registration::new("no/name", 80).id("a"));
    assert_eq!((subject.as_str(), problem.status), ("no/name/a", 422));
    let registered = runtime.block_on(client.register(Registration::new("web", 80).id("a").permanent())).unwrap();
    assert_eq!(server.instance("web", "a")["ttl"], "none");
    server.kill9();
    let error = runtime.block_on(registered.shutdown()).unwrap_err();
    assert!(error.to_string().starts_with("no server answers: cannot reach http://127.0.0.1:"), "{error}");
}
