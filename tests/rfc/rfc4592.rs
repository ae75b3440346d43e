//! RFC 4592: what a wildcard stands for, and what it does not.

use crate::common::Setup;
use crate::table::check;

/// §2.2.1.
const EXAMPLE: &str = "\
$TTL 3600
@                 SOA ns.example.com. hostmaster 1 3600 600 86400 30
@                 NS  ns.example.com.
@                 NS  ns.example.net.
*                 TXT \"this is a wildcard\"
*                 MX  10 host1
sub.*             TXT \"this is not a wildcard\"
host1             A   192.0.2.1
_ssh._tcp.host1   SRV 0 0 22 host1
_ssh._tcp.host2   SRV 0 0 22 host1
subdel            NS  ns.example.com.
subdel            NS  ns.example.net.
";

#[test]
fn the_example_of_section_2() {
    let server = Setup::new().zone("example.zone", EXAMPLE).start();
    let soa = "authority example. 30 SOA ns.example.com. hostmaster.example. 1 3600 600 86400 30";
    check(
        server.dns[0],
        &format!(
            "
> host3.example. MX
NOERROR aa
answer host3.example. 3600 MX 10 host1.example.
additional host1.example. 3600 A 192.0.2.1

> host3.example. A
NOERROR aa
{soa}

> foo.bar.example. TXT
NOERROR aa
answer foo.bar.example. 3600 TXT \"this is a wildcard\"

> host1.example. MX                                ; the name exists
NOERROR aa
{soa}

> sub.*.example. MX                                ; so does this one
NOERROR aa
{soa}

> sub.*.example. TXT
NOERROR aa
answer sub.*.example. 3600 TXT \"this is not a wildcard\"

> _telnet._tcp.host1.example. SRV                  ; the closest encloser has no wildcard
NXDOMAIN aa
{soa}

> host2.example. TXT                               ; an empty non-terminal exists
NOERROR aa
{soa}

> _tcp.host2.example. MX
NOERROR aa
{soa}

> host.subdel.example. A
NOERROR
authority subdel.example. 3600 NS ns.example.com.
authority subdel.example. 3600 NS ns.example.net.

> ghost.*.example. MX                              ; no wildcard below the wildcard
NXDOMAIN aa
{soa}

> *.example. TXT                                   ; asked for by its name
NOERROR aa
answer *.example. 3600 TXT \"this is a wildcard\"

> Host3.EXAMPLE. TXT
NOERROR aa
answer Host3.EXAMPLE. 3600 TXT \"this is a wildcard\"
"
        ),
    );
}

const SPECIAL: &str = "\
$TTL 60
@         SOA   ns.example. hostmaster 1 3600 600 86400 30
@         NS    ns.example.
*.alias   CNAME end
*.away    CNAME www.example.
*.chain   CNAME x.alias
*.loop    CNAME y.loop
*.none    CNAME nothing
end       A     192.0.2.1
a*        TXT   \"no wildcard: the star is part of a label\"
\\042.esc  TXT   \"a wildcard, however it is written\"
x.*.inner TXT   \"below a star\"
*.cut     NS    ns.cut
ns.cut    A     192.0.2.2
*.a.b     TXT   \"b\"
";

#[test]
fn wildcards_of_special_types_and_places() {
    let server = Setup::new().zone("example.test.zone", SPECIAL).start();
    let soa = "authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30";
    check(
        server.dns[0],
        &format!(
            "
> q.alias.example.test. A                          ; §4.3: a CNAME is synthesised and followed
NOERROR aa
answer q.alias.example.test. 60 CNAME end.example.test.
answer end.example.test. 60 A 192.0.2.1

> q.alias.example.test. CNAME
NOERROR aa
answer q.alias.example.test. 60 CNAME end.example.test.

> q.away.example.test. A
NOERROR aa
answer q.away.example.test. 60 CNAME www.example.

> q.chain.example.test. A
NOERROR aa
answer q.chain.example.test. 60 CNAME x.alias.example.test.
answer x.alias.example.test. 60 CNAME end.example.test.
answer end.example.test. 60 A 192.0.2.1

> q.loop.example.test. A
NOERROR aa
answer q.loop.example.test. 60 CNAME y.loop.example.test.
answer y.loop.example.test. 60 CNAME y.loop.example.test.

> q.none.example.test. A
NXDOMAIN aa
answer q.none.example.test. 60 CNAME nothing.example.test.
{soa}

> ab.example.test. TXT                             ; §2.1.1
NXDOMAIN aa
{soa}

> x.esc.example.test. TXT
NOERROR aa
answer x.esc.example.test. 60 TXT \"a wildcard, however it is written\"

> y.inner.example.test. TXT                        ; *.inner is an empty non-terminal, and a wildcard of nothing
NOERROR aa
{soa}

> x.y.inner.example.test. TXT
NOERROR aa
{soa}

> b.example.test. TXT                              ; an empty non-terminal above a wildcard
NOERROR aa
{soa}

> x.y.a.b.example.test. TXT                        ; any number of labels
NOERROR aa
answer x.y.a.b.example.test. 60 TXT \"b\"

> x.b.example.test. TXT
NXDOMAIN aa
{soa}
"
        ),
    );
}
