//! RFC 7828: how long a connection may rest.

use crate::common::{Server, Setup};
use crate::table::check;

#[test]
fn idle_times_are_told_over_tcp_to_who_asks() {
    check(
        Server::start().dns[0],
        "
> www.example. A opt=11 tcp                       ; ten seconds
REFUSED
option 11 0064
error 20

> www.example. A edns tcp
REFUSED
error 20

> www.example. A opt=11                           ; §3.2.2: over UDP it is ignored
REFUSED
error 20

> www.example. A opt=11:0064
REFUSED
error 20

> www.example. A opt=11:0064 tcp                  ; §3.2.1: a client gives no time
FORMERR
option 11 0064
",
    );
}

#[test]
fn the_time_that_is_told_is_the_one_that_is_kept() {
    let server = Setup::new().set("dns.tcp_idle", "2s").start();
    check(
        server.dns[0],
        "
> www.example. A opt=11 tcp
REFUSED
option 11 0014
error 20
",
    );
}
