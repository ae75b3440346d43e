//! DNS over UDP: a thread for each worker, on a socket of its own.
//!
//! Workers share the published index and nothing else. The kernel spreads clients over the sockets (SO_REUSEPORT).

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::{Rng, SeedableRng};
use tokio::time::Instant;

use super::datagram::Datagrams;
use super::metrics::{Carrier, Tally};
use super::rate_limit::{Decision, RateLimiter, Told};
use super::{Client, Reply, Responder, Transport};
use crate::engine::Clock;
use crate::model::Moment;

/// The largest datagram; a query is never cut on its way in.
const DATAGRAM: usize = 65_535;
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
            let socket = Datagrams::new(socket, STOP_CHECK)?;
            let (shared, stop) = (shared.clone(), Arc::clone(&stop));
            let worker = thread::Builder::new().name(format!("dns-udp-{number}"));
            threads.push(worker.spawn(move || serve(&socket, &shared, &stop))?);
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

fn serve(socket: &Datagrams, shared: &Shared, stop: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM];
    let mut out = Vec::with_capacity(4096);
    let tally = shared.responder.metrics().tally(Carrier::Udp);
    let mut draws = rand::rngs::SmallRng::from_rng(&mut rand::rng());
    while !stop.load(Ordering::Relaxed) {
        let received = match socket.receive(&mut buffer) {
            Ok(received) => received,
            Err(error) if is_passing(&error) => continue,
            Err(error) => {
                tracing::warn!(%error, "receiving failed");
                thread::sleep(STOP_CHECK);
                continue;
            }
        };
        let client = received.client;
        if !may_ask(client) {
            continue;
        }
        for packet in received.datagrams(&buffer) {
            let draw = draws.next_u64();
            // No packet is known to make this panic. If one does, it costs its sender the answer and nobody else
            // anything.
            match catch_unwind(AssertUnwindSafe(|| shared.respond(packet, client.ip(), draw, &tally, &mut out))) {
                Ok(true) => {
                    if let Err(error) = socket.answer(&received, &out) {
                        tracing::debug!(%error, %client, "answer not sent");
                    }
                }
                Ok(false) => {}
                Err(_) => tracing::error!(%client, "a query made the server fail; it stays unanswered"),
            }
        }
    }
}

impl Shared {
    /// Writes what is to be sent into `out` and counts it; `false` when nothing is.
    fn respond(&self, packet: &[u8], address: IpAddr, draw: u64, tally: &Tally, out: &mut Vec<u8>) -> bool {
        let client = Client { address, transport: Transport::Udp };
        let began = Instant::now();
        let now = self.clock.moment(began);
        let Some(mut reply) = self.responder.respond(packet, &client, draw, now, out) else {
            tally.ignored();
            return false;
        };
        let decision = self.decide(&reply, address, now);
        let sends = match decision {
            Decision::Send => true,
            Decision::Slip => {
                let redirected = self.responder.redirect(packet, &client, now, out);
                reply.truncated = redirected.as_ref().is_some_and(|redirected| redirected.truncated);
                redirected.is_some()
            }
            Decision::Drop => {
                reply.truncated = false;
                false
            }
        };
        let took = began.elapsed();
        tally.answered(&reply, took);
        self.responder.queries().note(packet, address, Carrier::Udp, reply.rcode, took);
        sends
    }

    /// What becomes of a reply.
    fn decide(&self, reply: &Reply, address: IpAddr, now: Moment) -> Decision {
        if reply.has_valid_cookie {
            return Decision::Send;
        }
        let since_start = Duration::from_millis(now.tick.0);
        let decision = self.limiter.decide(address, &Told::by(reply), since_start);
        if decision != Decision::Send
            && let Some(network) = self.limiter.news(address, since_start)
        {
            tracing::warn!(%network, kind = ?reply.kind, limited = self.limiter.limited(), "answers are limited");
        }
        decision
    }
}

/// Whether what comes from there can be a client's. What another name server sends is told by its QR bit.
fn may_ask(sender: SocketAddr) -> bool {
    !NO_CLIENTS.contains(&sender.port())
}

/// Nothing came in time, or an earlier answer found its port closed (ICMP), or a signal came.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | ConnectionRefused | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_no_clients() {
        for (port, may) in [(0, false), (7, false), (19, false), (464, false), (53, true), (1024, true), (65_535, true)]
        {
            assert_eq!(may_ask(SocketAddr::from(([192, 0, 2, 1], port))), may, "{port}");
        }
    }
}
