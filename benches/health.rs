//! Health checks at their full number: whether the rate is held, how late checks start, and what that costs.
//!
//! `health/run/KIND/N` runs N checks, one every ten seconds each, against a target in a process of its own, on as many
//! loopback addresses as there are instances. `health/schedule/N` is the schedule alone, without sockets. With `--test`
//! everything runs once with few checks; otherwise an argument picks the benches whose names contain it.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::json;
use srvd::engine::{Checks, Clock, Engine};
use srvd::health::{self, Schedule, Settings};
use srvd::model::{
    Condition, Defaults, Instance, InstanceId, Key, LeaseTtl, Pulse, Registration, Revision, ServiceName, Span, Tick,
    Verdict, WallTime,
};
use srvd::registry::{Command as Change, Expected, Rules};
use srvd::store::Memory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

/// The hidden argument that makes this process the target.
const TARGET: &str = "--target";
/// Instances of one service.
const SERVICE: usize = 50;
/// Instances whose results are looked at.
const SAMPLE: usize = 2000;
/// Looks in each interval.
const LOOKS: u32 = 50;

/// How large a run is.
struct Scale {
    checks: usize,
    interval: Span,
    settle: Duration,
    measure: Duration,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == TARGET) {
        return target();
    }
    let test = arguments.iter().any(|argument| argument == "--test");
    let filter = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| filter.is_none_or(|filter| name.contains(filter.as_str()));
    let (scale, many) = if test {
        let (settle, measure) = (Duration::from_millis(300), Duration::from_millis(500));
        (Scale { checks: 50, interval: Span::from_millis(100), settle, measure }, 1000)
    } else {
        let (settle, measure) = (Duration::from_secs(40), Duration::from_secs(40));
        (Scale { checks: 100_000, interval: Span::from_secs(10), settle, measure }, 1_000_000)
    };
    for kind in ["tcp", "http"] {
        let name = format!("health/run/{kind}/{}", scale.checks);
        if wanted(&name) {
            Builder::new_multi_thread().enable_all().build().expect("a runtime").block_on(run(&name, kind, &scale));
        }
    }
    let name = format!("health/schedule/{many}");
    if wanted(&name) {
        schedule(&name, many);
    }
}

/// Listens on every loopback address and answers each request with 200; prints its port.
fn target() {
    rlimit::increase_nofile_limit(rlimit::INFINITY).ok();
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime").block_on(async {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind((Ipv4Addr::UNSPECIFIED, 0).into()).expect("a port");
        let listener: TcpListener = socket.listen(4096).expect("a listener");
        println!("{}", listener.local_addr().expect("an address").port());
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            tokio::spawn(async move {
                if stream.read(&mut [0; 1024]).await.is_ok_and(|octets| octets > 0) {
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.ok();
                }
            });
        }
    });
}

/// The target's process, which ends with this.
struct Target(Child);

impl Target {
    fn start() -> (Self, u16) {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .arg(TARGET)
            .stdout(Stdio::piped())
            .spawn()
            .expect("the target starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line).expect("the target's port");
        (Self(child), line.trim().parse().expect("a port"))
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn defaults() -> Defaults {
    Defaults { ttl: Span::from_secs(3600), ..Defaults::default() }
}

fn key(number: usize) -> Key {
    let service = ServiceName::parse(&format!("s{}", number / SERVICE)).expect("a name");
    Key { service, id: InstanceId::parse(&format!("i{number}")).expect("an id") }
}

fn registration(number: usize, port: u16, kind: &str, interval: Span) -> Arc<Registration> {
    let [_, high, middle, low] = (number as u32).to_be_bytes();
    let address = Ipv4Addr::new(127, high + 1, middle, low);
    let check = json!({"kind": kind, "interval": interval.to_string()});
    let body = json!({"address": address.to_string(), "port": port, "ttl": "none", "checks": [check]});
    Arc::new(Registration::from_json(&body, &defaults(), IpAddr::V4(address)).expect("a registration"))
}

/// Registers and checks, then measures for a while.
async fn run(name: &str, kind: &str, scale: &Scale) {
    rlimit::increase_nofile_limit(rlimit::INFINITY).ok();
    let (_target, port) = Target::start();
    let rules = Rules::new(defaults(), 11);
    let (engine, mut runner) = Engine::new(Memory, rules, Clock::start());
    runner.load().await.expect("nothing to load");
    tokio::spawn(runner.run(std::future::pending()));
    let (checks, requests) = Checks::new();
    let settings = Settings { in_flight: 16_384, ..Settings::default() };
    let checking = tokio::spawn(health::run(engine.clone(), settings, requests, std::future::pending()));
    let mut writes = JoinSet::new();
    for number in 0..scale.checks {
        let (engine, registration) = (engine.clone(), registration(number, port, kind, scale.interval));
        writes.spawn(async move {
            let change = Change::Register { key: key(number), registration, expected: Expected::Absent };
            engine.write(change).await.expect("it is registered");
        });
    }
    writes.join_all().await;
    tokio::time::sleep(scale.settle).await;
    let (cpu, began) = (cpu_time(), Instant::now());
    let (mut lateness, mut runs, mut failed) = (Vec::new(), 0, 0);
    let step = (scale.checks / SAMPLE).max(1);
    let sample: Vec<Key> = (0..scale.checks).step_by(step).map(key).collect();
    let mut last: Vec<Option<(Timestamp, Tick)>> = vec![None; sample.len()];
    while began.elapsed() < scale.measure {
        tokio::time::sleep(scale.interval.as_duration() / LOOKS).await;
        let now = engine.clock().now();
        for (key, last) in sample.iter().zip(&mut last) {
            let instance = engine.index().instance(key).expect("it stays");
            let Some(result) = instance.pulse.words(|words| words.results.first().map(|(_, result)| result.clone()))
            else {
                continue;
            };
            failed += usize::from(!result.passed);
            if let Some((at, next)) = last.filter(|(at, _)| *at != result.at) {
                runs += 1;
                let started = result.at.as_millisecond() - i64::from(result.took_ms);
                lateness.push(started - now.wall_at(next).as_millisecond());
                assert!(result.at > at);
            }
            *last = Some((result.at, result.next));
        }
    }
    let seconds = began.elapsed().as_secs_f64();
    let share = (cpu_time() - cpu) / seconds * 100.0;
    lateness.sort_unstable();
    let at = |share: f64| lateness[((lateness.len() - 1) as f64 * share) as usize].max(0);
    let rate = f64::from(runs) / seconds * (scale.checks as f64 / sample.len() as f64);
    let due = scale.checks as f64 / scale.interval.as_duration().as_secs_f64();
    println!(
        "{name}: {rate:.0} checks/s of {due:.0}, late p50 {} ms, p99 {} ms, max {} ms (state {}), {share:.0} % of a core, \
         {:.0} us each, {} MiB",
        at(0.5),
        at(0.99),
        at(1.0),
        checks.state().late(),
        share * 1e4 / rate,
        resident_mib()
    );
    // On a machine with too much else to do the target may be what fails.
    assert_eq!(failed, 0, "the target always answers");
    assert!(rate > 0.5 * due, "the rate is held");
    checking.abort();
}

/// The schedule alone: what it takes to hold that many checks, and to run each of them once.
fn schedule(name: &str, checks: usize) {
    let registered = registration(0, 80, "tcp", Span::from_secs(10));
    let instance = |number: usize| Instance {
        key: key(number),
        registration: Arc::clone(&registered),
        condition: Condition { checks: [Verdict::Passing].into_iter().collect(), ..Condition::default() },
        created_at: WallTime::default(),
        changed_at: WallTime::default(),
        revision: Revision(1),
        pulse: Arc::new(Pulse::begin(Tick(0), LeaseTtl::Permanent)),
    };
    let instances: Vec<Instance> = (0..checks).map(instance).collect();
    let before = resident_mib();
    let mut schedule = Schedule::default();
    let began = Instant::now();
    for instance in &instances {
        schedule.put(instance, Tick(0), &mut rand::random);
    }
    let put = began.elapsed();
    let held = resident_mib() - before;
    let began = Instant::now();
    for _ in 0..checks {
        let now = schedule.next_due().expect("all wait");
        let run = schedule.start(now).expect("it is due");
        schedule.finish(run.id, Some(true), now, &mut rand::random).expect("it runs");
    }
    let each = |spent: Duration| spent.as_nanos() / checks as u128;
    println!("{name}: put {} ns, start and finish {} ns, {held} MiB", each(put), each(began.elapsed()));
    assert_eq!(schedule.len(), checks);
}

/// Processor time of this process in seconds.
fn cpu_time() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("a name").split_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("a number");
    // User and system time, in hundredths of a second.
    (ticks(11) + ticks(12)) / 100.0
}

fn resident_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a size");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}
