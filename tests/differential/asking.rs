//! Asking several servers the same questions.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use crate::common::message::{Response, pipeline};
use crate::questions::{Question, Transport};

/// Queries that are on their way to one server at once.
const WINDOW: usize = 32;
const SILENCE: Duration = Duration::from_secs(3);
const ATTEMPTS: usize = 5;

/// The responses of every server to `questions`, in their order.
pub fn ask(servers: &[SocketAddr], questions: &[Question]) -> Vec<Vec<Response>> {
    let sockets: Vec<UdpSocket> = servers.iter().map(|server| socket(*server)).collect();
    let mut responses = Vec::with_capacity(questions.len());
    for window in questions.chunks(WINDOW) {
        let mut of_servers: Vec<_> = std::thread::scope(|scope| {
            let asked = servers
                .iter()
                .zip(&sockets)
                .map(|(server, socket)| scope.spawn(move || of_one(*server, socket, window).into_iter()));
            asked.collect::<Vec<_>>().into_iter().map(|thread| thread.join().expect("it answers")).collect()
        });
        responses.extend(window.iter().map(|_| of_servers.iter_mut().filter_map(Iterator::next).collect()));
    }
    responses
}

fn socket(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    socket.connect(server).expect("loopback has a route");
    socket.set_read_timeout(Some(SILENCE)).expect("a timeout above zero");
    socket
}

fn of_one(server: SocketAddr, socket: &UdpSocket, questions: &[Question]) -> Vec<Response> {
    let queries: Vec<Vec<u8>> = (0..).zip(questions).map(|(id, question)| question.query(id)).collect();
    let mut found: Vec<Option<Response>> = questions.iter().map(|_| None).collect();
    let mut take = |octets: &[u8]| {
        let id = usize::from(u16::from_be_bytes([octets[0], octets[1]]));
        found[id] = Some(Response::read(octets, &queries[id]));
    };
    let by = |tcp: bool| queries.iter().zip(questions).filter(move |(_, q)| (q.transport == Transport::Tcp) == tcp);
    let over_tcp: Vec<Vec<u8>> = by(true).map(|(query, _)| query.clone()).collect();
    if !over_tcp.is_empty() {
        pipeline(server, &over_tcp).iter().for_each(|octets| take(octets));
    }
    for (query, question) in by(false) {
        take(&exchange(socket, query).unwrap_or_else(|| panic!("{server} does not answer {question:?}")));
    }
    found.into_iter().map(|response| response.expect("a response for each query")).collect()
}

/// Sends a query until it is answered. A datagram may get lost; a late answer to an earlier one is passed over.
fn exchange(socket: &UdpSocket, query: &[u8]) -> Option<Vec<u8>> {
    let mut buffer = [0; 65_535];
    for _ in 0..ATTEMPTS {
        socket.send(query).ok()?;
        while let Ok(length) = socket.recv(&mut buffer) {
            if length > 12 && buffer[..2] == query[..2] {
                return Some(buffer[..length].to_vec());
            }
        }
    }
    None
}
