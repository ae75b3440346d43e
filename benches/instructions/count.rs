//! Answers many questions of one kind in process, as a UDP worker does, for callgrind to count the instructions.
//!
//! `instructions-count KIND`, with one of the kinds of `benches/peers`. What is counted is [`answer_all`]; it prints how many
//! questions that was. `benches/instructions/run` runs it.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use serde_json::json;
use srvd::answer::{Catalog, LiveZone};
use srvd::config;
use srvd::dns::{Client, Found, Responder, Scratch, Settings, Transport};
use srvd::engine::{Clock, Engine};
use srvd::model::{Defaults, InstanceId, Key, Moment, Registration, ServiceName, Span};
use srvd::registry::{Command, Expected, Rules};
use srvd::store::Memory;
use srvd::wire::{Name, RecordType};
use srvd::zone::Zones;

const SERVICES: usize = 1000;
const INSTANCES: usize = 5;
/// Queries that a worker takes at once, if as many wait.
const BATCH: usize = 32;
const BATCHES: usize = 200;
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CLIENT: Client = Client { address: HERE, transport: Transport::Udp };

/// Questions of one kind.
struct Kind {
    name: fn(usize) -> String,
    rtype: RecordType,
    /// Records in the answer section of the replies.
    answers: u16,
    /// The data of the OPT record, if there is one.
    options: Option<&'static [u8]>,
}

fn kind(word: &str) -> Option<Kind> {
    let service: fn(usize) -> String = |number| format!("s{number:06}.svc.local");
    let srv: fn(usize) -> String = |number| format!("_s{number:06}._tcp.svc.local");
    let none: fn(usize) -> String = |number| format!("x{number:07}.svc.local");
    let (name, rtype, answers, options) = match word {
        "srv" => (srv, RecordType::SRV, 5, None),
        "a" => (service, RecordType::A, 5, None),
        "a-cookie" => (service, RecordType::A, 5, Some(&b"\x00\x0a\x00\x0812345678"[..])),
        "nodata" => (service, RecordType::AAAA, 0, None),
        "nxdomain" => (none, RecordType::A, 0, None),
        _ => return None,
    };
    Some(Kind { name, rtype, answers, options })
}

fn main() {
    let kind = std::env::args().nth(1).and_then(|word| kind(&word)).expect("the kind of a question");
    // In no order, as they come.
    let packets: Vec<Vec<u8>> = (0..BATCH * BATCHES).map(|at| packet(&kind, at * 7919 % SERVICES)).collect();
    let answered = answer_all(&responder(), &packets, kind.answers, Clock::start().now());
    assert_eq!(answered, packets.len(), "each has the answer that it should have");
    println!("{answered}");
}

/// How many packets are answered, with so many records each. No other function of this name is in the program.
#[inline(never)]
fn answer_all(responder: &Responder, packets: &[Vec<u8>], answers: u16, now: Moment) -> usize {
    let (mut out, mut scratch, mut draw) = ([0; 4096], Scratch::default(), 0u64);
    let mut random = || {
        draw = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
        draw ^ (draw >> 29)
    };
    let mut answered = 0;
    for packets in packets.as_chunks::<BATCH>().0 {
        let round = responder.round();
        let asked = packets.each_ref().map(|packet| round.read(black_box(packet), &CLIENT));
        let mut found = Found::new();
        round.find(&asked, &mut found);
        for target in asked.iter().zip(found).filter_map(|(asked, target)| asked.as_ref().zip(target)) {
            let hit = round.answer(target, &CLIENT, || now, &mut scratch, &mut random, &mut out);
            answered += usize::from(hit.is_some() && u16::from_be_bytes([out[6], out[7]]) == answers);
        }
    }
    answered
}

fn packet(kind: &Kind, number: usize) -> Vec<u8> {
    let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(kind.options.is_some())];
    let name = Name::parse(&(kind.name)(number)).expect("a name");
    let mut packet = [&header[..], name.wire(), &kind.rtype.0.to_be_bytes(), &[0, 1]].concat();
    if let Some(options) = kind.options {
        packet.extend([0, 0, 41, 4, 208, 0, 0, 0, 0, 0, options.len() as u8]);
        packet.extend(options);
    }
    packet
}

fn rules() -> Rules {
    Rules::new(Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }, 11)
}

/// A responder over the services, each with five instances.
fn responder() -> Responder {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (engine, mut runner) = Engine::new(Memory, rules(), Clock::start());
    runtime.block_on(async {
        runner.load().await.expect("nothing to load");
        let running = tokio::spawn(runner.run(std::future::pending()));
        for number in 0..SERVICES * INSTANCES {
            engine.write(register(number)).await.expect("a registration");
        }
        running.abort();
    });
    let live = LiveZone {
        apex: Name::parse("svc.local").expect("a name"),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![HERE],
    };
    let catalog = Catalog::new(live, None, Zones::default());
    Responder::new(catalog, Arc::clone(engine.index()), Settings::new(&config::Dns::default(), [7; 16]))
}

fn register(number: usize) -> Command {
    let address = Ipv4Addr::from_bits(0x0a00_0000 | number as u32).to_string();
    let body = json!({"address": address, "port": 8080});
    let key = Key {
        service: ServiceName::parse(&format!("s{:06}", number / INSTANCES)).expect("a name"),
        id: InstanceId::parse(&format!("i-{:04x}", number % INSTANCES)).expect("an id"),
    };
    let registration = Registration::from_json(&body, &rules().defaults, HERE).expect("a registration");
    Command::Register { key, registration: Arc::new(registration), expected: Expected::Absent }
}
