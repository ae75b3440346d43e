//! RFC 4892: who answers, and what runs there, as TXT records of class CH. Nothing is told that is not configured.

use crate::common::Setup;
use crate::table::check;

#[test]
fn what_is_configured_is_told() {
    let server = Setup::new().set("dns.nsid", "ns1").set("dns.version", "srvd, some version").start();
    check(
        server.dns[0],
        "
> ID.server. TXT class=CH
NOERROR
answer ID.server. 0 TXT \"ns1\"

> hostname.bind. TXT class=CH tcp edns
NOERROR
answer hostname.bind. 0 TXT \"ns1\"

> version.server. ANY class=CH
NOERROR
answer version.server. 0 TXT \"srvd, some version\"

> version.bind. TXT class=CH
NOERROR
answer version.bind. 0 TXT \"srvd, some version\"

> version.bind. A class=CH                        ; there is nothing else in this class
REFUSED

> authors.bind. TXT class=CH
REFUSED

> svc.local. SOA class=CH edns
REFUSED
error 18

> id.server. TXT                                  ; class IN is another name space
REFUSED
",
    );
    let reply = server.dig("version.bind CH TXT");
    assert_eq!(reply.answer, ["version.bind. 0 CH TXT \"srvd, some version\""], "{reply}");
}

#[test]
fn what_is_not_configured_is_refused() {
    let server = Setup::new().start();
    check(
        server.dns[0],
        "
> id.server. TXT class=CH
REFUSED

> hostname.bind. TXT class=CH
REFUSED

> version.server. TXT class=CH
REFUSED

> version.bind. TXT class=CH edns
REFUSED
error 18
",
    );
}
