//! Conversations over an in-memory stream, on a clock that stands still.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::{DuplexStream, duplex, split};
use tokio::task::JoinHandle;
use tokio::time::advance;

use super::super::connections::{Connections, Limits};
use super::*;

const IDLE: Duration = Duration::from_secs(30);
const MILLISECOND: Duration = Duration::from_millis(1);

/// One conversation with a server that answers every message with itself, `longN` with N octets and `bad` not at all.
struct Server {
    client: DuplexStream,
    ended: JoinHandle<io::Result<()>>,
    stop: CancellationToken,
    connections: Arc<Connections>,
    answered: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
}

/// A writer whose writes are counted.
struct Counted<W>(W, Arc<AtomicUsize>);

impl<W: AsyncWrite + Unpin> AsyncWrite for Counted<W> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Pin::new(&mut self.0).poll_write(context, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Server {
    /// `window` is how many octets are under way in each direction, at most.
    fn start(window: usize) -> Self {
        let (client, stream) = duplex(window);
        let stop = CancellationToken::new();
        let connections = Connections::new(Limits { connections: 1, per_client: 1, idle: IDLE });
        let clock = Clock::start();
        let place = connections.admit(IpAddr::V4(Ipv4Addr::LOCALHOST), clock.tick()).unwrap();
        let answered = Arc::new(AtomicUsize::new(0));
        let (stopped, count) = (stop.clone(), Arc::clone(&answered));
        let writes = Arc::new(AtomicUsize::new(0));
        let written = Arc::clone(&writes);
        let ended = tokio::spawn(async move {
            let (reader, writer) = split(stream);
            let party = Party { place: &place, clock: &clock, stop: &stopped };
            converse(reader, Counted(writer, written), party, |query: &[u8], idle, _, out: &mut Vec<u8>| {
                assert_eq!(idle, IDLE.min(place.idle()));
                count.fetch_add(1, Ordering::Relaxed);
                out.clear();
                match query.strip_prefix(b"long") {
                    Some(length) => out.resize(std::str::from_utf8(length).unwrap().parse().unwrap(), b'x'),
                    None => out.extend(query),
                }
                query != b"bad" && !query.is_empty()
            })
            .await
        });
        Self { client, ended, stop, connections, answered, writes }
    }

    async fn send(&mut self, octets: &[u8]) {
        self.client.write_all(octets).await.unwrap();
    }

    async fn receive(&mut self) -> Vec<u8> {
        let length = self.client.read_u16().await.unwrap();
        let mut message = vec![0; usize::from(length)];
        self.client.read_exact(&mut message).await.unwrap();
        message
    }

    /// What else comes until the server closes.
    async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.client.read_to_end(&mut rest).await.unwrap();
        rest
    }

    /// Lets everything happen that does not take time.
    async fn settle(&self) {
        for _ in 0..1000 {
            yield_now().await;
        }
    }

    async fn has_ended_after(&self, time: Duration) -> bool {
        self.settle().await;
        advance(time).await;
        self.settle().await;
        self.ended.is_finished()
    }
}

fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

#[tokio::test(start_paused = true)]
async fn queries_may_be_cut_anywhere() {
    let mut server = Server::start(1024);
    for octet in framed(b"question") {
        server.send(&[octet]).await;
        server.settle().await;
    }
    assert_eq!(server.receive().await, b"question");
}

#[tokio::test(start_paused = true)]
async fn many_at_once_are_answered_in_order_and_leave_in_one_write() {
    let mut server = Server::start(64 * 1024);
    let octets: Vec<u8> = (0..100).flat_map(|number| framed(format!("question {number}").as_bytes())).collect();
    server.send(&octets).await;
    let mut answers = vec![0; octets.len()];
    server.client.read_exact(&mut answers).await.unwrap();
    assert_eq!((answers == octets, server.writes.load(Ordering::Relaxed)), (true, 1));
}

#[tokio::test(start_paused = true)]
async fn the_longest_answers_arrive() {
    let mut server = Server::start(1000);
    for _ in 0..3 {
        server.send(&framed(b"long65535")).await;
        assert_eq!(server.receive().await.len(), 65_535);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_asked_before_the_client_closed_is_answered() {
    let mut server = Server::start(64);
    server.send(&[framed(b"one"), framed(b"long3000")].concat()).await;
    server.client.shutdown().await.unwrap();
    assert_eq!(server.receive().await, b"one");
    assert_eq!(server.receive().await.len(), 3000);
    assert!(server.rest().await.is_empty());
    assert!(server.ended.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_no_query_ends_it_after_the_answers_before() {
    for end in [framed(b"bad"), framed(b"")] {
        let mut server = Server::start(1024);
        server.send(&[framed(b"one"), end, framed(b"two")].concat()).await;
        assert_eq!(server.receive().await, b"one");
        assert!(server.rest().await.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_resting_connection_ends_after_the_idle_time() {
    let mut server = Server::start(1024);
    assert!(!server.has_ended_after(IDLE - MILLISECOND).await);
    server.send(&framed(b"one")).await;
    assert_eq!(server.receive().await, b"one");
    assert!(!server.has_ended_after(IDLE - MILLISECOND).await, "each query begins it anew");
    assert!(server.has_ended_after(2 * MILLISECOND).await);
    assert!(server.ended.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_query_has_a_time_to_arrive_in() {
    for sent in [vec![0], vec![0, 9], framed(b"question")[..5].to_vec()] {
        let mut server = Server::start(1024);
        assert!(!server.has_ended_after(IDLE / 2).await);
        server.send(&sent).await;
        assert!(!server.has_ended_after(TRANSFER - MILLISECOND).await, "{sent:?}");
        server.send(b"x").await;
        assert!(server.has_ended_after(2 * MILLISECOND).await, "an octet more gains no time: {sent:?}");
        assert_eq!(server.ended.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_takes_nothing_in_is_not_answered_without_end() {
    let mut server = Server::start(100);
    server.client = {
        let client = std::mem::replace(&mut server.client, duplex(1).0);
        let (mut reader, mut writer) = split(client);
        // It asks for as long as anybody listens, and takes in nothing of what it is told.
        let asking = tokio::spawn(async move { while writer.write_all(&framed(b"long1000")).await.is_ok() {} });
        server.settle().await;
        assert!(!server.has_ended_after(TRANSFER - MILLISECOND).await);
        let answered = server.answered.load(Ordering::Relaxed);
        assert!((10..40).contains(&answered), "{answered} answers of 1000 octets are waiting");
        assert!(server.has_ended_after(3 * MILLISECOND).await);
        asking.await.unwrap();
        let mut rest = Vec::new();
        reader.read_to_end(&mut rest).await.unwrap();
        duplex(1).0
    };
    assert_eq!(server.ended.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn queries_are_read_while_answers_are_not_taken_in() {
    let mut server = Server::start(100);
    server.send(&framed(b"long5000")).await;
    server.settle().await;
    server.send(&framed(b"behind it")).await;
    server.settle().await;
    assert_eq!(server.answered.load(Ordering::Relaxed), 2);
    assert_eq!(server.receive().await.len(), 5000);
    assert_eq!(server.receive().await, b"behind it");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_gets_all_of_it_if_each_batch_is_in_time() {
    let mut server = Server::start(2048);
    server.send(&framed(b"long60000")).await;
    let mut octets = 0;
    while octets < 60_002 {
        octets += server.client.read(&mut [0; 2048]).await.unwrap();
        // 30 reads within the time for one batch, and more in all.
        advance(TRANSFER / 40).await;
    }
    server.send(&framed(b"next")).await;
    assert_eq!(server.receive().await, b"next");
}

#[tokio::test(start_paused = true)]
async fn the_query_that_it_is_at_is_the_last_one_when_the_server_stops() {
    let mut resting = Server::start(1024);
    resting.settle().await;
    resting.stop.cancel();
    assert!(resting.rest().await.is_empty());

    let mut asking = Server::start(1024);
    let query = framed(b"question");
    asking.send(&query[..4]).await;
    asking.settle().await;
    asking.stop.cancel();
    asking.settle().await;
    asking.send(&query[4..]).await;
    assert_eq!(asking.receive().await, b"question");
    assert!(asking.rest().await.is_empty());
    assert!(asking.ended.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn it_ends_when_its_place_goes_to_another() {
    let mut server = Server::start(1024);
    server.settle().await;
    let _newcomer = server.connections.admit(IpAddr::V4(Ipv4Addr::LOCALHOST), Clock::start().tick()).unwrap();
    assert!(server.rest().await.is_empty());
    assert!(server.ended.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_never_rests_ends_as_well() {
    for is_eviction in [true, false] {
        let connections = Connections::new(Limits { connections: 1, per_client: 1, idle: IDLE });
        let (clock, stop) = (Clock::start(), CancellationToken::new());
        let admit = || connections.admit(IpAddr::V4(Ipv4Addr::LOCALHOST), clock.tick());
        let place = admit().unwrap();
        let party = Party { place: &place, clock: &clock, stop: &stop };
        let mut left = 1000;
        let make = |query: &[u8], _, _, out: &mut Vec<u8>| {
            left -= 1;
            if left == 0 && is_eviction {
                place.rests(clock.tick());
                drop(admit().unwrap());
            } else if left == 0 {
                stop.cancel();
            }
            assert!(left > -1000, "it goes on");
            out.clear();
            out.extend(query);
            true
        };
        // Queries without end, of ones, 257 in each, and answers are gone at once.
        converse(tokio::io::repeat(1), tokio::io::sink(), party, make).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn no_connection_lives_for_ever() {
    let mut server = Server::start(1024);
    let mut age = Duration::ZERO;
    while age < LIFETIME - IDLE {
        server.send(&framed(b"still here")).await;
        assert_eq!(server.receive().await, b"still here");
        assert!(!server.has_ended_after(IDLE / 2).await);
        age += IDLE / 2;
    }
    server.send(&framed(b"last")).await;
    assert_eq!(server.receive().await, b"last");
    assert!(!server.has_ended_after(IDLE - 100 * MILLISECOND).await);
    assert!(server.has_ended_after(101 * MILLISECOND).await);
}
