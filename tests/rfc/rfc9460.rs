//! RFC 9460: SVCB and HTTPS records from master files.

use crate::common::Setup;
use crate::table::check;

const ZONE: &str = "\
$TTL 60
@       SOA ns.example. hostmaster 1 3600 600 86400 30
@       NS  ns.example.
@       HTTPS 0 www
www     HTTPS 1 . alpn=\"h2,h3\" ipv4hint=192.0.2.1 port=8443
www     A   192.0.2.1
none    HTTPS 0 .
none    A   192.0.2.2
_dns    SVCB 1 dns ( dohpath=/dns-query{?dns} key667=\"hello\"
                     mandatory=alpn alpn=h2 )
";

#[test]
fn service_bindings_are_served() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    check(
        server.dns[0],
        "
> example.test. HTTPS                              ; §2.4.2: AliasMode
NOERROR aa
answer example.test. 60 HTTPS 0 www.example.test.
additional www.example.test. 60 A 192.0.2.1        ; §4.1
additional www.example.test. 60 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1

> www.example.test. HTTPS                          ; §2.2: keys in their order
NOERROR aa
answer www.example.test. 60 HTTPS 1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1
additional www.example.test. 60 A 192.0.2.1        ; §2.5.2: the owner is the target

> none.example.test. HTTPS                         ; §2.5.1: there is no such service
NOERROR aa
answer none.example.test. 60 HTTPS 0 .

> _dns.example.test. SVCB
NOERROR aa
answer _dns.example.test. 60 SVCB 1 dns.example.test. mandatory=alpn alpn=h2 dohpath=/dns-query{?dns} key667=hello
",
    );
}

/// Appendix D.3.
#[test]
fn records_that_are_wrong_in_themselves_are_refused() {
    let wrong = [
        ("key123=abc key123=def", "the parameter key123 stands twice"),
        ("mandatory", "the parameter mandatory needs a value of another form"),
        ("alpn", "the parameter alpn needs a value of another form"),
        ("port", "the parameter port needs a value of another form"),
        ("ipv4hint", "the parameter ipv4hint needs a value of another form"),
        ("ipv6hint", "the parameter ipv6hint needs a value of another form"),
        ("no-default-alpn=abc", "the parameter no-default-alpn needs a value of another form"),
        ("mandatory=key123", "the parameter key123 is listed as mandatory and is not there"),
        ("mandatory=mandatory", "the parameter mandatory needs a value of another form"),
        ("mandatory=key123,key123 key123=abc", "the parameter mandatory needs a value of another form"),
    ];
    let lines: String =
        wrong.iter().map(|(parameters, _)| format!("x SVCB 1 foo.example.com. {parameters}\n")).collect();
    let refusal = Setup::new().zone("example.test.zone", &format!("{ZONE}{lines}")).start_refused();
    for (line, (_, reason)) in (ZONE.lines().count() + 1..).zip(wrong) {
        refusal.names(&[&format!("example.test.zone:{line}: bad SVCB data: {reason}")]);
    }
}
