//! RFC 5001: the name server identifier, for those who ask.

use crate::common::Setup;
use crate::table::check;

#[test]
fn who_asks_learns_it() {
    let server = Setup::new().set("dns.nsid", "ns1").start();
    check(
        server.dns[0],
        "
> svc.local. A opt=3
NOERROR aa
authority svc.local. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 0 3600 600 86400 5
option 3 6e7331

> svc.local. A edns                               ; §2.1: not unless it is asked for
NOERROR aa
authority svc.local. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 0 3600 600 86400 5

> www.example. A opt=3:ffff tcp                   ; data in the request means nothing
REFUSED
option 3 6e7331
error 20
",
    );
}

#[test]
fn a_server_without_a_name_says_nothing() {
    let server = Setup::new().start();
    check(
        server.dns[0],
        "
> www.example. A opt=3
REFUSED
error 20
",
    );
}
