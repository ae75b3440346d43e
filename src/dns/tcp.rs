//! DNS over TCP (RFC 7766): who listens, and a task for each connection.
//!
//! Making answers takes the processor, so this belongs on a runtime of its own: on one shared with others it could keep
//! them waiting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::connections::Place;
pub use super::connections::{Connections, Limits};
use super::conversation::{Party, converse};
use super::metrics::{Carrier, Tally};
use super::{Client, Responder, Scratch, Transport};
use crate::engine::Clock;

/// From a failure to accept to the next attempt.
const ACCEPT_AGAIN: Duration = Duration::from_millis(250);

/// Octets of a reply that the hot path may make; longer ones are rare.
const HOT: usize = 4096;

/// What all connections share.
#[derive(Clone)]
pub struct Shared {
    pub responder: Arc<Responder>,
    pub connections: Arc<Connections>,
    pub clock: Clock,
    pub stop: CancellationToken,
}

/// Serves connections until it is told to stop; then open ones end after the query that they are at.
pub async fn serve(listener: TcpListener, shared: Shared) {
    let open = TaskTracker::new();
    let tally = shared.responder.metrics().tally(Carrier::Tcp);
    loop {
        let accepted = tokio::select! {
            () = shared.stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, client)) => {
                // Without a place the stream is closed here.
                if let Some(place) = shared.connections.admit(client.ip(), shared.clock.tick()) {
                    open.spawn(attend(stream, client, place, shared.clone(), Arc::clone(&tally)));
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the open connections time to end.
                tracing::warn!(%error, "accepting failed");
                tokio::select! {
                    () = shared.stop.cancelled() => break,
                    () = tokio::time::sleep(ACCEPT_AGAIN) => {}
                }
            }
        }
    }
    open.close();
    open.wait().await;
}

async fn attend(mut stream: TcpStream, client: SocketAddr, place: Place, shared: Shared, tally: Arc<Tally>) {
    // Where it fails the connection is gone, which the first read will say.
    stream.set_nodelay(true).ok();
    let (reader, writer) = stream.split();
    let party = Party { place: &place, clock: &shared.clock, stop: &shared.stop };
    let mut scratch = Scratch::default();
    let answer = |query: &[u8], idle, now, out: &mut Vec<u8>| {
        let client = Client { address: client.ip(), transport: Transport::Tcp { idle } };
        let began = Instant::now();
        let round = shared.responder.round();
        out.resize(HOT, 0);
        if let Some(hit) = round.hit(query, &client, now, &mut scratch, || rand::rng().next_u64(), out) {
            out.truncate(hit.octets);
            tally.count(round.live_zone(), Some(hit.qtype), hit.rcode);
            let took = began.elapsed();
            tally.took(1, took);
            shared.responder.queries().note(query, client.address, Carrier::Tcp, hit.rcode, took);
            return true;
        }
        match shared.responder.respond(query, &client, rand::rng().next_u64(), now, out) {
            Some(reply) => {
                let took = began.elapsed();
                tally.answered(&reply, took);
                shared.responder.queries().note(query, client.address, Carrier::Tcp, reply.rcode, took);
            }
            None => {
                tally.ignored();
                return false;
            }
        }
        true
    };
    if let Err(error) = converse(reader, writer, party, answer).await {
        tracing::debug!(%error, %client, "connection ended");
    }
}
