//! RFC 8482: minimal answers to ANY, for registered names and static ones alike.

use crate::common::Setup;
use crate::common::population;
use crate::table::check;

const ZONE: &str = "\
$TTL 60
@      SOA   ns hostmaster 1 3600 600 86400 30
@      NS    ns
ns     A     192.0.2.1
www    A     192.0.2.2
www    A     192.0.2.3
www    AAAA  2001:db8::1
www    TXT   \"x\"
txt    TXT   \"only\"
alias  CNAME www
*.wild MX    10 www
wild   A     192.0.2.4
sub    NS    ns.sub
ns.sub A     192.0.2.9
a.b    A     192.0.2.5
";

#[test]
fn one_rrset_stands_for_all() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    population::two(&server);
    check(
        server.dns[0],
        "
> www.example.test. ANY                            ; §4.1: one RRset, whole, of those there are
NOERROR aa
answer www.example.test. 60 A 192.0.2.2
answer www.example.test. 60 A 192.0.2.3

> www.example.test. ANY tcp                        ; §4.4: over TCP too, as an operator may decide
NOERROR aa
answer www.example.test. 60 A 192.0.2.2
answer www.example.test. 60 A 192.0.2.3

> txt.example.test. ANY
NOERROR aa
answer txt.example.test. 60 TXT \"only\"

> alias.example.test. ANY                          ; §4.3: an alias answers for itself
NOERROR aa
answer alias.example.test. 60 CNAME www.example.test.

> x.wild.example.test. ANY
NOERROR aa
answer x.wild.example.test. 60 MX 10 www.example.test.
additional www.example.test. 60 A 192.0.2.2
additional www.example.test. 60 A 192.0.2.3
additional www.example.test. 60 AAAA 2001:db8::1

> sub.example.test. ANY                            ; a zone cut is none of its own
NOERROR
authority sub.example.test. 60 NS ns.sub.example.test.
additional ns.sub.example.test. 60 A 192.0.2.9

> b.example.test. ANY                              ; nothing here, but names below
NOERROR aa
authority example.test. 30 SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 30

> no.example.test. ANY
NXDOMAIN aa
authority example.test. 30 SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 30

> web.svc.local. ANY
NOERROR aa
answer web.svc.local. 5 A 10.0.0.1
answer web.svc.local. 5 A 10.0.0.2
",
    );
}
