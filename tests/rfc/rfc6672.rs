//! RFC 6672: DNAME, its substitutions, and those that make no name.

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

/// The rows of table 1 (§2.2) that have a target, below `t`, and what surrounds a DNAME.
const ZONE: &str = "\
$TTL 60
@         SOA   ns.example. hostmaster 1 3600 600 86400 30
@         NS    ns.example.
old       DNAME new
old       TXT   \"beside\"
old       A     192.0.2.9
new       A     192.0.2.1
a.new     A     192.0.2.2
a.x.new   TXT   \"deep\"
alias.new CNAME a.new
*.wild.new TXT  \"wild\"
away      DNAME other.example.
root      DNAME .
self      DNAME self
ping      DNAME pong
pong      DNAME ping
two       DNAME old
into      DNAME cut
cut       NS    ns.example.
to        CNAME a.old
up        DNAME @
";

#[test]
fn substitution_and_what_is_beside_it() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    let soa = "authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30";
    check(
        server.dns[0],
        &format!(
            "
> old.example.test. A                              ; §2.3: the owner itself is not redirected
NOERROR aa
answer old.example.test. 60 A 192.0.2.9

> old.example.test. DNAME
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.

> old.example.test. MX
NOERROR aa
{soa}

> A.old.example.test. A                            ; the case of the question is kept
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer A.old.example.test. 60 CNAME A.new.example.test.
answer A.new.example.test. 60 A 192.0.2.2

> a.x.old.example.test. TXT                        ; any number of labels
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer a.x.old.example.test. 60 CNAME a.x.new.example.test.
answer a.x.new.example.test. 60 TXT \"deep\"

> x.old.example.test. TXT                          ; to an empty non-terminal
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer x.old.example.test. 60 CNAME x.new.example.test.
{soa}

> no.old.example.test. A
NXDOMAIN aa
answer old.example.test. 60 DNAME new.example.test.
answer no.old.example.test. 60 CNAME no.new.example.test.
{soa}

> a.old.example.test. CNAME                        ; the synthesised CNAME is what is asked for
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer a.old.example.test. 60 CNAME a.new.example.test.

> alias.old.example.test. A
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer alias.old.example.test. 60 CNAME alias.new.example.test.
answer alias.new.example.test. 60 CNAME a.new.example.test.
answer a.new.example.test. 60 A 192.0.2.2

> q.wild.old.example.test. TXT
NOERROR aa
answer old.example.test. 60 DNAME new.example.test.
answer q.wild.old.example.test. 60 CNAME q.wild.new.example.test.
answer q.wild.new.example.test. 60 TXT \"wild\"

> a.away.example.test. A                           ; out of the zone
NOERROR aa
answer away.example.test. 60 DNAME other.example.
answer a.away.example.test. 60 CNAME a.other.example.

> shortloop.x.root.example.test. A                 ; table 1, the last row
NOERROR aa
answer root.example.test. 60 DNAME .
answer shortloop.x.root.example.test. 60 CNAME shortloop.x.

> a.two.example.test. A
NOERROR aa
answer two.example.test. 60 DNAME old.example.test.
answer a.two.example.test. 60 CNAME a.old.example.test.
answer old.example.test. 60 DNAME new.example.test.
answer a.old.example.test. 60 CNAME a.new.example.test.
answer a.new.example.test. 60 A 192.0.2.2

> to.example.test. A
NOERROR aa
answer to.example.test. 60 CNAME a.old.example.test.
answer old.example.test. 60 DNAME new.example.test.
answer a.old.example.test. 60 CNAME a.new.example.test.
answer a.new.example.test. 60 A 192.0.2.2

> a.into.example.test. A                           ; through a cut
NOERROR aa
answer into.example.test. 60 DNAME cut.example.test.
answer a.into.example.test. 60 CNAME a.cut.example.test.
authority cut.example.test. 60 NS ns.example.

> up.up.example.test. DNAME                        ; asked for and passed: one RRset, once
NOERROR aa
answer up.example.test. 60 DNAME example.test.
answer up.up.example.test. 60 CNAME up.example.test.

> a.self.example.test. A                           ; loops end
NOERROR aa
answer self.example.test. 60 DNAME self.example.test.
answer a.self.example.test. 60 CNAME a.self.example.test.

> a.ping.example.test. A
NOERROR aa
answer ping.example.test. 60 DNAME pong.example.test.
answer a.ping.example.test. 60 CNAME a.pong.example.test.
answer pong.example.test. 60 DNAME ping.example.test.
answer a.pong.example.test. 60 CNAME a.ping.example.test.
"
        ),
    );
}

/// §2.4: names below a DNAME, two DNAMEs at one name, and one beside a CNAME or at a zone cut.
#[test]
fn what_may_not_stand_with_a_dname_is_refused() {
    let zone = format!("{ZONE}x.old TXT x\ntwo DNAME new\nto DNAME new\ncut DNAME new\n");
    let refusal = Setup::new().zone("example.test.zone", &zone).start_refused();
    refusal.names(&[
        "example.test.zone:22: x.old.example.test. is below the DNAME at old.example.test.",
        "example.test.zone:23: a second DNAME at two.example.test.",
        "example.test.zone:24: CNAME and other data at to.example.test.",
        "example.test.zone:25: DNAME and NS at cut.example.test., which is not the apex",
    ]);
}
