//! RFC 4035 §3.1.6 and RFC 1035 §4.1.1: of the header bits of a query a reply repeats RD and the opcode.

use crate::common::Server;
use crate::common::message::{A, Response, Udp, query};

#[test]
fn rd_is_copied_and_nothing_else() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    let packet = query(7, "svc.local", A, None);
    // AA, TC, RA, Z, AD, CD and a response code; with and without RD.
    for (high, low) in [(0x00, 0x00), (0x01, 0x00), (0x06, 0xff), (0x07, 0xff), (0x01, 0x10), (0x00, 0x20)] {
        let mut packet = packet.clone();
        (packet[2], packet[3]) = (high, low);
        let response = Response::read(&client.exchange(&packet), &packet);
        // QR and AA, and RD as it came.
        assert_eq!(response.octets[2..4], [0x84 | high & 0x01, 0x00], "{high:02x} {low:02x}");
    }
}

#[test]
fn no_opcode_but_query_is_served() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    for opcode in 1..16 {
        let mut packet = query(7, "svc.local", A, None);
        packet[2] = opcode << 3 | 0x01;
        let response = Response::read(&client.exchange(&packet), &packet);
        assert_eq!(response.rcode, "NOTIMP", "{opcode}");
        assert_eq!(response.octets[2..4], [0x80 | opcode << 3 | 0x01, 4], "{opcode}");
        assert_eq!(response.octets.len(), packet.len(), "nothing but the question");
    }
}
