//! DNS over UDP: a thread for each worker, on a socket of its own.
//!
//! Workers share the published index and nothing else. The kernel spreads clients over the sockets (SO_REUSEPORT).

use std::io;
use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::{Rng, SeedableRng};

use super::datagram::Datagrams;
use super::{Client, Responder, Transport};
use crate::engine::Clock;

/// The largest datagram; a query is never cut on its way in.
const DATAGRAM: usize = 65_535;
/// How long a worker without queries takes to notice that it should stop.
const STOP_CHECK: Duration = Duration::from_millis(250);

/// The running workers.
#[derive(Debug)]
pub struct Workers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    /// Starts one worker for each socket.
    pub fn start(
        sockets: impl IntoIterator<Item = UdpSocket>,
        responder: &Arc<Responder>,
        clock: &Clock,
    ) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        for (number, socket) in sockets.into_iter().enumerate() {
            let socket = Datagrams::new(socket, STOP_CHECK)?;
            let (responder, clock, stop) = (Arc::clone(responder), clock.clone(), Arc::clone(&stop));
            let worker = thread::Builder::new().name(format!("dns-udp-{number}"));
            threads.push(worker.spawn(move || serve(&socket, &responder, &clock, &stop))?);
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

fn serve(socket: &Datagrams, responder: &Responder, clock: &Clock, stop: &AtomicBool) {
    let mut buffer = vec![0; DATAGRAM];
    let mut out = Vec::with_capacity(4096);
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
        let client = Client { address: received.client.ip(), transport: Transport::Udp };
        for packet in received.datagrams(&buffer) {
            let draw = draws.next_u64();
            let respond = || responder.respond(packet, &client, draw, clock.now(), &mut out);
            // No packet is known to make this panic. If one does, it costs its sender the answer and nobody else
            // anything.
            match catch_unwind(AssertUnwindSafe(respond)) {
                Ok(Some(_)) => {
                    if let Err(error) = socket.answer(&received, &out) {
                        tracing::debug!(%error, client = %received.client, "answer not sent");
                    }
                }
                Ok(None) => {}
                Err(_) => {
                    tracing::error!(client = %received.client, "a query made the server fail; it stays unanswered")
                }
            }
        }
    }
}

/// Nothing came in time, or an earlier answer found its port closed (ICMP), or a signal came.
fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), WouldBlock | TimedOut | ConnectionRefused | Interrupted)
}
