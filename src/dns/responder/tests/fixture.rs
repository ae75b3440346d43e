//! A responder over a static zone and a few registrations, queries to it, and a reader that shares no code with it.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use domain::base::opt::{AllOptData, UnknownOptData};
use domain::base::{Message, ParsedName};
use domain::rdata::AllRecordData;
use serde_json::json;

use crate::answer::{Catalog, LiveZone};
use crate::config;
use crate::dns::{Client, Reply, Responder, Settings, Transport};
use crate::engine::{Batch, Clock, Engine, Index, Loaded, Store, StoreError};
use crate::model::{Defaults, InstanceId, Key, Moment, Registration, ServiceName, Tick};
use crate::registry::{Command, Expected, Rules};
use crate::wire::{Name, RecordType};
use crate::zone::Zones;
use crate::zone::master::{self, Kind};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
pub const UDP: Client = Client { address: HERE, transport: Transport::Udp };
pub const TCP: Client = Client { address: HERE, transport: Transport::Tcp { idle: Duration::from_secs(10) } };
pub const IN: u16 = 1;
pub const CH: u16 = 3;

const ZONE: &str = "\
$TTL 60
@      SOA ns hostmaster 1 3600 600 86400 30
@      NS  ns
ns     A   192.0.2.1
alias  CNAME mx
mx     MX  10 a.mail
mx     MX  20 b.mail
a.mail A   192.0.2.2
b.mail AAAA 2001:db8::1
sub    NS  ns.sub
ns.sub A   192.0.2.9
out    CNAME www.example.org.
*.any  MX  10 mx
*.old  CNAME mx
moved  DNAME any
";

struct Nothing;

impl Store for Nothing {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        Ok(Loaded::default())
    }

    async fn commit(&mut self, _: Batch) -> Result<(), StoreError> {
        Ok(())
    }
}

pub fn rules() -> Rules {
    Rules::new(Defaults::default(), 11)
}

/// An engine at work over a store that keeps nothing.
pub async fn running() -> Engine {
    let (engine, mut runner) = Engine::new(Nothing, rules(), Clock::start());
    runner.load().await.unwrap();
    tokio::spawn(runner.run(std::future::pending()));
    engine
}

/// An index with the service `web` of so many instances.
pub fn index(instances: u32) -> Arc<Index> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (engine, mut runner) = Engine::new(Nothing, rules(), Clock::start());
    runtime.block_on(async {
        runner.load().await.unwrap();
        let running = tokio::spawn(runner.run(std::future::pending()));
        // Together, so that they are published together.
        let mut writes = tokio::task::JoinSet::new();
        for number in 0..instances {
            let body = json!({"address": Ipv4Addr::from_bits(0x0a00_0000 | number), "port": 80});
            let key = Key {
                service: ServiceName::parse("web").unwrap(),
                id: InstanceId::parse(&format!("i{number}")).unwrap(),
            };
            let registration = Arc::new(Registration::from_json(&body, &rules().defaults, HERE).unwrap());
            let engine = engine.clone();
            writes.spawn(async move {
                engine.write(Command::Register { key, registration, expected: Expected::Absent }).await
            });
        }
        writes.join_all().await.into_iter().for_each(|written| assert!(written.is_ok()));
        running.abort();
    });
    Arc::clone(engine.index())
}

pub fn responder_over(index: Arc<Index>, change: impl FnOnce(&mut config::Dns)) -> Responder {
    let mut config = config::Dns { nsid: "here".into(), version: "srvd".into(), ..config::Dns::default() };
    change(&mut config);
    // 80,000 octets of TXT records at one name: more than any message holds.
    let large: String = (0..300).map(|number| format!("large TXT \"{number:0250}\"\n")).collect();
    let mut source = |_: &Path| Ok(format!("{ZONE}{large}").into_bytes());
    let apex = Name::parse("example.test").unwrap();
    let zone = master::parse(&mut source, Path::new("test.zone"), &apex, Kind::Own).unwrap().zone;
    let live = LiveZone {
        apex: config.zone.clone(),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![HERE],
    };
    let catalog = Catalog::new(live, None, Zones::new([Arc::new(zone)]).unwrap());
    Responder::new(catalog, index, Settings::new(&config, [7; 16]))
}

pub fn responder(change: impl FnOnce(&mut config::Dns)) -> Responder {
    responder_over(index(40), change)
}

pub fn now() -> Moment {
    Moment { tick: Tick(0), wall: jiff::Timestamp::from_second(1_800_000_000).unwrap() }
}

/// A query; with `options` it has an OPT record that offers 1232 octets.
pub fn query(name: &str, qtype: RecordType, qclass: u16, options: Option<&[u8]>) -> Vec<u8> {
    let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(options.is_some())];
    let name = Name::parse(name).unwrap();
    let mut packet = [&header[..], name.wire(), &qtype.0.to_be_bytes(), &qclass.to_be_bytes()].concat();
    if let Some(options) = options {
        packet.extend(b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00");
        packet.extend((options.len() as u16).to_be_bytes());
        packet.extend(options);
    }
    packet
}

pub fn option(code: u16, data: &[u8]) -> Vec<u8> {
    [&code.to_be_bytes()[..], &(data.len() as u16).to_be_bytes(), data].concat()
}

/// A reply as another implementation reads it, to its end.
#[derive(Debug)]
pub struct Read {
    pub rcode: u16,
    pub authoritative: bool,
    pub truncated: bool,
    pub counts: [u16; 4],
    /// Numbers of the options in the OPT record, and their data.
    pub options: Option<Vec<(u16, Vec<u8>)>>,
}

pub fn read(packet: &[u8]) -> Read {
    let message = Message::from_octets(packet).expect("a header");
    let header = message.header();
    assert!(header.qr() && !header.ra() && !header.z() && !header.ad() && !header.cd(), "{packet:02x?}");
    assert!(message.question().all(|question| question.is_ok()), "{packet:02x?}");
    for section in [message.answer(), message.authority(), message.additional()] {
        for record in section.expect("a section") {
            let record = record.expect("a record");
            record.to_any_record::<AllRecordData<_, ParsedName<_>>>().expect("RDATA");
        }
    }
    let opt = message.opt();
    let options = opt.as_ref().map(|opt| {
        assert_eq!(opt.version(), 0);
        let options = opt.opt().iter::<AllOptData<_, _>>();
        assert!(options.into_iter().all(|option| option.is_ok()), "{packet:02x?}");
        let raw = opt.opt().iter::<UnknownOptData<_>>().map(|option| option.expect("an option"));
        raw.map(|option| (option.code().to_int(), option.data().to_vec())).collect()
    });
    let counts = message.header_counts();
    Read {
        rcode: message.opt_rcode().to_int(),
        authoritative: header.aa(),
        truncated: header.tc(),
        counts: [counts.qdcount(), counts.ancount(), counts.nscount(), counts.arcount()],
        options,
    }
}

/// Asks, and checks that what the responder says of its reply is what is in it.
pub fn ask(responder: &Responder, packet: &[u8], client: &Client) -> (Reply, Read) {
    let mut out = b"what was here before".to_vec();
    let reply = responder.respond(packet, client, 1, now(), &mut out).expect("a reply");
    let read = read(&out);
    assert_eq!(out[..2], packet[..2]);
    assert_eq!((reply.rcode as u16, reply.truncated), (read.rcode, read.truncated));
    (reply, read)
}
