//! RFC 9619: a query has one question.

use crate::common::message::{A, Response, Udp, query};
use crate::common::{Server, edns};

#[test]
fn more_or_less_than_one_question_is_a_format_error() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    let one = query(7, "svc.local", A, None);
    let question = one[12..].to_vec();
    for count in [0_u8, 2, 3, 255] {
        for has_edns in [false, true] {
            let mut packet = one[..12].to_vec();
            packet[5] = count;
            packet.extend(question.repeat(usize::from(count)));
            if has_edns {
                edns::append(&mut packet, 0, 0, &[]);
            }
            let response = Response::parse(&client.exchange(&packet));
            assert_eq!(response.octets[..6], [0, 7, 0x81, 1, 0, 0], "{count}");
            assert_eq!(response.edns.is_some(), has_edns, "{count}");
        }
    }
}

#[test]
fn a_count_that_lies_is_a_format_error() {
    let server = Server::start();
    let mut packet = query(7, "svc.local", A, None);
    packet[4] = 0xff;
    let response = Response::parse(&Udp::to(server.dns[0]).exchange(&packet));
    assert_eq!((response.rcode.as_str(), response.octets.len()), ("FORMERR", 12));
}
