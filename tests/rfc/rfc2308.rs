//! RFC 2308: how long a negative answer lives, and `$TTL`.

use crate::common::Setup;
use crate::table::check;

#[test]
fn the_soa_of_negative_answers_has_the_lesser_ttl() {
    let zone = |ttl, minimum| {
        format!("@ {ttl} SOA ns.example. h 1 2 3 4 {minimum}\n@ 60 NS ns.example.\na 60 A 192.0.2.1\na.b 60 CNAME no\n")
    };
    let server = Setup::new()
        .zone("minimum.test.zone", &zone(3600, 30))
        .zone("ttl.test.zone", &zone(20, 7200))
        .zone("none.test.zone", &zone(0, 7200))
        .start();
    check(
        server.dns[0],
        "
> no.minimum.test. A                               ; §3: MINIMUM is below the TTL
NXDOMAIN aa
authority minimum.test. 30 SOA ns.example. h.minimum.test. 1 2 3 4 30

> a.minimum.test. MX                               ; §2.2: NODATA
NOERROR aa
authority minimum.test. 30 SOA ns.example. h.minimum.test. 1 2 3 4 30

> b.minimum.test. A
NOERROR aa
authority minimum.test. 30 SOA ns.example. h.minimum.test. 1 2 3 4 30

> a.b.minimum.test. A                              ; §2.1: the name at the end of the chain does not exist
NXDOMAIN aa
answer a.b.minimum.test. 60 CNAME no.minimum.test.
authority minimum.test. 30 SOA ns.example. h.minimum.test. 1 2 3 4 30

> minimum.test. SOA                                ; asked for, it has its own
NOERROR aa
answer minimum.test. 3600 SOA ns.example. h.minimum.test. 1 2 3 4 30

> no.ttl.test. A
NXDOMAIN aa
authority ttl.test. 20 SOA ns.example. h.ttl.test. 1 2 3 4 7200

> no.none.test. A
NXDOMAIN aa
authority none.test. 0 SOA ns.example. h.none.test. 1 2 3 4 7200
",
    );
}

/// §4: `$TTL` holds from where it stands, also in and after an included file; a record's own TTL goes before it.
#[test]
fn the_default_ttl_is_a_directive() {
    let zone = "\
@     SOA ns.example. h 1 2 3 4 30 ; without any TTL before it, MINIMUM is what there is (RFC 1035 §3.3.13)
@     NS  ns.example.
$TTL 1h30m
a     A   192.0.2.1
b 5   A   192.0.2.1
c     A   192.0.2.1
$TTL 7
d     A   192.0.2.1
$INCLUDE more
f     A   192.0.2.1
";
    let server = Setup::new().zone("more", "$TTL 8\ne A 192.0.2.1\n").zone("example.test.zone", zone).start();
    check(
        server.dns[0],
        "
> example.test. NS
NOERROR aa
answer example.test. 30 NS ns.example.

> a.example.test. A
NOERROR aa
answer a.example.test. 5400 A 192.0.2.1

> b.example.test. A
NOERROR aa
answer b.example.test. 5 A 192.0.2.1

> c.example.test. A
NOERROR aa
answer c.example.test. 5400 A 192.0.2.1

> d.example.test. A
NOERROR aa
answer d.example.test. 7 A 192.0.2.1

> e.example.test. A
NOERROR aa
answer e.example.test. 8 A 192.0.2.1

> f.example.test. A
NOERROR aa
answer f.example.test. 8 A 192.0.2.1
",
    );
}
