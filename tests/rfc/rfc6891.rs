//! RFC 6891: the OPT record in queries and replies.

use crate::common::message::{A, Response, Udp, query};
use crate::common::{Server, edns, population};

/// The reply to a query with an OPT record, asked for by UDP.
fn ask(server: &Server, version: u8, flags: u16, options: &[(u16, &[u8])]) -> Response {
    let mut packet = query(7, "web.svc.local", A, None);
    edns::append(&mut packet, version, flags, options);
    Response::read(&Udp::to(server.dns[0]).exchange(&packet), &packet)
}

#[test]
fn other_versions_are_told_the_one_that_is_spoken() {
    let server = Server::start();
    population::two(&server);
    for version in [1, 2, 255] {
        // What looks like a broken option may be none in that version.
        for options in [&[][..], &[(edns::COOKIE, &[1][..])]] {
            let response = ask(&server, version, 0x8000, options);
            let edns = response.edns.as_ref().unwrap();
            assert_eq!((response.rcode.as_str(), edns.version, edns.options.len()), ("BADVERS", 0, 0), "{response:?}");
            assert!(response.answer.is_empty() && !response.authoritative, "{response:?}");
        }
    }
}

#[test]
fn do_is_copied_and_other_flags_are_not() {
    let server = Server::start();
    population::two(&server);
    for (flags, expected) in [(0, 0), (0x8000, 0x8000), (0x7fff, 0), (0xffff, 0x8000)] {
        let edns = ask(&server, 0, flags, &[]).edns.unwrap();
        assert_eq!((edns.flags, edns.version, edns.udp_payload), (expected, 0, 1232), "{flags:04x}");
    }
}

#[test]
fn unknown_options_are_ignored() {
    let server = Server::start();
    population::two(&server);
    let subnet: &[u8] = &[0, 1, 24, 0, 192, 0, 2];
    for option in [(8, subnet), (65_001, b"whatever"), (0, b""), (65_535, &[0; 500])] {
        let response = ask(&server, 0, 0, &[option]);
        assert_eq!((response.rcode.as_str(), response.answer.len()), ("NOERROR", 2), "{response:?}");
        assert_eq!(response.edns.unwrap().options, [], "RFC 7871 §7.2.1: nothing is said of options that are not used");
    }
}

#[test]
fn an_opt_record_is_alone_and_whole() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    let opt = |packet: &mut Vec<u8>| edns::append(packet, 0, 0, &[]);
    let plain = query(7, "web.svc.local", A, None);
    let mut twice = plain.clone();
    opt(&mut twice);
    opt(&mut twice);
    let mut in_answer = plain.clone();
    opt(&mut in_answer);
    in_answer.swap(7, 11);
    let mut cut_option = plain.clone();
    edns::append(&mut cut_option, 0, 0, &[(3, b"x")]);
    let at = cut_option.len() - 2;
    cut_option[at] = 2;
    for packet in [twice, in_answer, cut_option] {
        let response = Response::read(&client.exchange(&packet), &packet);
        assert_eq!((response.rcode.as_str(), &response.edns), ("FORMERR", &None), "{packet:02x?}");
    }
    // What is wrong elsewhere leaves the record of use (§7).
    let mut more = plain;
    opt(&mut more);
    more[11] += 1;
    let response = Response::read(&client.exchange(&more), &more);
    assert!(response.rcode == "FORMERR" && response.edns.is_some(), "{response:?}");
}

#[test]
fn a_cut_answer_keeps_its_opt_record() {
    let server = Server::start();
    population::many(&server, 40);
    let mut packet = query(7, "_web._tcp.svc.local", 33, None);
    edns::append(&mut packet, 0, 0x8000, &[(edns::COOKIE, b"12345678")]);
    let response = Response::read(&Udp::to(server.dns[0]).exchange(&packet), &packet);
    assert!(response.truncated && response.octets.len() <= 1232, "{response:?}");
    assert_eq!(response.edns.unwrap().option(edns::COOKIE).map(<[u8]>::len), Some(24));
}

#[test]
fn who_does_not_speak_edns_gets_none() {
    let server = Server::start();
    let response = Udp::to(server.dns[0]).ask("www.example", A, None);
    assert_eq!((response.rcode.as_str(), response.edns), ("REFUSED", None));
}
