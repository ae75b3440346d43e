//! Over real sockets on loopback: who gets which answer, and what the kernel is told.

use std::time::Duration;

use super::super::socket::set_up;
use super::*;

fn server(bound: &str) -> (UdpSocket, Batch) {
    let socket = UdpSocket::bind(bound).unwrap();
    let on_wildcard = set_up(&socket, Duration::from_secs(30)).unwrap();
    (socket, Batch::new(on_wildcard))
}

fn client(asked: SocketAddr) -> UdpSocket {
    let client = UdpSocket::bind(if asked.is_ipv4() { "127.0.0.1:0" } else { "[::1]:0" }).unwrap();
    // A connected socket takes in only what comes from the address that it asked.
    client.connect(asked).unwrap();
    client.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    client
}

fn answer(batch: &mut Batch, at: usize, octets: &[u8]) {
    let (_, mut answers) = batch.parts();
    answers.place(at)[..octets.len()].copy_from_slice(octets);
    answers.send(at, octets.len());
}

fn heard(client: &UdpSocket) -> Vec<u8> {
    let mut buffer = [0; DATAGRAM];
    let length = client.recv(&mut buffer).unwrap();
    buffer[..length].to_vec()
}

#[test]
fn the_address_that_was_asked_answers() {
    for (bound, asked) in
        [("0.0.0.0:0", "127.0.0.2"), ("0.0.0.0:0", "127.0.0.1"), ("127.0.0.3:0", "127.0.0.3"), ("[::]:0", "::1")]
    {
        let (socket, mut batch) = server(bound);
        let asked = SocketAddr::new(asked.parse().unwrap(), socket.local_addr().unwrap().port());
        let client = client(asked);
        client.send(b"question").unwrap();
        assert_eq!(batch.receive(&socket).unwrap(), 1);
        let (queries, _) = batch.parts();
        assert_eq!((queries.packet(0), queries.sender(0)), (&b"question"[..], client.local_addr().unwrap()));
        answer(&mut batch, 0, b"answer");
        batch.send(&socket, |_, error| panic!("{error}"));
        assert_eq!(heard(&client), b"answer", "{bound} asked at {asked}");
    }
}

#[test]
fn what_waits_comes_together_and_goes_to_whom_it_belongs() {
    for bound in ["127.0.0.1:0", "0.0.0.0:0"] {
        let (socket, mut batch) = server(bound);
        let asked = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), socket.local_addr().unwrap().port());
        let clients: Vec<UdpSocket> = (0..BATCH + 3).map(|_| client(asked)).collect();
        for (number, client) in clients.iter().enumerate() {
            client.send(&vec![number as u8; number]).unwrap();
        }
        let mut seen = 0;
        while seen < clients.len() {
            let count = batch.receive(&socket).unwrap();
            assert!(seen > 0 || count == BATCH, "the first batch is full");
            // Not in the order in which they came, and not all of them.
            for at in (0..count).rev() {
                let query = batch.parts().0.packet(at).to_vec();
                if query.len() % 2 == 0 {
                    answer(&mut batch, at, &query);
                }
            }
            batch.send(&socket, |_, error| panic!("{error}"));
            seen += count;
        }
        for (number, client) in clients.iter().enumerate().filter(|(number, _)| number % 2 == 0) {
            assert_eq!(heard(client), vec![number as u8; number]);
        }
        for client in clients.iter().skip(1).step_by(2) {
            client.set_nonblocking(true).unwrap();
            assert_eq!(client.recv(&mut [0; 1]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        }
    }
}

#[test]
fn batches_are_as_large_as_what_comes() {
    let (socket, mut batch) = server("127.0.0.1:0");
    let client = client(socket.local_addr().unwrap());
    let mut receive = |sent: usize| {
        (0..sent).for_each(|_| assert_eq!(client.send(b"question").unwrap(), 8));
        let mut counts = Vec::new();
        while counts.iter().sum::<usize>() < sent {
            counts.push(batch.receive(&socket).unwrap());
        }
        counts
    };
    assert_eq!(receive(BATCH + 1), [BATCH, 1]);
    (0..8).for_each(|_| assert_eq!(receive(1), [1]));
    assert_eq!(receive(FEW), [FEW]);
    assert_eq!(receive(6 * FEW), [2 * FEW, 4 * FEW]);
    assert_eq!(receive(BATCH), [BATCH]);
}

#[test]
fn the_longest_datagram_comes_whole() {
    let (socket, mut batch) = server("127.0.0.1:0");
    let client = client(socket.local_addr().unwrap());
    let longest: Vec<u8> = (0..65_507u32).map(|number| number as u8).collect();
    client.send(&longest).unwrap();
    assert_eq!(batch.receive(&socket).unwrap(), 1);
    assert_eq!(batch.parts().0.packet(0), longest);
    answer(&mut batch, 0, &longest[..ANSWER]);
    batch.send(&socket, |_, error| panic!("{error}"));
    assert_eq!(heard(&client), longest[..ANSWER]);
}

#[test]
fn one_that_cannot_be_sent_keeps_no_other_back() {
    let (socket, mut batch) = server("127.0.0.1:0");
    let clients: Vec<UdpSocket> = (0..3).map(|_| client(socket.local_addr().unwrap())).collect();
    let mut came = 0;
    for client in &clients {
        client.send(b"question").unwrap();
    }
    while came < 3 {
        // All that was sent on loopback is there.
        came += batch.receive(&socket).unwrap();
        assert_eq!(came, 3);
    }
    (0..3).for_each(|at| answer(&mut batch, at, b"answer"));
    // Port 0 is nobody's.
    batch.names[1].sin6_port = 0;
    let mut failures = Vec::new();
    batch.send(&socket, |client, _| failures.push(client.port()));
    assert_eq!(failures, [0]);
    assert_eq!((heard(&clients[0]), heard(&clients[2])), (b"answer".to_vec(), b"answer".to_vec()));
}

#[test]
fn nothing_in_time_is_an_error_that_passes() {
    for bound in ["0.0.0.0:0", "127.0.0.1:0"] {
        let socket = UdpSocket::bind(bound).unwrap();
        let mut batch = Batch::new(set_up(&socket, Duration::from_millis(1)).unwrap());
        assert_eq!(batch.receive(&socket).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}

#[test]
fn other_control_messages_are_not_sent_back() {
    let message = |level: i32, kind: i32, data: &[u8]| {
        let mut control = Control { octets: [0xee; CONTROL], length: Control::HEADER + data.len() };
        control.octets[8..12].copy_from_slice(&level.to_ne_bytes());
        control.octets[12..16].copy_from_slice(&kind.to_ne_bytes());
        control.octets[16..16 + data.len()].copy_from_slice(data);
        control.forget_interface();
        control.octets[16..control.length.max(16)].to_vec()
    };
    let ipv4 = [&[7, 0, 0, 0][..], &[127, 0, 0, 2, 127, 0, 0, 2]].concat();
    assert_eq!(message(libc::IPPROTO_IP, libc::IP_PKTINFO, &ipv4)[..5], [0, 0, 0, 0, 127]);
    let global = [&[0x20; 16][..], &[7, 0, 0, 0]].concat();
    assert_eq!(message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &global)[16..], [0; 4]);
    let link_local = [&[0xfe, 0x80][..], &[1; 14], &[7, 0, 0, 0]].concat();
    assert_eq!(message(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &link_local)[16..], [7, 0, 0, 0]);
    assert!(message(libc::IPPROTO_IP, libc::IP_TTL, &[64, 0, 0, 0]).is_empty());
}
