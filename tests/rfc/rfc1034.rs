//! RFC 1034: the algorithm of §4.3.2 over zones with delegations and aliases.

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

const CUTS: &str = "\
$TTL 60
@            SOA   ns.example. hostmaster 1 3600 600 86400 30
@            NS    ns.example.
sub          NS    ns.sub
sub          NS    NS.Sub2
sub          NS    ns.example.
sub          DS    1 8 2 0000000000000000000000000000000000000000000000000000000000000001
sub          A     192.0.2.8
ns.sub       A     192.0.2.1
ns.sub       AAAA  2001:db8::1
www.sub      A     192.0.2.9
*.sub        A     192.0.2.9
sub2         NS    ns.sub2
ns.sub2      A     192.0.2.2
deep.sub2    NS    ns.deep.sub2
ns.deep.sub2 A     192.0.2.3
into         CNAME www.sub
mx           MX    10 ns.sub
";

/// §4.2.1: the data at and below a cut are the child's, but for glue and what RFC 4035 §3.1.4.1 leaves with the parent.
#[test]
fn what_is_below_a_cut_is_referred() {
    let server = Setup::new().zone("example.test.zone", CUTS).start();
    let referral = "authority sub.example.test. 60 NS ns.sub.example.test.
authority sub.example.test. 60 NS NS.Sub2.example.test.
authority sub.example.test. 60 NS ns.example.
additional ns.sub.example.test. 60 A 192.0.2.1
additional ns.sub.example.test. 60 AAAA 2001:db8::1
additional NS.Sub2.example.test. 60 A 192.0.2.2";
    check(
        server.dns[0],
        &format!(
            "
> sub.example.test. A                              ; at the cut itself
NOERROR
{referral}

> sub.example.test. NS
NOERROR
{referral}

> www.sub.example.test. A                          ; a record that the parent has no business with
NOERROR
{referral}

> ns.sub.example.test. A                           ; glue is no answer
NOERROR
{referral}

> no.such.name.sub.example.test. MX
NOERROR
{referral}

> sub.example.test. DS
NOERROR aa
answer sub.example.test. 60 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000001

> x.deep.sub2.example.test. A                      ; the uppermost cut
NOERROR
authority sub2.example.test. 60 NS ns.sub2.example.test.
additional ns.sub2.example.test. 60 A 192.0.2.2

> into.example.test. A                             ; the alias is the parent's own
NOERROR aa
answer into.example.test. 60 CNAME www.sub.example.test.
{referral}

> mx.example.test. MX                              ; glue is for referrals only
NOERROR aa
answer mx.example.test. 60 MX 10 ns.sub.example.test.
"
        ),
    );
}

const ALIASES: &str = "\
$TTL 60
@        SOA   ns.example. hostmaster 1 3600 600 86400 30
@        NS    ns
ns       A     192.0.2.53
ns       AAAA  2001:db8::53
one      CNAME two
two      CNAME three
three    A     192.0.2.3
three    TXT   \"end\"
gone     CNAME nothing
empty    CNAME below
x.below  TXT   \"x\"
self     CNAME self
ping     CNAME pong
pong     CNAME ping
mx       MX    10 three
mx       MX    20 one
mx       MX    30 ns
mx       MX    40 mail.example.
_s._tcp  SRV   0 0 1 three
_s._tcp  SRV   0 0 2 three
";

/// §3.6.2 and §4.3.2: aliases are followed within the zone, a loop of them ends, and RFC 6604 §2.1 says whose code it is.
#[test]
fn chains_of_aliases() {
    let server = Setup::new().zone("example.test.zone", ALIASES).start();
    check(
        server.dns[0],
        "
> one.example.test. A
NOERROR aa
answer one.example.test. 60 CNAME two.example.test.
answer two.example.test. 60 CNAME three.example.test.
answer three.example.test. 60 A 192.0.2.3

> one.example.test. MX                             ; no such data at the end
NOERROR aa
answer one.example.test. 60 CNAME two.example.test.
answer two.example.test. 60 CNAME three.example.test.
authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30

> two.example.test. CNAME
NOERROR aa
answer two.example.test. 60 CNAME three.example.test.

> gone.example.test. A
NXDOMAIN aa
answer gone.example.test. 60 CNAME nothing.example.test.
authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30

> empty.example.test. A                            ; to an empty non-terminal
NOERROR aa
answer empty.example.test. 60 CNAME below.example.test.
authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30

> self.example.test. A
NOERROR aa
answer self.example.test. 60 CNAME self.example.test.

> ping.example.test. A
NOERROR aa
answer ping.example.test. 60 CNAME pong.example.test.
answer pong.example.test. 60 CNAME ping.example.test.
",
    );
}

/// §4.3.2 step 6: addresses of the hosts that an answer names, each once, and nobody else's.
#[test]
fn additional_records() {
    let server = Setup::new().zone("example.test.zone", ALIASES).start();
    check(
        server.dns[0],
        "
> mx.example.test. MX                              ; no aliases (RFC 2181 §10.3), nothing of other zones
NOERROR aa
answer mx.example.test. 60 MX 10 three.example.test.
answer mx.example.test. 60 MX 20 one.example.test.
answer mx.example.test. 60 MX 30 ns.example.test.
answer mx.example.test. 60 MX 40 mail.example.
additional three.example.test. 60 A 192.0.2.3
additional ns.example.test. 60 A 192.0.2.53
additional ns.example.test. 60 AAAA 2001:db8::53

> _s._tcp.example.test. SRV
NOERROR aa
answer _s._tcp.example.test. 60 SRV 0 0 1 three.example.test.
answer _s._tcp.example.test. 60 SRV 0 0 2 three.example.test.
additional three.example.test. 60 A 192.0.2.3

> example.test. NS
NOERROR aa
answer example.test. 60 NS ns.example.test.
additional ns.example.test. 60 A 192.0.2.53
additional ns.example.test. 60 AAAA 2001:db8::53
",
    );
}
