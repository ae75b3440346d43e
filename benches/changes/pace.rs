//! Sends `PUT`s that register instances anew, so many a second, whatever the replies take, and tells what they took.
//!
//! `changes-pace ADDRESS SERVICES RATE SECONDS CONNECTIONS`. The instances are those of `benches/peers`, five to a
//! service; each turn over them brings another weight, so that every `PUT` is a change. Each connection has a thread and
//! its share of the times at which a change is due; one that is late because the reply before came late counts from when
//! it was due. What is printed is one line of JSON, in microseconds.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const INSTANCES: usize = 5;
/// From the start to the first change: all connections are there by then.
const LEAD: Duration = Duration::from_millis(100);

/// What is to be done, all connections together.
#[derive(Clone)]
struct Load {
    address: String,
    services: usize,
    rate: usize,
    seconds: f64,
    connections: usize,
}

/// How long one change took, in microseconds: from when it was due, and from when it was sent.
#[derive(Clone, Copy)]
struct Took {
    due: u64,
    sent: u64,
}

impl Load {
    fn parse(mut words: impl Iterator<Item = String>) -> Option<Self> {
        let load = Self {
            address: words.next()?,
            services: words.next()?.parse().ok().filter(|services| *services > 0)?,
            rate: words.next()?.parse().ok().filter(|rate| *rate > 0)?,
            seconds: words.next()?.parse().ok().filter(|seconds| *seconds > 0.0)?,
            connections: words.next()?.parse().ok().filter(|connections| *connections > 0)?,
        };
        words.next().is_none().then_some(load)
    }

    fn changes(&self) -> usize {
        (self.rate as f64 * self.seconds) as usize
    }
}

/// The request of one change. `salt` tells runs apart: they must not repeat each other's registrations.
fn request(number: usize, services: usize, salt: usize) -> String {
    // An odd step that is prime to most sizes: neighbours in time are far from each other.
    let at = number * 7919 % (services * INSTANCES);
    let (service, index, ordinal) = (at / INSTANCES, at % INSTANCES, at + 1);
    let id = (service * 7919 + index * 13001) % 65536;
    let weight = 1 + (salt + number / (services * INSTANCES)) % 60_000;
    let body = format!(
        "{{\"address\":\"10.{}.{}.{}\",\"port\":8080,\"ttl\":\"24h\",\"weight\":{weight}}}",
        ordinal >> 16 & 255,
        ordinal >> 8 & 255,
        ordinal & 255,
    );
    format!(
        "PUT /v1/services/s{service:06}/instances/i-{id:04x} HTTP/1.1\r\nhost: srvd\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Reads one reply; it must be of a registration that replaced another.
fn reply(from: &mut impl BufRead) -> io::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    from.read_line(&mut line)?;
    if !line.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(format!("replied {line:?}")));
    }
    loop {
        line.clear();
        if from.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match line.trim_end().split_once(':') {
            None => break,
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            Some(_) => {}
        }
    }
    from.take(length).read_to_end(&mut Vec::new()).map(drop)
}

/// One connection's share: every so many-th change.
fn drive(load: &Load, mine: usize, salt: usize, start: Instant) -> io::Result<Vec<Took>> {
    let mut to = TcpStream::connect(&load.address)?;
    to.set_nodelay(true)?;
    let mut from = BufReader::new(to.try_clone()?);
    let mut took = Vec::new();
    for number in (mine..load.changes()).step_by(load.connections) {
        let text = request(number, load.services, salt);
        let due = start + Duration::from_secs_f64(number as f64 / load.rate as f64);
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        to.write_all(text.as_bytes())?;
        reply(&mut from)?;
        took.push(Took { due: due.elapsed().as_micros() as u64, sent: sent.elapsed().as_micros() as u64 });
    }
    Ok(took)
}

/// The value that so large a share is not above.
fn quantile(sorted: &[u64], share: f64) -> u64 {
    sorted[((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1]
}

fn main() -> io::Result<()> {
    let Some(load) = Load::parse(std::env::args().skip(1)).filter(|load| load.changes() > 0) else {
        eprintln!("usage: changes-pace ADDRESS SERVICES RATE SECONDS CONNECTIONS");
        std::process::exit(2);
    };
    let salt = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_millis());
    let start = Instant::now() + LEAD;
    let drive = |mine: usize| {
        let load = load.clone();
        thread::spawn(move || drive(&load, mine, salt as usize, start))
    };
    let threads: Vec<_> = (0..load.connections).map(drive).collect();
    let mut took = Vec::new();
    for thread in threads {
        took.extend(thread.join().map_err(|_| io::Error::other("a connection's thread ended"))??);
    }
    let seconds = start.elapsed().as_secs_f64();
    let mut due: Vec<u64> = took.iter().map(|took| took.due).collect();
    let mut sent: Vec<u64> = took.iter().map(|took| took.sent).collect();
    due.sort_unstable();
    sent.sort_unstable();
    println!(
        "{{\"done\":{},\"per_second_done\":{:.0},\"p50_us\":{},\"p99_us\":{},\"max_us\":{},\"sent_p50_us\":{},\"sent_p99_us\":{}}}",
        took.len(),
        took.len() as f64 / seconds,
        quantile(&due, 0.5),
        quantile(&due, 0.99),
        quantile(&due, 1.0),
        quantile(&sent, 0.5),
        quantile(&sent, 0.99),
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_changes_of_a_turn_are_alike_and_the_next_turn_changes_all() {
        let turn = |turn: usize| (0..10).map(move |number| request(turn * 10 + number, 2, 0));
        let first: std::collections::HashSet<String> = turn(0).collect();
        assert_eq!(first.len(), 10);
        assert!(turn(1).all(|text| !first.contains(&text)));
    }

    #[test]
    fn only_a_replaced_registration_is_a_reply() {
        let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP";
        let mut from = ok.as_bytes();
        reply(&mut from).unwrap();
        assert_eq!(from, b"HTTP", "and no more is taken");
        for refused in ["HTTP/1.1 201 Created\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", ""] {
            reply(&mut refused.as_bytes()).unwrap_err();
        }
    }

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!([0.5, 0.99, 1.0].map(|share| quantile(&sorted, share)), [50, 99, 100]);
        assert_eq!(quantile(&[7], 0.5), 7);
    }
}
