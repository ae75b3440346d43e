//! Pieces of zones, each around one thing that servers get wrong.
//!
//! A fragment is written relative to an origin that the generator picks: the apex or a name somewhere below it. Names
//! end on `.example.` when they lie outside of every zone of the test. NS at a wildcard and DS at
//! the apex are missing: BIND refuses such zones.

use crate::types::TYPES;

/// One piece: its name and its records.
pub type Fragment = (&'static str, &'static str);

/// Fragments whose records can stand anywhere, side by side.
pub const ANYWHERE: &[Fragment] = &[
    (
        "wildcards",
        "
* A 192.0.2.1
* TXT \"top\"
*.a A 192.0.2.2
b.a A 192.0.2.3
x.y.b TXT \"deep\"
*.y.b MX 10 mail.y.b
sub.* TXT \"below a star\"
*.* AAAA 2001:db8::1
*.c.d TXT \"c d\"
e.c.d A 192.0.2.4
d.d TXT \"d d\"",
    ),
    (
        "stars that are no wildcards",
        "
*a A 192.0.2.1
a* A 192.0.2.2
** A 192.0.2.3
x.*.m A 192.0.2.4
\\*.n A 192.0.2.5
\\042.o TXT \"written in decimal\"
*.p.*.q TXT \"two\"",
    ),
    (
        "wildcard aliases",
        "
*.w CNAME target
*.into CNAME x.cut
*.out CNAME www.example.
*.self CNAME y.self
*.none CNAME nothing.here
*.ent CNAME below
*.wild CNAME z.w
*.mixed CNAME MiXed.W
exact.w TXT \"no alias\"
target A 192.0.2.1
target AAAA 2001:db8::2
cut NS ns.cut
ns.cut A 192.0.2.2
a.below TXT \"x\"",
    ),
    (
        "wildcards around cuts",
        "
sub NS ns.sub
ns.sub A 192.0.2.2
*.sub A 192.0.2.3
* A 192.0.2.4
* DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000001
a.under.sub TXT \"occluded\"",
    ),
    ("a wildcard DNAME", "\n*.x DNAME t\na.t A 192.0.2.1\nb.x TXT \"x\"\n*.y DNAME out.example."),
    (
        "chains of aliases",
        "
c1 CNAME c2
c2 CNAME C3
c3 CNAME host
host A 192.0.2.1
host A 192.0.2.2
host TXT \"end\"
out CNAME c4
c4 CNAME www.example.
gone CNAME nothing
void CNAME below
a.below A 192.0.2.3
wild CNAME any.star
*.star A 192.0.2.4
starry CNAME *.star
cut NS ns.cut
ns.cut A 192.0.2.5
at CNAME cut
in CNAME deep.in.cut
glue CNAME ns.cut
through CNAME a.d
d DNAME star
around CNAME c1",
    ),
    (
        "loops",
        "
self CNAME self
a CNAME b
b CNAME A
into CNAME a
d DNAME d
p DNAME q
q DNAME p
grow DNAME x.grow
c CNAME x.d
e CNAME y.e2
e2 DNAME e3
y.e3 CNAME e
*.w CNAME w.w",
    ),
    (
        "DNAME",
        "
old DNAME new
old TXT \"beside\"
old A 192.0.2.9
a.new A 192.0.2.1
b.c.new TXT \"x\"
al.new CNAME a.new
*.w.new A 192.0.2.2
away DNAME other.example.
two DNAME old
three DNAME b.two
cut NS ns.cut
ns.cut A 192.0.2.3
into DNAME cut
below DNAME x.cut
none DNAME nothing
host DNAME a.new
mx MX 10 a.old
mx MX 20 a.new
srv SRV 0 0 1 a.two",
    ),
    (
        "a DNAME that makes long names",
        "
long DNAME aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.cccccccccccccccccccccccccccccccccccccccccccccccccccccccccc
to CNAME ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd.eeeeeeeeeeeeeeeeeeeeeeee.long
through DNAME ffffffffffffffffffffffffffffff.long",
    ),
    (
        "delegations",
        "
in NS ns.in
in NS NS2.in
ns.in A 192.0.2.1
ns.in AAAA 2001:db8::1
ns2.in A 192.0.2.2
sib NS ns.in
sib NS ns.other
other NS ns.other
ns.other A 192.0.2.3
plain NS host
host A 192.0.2.4
far NS ns.example.
far NS ns2.example.
mixed NS ns.mixed
mixed NS ns.example.
mixed NS host
mixed NS nowhere
ns.mixed AAAA 2001:db8::2
bare NS ns.bare
deep.er.e NS ns.deep.er.e
ns.deep.er.e A 192.0.2.5
wild NS x.star
*.star A 192.0.2.6
al NS alias
alias CNAME host",
    ),
    (
        "nested cuts",
        "
outer NS ns.outer
ns.outer A 192.0.2.1
inner.outer NS ns.inner.outer
ns.inner.outer A 192.0.2.2
inner.outer DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000001
x NS ns.inner.outer
y NS ns.outer
y NS ns.z.y
z.y NS ns.z.y
ns.z.y A 192.0.2.3",
    ),
    (
        "DS and company",
        "
sec NS ns.example.
sec DS 12345 8 2 0000000000000000000000000000000000000000000000000000000000000001
sec DS 12345 8 1 0000000000000000000000000000000000000002
insec NS ns.insec
ns.insec A 192.0.2.1
stray DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000003
ent.x DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000004
al CNAME sec",
    ),
    (
        "what a cut occludes",
        "
cut NS ns.example.
cut A 192.0.2.1
cut TXT \"at the cut\"
cut MX 10 mx.cut
mx.cut A 192.0.2.2
a.cut TXT \"below\"
*.cut A 192.0.2.3
c.cut CNAME host
d.cut DNAME host
x.d2.cut TXT \"x\"
host A 192.0.2.4
mail MX 10 mx.cut
mail MX 20 b.cut
mail MX 30 c.cut",
    ),
    (
        "empty non-terminals",
        "
a.b.c.d TXT \"deep\"
*.c.d A 192.0.2.1
x.a.b.e A 192.0.2.2
b.e TXT \"middle\"
f.g NS ns.f.g
ns.f.g A 192.0.2.3
_x._tcp SRV 0 0 1 host
_y._udp SRV 0 0 1 host.host
host A 192.0.2.4",
    ),
    (
        "hosts in additional",
        "
mx MX 10 host
mx MX 20 HOST
mx MX 30 dual
mx MX 40 alias
mx MX 50 any.star
mx MX 60 ns.cut
mx MX 70 x.cut
mx MX 80 nothing
mx MX 90 mail.example.
null MX 0 .
srv SRV 0 0 1 host
srv SRV 0 0 2 host
srv SRV 1 0 1 dual
srv SRV 2 0 1 alias
srv SRV 3 0 1 other.star
srv SRV 4 0 1 ns.cut
srv SRV 5 0 1 below
nosrv SRV 0 0 0 .
host A 192.0.2.1
dual A 192.0.2.2
dual AAAA 2001:db8::2
alias CNAME dual
*.star A 192.0.2.3
*.star AAAA 2001:db8::3
a.below TXT \"x\"
cut NS ns.cut
ns.cut A 192.0.2.4
x.cut A 192.0.2.5
via CNAME mx
naptr NAPTR 1 2 \"s\" \"x\" \"\" srv
kx AFSDB 1 host",
    ),
    (
        "strings",
        "
many TXT \"a\" \"b\" \"\" \"c d\" \"\\\"quoted\\\"\" \"\\000\\255\" \"semi;colon\" plain
many TXT \"another\"
empty TXT \"\"
long TXT \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\" \"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\"
hinfo HINFO \"CPU\" \"OS\"
naptr NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp
naptr NAPTR 100 50 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" .
caa CAA 0 issue \"ca.example; policy=ev\"",
    ),
    (
        "escaped and odd labels",
        "
a\\.b A 192.0.2.1
\\000x A 192.0.2.2
sp\\032ace A 192.0.2.3
\\255\\254 A 192.0.2.4
UPPER A 192.0.2.5
x.MiXeD TXT \"case\"
y.mixed TXT \"case\"
at\\@sign A 192.0.2.6
back\\\\slash A 192.0.2.7
dollar\\$ A 192.0.2.8
par\\(en\\) A 192.0.2.9
_under_score- A 192.0.2.10
to CNAME A\\.B
mx MX 10 a\\.b
*.a\\.c TXT \"wild\"
b.c A 192.0.2.11
0123456789012345678901234567890123456789012345678901234567890ab A 192.0.2.12",
    ),
    (
        "types without a name",
        "
u TYPE65280 \\# 3 abcdef
u TYPE65280 \\# 0
u TYPE65281 \\# 4 0a000001
u A 192.0.2.1
a TYPE1 \\# 4 C0000202
*.w TYPE65280 \\# 1 00
c CNAME u
cut NS ns.example.
x.cut TYPE65280 \\# 1 01",
    ),
    (
        "times to live",
        "
a 0 A 192.0.2.1
a 300 TXT \"x\"
a 86400 AAAA 2001:db8::1
*.w 5 A 192.0.2.2
c 7 CNAME a
d 9 DNAME w
cut 11 NS ns.cut
cut 13 DS 1 8 2 0000000000000000000000000000000000000000000000000000000000000001
ns.cut 15 A 192.0.2.3
big 2147483647 A 192.0.2.4
mx 17 MX 10 a
mx 17 MX 10 x.w",
    ),
    (
        "many types at one name",
        "
all A 192.0.2.1
all AAAA 2001:db8::1
all MX 10 all
all TXT \"x\"
all SRV 0 0 1 all
all HINFO \"a\" \"b\"
all PTR ptr.example.
all RP admin.example. all
all AFSDB 1 all
all SSHFP 1 1 0000000000000000000000000000000000000000
all TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
all CAA 0 issue \"ca.example\"
all TYPE65280 \\# 1 00
all HTTPS 1 . alpn=h2
all SVCB 0 other
*.all TXT \"wild\"
other A 192.0.2.2",
    ),
    TYPES,
];

/// Fragments that only the apex can take.
pub const AT_APEX: &[Fragment] = &[
    ("a DNAME at the apex", "\n@ DNAME elsewhere.example.\n@ TXT \"beside\"\n@ MX 10 a\n@ MX 20 mail.example."),
    (
        "an apex with everything",
        "
@ A 192.0.2.1
@ AAAA 2001:db8::1
@ MX 10 @
@ TXT \"apex\"
@ CAA 0 issue \";\"
@ TYPE65280 \\# 1 ff
* MX 0 @
www CNAME @
_sip._tcp SRV 0 0 1 @
below DNAME @
sub NS @
up CNAME x.below",
    ),
    ("a wildcard at the apex", "\n* CNAME host\nhost A 192.0.2.1\n*.host TXT \"x\"\nsub NS ns.sub\n"),
    ("a wildcard of name servers", "\n* A 192.0.2.1\n* AAAA 2001:db8::1\na NS ns.a\nb NS other\n"),
];
