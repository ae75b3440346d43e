//! A responder without sockets, and what must be true of whatever it says.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use srvd::answer::{Catalog, LiveZone};
use srvd::config;
use srvd::dns::{Client, Responder, Settings, Transport};
use srvd::engine::{Clock, Engine, Index};
use srvd::model::{Defaults, InstanceId, Key, Moment, Registration, ServiceName, Tick};
use srvd::registry::{Command, Expected, Rules};
use srvd::store::Memory;
use srvd::wire::Name;
use srvd::zone::{Zone, Zones};

use crate::common::message::Response;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const UDP: Client = Client { address: HERE, transport: Transport::Udp };
pub const TCP: Client = Client { address: HERE, transport: Transport::Tcp { idle: Duration::from_secs(10) } };
/// The apex of the live zone.
pub const LIVE: &str = "svc.local";

fn rules() -> Rules {
    Rules::new(Defaults::default(), 11)
}

/// An index with the service `web`, whose instances have tags, metadata and addresses of both families.
pub fn index() -> Arc<Index> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (engine, mut runner) = Engine::new(Memory, rules(), Clock::start());
    runtime.block_on(async {
        runner.load().await.expect("nothing to load");
        let running = tokio::spawn(runner.run(std::future::pending()));
        for number in 0..12 {
            let body = json!({
                "addresses": [format!("10.0.0.{number}"), format!("2001:db8::{number}")],
                "ports": {"http": 80, "metrics": 9100}, "port": 80, "tags": ["v2"], "metadata": {"number": number},
            });
            let id = InstanceId::parse(&format!("i{number}")).expect("an id");
            let key = Key { service: ServiceName::parse("web").expect("a service"), id };
            let registration = Registration::from_json(&body, &rules().defaults, HERE).expect("an instance");
            let command = Command::Register { key, registration: Arc::new(registration), expected: Expected::Absent };
            engine.write(command).await.expect("a registration");
        }
        running.abort();
    });
    Arc::clone(engine.index())
}

/// A responder over `index` with records for the live zone and zones beside it.
pub fn responder(index: &Arc<Index>, additions: Option<&Zone>, zones: Zones) -> Responder {
    let config = config::Dns { nsid: "here".into(), version: "srvd".into(), ..config::Dns::default() };
    let live = LiveZone {
        apex: Name::parse(LIVE).expect("a name"),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![HERE],
    };
    Responder::new(Catalog::new(live, additions, zones), Arc::clone(index), Settings::new(&config, [7; 16]))
}

/// What is said to a packet. It can be read to its end by another implementation, is no longer than it may be, and is
/// never a reply to a reply.
pub fn asked(responder: &Responder, packet: &[u8], client: &Client) -> Option<Response> {
    let mut out = Vec::new();
    let now = Moment { tick: Tick(0), wall: jiff::Timestamp::from_second(1_800_000_000).expect("a time") };
    let reply = responder.respond(packet, client, 1, now, &mut out);
    let is_query = packet.len() >= 12 && packet[2] & 0x80 == 0;
    assert_eq!(reply.is_some(), is_query, "queries are answered, and nothing else is");
    reply?;
    let response = Response::parse(&out);
    let most = match client.transport {
        Transport::Udp if response.edns.is_none() => 512,
        Transport::Udp => 1232,
        Transport::Tcp { .. } => 65_535,
    };
    assert!(out.len() <= most, "{} octets where {most} are allowed", out.len());
    assert_eq!(out[..2], packet[..2], "the id is another one");
    Some(response)
}
