//! RFC 8914: why a reply is no better, for those who speak EDNS.

use crate::common::message::{A, Response, Udp, query};
use crate::common::{Server, edns};
use crate::table::check;

#[test]
fn reasons_have_codes() {
    check(
        Server::start().dns[0],
        "
> www.example. A edns                              ; not authoritative
REFUSED
error 20

> www.example. A                                   ; without EDNS there is no place for it
REFUSED

> svc.local. AXFR edns tcp                         ; not supported
REFUSED
error 21

> svc.local. IXFR edns
REFUSED
error 21

> svc.local. A class=HS edns                       ; prohibited
REFUSED
error 18

> svc.local. NS edns                               ; nothing to explain
NOERROR aa
answer svc.local. 5 NS server.srvd.ns.svc.local.
additional server.srvd.ns.svc.local. 5 A 127.0.0.1
",
    );
}

#[test]
fn the_text_is_for_people() {
    let server = Server::start();
    let reply = server.dig("www.example A");
    assert!(reply.raw.contains("EDE: 20 (Not Authoritative): (in no zone of this server)"), "{reply}");
    let mut notify = query(7, "svc.local", A, None);
    notify[2] = 0x20;
    edns::append(&mut notify, 0, 0, &[]);
    let response = Response::read(&Udp::to(server.dns[0]).exchange(&notify), &notify);
    let error = response.edns.unwrap().option(edns::EXTENDED_ERROR).map(<[u8]>::to_vec);
    assert_eq!(error, Some(b"\x00\x15only queries are served".to_vec()));
}
