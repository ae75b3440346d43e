//! RFC 1035: §3.5, the names of IPv4 addresses, in zones that the configured prefixes make; §5, master files.

use serde_json::json;

use crate::common::message::{self, Udp};
use crate::common::{Server, Setup};
use crate::table::check;

fn start() -> Server {
    let server = Setup::new().set("dns.reverse_zones", "10.0.0.0/8,192.0.2.0/25").start();
    server.register("web", "a", json!({"addresses": ["10.1.2.3", "2001:db8::1"], "port": 80}));
    server.register("web", "b", json!({"address": "10.1.2.4", "port": 80}));
    server.register("api", "c", json!({"address": "10.1.2.3", "port": 81}));
    server.register("api", "down", json!({"address": "10.9.9.9", "port": 81, "status": "unhealthy"}));
    server.register("api", "edge", json!({"address": "192.0.2.127", "port": 81}));
    server.register("api", "beyond", json!({"address": "192.0.2.128", "port": 81}));
    server
}

#[test]
fn addresses_lead_to_instances() {
    check(
        start().dns[0],
        "
> 3.2.1.10.in-addr.arpa. PTR                       ; all that share it
NOERROR aa
answer 3.2.1.10.in-addr.arpa. 5 PTR a.web.svc.local.
answer 3.2.1.10.in-addr.arpa. 5 PTR c.api.svc.local.

> 4.2.1.10.IN-ADDR.arpa. PTR tcp
NOERROR aa
answer 4.2.1.10.IN-ADDR.arpa. 5 PTR b.web.svc.local.

> 9.9.9.10.in-addr.arpa. PTR                       ; registered, not healthy
NOERROR aa
authority 10.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 2.1.10.in-addr.arpa. PTR                         ; an empty non-terminal
NOERROR aa
authority 10.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 5.2.1.10.in-addr.arpa. PTR
NXDOMAIN aa
authority 10.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 03.2.1.10.in-addr.arpa. PTR                      ; no spelling of 3
NXDOMAIN aa
authority 10.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 10.in-addr.arpa. SOA
NOERROR aa
answer 10.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 10.in-addr.arpa. NS
NOERROR aa
answer 10.in-addr.arpa. 5 NS server.srvd.ns.svc.local.
additional server.srvd.ns.svc.local. 5 A 127.0.0.1

> 127.2.0.192.in-addr.arpa. PTR                    ; of half a /24 every address is a zone
NOERROR aa
answer 127.2.0.192.in-addr.arpa. 5 PTR edge.api.svc.local.

> 127.2.0.192.in-addr.arpa. SOA
NOERROR aa
answer 127.2.0.192.in-addr.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 6 3600 600 86400 5

> 128.2.0.192.in-addr.arpa. PTR                    ; not configured, whoever is registered
REFUSED

> 2.0.192.in-addr.arpa. SOA
REFUSED
",
    );
}

#[test]
fn what_leaves_takes_its_names_along() {
    let server = start();
    server.dig("-x 10.1.2.3").answers("PTR", &["a.web.svc.local.", "c.api.svc.local."]);
    server.says("web", "a", "unhealthy");
    server.dig("-x 10.1.2.3").answers("PTR", &["c.api.svc.local."]);
    server.api.delete("/v1/services/api/instances/c").expect(204);
    server.dig("-x 10.1.2.3").is_nodata();
    server.register("web", "a", json!({"address": "10.1.2.5", "port": 80}));
    server.dig("-x 10.1.2.3").is_nxdomain();
    server.dig("-x 10.1.2.5").answers("PTR", &["a.web.svc.local."]);
    let server = server.restart();
    server.dig("-x 10.1.2.5").answers("PTR", &["a.web.svc.local."]);
}

#[test]
fn without_reverse_zones_there_are_none() {
    let server = Server::start();
    server.register("web", "a", json!({"address": "10.1.2.3", "port": 80}));
    server.dig("-x 10.1.2.3").is_refused();
}

#[test]
fn a_file_for_a_reverse_zone_has_its_names() {
    let file = "$TTL 60\n@ SOA ns.example. h.example. 1 2 3 4 5\n@ NS ns.example.\n9.0 PTR router.example.\n";
    let server = Setup::new().set("dns.reverse_zones", "10.0.0.0/8").zone("1.10.in-addr.arpa.zone", file).start();
    server.register("web", "a", json!({"addresses": ["10.1.2.3", "10.2.2.3"], "port": 80}));
    server.dig("-x 10.1.0.9").answers("PTR", &["router.example."]);
    server.dig("-x 10.1.2.3").is_nxdomain();
    server.dig("-x 10.2.2.3").answers("PTR", &["a.web.svc.local."]);
}

/// §5.3, with the name servers' addresses that the example leaves to others.
const ISI: &str = "\
$TTL 60
@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        NS      VAXA
        MX      10      VENERA
        MX      20      VAXA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32

VAXA    A       10.2.0.27
        A       128.9.0.33


$INCLUDE <SUBSYS>ISI-MAILBOXES.TXT
";
const MAILBOXES: &str = "\
MOE     MB      A.ISI.EDU.
LARRY   MB      A.ISI.EDU.
CURLEY  MB      A.ISI.EDU.
STOOGES MG      MOE
        MG      LARRY
        MG      CURLEY
";

#[test]
fn the_master_file_of_section_5() {
    let server = Setup::new().zone("ISI.EDU.zone", ISI).zone("<SUBSYS>ISI-MAILBOXES.TXT", MAILBOXES).start();
    check(
        server.dns[0],
        "
> ISI.EDU. SOA
NOERROR aa
answer ISI.EDU. 60 SOA VENERA.ISI.EDU. Action\\.domains.ISI.EDU. 20 7200 600 3600000 60

> ISI.EDU. MX
NOERROR aa
answer ISI.EDU. 60 MX 10 VENERA.ISI.EDU.
answer ISI.EDU. 60 MX 20 VAXA.ISI.EDU.
additional VENERA.ISI.EDU. 60 A 10.1.0.52
additional VENERA.ISI.EDU. 60 A 128.9.0.32
additional VAXA.ISI.EDU. 60 A 10.2.0.27
additional VAXA.ISI.EDU. 60 A 128.9.0.33

> STOOGES.ISI.EDU. MG
NOERROR aa
answer STOOGES.ISI.EDU. 60 MG MOE.ISI.EDU.
answer STOOGES.ISI.EDU. 60 MG LARRY.ISI.EDU.
answer STOOGES.ISI.EDU. 60 MG CURLEY.ISI.EDU.

> MOE.ISI.EDU. MB
NOERROR aa
answer MOE.ISI.EDU. 60 MB A.ISI.EDU.
",
    );
}

/// §5.1: origins, escapes, parentheses, fields that are left out, and files in files.
const FORMS: &str = "\
$TTL 60
@ SOA ns hostmaster 1 3600 600 86400 30
@ NS ns
ns 0 IN A 192.0.2.1
   IN 5 AAAA 2001:db8::1       ; the owner of the line before
$ORIGIN sub                    ; relative to the origin so far
@ TXT ( \"one\"                ; a string to a line
        two \"th ree\" )
a\\.b MX 10 @
\\100.c A 192.0.2.2
esc TXT \"\\\"\\\\\\009;()\" un\\ quoted \"\"
$ORIGIN example.test.
$INCLUDE parts/more other
back A 192.0.2.4
";
const MORE: &str = "\
@ A 192.0.2.3
$INCLUDE deeper
x CNAME @
";

#[test]
fn entries_of_every_form() {
    let setup = Setup::new().zone("example.test.zone", FORMS);
    std::fs::create_dir(setup.zones().join("parts")).expect("a directory");
    let server = setup.zone("parts/more", MORE).zone("parts/deeper", "$ORIGIN far\n@ TXT deep\n").start();
    check(
        server.dns[0],
        "
> ns.example.test. A
NOERROR aa
answer ns.example.test. 0 A 192.0.2.1

> ns.example.test. AAAA
NOERROR aa
answer ns.example.test. 5 AAAA 2001:db8::1

> sub.example.test. TXT
NOERROR aa
answer sub.example.test. 60 TXT \"one\" \"two\" \"th ree\"

> a\\.b.sub.example.test. MX                         ; one label
NOERROR aa
answer a\\.b.sub.example.test. 60 MX 10 sub.example.test.

> b.sub.example.test. MX
NXDOMAIN aa
authority example.test. 30 SOA ns.example.test. hostmaster.example.test. 1 3600 600 86400 30

> d.c.sub.example.test. A                          ; \\100 is d
NOERROR aa
answer d.c.sub.example.test. 60 A 192.0.2.2

> other.example.test. A
NOERROR aa
answer other.example.test. 60 A 192.0.2.3

> far.other.example.test. TXT
NOERROR aa
answer far.other.example.test. 60 TXT \"deep\"

> x.other.example.test. CNAME                      ; origins end with their files
NOERROR aa
answer x.other.example.test. 60 CNAME other.example.test.

> back.example.test. A
NOERROR aa
answer back.example.test. 60 A 192.0.2.4
",
    );
    let response = Udp::to(server.dns[0]).ask("esc.sub.example.test", message::kind("TXT"), None);
    let strings = b"\x06\"\\\x09;()\x09un quoted\x00";
    assert!(response.octets.windows(strings.len()).any(|octets| octets == strings), "{response:?}");
}

/// §5.2, and what other RFCs add: everything that is wrong in any file, each with its file and line.
#[test]
fn mistakes_stop_the_start_and_are_told_at_once() {
    let own = "@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns.example.\n";
    let wrong = "\
$TTL 60
@ SOA ns.example. h 1 2 3 4 5
@ SOA ns.example. h 2 2 3 4 5
@ NS ns.example.
www CNAME a
www A 192.0.2.1
out.example. A 192.0.2.1
ttl 2147483648 A 192.0.2.1
ttl 1y A 192.0.2.1
$TTL soon
a BOGUS x
b A 192.0.2.256
$INCLUDE parts
$INCLUDE ../config.toml
c TXT \"open
d TXT ( never
";
    let refusal = Setup::new()
        .zone("wrong.test.zone", wrong)
        .zone("parts", "\n\nx MX ten mx\n")
        .zone("soa.test.zone", "$TTL 60\n@ NS ns.example.\n")
        .zone("ns.test.zone", own.lines().next().expect("a line"))
        .zone("apex.test.zone", &own.replace("@ SOA", "sub SOA"))
        .start_refused();
    refusal.names(&[
        "wrong.test.zone:3: a second SOA at wrong.test.",
        "wrong.test.zone:6: CNAME and other data at www.wrong.test.",
        "wrong.test.zone:7: out.example. is outside of the zone wrong.test.",
        "wrong.test.zone:8: 2147483648 is not a TTL",
        "wrong.test.zone:9: 1y is not a TTL",
        "wrong.test.zone:10: soon is not a TTL",
        "wrong.test.zone:11: unknown record type BOGUS",
        "wrong.test.zone:12: bad A data: an IPv4 address is expected",
        "parts:3: bad MX data: a number from 0 to 65535 is expected",
        "wrong.test.zone:14: cannot include",
        "wrong.test.zone:15: a quote is not closed on its line",
        "wrong.test.zone:16: a parenthesis is never closed",
        "soa.test.zone: no SOA record at soa.test.",
        "ns.test.zone: no NS record at ns.test.",
        "apex.test.zone:1: the SOA is at sub.apex.test., but the zone is apex.test. by the name of its file",
    ]);
}
