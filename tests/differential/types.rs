//! A fragment with the text form of every type that all references read.

use crate::fragments::Fragment;

pub const TYPES: Fragment = (
    "types in their text form",
    "
d MINFO a b
e RP a b
f AFSDB 1 a
i RT 2 a
k KX 10 a
l SPF a \"b c\"
m NID 10 0014:4fff:ff20:ee64
n L32 10 10.1.2.0
o L64 10 2001:0DB8:1140:1000
p LP 10 a
q EUI48 00-00-5e-00-53-2a
r EUI64 00-00-5e-ef-10-00-00-2a
s URI 10 1 \"ftp://ftp.example/a\\\"b\"
t CAA 128 tbs \"Unknown\"
u CERT PGP 0 RSASHA1 ( YWJj\t)
v CERT 65000 1 2 YWJjZA==
w DS 60485 RSASHA256 2 ( 2BB183AF5F22588179A53B0A98631FAD1A292118 000000000000000000000000 )
x SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
y DHCID AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA=
z TLSA 3 1 1 ( 000000000000000000000000000000000000000000000000000000000000 000f )
aa SMIMEA 3 0 0 ff00
ab CDS 0 0 0 00
ac CDNSKEY 0 3 0 AA==
ad OPENPGPKEY AQMD BAUG
ae CSYNC 66 3 A NS AAAA TYPE256
af ZONEMD 2018031500 1 1 FEBE3D4CE2EC2FFA4BA99D46CD69D6D29711E55217057BEE7EB1A7B641A47BA7FED2DD5B97AE499FAFA4F22C6BD647DE
ag DNSKEY 256 3 ECDSAP256SHA256 ( oJMRESz5E4gYzS/q6XDrvU1qMPYIjCWzJaOau8XNEZeqCYKD5ar0IRd8\tKqXXFJkqmVfRvMGPmM1x8fGAa2XhSA== )
ah SVCB 16 foo ( alpn=h2,h3-19 mandatory=ipv4hint,alpn ipv4hint=192.0.2.1,192.0.2.2 )
ai SVCB 1 . key667=\"hello\\210qoo\"
aj HTTPS 1 @ no-default-alpn alpn=\"f\\\\\\\\oo\\\\,bar,h2\" port=53 ipv6hint=2001:db8::1
ak HTTPS 0 b
al NAPTR 32767 65535 \"\" \"\" \"\" .
am HINFO Intel\\ 386 \"\\065\\\"\"
an TYPE15 10 mx
ao A \\# 4 c0000201
ap TYPE16 \\# 4 03616263
aq AAAA ::ffff:192.0.2.1",
);
