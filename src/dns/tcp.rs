//! DNS over TCP (RFC 7766): a task for each connection, any number of queries on it.
//!
//! Answers go out in the order of the queries, which is right as none of them waits for anything. Making them takes the
//! processor, so this belongs on a runtime of its own: on one shared with others it could keep them waiting. Everything that a peer
//! can hold on to has a bound: connections in all, the time between queries, and the time to take an answer in.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Client, Responder, Transport};
use crate::engine::Clock;

/// Connections at one time on one listener; further ones wait in its backlog.
const CONNECTIONS: usize = 1024;
/// From one query, or the start, to the end of the next (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(10);
/// The same, while few slots are left: who says nothing makes room for who does.
const IDLE_WHEN_BUSY: Duration = Duration::from_millis(500);
/// Slots below which the server is busy.
const FEW: usize = CONNECTIONS / 4;
/// From an answer to its being taken in.
const STALLED: Duration = Duration::from_secs(10);

/// Serves connections until `stop`; then open ones end after the query that they are at.
pub async fn serve(listener: TcpListener, responder: Arc<Responder>, clock: Clock, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (responder, clock, stop) = (Arc::clone(&responder), clock.clone(), stop.clone());
                let idle = if slots.available_permits() < FEW { IDLE_WHEN_BUSY } else { IDLE };
                connections.spawn(async move {
                    if let Err(error) = converse(stream, &responder, &clock, idle, &stop).await {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the open connections time to end.
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(
    stream: TcpStream,
    responder: &Responder,
    clock: &Clock,
    idle: Duration,
    stop: &CancellationToken,
) -> std::io::Result<()> {
    let client = Client { address: stream.peer_addr()?.ip(), transport: Transport::Tcp { idle } };
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let (mut query, mut out, mut framed) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let length = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            length = timeout(idle, stream.read_u16()) => match length {
                Ok(Ok(length)) => usize::from(length),
                // The end of the stream is the usual end.
                Ok(Err(_)) | Err(_) => return Ok(()),
            },
        };
        query.resize(length, 0);
        timeout(idle, stream.read_exact(&mut query)).await??;
        let draw = rand::rng().next_u64();
        if responder.respond(&query, &client, draw, clock.now(), &mut out).is_some() {
            framed.clear();
            framed.extend_from_slice(&(out.len() as u16).to_be_bytes());
            framed.extend_from_slice(&out);
            timeout(STALLED, stream.get_mut().write_all(&framed)).await??;
        }
        // Queries that came together would otherwise be answered without a pause, at the cost of all other connections.
        yield_now().await;
    }
}
