//! RFC 3597: types that have no name here are served as octets, and known types may be written so.

use crate::common::Setup;
use crate::common::message::{self, Udp};
use crate::table::check;

const ZONE: &str = "\
$TTL 60
@       SOA ns.example. hostmaster 1 3600 600 86400 30
@       NS  ns.example.
a       CLASS1 TYPE731 \\# 6 abcdef (
                       01 23 45 )
b  IN   TYPE62347 \\# 0
e       TYPE1 \\# 4 0A000001
f       A \\# 4 0A000002
name    TYPE65280 \\# 14 0346 4f4f 0765 7861 6d70 6c65 00 00
*.w     TYPE65280 \\# 1 ff
alias   CNAME a
";

#[test]
fn unknown_types_are_data_like_others() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    check(
        server.dns[0],
        "
> a.example.test. TYPE731                          ; §5: the examples
NOERROR aa
answer a.example.test. 60 TYPE731 \\# 6 ab cd ef 01 23 45

> b.example.test. TYPE62347
NOERROR aa
answer b.example.test. 60 TYPE62347 \\# 0

> e.example.test. A
NOERROR aa
answer e.example.test. 60 A 10.0.0.1

> f.example.test. A
NOERROR aa
answer f.example.test. 60 A 10.0.0.2

> a.example.test. TYPE732
NOERROR aa
authority example.test. 30 SOA ns.example. hostmaster.example.test. 1 3600 600 86400 30

> x.w.example.test. TYPE65280
NOERROR aa
answer x.w.example.test. 60 TYPE65280 \\# 1 ff

> alias.example.test. TYPE731
NOERROR aa
answer alias.example.test. 60 CNAME a.example.test.
answer a.example.test. 60 TYPE731 \\# 6 ab cd ef 01 23 45
",
    );
}

/// §4: what looks like a name in unknown RDATA is neither compressed nor put into lower case.
#[test]
fn unknown_rdata_is_not_touched() {
    let server = Setup::new().zone("example.test.zone", ZONE).start();
    let response = Udp::to(server.dns[0]).ask("name.example.test", message::kind("TYPE65280"), None);
    assert!(response.octets.ends_with(b"\x00\x0e\x03FOO\x07example\x00\x00"), "{response:?}");
}

#[test]
fn the_generic_form_is_checked_against_the_type() {
    let zone =
        format!("{ZONE}g A \\# 3 0a0000\nh TYPE65280 \\# 2 00\ni TYPE65280 10.0.0.1\nj TYPE1 \\# 5 0a00000100\n");
    let refusal = Setup::new().zone("example.test.zone", &zone).start_refused();
    refusal.names(&[
        "example.test.zone:12: bad A data: the octets are not what the type holds",
        "example.test.zone:13: bad TYPE65280 data: the length does not agree with the octets that follow",
        "example.test.zone:14: bad TYPE65280 data: this can only be written as \\# LENGTH HEX (RFC 3597)",
        "example.test.zone:15: bad A data: the octets are not what the type holds",
    ]);
}
