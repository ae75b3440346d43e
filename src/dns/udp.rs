//! DNS over UDP: a thread for each worker, on a socket of its own.
//!
//! Workers share the published index and nothing else. The kernel spreads clients over the sockets (SO_REUSEPORT).
//!
//! ```text
//! receive a batch ─► read all ─► find all, step by step ─► each: hot path, or else the complete path, and the rate limit ─► send all
//! ```
//!
//! With a million instances hardly anything that an answer needs is in a cache, and each thing takes as long to come as
//! all the rest of an answer. So the whole batch is looked up before any of it is answered, one step of all at a time, and
//! what each step leads to is touched: the processor has all of it read at the same time.
//!
//! All queries of a batch are answered from one state of the configuration and read the registry in a row; a batch is what
//! waited in the kernel, so a lone query is one of its own and waits for nobody.

mod batch;
mod socket;

use std::io;
use std::net::{IpAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use smallvec::SmallVec;
use tokio::time::Instant;

use self::batch::{ANSWER, BATCH, Batch, Queries};
use self::socket::set_up;
use super::hot::{AT_ONCE, Asked, Found, Hit, Scratch};
use super::metrics::{Carrier, Tally};
use super::rate_limit::{Decision, Limiting, RateLimiter, Told};
use super::responder::Round;
use super::{Client, Kind, Responder, Transport};
use crate::engine::Clock;
use crate::model::Moment;
use crate::wire::NameRef;

const _: () = assert!(BATCH <= AT_ONCE, "a batch is looked up without an allocation");

/// How long a worker without queries takes to notice that it should stop.
const STOP_CHECK: Duration = Duration::from_millis(250);

/// Ports that no client asks from, as in BIND: none (0), and services that answer whatever they are sent (echo, daytime,
/// chargen, time, kpasswd), which a forged query would set against this server for ever.
const NO_CLIENTS: [u16; 6] = [0, 7, 13, 19, 37, 464];

/// What all workers share.
#[derive(Debug, Clone)]
pub struct Shared {
    pub responder: Arc<Responder>,
    pub limiter: Arc<RateLimiter>,
    pub clock: Clock,
}

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one worker for each socket.
    pub fn start(sockets: impl IntoIterator<Item = UdpSocket>, shared: &Shared) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (number, socket) in sockets.into_iter().enumerate() {
            let on_wildcard = set_up(&socket, STOP_CHECK)?;
            let (shared, stop) = (shared.clone(), Arc::clone(&stop));
            let worker = thread::Builder::new().name(format!("dns-udp-{number}"));
            threads.push(worker.spawn(move || serve(&socket, on_wildcard, &shared, &stop))?);
        }
        Ok(Self { stop, threads })
    }

    /// Ends the workers; each finishes the query that it is at.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            // A worker that panicked has already said so.
            thread.join().ok();
        }
    }
}

/// What one worker has for itself.
struct Worker<'a> {
    shared: &'a Shared,
    tally: Arc<Tally>,
    draws: SmallRng,
    scratch: Scratch,
    /// The reply of the complete path.
    reply: Vec<u8>,
    /// Replies of the hot path in the present batch.
    hits: u64,
    /// When that batch was received.
    began: Instant,
}

fn serve(socket: &UdpSocket, on_wildcard: bool, shared: &Shared, stop: &AtomicBool) {
    let mut batch = Batch::new(on_wildcard);
    let mut worker = Worker::new(shared);
    while !stop.load(Ordering::Relaxed) {
        match batch.receive(socket) {
            Ok(count) => worker.answer(&mut batch, count),
            Err(error) if is_passing(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "receiving failed");
                thread::sleep(STOP_CHECK);
                continue;
            }
        }
        batch.send(socket, |client, error| tracing::debug!(%error, %client, "answer not sent"));
    }
}

impl<'a> Worker<'a> {
    fn new(shared: &'a Shared) -> Self {
        Self {
            shared,
            tally: shared.responder.metrics().tally(Carrier::Udp),
            draws: SmallRng::from_rng(&mut rand::rng()),
            scratch: Scratch::default(),
            reply: Vec::with_capacity(ANSWER),
            hits: 0,
            began: Instant::now(),
        }
    }

    /// Answers the queries of a batch.
    fn answer(&mut self, batch: &mut Batch, count: usize) {
        self.began = Instant::now();
        let shared = self.shared;
        let (round, limiting) = (shared.responder.round(), shared.limiter.limiting());
        let (queries, mut answers) = batch.parts();
        let (mut asked, mut found) = (SmallVec::<[_; BATCH]>::new(), Found::new());
        // No packet is known to make this panic. If one does, the complete path has those left to answer that were not found.
        catch_unwind(AssertUnwindSafe(|| look_up(&round, &queries, count, &mut asked, &mut found))).ok();
        let (asked, found) = (&asked[..], &found[..]);
        for at in 0..count {
            let packet = queries.packet(at);
            if !may_ask(queries.port(at)) {
                continue;
            }
            let client = Client { address: queries.address(at), transport: Transport::Udp };
            let out = answers.place(at);
            // If it panics, it costs the sender the answer and nobody else anything.
            let answered = catch_unwind(AssertUnwindSafe(|| {
                let random = || self.draws.next_u64();
                let now = || shared.clock.moment(self.began);
                let hit = match (asked.get(at), found.get(at)) {
                    (Some(Some(asked)), Some(Some(target))) => {
                        round.answer((asked, *target), &client, now, &mut self.scratch, random, out)
                    }
                    _ => None,
                };
                match hit {
                    Some(hit) => self.send_hit((&round, &limiting), &hit, packet, &client, out),
                    None => self.answer_completely(&limiting, packet, &client, out),
                }
            }));
            match answered {
                Ok(Some(octets)) => answers.send(at, octets),
                Ok(None) => {}
                Err(_) => {
                    tracing::error!(client = %queries.sender(at), "a query made the server fail; it stays unanswered")
                }
            }
        }
        self.tally.took(std::mem::take(&mut self.hits), self.began.elapsed());
    }

    /// Counts a reply of the hot path, which is in `out`, and gives the octets to send, if the limit lets any go.
    fn send_hit(
        &mut self,
        (round, limiting): (&Round<'_>, &Limiting<'_>),
        hit: &Hit,
        packet: &[u8],
        client: &Client,
        out: &mut [u8],
    ) -> Option<usize> {
        self.hits += 1;
        self.tally.count_alone(round.live_zone(), hit.qtype, hit.rcode);
        let queries = self.shared.responder.queries();
        if queries.is_on() {
            queries.note(packet, client.address, Carrier::Udp, hit.rcode, self.began.elapsed());
        }
        let told = || {
            let name =
                if hit.kind == Kind::Positive { NameRef::new(&packet[hit.qname.clone()]) } else { round.live_apex() };
            Told::of(hit.kind, Some(name), Some(hit.qtype))
        };
        match self.decide(limiting, client, hit.has_valid_cookie, told) {
            Decision::Send => Some(hit.octets),
            Decision::Slip => {
                let redirected = self.shared.responder.redirect(packet, client, self.now(), &mut self.reply)?;
                self.tally.truncated(redirected.truncated);
                copy(&self.reply, out)
            }
            Decision::Drop => None,
        }
    }

    /// Has the complete path answer, counts its reply, and gives the octets in `out` that are to be sent.
    fn answer_completely(
        &mut self,
        limiting: &Limiting<'_>,
        packet: &[u8],
        client: &Client,
        out: &mut [u8],
    ) -> Option<usize> {
        let (began, now, draw) = (Instant::now(), self.now(), self.draws.next_u64());
        let Some(mut reply) = self.shared.responder.respond(packet, client, draw, now, &mut self.reply) else {
            self.tally.ignored();
            return None;
        };
        let decision = self.decide(limiting, client, reply.has_valid_cookie, || Told::by(&reply));
        let sends = match decision {
            Decision::Send => true,
            Decision::Slip => {
                let redirected = self.shared.responder.redirect(packet, client, now, &mut self.reply);
                reply.truncated = redirected.as_ref().is_some_and(|redirected| redirected.truncated);
                redirected.is_some()
            }
            Decision::Drop => {
                reply.truncated = false;
                false
            }
        };
        let took = began.elapsed();
        self.tally.answered(&reply, took);
        self.shared.responder.queries().note(packet, client.address, Carrier::Udp, reply.rcode, took);
        if sends { copy(&self.reply, out) } else { None }
    }

    /// What becomes of a reply.
    #[inline]
    fn decide<'t>(
        &self,
        limiting: &Limiting<'_>,
        client: &Client,
        has_valid_cookie: bool,
        told: impl Fn() -> Told<'t>,
    ) -> Decision {
        let since_start = || self.shared.clock.since_start(self.began);
        if has_valid_cookie {
            return Decision::Send;
        }
        let decision = limiting.decide(client.address, &told, since_start);
        if decision != Decision::Send {
            self.tell_limited(client.address, &told(), since_start());
        }
        decision
    }

    /// Says in the log that answers are limited, if it is time for that.
    #[cold]
    fn tell_limited(&self, client: IpAddr, told: &Told<'_>, since_start: Duration) {
        let limiter = &self.shared.limiter;
        if let Some(network) = limiter.news(client, since_start) {
            tracing::warn!(%network, kind = told.matter(), limited = limiter.limited(), "answers are limited");
        }
    }

    /// The time of day too, which hardly any query needs.
    fn now(&self) -> Moment {
        self.shared.clock.moment(self.began)
    }
}

/// Reads the first `count` queries of a batch and finds what is asked for; what is not for the hot path stays empty.
fn look_up<'b>(
    round: &'b Round<'_>,
    queries: &Queries<'b>,
    count: usize,
    asked: &mut SmallVec<[Option<Asked<'b>>; BATCH]>,
    found: &mut Found<'b>,
) {
    for at in 0..count {
        let client = Client { address: queries.address(at), transport: Transport::Udp };
        asked.push(round.read(queries.packet(at), &client));
    }
    round.find(asked, found);
}

/// Puts a reply where it is sent from. None is longer than what a datagram may have.
fn copy(reply: &[u8], out: &mut [u8]) -> Option<usize> {
    out.get_mut(..reply.len())?.copy_from_slice(reply);
    Some(reply.len())
}

/// Whether what comes from a port can be a client's. What another name server sends is told by its QR bit.
fn may_ask(port: u16) -> bool {
    !NO_CLIENTS.contains(&port)
}

/// Nothing came in time, or an earlier answer found its port closed (ICMP), or a signal came.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | ConnectionRefused | Interrupted)
}

#[cfg(test)]
mod tests;
