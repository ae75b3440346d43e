//! RFC 7830 and RFC 8467: replies to padded queries are padded to blocks of 468 octets.

use crate::common::message::{A, Response, pipeline, query};
use crate::common::{Server, edns, population};
use crate::table::check;

#[test]
fn padded_queries_get_padded_replies_over_tcp() {
    let server = Server::start();
    population::many(&server, 40);
    for (name, options, length) in [
        ("www.example", &[(edns::PADDING, &[0; 13][..])][..], 468),
        ("www.example", &[(edns::PADDING, &[]), (edns::COOKIE, b"12345678"), (edns::KEEPALIVE, &[])], 468),
        ("web.svc.local", &[(edns::PADDING, &[])], 936),
        ("www.example", &[], 12 + 17 + 11 + 6 + "in no zone of this server".len()),
    ] {
        let mut packet = query(7, name, A, None);
        edns::append(&mut packet, 0, 0, options);
        let response = Response::read(&pipeline(server.dns[0], std::slice::from_ref(&packet))[0], &packet);
        assert_eq!(response.octets.len(), length, "{response:?}");
        let edns = response.edns.unwrap();
        let last = edns.options.last().map(|(code, _)| *code);
        assert_eq!(last == Some(edns::PADDING), !options.is_empty(), "{edns:?}");
        assert!(edns.option(edns::PADDING).is_none_or(|padding| padding.iter().all(|octet| *octet == 0)));
    }
}

#[test]
fn over_udp_nothing_is_padded() {
    check(
        Server::start().dns[0],
        "
> www.example. A opt=12:00000000
REFUSED
error 20
",
    );
}
