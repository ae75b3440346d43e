//! Answering queries in process: from the octets of a query to those of its answer.
//!
//! Names are `dns/case/size`; the size is the number of services (of five instances each), or of instances of the one
//! service that is asked for. Each case checks the answer that it measures.

use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hickory_proto::op::{Message, ResponseCode};
use serde_json::json;
use srvd::answer::{Catalog, LiveZone, ReverseZones};
use srvd::config;
use srvd::dns::{Carrier, Client, Found, Rcode, Responder, Scratch, Settings, Transport};
use srvd::engine::{Clock, Engine};
use srvd::model::{Defaults, InstanceId, Key, Registration, ServiceName, Span};
use srvd::registry::{self, Command, Rules};
use srvd::store::Memory;
use srvd::wire::{Name, RecordType};
use srvd::zone::Zones;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Queries that a worker takes at once, if as many wait.
const BATCH: usize = 32;
const CLIENT: Client = Client { address: HERE, transport: Transport::Udp };

fn rules() -> Rules {
    Rules::new(Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }, 11)
}

/// A responder over `services` services `s0`, `s1`, … of `instances` instances each.
fn responder(services: usize, instances: usize) -> Responder {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (engine, mut runner) = Engine::new(Memory, rules(), Clock::start());
    let reverse = ["10.0.0.0/8".parse().unwrap()];
    engine.index().keep_addresses(&reverse);
    runtime.block_on(async {
        runner.load().await.unwrap();
        let running = tokio::spawn(runner.run(std::future::pending()));
        for number in 0..services * instances {
            let (service, id) = (number / instances, number % instances);
            let octets = (number as u32).to_be_bytes();
            let body = json!({"address": format!("10.{}.{}.{}", octets[1], octets[2], octets[3]), "port": 8080});
            let key = Key {
                service: ServiceName::parse(&format!("s{service}")).unwrap(),
                id: InstanceId::parse(&format!("i-{id:04x}")).unwrap(),
            };
            let registration = Arc::new(Registration::from_json(&body, &rules().defaults, HERE).unwrap());
            engine.write(Command::Register { key, registration, expected: registry::Expected::Absent }).await.unwrap();
        }
        running.abort();
    });
    let live = LiveZone {
        apex: Name::parse("svc.local").unwrap(),
        record_ttl: 5,
        negative_ttl: 5,
        srv_weight_scale: 1,
        addresses: vec![HERE],
    };
    let catalog = Catalog::new(live, None, Zones::default()).with_reverse(ReverseZones::new(&reverse));
    Responder::new(catalog, Arc::clone(engine.index()), Settings::new(&config::Dns::default(), [7; 16]))
}

fn query(name: &str, rtype: RecordType) -> Vec<u8> {
    let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1];
    let opt = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];
    [&header[..], Name::parse(name).unwrap().wire(), &rtype.0.to_be_bytes(), &[0, 1], &opt].concat()
}

/// What an answer must be for its measurement to mean anything: response code, answers, and whether TC is set.
struct Expected(ResponseCode, usize, bool);

fn measure(c: &mut Criterion, id: &str, responder: &Responder, packet: &[u8], expected: &Expected) {
    let mut out = Vec::with_capacity(4096);
    let now = Clock::start().now();
    assert!(responder.respond(packet, &CLIENT, 1, now, &mut out).is_some());
    let answer = Message::from_vec(&out).unwrap();
    let Expected(rcode, answers, truncated) = *expected;
    assert_eq!((answer.metadata.response_code, answer.answers.len()), (rcode, answers));
    assert_eq!(answer.metadata.truncation, truncated);
    let mut draw = 0;
    c.bench_function(id, |bencher| {
        bencher.iter(|| {
            draw += 1;
            black_box(responder.respond(black_box(packet), &CLIENT, draw, now, &mut out))
        });
    });
}

fn answers(c: &mut Criterion) {
    let many = responder(1000, 5);
    for (case, name, rtype, expected) in [
        ("srv", "_s500._tcp.svc.local", RecordType::SRV, Expected(ResponseCode::NoError, 5, false)),
        ("a", "s500.svc.local", RecordType::A, Expected(ResponseCode::NoError, 5, false)),
        ("nodata", "s500.svc.local", RecordType::AAAA, Expected(ResponseCode::NoError, 0, false)),
        ("nxdomain", "nothing.svc.local", RecordType::A, Expected(ResponseCode::NXDomain, 0, false)),
    ] {
        measure(c, &format!("dns/{case}/1000"), &many, &query(name, rtype), &expected);
    }
    for (instances, kept) in [(10, 10), (100, 30)] {
        let one = responder(1, instances);
        let expected = Expected(ResponseCode::NoError, kept, kept < instances);
        let packet = query("s0.svc.local", RecordType::SRV);
        measure(c, &format!("dns/srv-of-one-service/{instances}"), &one, &packet, &expected);
    }
    let crowd = responder(1, 4000);
    for (case, rtype, kept) in [("a", RecordType::A, 74), ("srv", RecordType::SRV, 30)] {
        let (packet, expected) = (query("s0.svc.local", rtype), Expected(ResponseCode::NoError, kept, true));
        measure(c, &format!("dns/{case}-of-one-service/4000"), &crowd, &packet, &expected);
    }
}

/// The hot path by its stages: a name that it only reads, one that it also looks up, and whole answers. Times are those
/// of a batch.
fn hot(c: &mut Criterion) {
    for services in [1000, 200_000] {
        let responder = responder(services, 5);
        let packets = |labels: fn(usize) -> String, rtype| -> Vec<Vec<u8>> {
            // As many different ones as there are services, in no order, so that nothing is where it was.
            let number = |at: usize| at.wrapping_mul(7919) % services;
            (0..services).map(|at| query(&format!("{}.svc.local", labels(number(at))), rtype)).collect()
        };
        for (stage, packets, answers) in [
            ("read", packets(|number| format!("_http._tcp.s{number}"), RecordType::SRV), None),
            ("nxdomain", packets(|number| format!("x{number}"), RecordType::A), Some(0)),
            ("nodata", packets(|number| format!("s{number}"), RecordType::AAAA), Some(0)),
            ("a", packets(|number| format!("s{number}"), RecordType::A), Some(5)),
            ("srv", packets(|number| format!("_s{number}._tcp"), RecordType::SRV), Some(5)),
            ("host", packets(|number| format!("i-0003.s{number}"), RecordType::A), Some(1)),
        ] {
            let (mut out, mut scratch, mut draw, mut next) = (vec![0; 4096], Scratch::default(), 0u64, 0);
            let (round, now) = (responder.round(), Clock::start().now());
            let mut random = || {
                draw = draw.wrapping_add(0x9e37_79b9_7f4a_7c15);
                draw ^ (draw >> 29)
            };
            // As a worker does: all are found, and then all are answered. Gives the answers of the last one.
            let mut batch = || {
                let asked: [_; BATCH] = std::array::from_fn(|_| {
                    next = (next + 1) % packets.len();
                    round.read(black_box(&packets[next]), &CLIENT)
                });
                let mut found = Found::new();
                round.find(&asked, &mut found);
                let mut last = None;
                for (asked, target) in asked.iter().zip(found) {
                    let hit = asked.as_ref().zip(target).and_then(|(asked, target)| {
                        round.answer((asked, target), &CLIENT, || now, &mut scratch, &mut random, &mut out)
                    });
                    last = hit.map(|_| u16::from_be_bytes([out[6], out[7]]));
                }
                last
            };
            assert_eq!(batch(), answers);
            let mut group = c.benchmark_group("dns/hot");
            group.throughput(Throughput::Elements(BATCH as u64));
            group.bench_function(format!("{stage}/{services}"), |bencher| bencher.iter(&mut batch));
        }
    }
}

/// Browsing by DNS-SD and names of addresses. Of a list of types that does not fit, the size must not matter.
fn pointers(c: &mut Criterion) {
    let many = responder(1000, 5);
    for (case, name, expected) in [
        ("browse", "_s500._tcp.svc.local", Expected(ResponseCode::NoError, 5, false)),
        ("types", "_services._dns-sd._udp.svc.local", Expected(ResponseCode::NoError, 58, true)),
        ("reverse", "7.0.0.10.in-addr.arpa", Expected(ResponseCode::NoError, 1, false)),
        ("reverse-nxdomain", "7.0.99.10.in-addr.arpa", Expected(ResponseCode::NXDomain, 0, false)),
    ] {
        measure(c, &format!("dns/ptr/{case}/1000"), &many, &query(name, RecordType::PTR), &expected);
    }
    let more = responder(10_000, 1);
    let packet = query("_services._dns-sd._udp.svc.local", RecordType::PTR);
    measure(c, "dns/ptr/types/10000", &more, &packet, &Expected(ResponseCode::NoError, 56, true));
    let one = responder(1, 100);
    let expected = Expected(ResponseCode::NoError, 56, true);
    measure(c, "dns/ptr/browse-of-one-service/100", &one, &query("_s0._tcp.svc.local", RecordType::PTR), &expected);
}

/// What it costs a worker to count an answer and to know how long it took: one more look at the clock, which it reads
/// for each query anyway.
fn counting(c: &mut Criterion) {
    let responder = responder(1000, 5);
    let tally = responder.metrics().tally(Carrier::Udp);
    let (clock, packet) = (Clock::start(), query("s500.svc.local", RecordType::A));
    let mut out = Vec::with_capacity(4096);
    let mut answer = || {
        let began = tokio::time::Instant::now();
        let reply = responder.respond(black_box(&packet), &CLIENT, 1, clock.moment(began), &mut out).unwrap();
        (reply, began)
    };
    c.bench_function("dns/uncounted/1000", |bencher| bencher.iter(&mut answer));
    c.bench_function("dns/counted/1000", |bencher| {
        bencher.iter(|| {
            let (reply, began) = answer();
            tally.answered(&reply, began.elapsed());
        });
    });
    let (reply, began) = answer();
    assert_eq!(reply.rcode, Rcode::NoError);
    c.bench_function("dns/count/1", |bencher| bencher.iter(|| tally.answered(black_box(&reply), began.elapsed())));
}

criterion_group!(benches, hot, answers, pointers, counting);
criterion_main!(benches);
