//! Hand-made queries, and responses read by an independent DNS implementation.
//!
//! Where a test needs thousands of queries, the same socket again, or the very octets, `dig` cannot help. Every response
//! is read to its end by the `domain` crate: a message that it cannot parse fails the test.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::str::FromStr;
use std::time::Duration;

use domain::base::name::ToLabelIter;
use domain::base::{Message, Name, ParsedName};
use domain::rdata::AllRecordData;
use socket2::{Domain, Socket, Type};

use super::edns::Edns;

pub const A: u16 = 1;
pub const AAAA: u16 = 28;
pub const SRV: u16 = 33;

const SILENCE: Duration = Duration::from_secs(20);

/// A query of class IN for `name` in presentation format, with its case kept; `udp_payload` adds an OPT record.
#[track_caller]
pub fn query(id: u16, name: &str, kind: u16, udp_payload: Option<u16>) -> Vec<u8> {
    let mut octets = id.to_be_bytes().to_vec();
    octets.extend([0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, u8::from(udp_payload.is_some())]);
    let name = Name::<Vec<u8>>::from_str(name).unwrap_or_else(|error| panic!("{name:?} is not a name: {error}"));
    octets.extend(name.as_slice());
    octets.extend(kind.to_be_bytes());
    octets.extend([0, 1]);
    if let Some(size) = udp_payload {
        octets.extend([0, 0, 41]);
        octets.extend(size.to_be_bytes());
        octets.extend([0; 6]);
    }
    octets
}

/// One client: a UDP socket that speaks to one server.
pub struct Udp {
    socket: UdpSocket,
    next_id: u16,
}

impl Udp {
    /// A socket on a free port of 127.0.0.1 or ::1, whichever reaches `server`.
    pub fn to(server: SocketAddr) -> Self {
        Self::from_address(server.ip(), server)
    }

    /// A socket on a free port of the loopback address `client`.
    pub fn from_address(client: IpAddr, server: SocketAddr) -> Self {
        let socket = UdpSocket::bind((client, 0)).expect("a free port");
        socket.connect(server).expect("loopback has a route");
        socket.set_read_timeout(Some(SILENCE)).expect("a timeout above zero");
        Self { socket, next_id: 1 }
    }

    /// The socket itself, which takes in what comes from the server only.
    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Asks a server that may not be up yet.
    pub fn try_ask(&mut self, name: &str, kind: u16) -> Option<Response> {
        let octets = query(1, name, kind, None);
        self.socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout above zero");
        self.socket.send(&octets).ok()?;
        let mut buffer = [0; 65_535];
        let length = self.socket.recv(&mut buffer).ok()?;
        Some(Response::read(&buffer[..length], &octets))
    }

    /// Asks and waits for the response with the same id.
    #[track_caller]
    pub fn ask(&mut self, name: &str, kind: u16, udp_payload: Option<u16>) -> Response {
        self.next_id = self.next_id.wrapping_add(1);
        let octets = query(self.next_id, name, kind, udp_payload);
        Response::read(&self.exchange(&octets), &octets)
    }

    /// Sends any octets and waits for those that come back.
    #[track_caller]
    pub fn exchange(&mut self, packet: &[u8]) -> Vec<u8> {
        self.socket.send(packet).expect("loopback takes a datagram");
        let mut buffer = [0; 65_535];
        let length =
            self.socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no response to {packet:02x?}: {error}"));
        buffer[..length].to_vec()
    }
}

/// Sends all `queries` down one TCP connection at once, and returns that many responses in the order they came.
#[track_caller]
pub fn pipeline(server: SocketAddr, queries: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut connection = TcpStream::connect(server).expect("TCP is always on");
    connection.set_read_timeout(Some(SILENCE)).expect("a timeout above zero");
    for query in queries {
        connection.write_all(&frame(query)).expect("the connection stays open");
    }
    queries.iter().map(|_| framed(&mut connection)).collect()
}

fn framed(connection: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 2];
    connection.read_exact(&mut length).expect("a length");
    let mut octets = vec![0; usize::from(u16::from_be_bytes(length))];
    connection.read_exact(&mut octets).expect("a whole message");
    octets
}

/// One client: a TCP connection to one server.
pub struct Tcp {
    pub stream: TcpStream,
}

impl Tcp {
    pub fn to(server: SocketAddr) -> Self {
        let unspecified = if server.is_ipv4() { IpAddr::from([0; 4]) } else { IpAddr::from([0; 16]) };
        Self::from_address(unspecified, server)
    }

    /// A connection from a free port of `client`.
    pub fn from_address(client: IpAddr, server: SocketAddr) -> Self {
        let socket = Socket::new(Domain::for_address(server), Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::new(client, 0).into()).expect("a free port");
        socket.connect(&server.into()).expect("TCP is always on");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(SILENCE)).expect("a timeout above zero");
        stream.set_nodelay(true).expect("a TCP socket");
        Self { stream }
    }

    /// Sends `query` with its length.
    #[track_caller]
    pub fn send(&mut self, query: &[u8]) {
        self.stream.write_all(&frame(query)).expect("the connection stays open");
    }

    /// Waits for the next message.
    #[track_caller]
    pub fn receive(&mut self) -> Vec<u8> {
        framed(&mut self.stream)
    }

    #[track_caller]
    pub fn ask(&mut self, name: &str, kind: u16, udp_payload: Option<u16>) -> Response {
        let query = query(77, name, kind, udp_payload);
        self.send(&query);
        Response::read(&self.receive(), &query)
    }

    /// Waits until the server closes, and gives what came before.
    #[track_caller]
    pub fn rest(&mut self) -> Vec<u8> {
        let (mut rest, mut buffer) = (Vec::new(), [0; 4096]);
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return rest,
                Ok(length) => rest.extend(&buffer[..length]),
                // How a stream ends whose last octets nobody has read.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return rest,
                Err(error) => panic!("the server does not close: {error}"),
            }
        }
    }
}

/// A message with its length, as a stream has it.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).expect("a message is at most 65,535 octets");
    [&length.to_be_bytes()[..], message].concat()
}

/// A response that parsed.
#[derive(Debug)]
pub struct Response {
    pub octets: Vec<u8>,
    /// With the part of it that the OPT record has: `NOERROR`, `BADVERS`.
    pub rcode: String,
    pub truncated: bool,
    pub authoritative: bool,
    pub answer: Vec<Record>,
    pub authority: Vec<Record>,
    /// Without the OPT record.
    pub additional: Vec<Record>,
    pub edns: Option<Edns>,
}

/// One record of a response.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Record {
    /// The owner name without the last dot, with its case kept.
    pub owner: String,
    /// The time to live in seconds.
    pub ttl: u32,
    /// The type's mnemonic.
    pub kind: String,
    /// The RDATA in presentation format.
    pub data: String,
    /// The RDATA's length on the wire, in octets.
    pub length: u16,
    /// The length of the longest name in the RDATA when it is not compressed, in octets; 0 without one.
    pub target_length: u16,
}

impl Response {
    /// Reads `octets` as the response to `query`.
    ///
    /// # Panics
    ///
    /// When any part does not parse, or when id or question are not, byte for byte, those of the query.
    #[track_caller]
    pub fn read(octets: &[u8], query: &[u8]) -> Self {
        assert_eq!(octets[..2], query[..2], "the id is another one");
        let question = 12..question_end(query);
        assert_eq!(octets.get(question.clone()), query.get(question), "the question is not echoed byte for byte");
        Self::parse(octets)
    }

    /// Reads `octets` as a response to whatever.
    ///
    /// # Panics
    ///
    /// When any part does not parse.
    #[track_caller]
    pub fn parse(octets: &[u8]) -> Self {
        let message = Message::from_octets(octets).expect("a whole header");
        assert!(message.header().qr(), "the response is a query");
        let answer = message.answer().expect("an answer section");
        let authority = message.authority().expect("an authority section");
        let additional = message.additional().expect("an additional section");
        Self {
            rcode: message.opt_rcode().to_string(),
            truncated: message.header().tc(),
            authoritative: message.header().aa(),
            answer: answer.map(|record| Record::read(&record.expect("a record"))).collect(),
            authority: authority.map(|record| Record::read(&record.expect("a record"))).collect(),
            additional: additional
                .map(|record| Record::read(&record.expect("a record")))
                .filter(|record| record.kind != "OPT")
                .collect(),
            edns: message.opt().map(|opt| Edns::read(&opt)),
            octets: octets.to_vec(),
        }
    }

    /// The data of the answer's first record.
    #[track_caller]
    pub fn first(&self) -> &str {
        &self.answer.first().unwrap_or_else(|| panic!("an empty answer: {self:?}")).data
    }

    /// The answer as a set.
    pub fn sorted_answer(&self) -> Vec<Record> {
        let mut answer = self.answer.clone();
        answer.sort();
        answer
    }
}

impl Record {
    fn read(record: &domain::base::ParsedRecord<'_, &[u8]>) -> Self {
        let whole = record.to_any_record::<AllRecordData<_, ParsedName<_>>>().expect("known types parse");
        let target_length = match whole.data() {
            AllRecordData::Srv(srv) => srv.target().compose_len(),
            _ => 0,
        };
        Self {
            owner: record.owner().to_string(),
            ttl: record.ttl().as_secs(),
            kind: record.rtype().to_string(),
            // An SVCB record without parameters would end on a space.
            data: whole.data().to_string().trim_end().to_owned(),
            length: record.rdlen(),
            target_length,
        }
    }
}

impl std::fmt::Display for Record {
    /// As a line of a master file.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { owner, ttl, kind, data, .. } = self;
        let dot = if owner == "." { "" } else { "." };
        // Names in data have their last dot, but for those of SRV records.
        let last = if kind == "SRV" && !data.ends_with('.') { "." } else { "" };
        write!(f, "{owner}{dot} {ttl} {kind} {data}{last}")
    }
}

/// The number of a type, from its mnemonic or from `TYPE65280` (RFC 3597).
#[track_caller]
pub fn kind(mnemonic: &str) -> u16 {
    mnemonic.parse::<domain::base::Rtype>().unwrap_or_else(|_| panic!("no type {mnemonic}")).to_int()
}

fn question_end(query: &[u8]) -> usize {
    let mut position = 12;
    while query[position] != 0 {
        position += usize::from(query[position]) + 1;
    }
    position + 5
}
