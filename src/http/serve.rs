//! HTTP/1.1 on a socket, with a bound on everything that a peer can hold on to.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

use super::Entrance;

/// Connections at one time on all listeners; further ones wait in the backlog. Three of four may watch or wait, more than
/// 10,000. What each can be made to hold is bounded by [`HEAD_OCTETS`].
const CONNECTIONS: usize = 16_384;
/// From the start of a connection, or the end of a reply, to the end of the next request's head.
const HEAD: Duration = Duration::from_secs(60);
/// From one part of a reply that a peer took in to the next.
const STALLED: Duration = Duration::from_secs(30);
/// How long a connection that has not asked for anything yet is kept when the server stops: its request may be on its way.
const FIRST: Duration = Duration::from_secs(1);
/// Descriptors that are left to everything else, of those that a process may have.
const RESERVED: u64 = 256;
/// Octets that a request's head may have.
const HEAD_OCTETS: usize = 64 * 1024;

/// The address that a request came from; an extension of every request.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// How many connections there may be on one of so many listeners: never so many that no descriptor is left for anything
/// else.
pub fn connections(listeners: usize) -> usize {
    let descriptors = rlimit::Resource::NOFILE.get_soft().unwrap_or(1024);
    let granted = usize::try_from(descriptors.saturating_sub(RESERVED) / 4 * 3).unwrap_or(CONNECTIONS);
    (granted.min(CONNECTIONS) / listeners.max(1)).max(64)
}

/// Serves what is behind `entrance` on at most so many `connections` until `stop`; then open connections end after the
/// request that they are at. As long as any is left, new ones get one reply each, so that who asks is told that the server
/// is stopping; and so do those that wait to be taken when the last one ends.
pub async fn serve(listener: TcpListener, entrance: Entrance, connections: usize, stop: CancellationToken) {
    let slots = Arc::new(Semaphore::new(connections));
    let carried = |among: &watch::Sender<()>, (stream, peer, slot): Taken, keep_alive| {
        let asked = Arc::<Asked>::default();
        let connection = connection(stream, peer, &entrance, &asked, keep_alive);
        let (stop, is_open) = (stop.clone(), among.subscribe());
        tokio::spawn(async move {
            carry(until_stopped(connection, asked, stop), peer, slot).await;
            drop(is_open);
        });
    };
    let (open, _) = watch::channel(());
    while let Some(taken) = stop.run_until_cancelled(accept(&listener, &slots)).await {
        carried(&open, taken, true);
    }
    let (late, _) = watch::channel(());
    let drained = open.closed();
    tokio::pin!(drained);
    loop {
        tokio::select! {
            () = &mut drained => break,
            taken = accept(&listener, &slots) => carried(&late, taken, false),
        }
    }
    for taken in backlog(listener, &slots) {
        carried(&late, taken, false);
    }
    late.closed().await;
}

/// A connection, and the room that it has.
type Taken = (TcpStream, SocketAddr, OwnedSemaphorePermit);

/// The connections that wait to be taken, as far as there is room for them. Nobody waits any more after that.
fn backlog(listener: TcpListener, slots: &Arc<Semaphore>) -> Vec<Taken> {
    // What the runtime knows of the socket may be a moment old.
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = || {
        let (stream, peer) = listener.accept()?;
        stream.set_nonblocking(true)?;
        Ok((TcpStream::from_std(stream)?, peer))
    };
    let next = || {
        let slot = Arc::clone(slots).try_acquire_owned().ok()?;
        let told = |error: &io::Error| {
            if error.kind() != io::ErrorKind::WouldBlock {
                tracing::warn!(%error, "accepting failed");
            }
        };
        let (stream, peer) = accepted().inspect_err(told).ok()?;
        Some((stream, peer, slot))
    };
    std::iter::from_fn(next).collect()
}

/// The next connection, as soon as there is room for it.
async fn accept(listener: &TcpListener, slots: &Arc<Semaphore>) -> Taken {
    loop {
        // The semaphore is never closed.
        let Ok(slot) = Arc::clone(slots).acquire_owned().await else { std::future::pending().await };
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => {
                // Out of file descriptors, most likely: give the open connections time to end.
                tracing::warn!(%error, "accepting failed");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

/// A connection that answers one request or many.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    entrance: &Entrance,
    asked: &Arc<Asked>,
    keep_alive: bool,
) -> impl GracefulConnection<Error = hyper::Error> + Send + use<> {
    stream.set_nodelay(true).ok();
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(STALLED));
    let (visit, asked) = (entrance.visit(peer), Arc::clone(asked));
    let service = service_fn(move |request| {
        asked.note();
        visit.call(request)
    });
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_OCTETS)
        .keep_alive(keep_alive)
        .serve_connection(TokioIo::new(Box::pin(stream)), service)
}

/// Whether a connection has asked for anything.
#[derive(Debug, Default)]
struct Asked {
    has: AtomicBool,
    first: Notify,
}

impl Asked {
    fn note(&self) {
        if !self.has.load(Ordering::Relaxed) {
            self.has.store(true, Ordering::Release);
            self.first.notify_one();
        }
    }

    /// Returns once it has asked.
    async fn first(&self) {
        if !self.has.load(Ordering::Acquire) {
            self.first.notified().await;
        }
    }
}

/// Carries a connection until `stop`, and then to the end of the request that it is at. One that is idle ends at once; but
/// who has just connected is answered first.
async fn until_stopped<C: GracefulConnection>(connection: C, asked: Arc<Asked>, stop: CancellationToken) -> C::Output {
    tokio::pin!(connection);
    tokio::select! {
        ended = &mut connection => return ended,
        () = stop.cancelled() => {}
    }
    tokio::select! {
        ended = &mut connection => return ended,
        _ = tokio::time::timeout(FIRST, asked.first()) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}

/// Carries a connection to its end, then gives its slot back.
async fn carry(connection: impl Future<Output = hyper::Result<()>>, peer: SocketAddr, slot: OwnedSemaphorePermit) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, %peer, "connection ended");
    }
    drop(slot);
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hyper::body::Incoming;
    use hyper::{Request, Response};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::time::{Instant, sleep};

    use super::*;

    const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: srvd\r\n\r\n";

    /// The client's end of a connection that is carried until `stop`.
    fn connect(stop: &CancellationToken) -> DuplexStream {
        let (client, server) = tokio::io::duplex(1024);
        let asked = Arc::<Asked>::default();
        let noted = Arc::clone(&asked);
        let service = service_fn(move |_: Request<Incoming>| {
            noted.note();
            std::future::ready(Ok::<_, Infallible>(Response::new("done".to_owned())))
        });
        let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(server), service);
        tokio::spawn(until_stopped(connection, asked, stop.clone()));
        client
    }

    #[tokio::test]
    async fn who_waits_to_be_taken_is_taken_at_once_as_far_as_there_is_room() {
        for (waiting, room, taken) in [(3, 4, 3), (3, 2, 2), (0, 2, 0)] {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let connect = |_| std::net::TcpStream::connect(address).unwrap();
            let clients: Vec<_> = (0..waiting).map(connect).collect();
            let found = backlog(listener, &Arc::new(Semaphore::new(room)));
            let peers: Vec<_> = found.iter().map(|(_, peer, _)| *peer).collect();
            let first: Vec<_> = clients.iter().take(taken).map(|client| client.local_addr().unwrap()).collect();
            assert_eq!(peers, first, "in the order in which they came");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_just_connected_has_a_moment_to_ask() {
        let moment = Duration::from_millis(1);
        for (pause, answered) in [(Duration::ZERO, true), (FIRST - moment, true), (FIRST + moment, false)] {
            let stop = CancellationToken::new();
            let mut client = connect(&stop);
            stop.cancel();
            sleep(pause).await;
            assert_eq!(client.write_all(REQUEST).await.is_ok(), answered, "{pause:?}");
            let mut reply = String::new();
            client.read_to_string(&mut reply).await.unwrap();
            assert_eq!(reply.starts_with("HTTP/1.1 200 "), answered, "{pause:?}: {reply:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_has_asked_before_is_let_go_at_once() {
        for (asks, kept) in [(true, Duration::ZERO), (false, FIRST)] {
            let stop = CancellationToken::new();
            let mut client = connect(&stop);
            let mut reply = Vec::new();
            if asks {
                client.write_all(REQUEST).await.unwrap();
                while !reply.ends_with(b"done") {
                    client.read_buf(&mut reply).await.unwrap();
                }
            }
            let began = Instant::now();
            stop.cancel();
            assert_eq!(client.read_buf(&mut reply).await.unwrap(), 0);
            assert_eq!(began.elapsed(), kept);
        }
    }
}
