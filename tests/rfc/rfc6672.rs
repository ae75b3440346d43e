//! RFC 6672: DNAME, and substitutions that make no name.

use crate::common::Setup;
use crate::table::check;

#[test]
fn a_name_that_grows_too_long_is_yxdomain() {
    let long = [62, 62, 62].map(|length| "x".repeat(length)).join(".");
    let zone = format!(
        "$TTL 60\n@ SOA ns.example. h.example. 1 2 3 4 5\n@ NS ns.example.\nold DNAME new\nwww.new A 192.0.2.1\n\
         long DNAME {long}.example.\n"
    );
    let server = Setup::new().zone("example.test.zone", &zone).start();
    let label = "y".repeat(60);
    check(
        server.dns[0],
        &format!(
            "
> www.old.example.test. A                          ; §3.1
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer www.old.example.test. 60 CNAME www.new.example.test.
answer www.new.example.test. 60 A 192.0.2.1

> {label}.long.example.test. A edns                ; §2.2
YXDOMAIN aa
answer long.example.test. 60 DNAME {long}.example.

> short.long.example.test. A edns
NOERROR aa
answer long.example.test. 60 DNAME {long}.example.
answer short.long.example.test. 60 CNAME short.{long}.example.
"
        ),
    );
}
