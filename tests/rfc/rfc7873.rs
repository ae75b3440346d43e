//! RFC 7873 and RFC 9018: cookies over the wire. The vectors of RFC 9018 are in the unit tests.

use crate::common::message::{A, Response, Udp, pipeline, query};
use crate::common::{Server, Setup, edns, population};

const SECRET: &str = "e5e973e5a6b2a43f48e7dc849e37bfcf";

fn packet(cookie: Option<&[u8]>) -> Vec<u8> {
    let mut packet = query(7, "web.svc.local", A, None);
    let option = cookie.map(|cookie| (edns::COOKIE, cookie));
    edns::append(&mut packet, 0, 0, option.as_slice());
    packet
}

/// The reply over UDP, and the cookie in it.
fn ask(server: &Server, cookie: Option<&[u8]>) -> (Response, Option<Vec<u8>>) {
    let packet = packet(cookie);
    let response = Response::read(&Udp::to(server.dns[0]).exchange(&packet), &packet);
    let cookie = response.edns.as_ref().and_then(|edns| edns.option(edns::COOKIE)).map(<[u8]>::to_vec);
    (response, cookie)
}

#[test]
fn a_client_cookie_is_completed_and_kept() {
    let server = Server::start();
    population::two(&server);
    let (response, cookie) = ask(&server, Some(b"12345678"));
    let cookie = cookie.unwrap();
    assert_eq!((response.answer.len(), cookie.len(), &cookie[..9]), (2, 24, &b"12345678\x01"[..]));
    // §5.2.4: a good one is not replaced so soon.
    assert_eq!(ask(&server, Some(&cookie)).1, Some(cookie.clone()));
    // §5.2.3: what is not required is answered all the same.
    let forged = [&cookie[..16], &[0; 8]].concat();
    let (response, fresh) = ask(&server, Some(&forged));
    assert_eq!((response.rcode.as_str(), response.answer.len()), ("NOERROR", 2));
    assert_ne!(fresh.unwrap(), forged);
    assert_eq!(ask(&server, None).1, None, "nobody gets a cookie unasked");
}

#[test]
fn cookies_of_other_lengths_are_format_errors() {
    let server = Server::start();
    for length in [0, 7, 9, 15, 41, 200] {
        let (response, cookie) = ask(&server, Some(&vec![1; length]));
        assert_eq!((response.rcode.as_str(), cookie), ("FORMERR", None), "{length}");
    }
    for length in [8, 16, 24, 40] {
        let (response, cookie) = ask(&server, Some(&vec![1; length]));
        assert_eq!((response.rcode.as_str(), cookie.map(|cookie| cookie.len())), ("NXDOMAIN", Some(24)), "{length}");
    }
}

#[test]
fn a_query_may_be_nothing_but_a_cookie() {
    let server = Server::start();
    let mut client = Udp::to(server.dns[0]);
    let mut bare = vec![0, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let response = Response::parse(&client.exchange(&bare));
    assert_eq!((response.rcode.as_str(), response.octets.len()), ("FORMERR", 12));
    edns::append(&mut bare, 0, 0, &[(edns::COOKIE, b"12345678")]);
    let response = Response::parse(&client.exchange(&bare));
    assert_eq!((response.rcode.as_str(), response.octets.len()), ("NOERROR", 12 + 11 + 28));
}

#[test]
fn servers_with_one_secret_believe_each_other() {
    let [one, other] =
        [0, 1].map(|_| Setup::new().set("dns.cookie_secret", SECRET).set("dns.require_cookies", true).start());
    let stranger = Setup::new().set("dns.require_cookies", true).start();
    let cookie = ask(&one, Some(b"12345678")).1.unwrap();
    assert_eq!(ask(&other, Some(&cookie)).0.rcode, "NXDOMAIN");
    assert_eq!(ask(&stranger, Some(&cookie)).0.rcode, "BADCOOKIE");
}

#[test]
fn where_cookies_are_required() {
    let server = Setup::new().set("dns.require_cookies", true).start();
    population::two(&server);
    let (response, cookie) = ask(&server, Some(b"12345678"));
    assert_eq!((response.rcode.as_str(), response.answer.len()), ("BADCOOKIE", 0));
    assert_eq!(ask(&server, cookie.as_deref()).0.answer.len(), 2);
    for plain in [packet(None), query(7, "web.svc.local", A, None)] {
        let response = Response::read(&Udp::to(server.dns[0]).exchange(&plain), &plain);
        assert_eq!((response.rcode.as_str(), response.truncated, response.answer.len()), ("NOERROR", true, 0));
        let response = Response::read(&pipeline(server.dns[0], std::slice::from_ref(&plain))[0], &plain);
        assert_eq!((response.truncated, response.answer.len()), (false, 2), "TCP proves the address too");
    }
    // dig learns its cookie and comes again, or goes on by TCP, all by itself.
    server.dig("web.svc.local A +cookie").answers("A", &["10.0.0.1", "10.0.0.2"]);
    let reply = server.dig("web.svc.local A");
    assert!(reply.tcp, "{reply}");
    reply.answers("A", &["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn cookies_can_be_off() {
    let server = Setup::new().set("dns.cookies", false).start();
    for length in [7, 8] {
        let (response, cookie) = ask(&server, Some(&vec![1; length]));
        assert_eq!((response.rcode.as_str(), cookie), ("NXDOMAIN", None));
    }
    let refusal = Setup::new().set("dns.cookies", false).set("dns.require_cookies", true).start_refused();
    refusal.names(&["dns.require_cookies", "set dns.cookies = true"]);
}
