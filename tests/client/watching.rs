//! Changes as they happen, over connections that break.

use std::sync::mpsc::channel;
use std::time::Duration;

use srvd::client::{Change, ChangeKind, Event, Handlers, Status, Watch};
use tokio::runtime::Runtime;

use crate::common::{Server, eventually};
use crate::relay::Relay;
use crate::{client, of_addresses, plain, runtime, same};

/// The next event, or a failed test.
fn next(runtime: &Runtime, watch: &mut Watch) -> Event {
    let event = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), watch.next()).await });
    event.expect("an event comes")
}

fn connected(runtime: &Runtime, watch: &mut Watch) {
    let connected = runtime.block_on(async { tokio::time::timeout(Duration::from_secs(30), watch.connected()).await });
    connected.expect("a stream opens");
}

#[test]
fn a_stream_that_breaks_goes_on_where_it_was() {
    let (server, runtime) = (Server::start(), runtime());
    let relay = Relay::to(server.http[0]);
    let mut watch = of_addresses(&[relay.address]).watch("web").unwrap();
    connected(&runtime, &mut watch);
    server.register("web", "a", plain(1));
    let Event::Put(first, _) = next(&runtime, &mut watch) else { panic!("a put") };
    relay.cut();
    // Nobody hears of these; and one of another service is nobody's business.
    server.register("web", "b", plain(2));
    server.register("other", "x", plain(3));
    server.says("web", "a", "unhealthy");
    server.api.delete("/v1/services/web/instances/b").expect(204);
    relay.mend();
    let told = [next(&runtime, &mut watch), next(&runtime, &mut watch), next(&runtime, &mut watch)];
    let change = |change: &Change| (change.id.to_string(), change.kind);
    let told = told.map(|event| match event {
        Event::Put(of, instance) => (change(&of), Some(instance.status)),
        Event::Remove(of) => (change(&of), None),
        Event::Reset => panic!("nothing was missed"),
    });
    assert_eq!(
        told,
        [
            (("b".to_owned(), ChangeKind::Registered), Some(Status::Healthy)),
            (("a".to_owned(), ChangeKind::Status), Some(Status::Unhealthy)),
            (("b".to_owned(), ChangeKind::Deregistered), None),
        ]
    );
    let resumed = format!("last-event-id: {}\r\n", first.revision);
    assert!(relay.heads().contains(&resumed), "{resumed} in {}", relay.heads());
}

#[test]
fn what_was_missed_is_told_anew() {
    let (server, runtime) = (Server::start(), runtime());
    let relay = Relay::to(server.http[0]);
    let mut watch = of_addresses(&[relay.address, server.http[0]]).watch("web").unwrap();
    connected(&runtime, &mut watch);
    for id in ["a", "b"] {
        server.register("web", id, plain(1));
        assert!(matches!(next(&runtime, &mut watch), Event::Put(..)));
    }
    // The other address is another server for all that a client can know.
    relay.cut();
    assert_eq!(next(&runtime, &mut watch), Event::Reset);
    for id in ["a", "b"] {
        let Event::Put(change, _) = next(&runtime, &mut watch) else { panic!("a put") };
        assert_eq!((change.id.as_str(), change.kind), (id, ChangeKind::Registered));
    }
    server.api.delete("/v1/services/web/instances/a").expect(204);
    assert!(matches!(next(&runtime, &mut watch), Event::Remove(_)));
}

#[test]
fn handlers_are_called_until_they_are_dropped() {
    let (server, runtime) = (Server::start(), runtime());
    let (notes, noted) = channel();
    let note = |word: &'static str| {
        let notes = notes.clone();
        move |id: &str| notes.send(format!("{word} {id}")).unwrap()
    };
    let (came, changed, is, went) = (note("came"), note("changed"), note("is"), note("went"));
    let handlers = Handlers::new()
        .on_registered(move |_, instance| came(instance.id.as_str()))
        .on_updated(move |_, instance| changed(instance.id.as_str()))
        .on_status(move |change, instance| {
            assert_eq!(change.previous_status, Some(Status::Healthy));
            is(&format!("{} {}", instance.id, instance.status.as_str()));
        })
        .on_removed(move |change| went(change.id.as_str()));
    let mut watch = client(&[&server]).watch_all();
    connected(&runtime, &mut watch);
    let handling = runtime.block_on(async { handlers.run(watch) });
    server.register("web", "a", plain(1));
    server.register("web", "a", plain(2));
    server.says("web", "a", "unhealthy");
    server.api.delete("/v1/services/web/instances/a").expect(204);
    for word in ["came a", "changed a", "is a unhealthy", "went a"] {
        assert_eq!(noted.recv_timeout(Duration::from_secs(30)).unwrap(), word);
    }
    drop(handling);
    let watchers = || server.api.get("/metrics").text().contains("srvd_watchers 0\n");
    eventually("the stream is closed", || same(watchers(), true));
}
