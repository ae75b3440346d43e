//! What a hostile peer can send, on both transports: whatever it is, an honest query after it is answered right.

mod common;

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use common::message::{self, A, Response, Tcp, Udp, frame};
use common::{Server, eventually, population};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

const SEED: u64 = 0x05ee_d0f0;
const HONEST_ID: u16 = 0xfeed;

fn server() -> Server {
    let server = Server::start();
    population::two(&server);
    server
}

/// Packets that each break one rule.
fn broken() -> Vec<(&'static str, Vec<u8>)> {
    let good = message::query(1, "web.svc.local", A, Some(1232));
    let changed = |changes: &[(usize, u8)]| {
        let mut packet = good.clone();
        changes.iter().for_each(|(at, octet)| packet[*at] = *octet);
        packet
    };
    let question = |name: &[u8]| [&good[..10], &[0, 0], name, &[0, 1, 0, 1]].concat();
    let chain: Vec<u8> = (0..4000_u16).flat_map(|at| (0xc000 | (12 + 2 * at)).to_be_bytes()).collect();
    let mut packets = vec![
        ("a response", changed(&[(2, 0x81)])),
        ("a response to a status query", changed(&[(2, 0x91)])),
        ("no question", changed(&[(5, 0)])),
        ("two questions", changed(&[(5, 2)])),
        ("questions without end", changed(&[(4, 0xff), (5, 0xff)])),
        ("answers that are not there", changed(&[(6, 0xff), (7, 0xff)])),
        ("two additional records, one there", changed(&[(11, 2)])),
        ("a label beyond the end", changed(&[(12, 63)])),
        ("a label of a kind that does not exist", changed(&[(12, 0x80)])),
        ("an extended label", changed(&[(12, 0x41)])),
        ("a name that points at itself", question(&[0xc0, 12])),
        ("a name that points beyond the end", question(&[0xff, 0xff])),
        ("a name that points into the header", question(&[0xc0, 0])),
        ("names that point at each other", question(&[0xc0, 14, 0xc0, 12])),
        ("a name of 256 octets", question(&[&[[1, b'a'].as_slice()].concat().repeat(127)[..], &[1, 0]].concat())),
        ("a name of 10,000 octets", question(&[1, b'a'].repeat(5000))),
        ("a chain of pointers", [&changed(&[(8, 0x0f), (9, 0xa0)])[..], &chain].concat()),
        ("an OPT record with a name", changed(&[(31, 1)])),
        ("the longest datagram", vec![0; 65_507]),
        ("the longest datagram behind a header", [&good[..], &[0xff; 65_000]].concat()),
        ("an update", changed(&[(2, 0x28)])),
        ("a notification", changed(&[(2, 0x24)])),
    ];
    packets.extend((0..good.len()).map(|length| ("a packet that is cut", good[..length].to_vec())));
    packets
}

fn random(rng: &mut SmallRng) -> Vec<u8> {
    let mut packet = vec![0; rng.random_range(0..600)];
    rng.fill_bytes(&mut packet);
    // Half of them get far enough to be read as queries.
    if rng.random() && packet.len() >= 40 {
        packet[2] &= 0x01;
        packet[4..12].copy_from_slice(&[0, 1, 0, 0, 0, 0, 0, 1]);
        packet[12..14].copy_from_slice(&[1, b'x']);
        packet[14] %= 20;
    }
    packet
}

/// Sends `packet`, then an honest query from the same socket, and reads until that is answered.
#[track_caller]
fn answers_after(client: &Udp, what: &str, packet: &[u8]) {
    let socket = client.socket();
    socket.send(packet).expect("loopback takes a datagram");
    let honest = message::query(HONEST_ID, "web.svc.local", A, None);
    socket.send(&honest).expect("loopback takes a datagram");
    let mut buffer = [0; 65_535];
    loop {
        let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("no answer after {what}: {error}"));
        let reply = &buffer[..length];
        assert!(length >= 12 && reply[2] & 0x80 != 0, "not a response, after {what}");
        if reply[..2] == honest[..2] && packet.get(..2) != Some(&honest[..2]) {
            assert_eq!(Response::read(reply, &honest).answer.len(), 2, "after {what}");
            return;
        }
        assert!(packet.get(..2) == reply.get(..2), "a response to nothing, after {what}");
        assert_ne!(packet[2] & 0x80, 0x80, "a response was answered: {what}");
    }
}

#[test]
fn broken_datagrams() {
    let server = server();
    let client = Udp::to(server.dns[0]);
    for (what, packet) in broken() {
        answers_after(&client, what, &packet);
    }
}

#[test]
fn random_datagrams() {
    let server = server();
    let client = Udp::to(server.dns[0]);
    let mut rng = SmallRng::seed_from_u64(SEED);
    for round in 0..5000 {
        let packet = random(&mut rng);
        answers_after(&client, &format!("random packet {round}: {packet:02x?}"), &packet);
    }
}

/// Sends `octets` and nothing more; the server answers what it can and closes.
#[track_caller]
fn closes_after(server: SocketAddr, octets: &[u8]) {
    let mut client = Tcp::to(server);
    // It may close before it has read everything.
    client.stream.write_all(octets).ok();
    client.stream.shutdown(Shutdown::Write).ok();
    client.rest();
}

#[test]
fn broken_messages_on_a_stream() {
    let server = server();
    for (what, packet) in broken() {
        closes_after(server.dns[0], &frame(&packet));
        let reply = Tcp::to(server.dns[0]).ask("web.svc.local", A, None);
        assert_eq!(reply.answer.len(), 2, "after {what}");
    }
}

#[test]
fn random_streams() {
    let server = server();
    let mut rng = SmallRng::seed_from_u64(SEED);
    for round in 0..500 {
        let messages: Vec<u8> = (0..rng.random_range(1..4)).flat_map(|_| frame(&random(&mut rng))).collect();
        closes_after(server.dns[0], if round % 2 == 0 { &messages } else { &messages[1..] });
    }
    assert_eq!(Tcp::to(server.dns[0]).ask("web.svc.local", A, None).answer.len(), 2);
}

/// What is no query ends a stream without the client's help: nobody knows where the next message would begin.
#[test]
fn what_is_no_query_closes_a_stream() {
    let server = server();
    let response = broken().swap_remove(0).1;
    for message in [&b""[..], b"eleven long", &response] {
        let mut client = Tcp::to(server.dns[0]);
        let honest = message::query(HONEST_ID, "web.svc.local", A, None);
        client.stream.write_all(&[frame(&honest), frame(message), frame(&honest)].concat()).unwrap();
        assert_eq!(Response::read(&client.receive(), &honest).answer.len(), 2);
        assert!(client.rest().is_empty());
    }
}

#[test]
fn drips_are_cut_off() {
    let server = server();
    let mut client = Tcp::to(server.dns[0]);
    client.stream.write_all(&[0xff]).unwrap();
    // An octet whenever there is time for one: the connection ends all the same, and long before 65,535 of them.
    let mut sent = 0;
    eventually("the connection is closed", || {
        sent += 1;
        client.stream.write_all(&[0]).map_or_else(|_| Ok(()), |()| Err(format!("{sent} octets were taken")))
    });
}

#[test]
fn two_thousand_silent_connections_from_one_address() {
    rlimit::increase_nofile_limit(4096).expect("as many as the system lets a process have");
    let server = server();
    let from = |host| IpAddr::V4(Ipv4Addr::new(127, 0, 0, host));
    let mut silent: Vec<_> = (0..2000).map(|_| Tcp::from_address(from(2), server.dns[0])).collect();
    for host in [2, 3] {
        let mut client = Tcp::from_address(from(host), server.dns[0]);
        assert_eq!(client.ask("web.svc.local", A, None).answer.len(), 2, "127.0.0.{host}");
    }
    assert_eq!(Udp::to(server.dns[0]).ask("web.svc.local", A, None).answer.len(), 2);
    for (at, client) in silent[..2000 - 128].iter_mut().enumerate() {
        assert!(client.rest().is_empty(), "connection {at} was closed in favour of a later one");
    }
}

/// Ends the flood whatever becomes of its test.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The honest client asks again when it hears nothing: what a full socket drops is the kernel's choice.
#[test]
fn a_flood_of_names_that_do_not_exist() {
    let server = server();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _flood = Flood(&over);
        scope.spawn(|| {
            let flooder = Udp::from_address(IpAddr::from([127, 0, 0, 2]), server.dns[0]);
            for number in 0_u64.. {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                // Its own full buffers are no concern of a flooder.
                flooder.socket().send(&message::query(1, &format!("n{number}.svc.local"), A, None)).ok();
            }
        });
        let honest = Udp::from_address(IpAddr::from([127, 0, 0, 3]), server.dns[0]);
        honest.socket().set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout above zero");
        for id in 0..10 {
            let query = message::query(id, "web.svc.local", A, None);
            let mut buffer = [0; 512];
            let length = eventually("an answer during a flood", || {
                loop {
                    honest.socket().send(&query)?;
                    let length = honest.socket().recv(&mut buffer)?;
                    // An answer to an earlier attempt may still come.
                    if buffer[..2] == query[..2] {
                        return std::io::Result::Ok(length);
                    }
                }
            });
            assert_eq!(Response::read(&buffer[..length], &query).answer.len(), 2);
        }
    });
}
