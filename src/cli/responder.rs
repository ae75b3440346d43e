//! For tests: servers that answer requests with what they are told, or that do not answer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use socket2::{Domain, Socket, Type};

use super::connection::ServerUrl;

/// A server for one request, or some.
pub(super) struct Responder {
    address: SocketAddr,
    thread: JoinHandle<String>,
}

impl Responder {
    /// Sends `response` after the first request, then closes the connection.
    pub(super) fn once(response: &str) -> Self {
        Self::each(&[response])
    }

    /// Answers as many connections, one request on each.
    pub(super) fn each(responses: &[&str]) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let responses: Vec<String> = responses.iter().map(|response| (*response).to_owned()).collect();
        let thread = std::thread::spawn(move || {
            let mut requests = String::new();
            for response in responses {
                let (mut stream, _) = listener.accept().unwrap();
                requests += &read_request(&mut stream);
                stream.write_all(response.as_bytes()).unwrap();
            }
            requests
        });
        Self { address, thread }
    }

    /// The same with the head written for a body of JSON.
    pub(super) fn json(status: &str, body: &str) -> Self {
        let length = body.len();
        Self::once(&format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"))
    }

    pub(super) fn url(&self) -> ServerUrl {
        url(self.address)
    }

    /// The request as it came, head and body; several follow each other.
    pub(super) fn request(self) -> String {
        self.thread.join().unwrap()
    }
}

/// A port that is taken, so that nobody else gets it, and on which nobody listens.
pub(super) fn held_port() -> (ServerUrl, Socket) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (url(address), socket)
}

/// A server whose kernel takes connections, and that never reads from them.
pub(super) fn silent() -> (ServerUrl, TcpListener) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    (url(listener.local_addr().unwrap()), listener)
}

fn url(address: SocketAddr) -> ServerUrl {
    format!("http://{address}").parse().unwrap()
}

fn read_request(stream: &mut TcpStream) -> String {
    let mut request = Vec::new();
    let mut octet = [0];
    while !request.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut octet).unwrap();
        request.push(octet[0]);
    }
    let mut request = String::from_utf8(request).unwrap();
    let length = request.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |octets| octets.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    request.push_str(std::str::from_utf8(&body).unwrap());
    request
}
