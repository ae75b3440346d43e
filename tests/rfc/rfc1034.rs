//! RFC 1034: the algorithm of §4.3.2 over a zone with a delegation, a wildcard and aliases.

use crate::common::Setup;
use crate::table::check;

const ZONE: &str = "\
$TTL 60
@            SOA   ns hostmaster 1 3600 600 86400 30
@            NS    ns
ns           A     192.0.2.1
www          A     192.0.2.2
alias        CNAME www
out          CNAME www.example.org.
deep.below   TXT   \"x\"
sub          NS    ns.sub
ns.sub       A     192.0.2.9
";

#[test]
fn each_step_of_the_algorithm() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    check(
        server.dns[0],
        "
> www.example.test. A
NOERROR aa
answer www.example.test. 60 A 192.0.2.2

> alias.example.test. A                            ; step 3a, the alias is followed
NOERROR aa
answer alias.example.test. 60 CNAME www.example.test.
answer www.example.test. 60 A 192.0.2.2

> alias.example.test. CNAME
NOERROR aa
answer alias.example.test. 60 CNAME www.example.test.

> out.example.test. A                              ; the rest is for the resolver
NOERROR aa
answer out.example.test. 60 CNAME www.example.org.

> below.example.test. A                            ; an empty non-terminal exists
NOERROR aa
authority example.test. 30 SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 30

> nothing.example.test. A
NXDOMAIN aa
authority example.test. 30 SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 30

> x.sub.example.test. A                            ; step 3b, a referral
NOERROR
authority sub.example.test. 60 NS ns.sub.example.test.
additional ns.sub.example.test. 60 A 192.0.2.9

> example.org. A
REFUSED
",
    );
}
