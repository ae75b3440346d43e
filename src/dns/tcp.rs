//! DNS over TCP (RFC 7766): a task for each connection, any number of queries on it.
//!
//! Answers go out in the order of the queries, which is right as none of them waits for anything. Everything that a peer
//! can hold on to has a bound: connections in all, the time between queries, and the time to take an answer in.

use std::sync::Arc;
use std::time::Duration;

use rand::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{Responder, Transport};

/// Connections at one time; further ones wait in the listener's backlog.
const CONNECTIONS: usize = 1024;
/// From one query, or the start, to the end of the next (RFC 7766 §6.2.3).
const IDLE: Duration = Duration::from_secs(10);
/// From an answer to its being taken in.
const STALLED: Duration = Duration::from_secs(10);

/// Serves connections until `stop`; then open ones end after the query that they are at.
pub async fn serve(listener: TcpListener, responder: Arc<Responder>, stop: CancellationToken) {
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
                let (responder, stop) = (Arc::clone(&responder), stop.clone());
                connections.spawn(async move {
                    if let Err(error) = converse(stream, &responder, &stop).await {
                        tracing::debug!(%error, "connection ended");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give the open connections time to end.
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn converse(stream: TcpStream, responder: &Responder, stop: &CancellationToken) -> std::io::Result<()> {
    let client = stream.peer_addr()?.ip();
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let (mut query, mut out, mut framed) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let length = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            length = timeout(IDLE, stream.read_u16()) => match length {
                Ok(Ok(length)) => usize::from(length),
                // The end of the stream is the usual end.
                Ok(Err(_)) | Err(_) => return Ok(()),
            },
        };
        query.resize(length, 0);
        timeout(IDLE, stream.read_exact(&mut query)).await??;
        let draw = rand::rng().next_u64();
        if !responder.respond(&query, client, Transport::Tcp, draw, &mut out) {
            return Ok(());
        }
        framed.clear();
        framed.extend_from_slice(&(out.len() as u16).to_be_bytes());
        framed.extend_from_slice(&out);
        timeout(STALLED, stream.get_mut().write_all(&framed)).await??;
    }
}
