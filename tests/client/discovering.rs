//! Services as they are found: fresh, stale, elsewhere, and by plain DNS.

use std::time::Duration;

use srvd::client::dns::Resolver;
use srvd::client::{CacheRules, Discovery, Error, Freshness};

use crate::common::process::{Process, tool};
use crate::common::{Server, Setup, eventually};
use crate::{again, client, forgetful, ids, impatient, plain, runtime, same};

#[test]
fn changes_come_in_by_themselves() {
    let (server, runtime) = (Server::start(), runtime());
    server.register("web", "a", plain(1));
    let discovery = Discovery::new(client(&[&server]), CacheRules::default());
    let find = || runtime.block_on(discovery.find("web")).unwrap();
    assert_eq!(ids(&find()), ["a"]);
    server.register("web", "b", plain(2));
    eventually("the new one is found", || same(ids(&find()), vec!["a".into(), "b".into()]));
    server.says("web", "a", "unhealthy");
    eventually("the unhealthy one is not", || same(ids(&find()), vec!["b".into()]));
    assert_eq!(find().instances.all().len(), 2);
    server.api.delete("/v1/services/web/instances/b").expect(204);
    eventually("nor the one that is gone", || same(find().instances.all().len(), 1));
    let metrics = discovery.metrics();
    assert_eq!((metrics.misses, metrics.stale, metrics.services, metrics.followed), (1, 0, 1, 1), "asked for once");
    assert!(metrics.hits >= 4 && metrics.hit_ratio().unwrap() >= 0.8, "{metrics:?}");
    runtime.block_on(discovery.refresh("web")).unwrap();
    assert_eq!(discovery.metrics().misses, 2);
}

#[test]
fn a_service_that_comes_into_being_is_noticed() {
    let (server, runtime) = (Server::start(), runtime());
    let discovery = Discovery::new(client(&[&server]), CacheRules::default());
    let find = || runtime.block_on(discovery.find("web")).unwrap();
    assert!(find().instances.all().is_empty());
    eventually("it is followed", || same(discovery.metrics().followed, 1));
    server.register("web", "a", plain(1));
    eventually("it is there", || same(ids(&find()), vec!["a".into()]));
    let error = runtime.block_on(discovery.find("no name")).unwrap_err();
    assert!(matches!(error, Error::Service { .. }) && !error.is_passing(), "{error}");
}

#[test]
fn stale_answers_say_so_and_end_when_the_server_is_back() {
    let (mut server, runtime) = (forgetful("127.0.62.1"), runtime());
    server.register("web", "a", plain(1));
    let discovery = Discovery::new(client(&[&server]), impatient());
    let find = |service| runtime.block_on(discovery.find(service));
    assert_eq!(find("web").unwrap().freshness, Freshness::Fresh);
    server.kill9();
    eventually("the answer is stale", || match find("web").unwrap() {
        found if matches!(found.freshness, Freshness::Stale { .. }) => same(ids(&found), vec!["a".into()]),
        fresh => Err(format!("{fresh:?}")),
    });
    assert!(discovery.metrics().stale > 0);
    let error = find("other").unwrap_err();
    assert!(error.is_passing(), "nothing is known of it: {error}");
    // It forgot everything, and counts its revisions from the beginning.
    let server = again(&server);
    server.register("web", "b", plain(2));
    eventually("what it knows now is found", || match find("web").unwrap() {
        found if found.freshness == Freshness::Fresh => same(ids(&found), vec!["b".into()]),
        stale => Err(format!("{stale:?}")),
    });
    server.register("web", "c", plain(3));
    eventually("and followed", || same(ids(&find("web").unwrap()), vec!["b".into(), "c".into()]));
}

#[test]
fn another_server_is_asked_and_followed() {
    let (mut first, second, runtime) = (forgetful("127.0.62.2"), forgetful("127.0.62.3"), runtime());
    first.register("web", "a", plain(1));
    for id in ["x", "y"] {
        second.register("web", id, plain(2));
    }
    let discovery = Discovery::new(client(&[&first, &second]), CacheRules::default());
    let find = || runtime.block_on(discovery.find("web")).unwrap();
    assert_eq!(ids(&find()), ["a"]);
    eventually("it is followed", || same(discovery.metrics().followed, 1));
    first.kill9();
    eventually("the second server is followed", || same(ids(&find()), vec!["x".into(), "y".into()]));
    second.register("web", "z", plain(3));
    eventually("and its changes come in", || same(ids(&find()).len(), 3));
}

#[test]
fn what_is_remembered_is_bounded() {
    let (server, runtime) = (Server::start(), runtime());
    let rules = CacheRules { services: 3, followed: 2, ..CacheRules::default() };
    let discovery = Discovery::new(client(&[&server]), rules);
    for service in ["a", "b", "c", "d", "e", "a"] {
        runtime.block_on(discovery.find(service)).unwrap();
        let metrics = discovery.metrics();
        assert!(metrics.services <= 3 && metrics.followed <= 2, "{metrics:?}");
    }
    assert_eq!((discovery.metrics().misses, discovery.metrics().hits), (6, 0), "the first was forgotten");
    runtime.block_on(discovery.find("e")).unwrap();
    assert_eq!(discovery.metrics().hits, 1);
    // What followed a service that was forgotten ends, so that others can be followed.
    eventually("the oldest are not followed any more", || {
        runtime.block_on(discovery.refresh("a")).unwrap();
        runtime.block_on(discovery.refresh("e")).unwrap();
        same(discovery.metrics().followed, 2)
    });
    let watchers = || {
        server.api.get("/metrics").text().lines().find_map(|line| Some(line.strip_prefix("srvd_watchers ")?.to_owned()))
    };
    drop(discovery);
    eventually("nobody is left behind", || same(watchers(), Some("0".to_owned())));
}

#[test]
fn plain_dns_is_enough() {
    let (mut server, runtime) = (Setup::new().set("dns.record_ttl", 1).set("dns.negative_ttl", 1).start(), runtime());
    server.register("web", "a", serde_json::json!({"address": "10.0.0.7", "port": 80, "weight": 3, "ttl": "none"}));
    server.register(
        "web",
        "b",
        serde_json::json!({"addresses": ["10.0.0.8", "2001:db8::8"], "port": 81, "priority": 2, "ttl": "none"}),
    );
    server.register("web", "c", serde_json::json!({"address": "db.example.net", "port": 82, "ttl": "none"}));
    let resolver = Resolver::new([server.dns[0]], "svc.local").unwrap();
    let rules = CacheRules { pause: Duration::from_millis(20), ..CacheRules::default() };
    let discovery = Discovery::over_dns(resolver, rules);
    let find = |service| runtime.block_on(discovery.find(service)).unwrap();
    let found = find("web");
    let seen: Vec<_> = found.instances.all().iter().map(|one| (one.endpoint(), one.weight, one.priority)).collect();
    let wanted = [("10.0.0.7:80", 3, 0), ("10.0.0.8:81", 1, 2), ("db.example.net:82", 1, 0)];
    let mut wanted: Vec<_> =
        wanted.into_iter().map(|(endpoint, weight, priority)| (endpoint.to_owned(), weight, priority)).collect();
    assert_eq!(seen[..2], wanted[..2]);
    assert_eq!(seen[2], wanted.pop().unwrap());
    assert_eq!(found.instances.instance("b").unwrap().address.ips().len(), 2);
    assert!(find("nobody").instances.all().is_empty());
    server.says("web", "a", "unhealthy");
    eventually("the TTL runs out and it is gone", || same(ids(&find("web")).len(), 2));

    // More than fits a datagram: some whose addresses do not, and some that do not themselves. TCP has all.
    for (service, count) in [("medium", 25), ("large", 60)] {
        for number in 0..count {
            server.register(service, &format!("instance-{number}"), plain(1000 + number));
        }
        let found = find(service);
        assert_eq!(found.instances.all().len(), usize::from(count));
        assert!(found.instances.all().iter().all(|one| one.endpoint().starts_with("127.0.0.1:")), "{found:?}");
    }
    server.kill9();
    eventually("DNS is away and the answer stale", || match find("web") {
        found if matches!(found.freshness, Freshness::Stale { .. }) => same(ids(&found).len(), 2),
        fresh => Err(format!("{fresh:?}")),
    });
}

/// BIND as people run it: a forwarder that passes on what was asked for, and nothing that came along.
#[test]
fn a_resolver_between_that_keeps_additional_records_to_itself() {
    let (server, runtime) = (Server::start(), runtime());
    server.register(
        "web",
        "a",
        serde_json::json!({"addresses": ["10.0.0.8", "2001:db8::8"], "port": 80, "ttl": "none"}),
    );
    let directory = tempfile::tempdir().unwrap();
    let own = directory.path().display();
    let free = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let configuration = format!(
        "options {{ directory \"{own}\"; managed-keys-directory \"{own}\"; listen-on port {} {{ {}; }};
           listen-on-v6 {{ none; }}; pid-file none; session-keyfile none; lock-file none; recursion yes;
           minimal-responses yes; dnssec-validation no; empty-zones-enable no; }};
         controls {{ }};
         zone \"svc.local\" {{ type forward; forward only; forwarders {{ 127.0.0.1 port {}; }}; }};",
        address.port(),
        address.ip(),
        server.dns[0].port()
    );
    let file = directory.path().join("named.conf");
    std::fs::write(&file, configuration).unwrap();
    let mut command = std::process::Command::new(tool("named", "bind9"));
    let _named = Process::start(command.args(["-g", "-n", "1", "-c"]).arg(file));
    let resolver = Resolver::new([address], "svc.local").unwrap();
    let discovery = Discovery::over_dns(resolver, impatient());
    let found = eventually("the forwarder answers", || runtime.block_on(discovery.find("web")));
    let web = found.instances.instance("a").expect("it has its id");
    assert_eq!((web.port, web.address.ips().len()), (80, 2), "{web:?}");
}
