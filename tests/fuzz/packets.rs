//! Messages of any kind, from the octets of one to the octets of its reply.

use std::path::Path;
use std::sync::Arc;

use srvd::wire::Name;
use srvd::zone::Zones;
use srvd::zone::master::{self, Kind};

use crate::serving::{TCP, UDP, asked, index, responder};
use crate::{Target, corpus};

const ZONE: &str = "\
$TTL 60
@      SOA   ns hostmaster 1 3600 600 86400 30
@      NS    ns
ns     A     192.0.2.1
alias  CNAME mx
mx     MX    10 a.mail
a.mail AAAA  2001:db8::1
*.wild TXT   \"x\"
old    DNAME wild
sub    NS    ns.sub
ns.sub A     192.0.2.9
loop   CNAME loop
";

const TOKENS: &[&[u8]] = &[
    b"\xc0\x0c",
    b"\xc0\x00",
    b"\x00",
    b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00",
    b"\x00\x0a\x00\x0812345678",
    b"\x00\x0b\x00\x02\x00\x64",
    b"\x00\x08\x00\x07\x00\x01\x18\x00\xc0\x00\x02",
    b"\x03web\x03svc\x05local\x00",
    b"\x01*\x04wild\x07example\x04test\x00",
    b"\x01k\xc0\x0c\x00\xfa\x00\xff\x00\x00\x00\x00\x00\x15\x01h\x00\x00\x00\x65\x5f\x00\x00\x01\x2c\x00\x02MM\x12\x34\x00\x00\x00\x00",
    b"\x00\x21\x00\x01",
    b"\x00\xff\x00\x01",
    b"\x00\x10\x00\x03",
    &[63; 64],
];

/// The corpus is hexadecimal, with comments behind `;`.
fn octets(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let digits: String = text.lines().filter_map(|line| line.split(';').next()).collect();
    let digits: Vec<u8> = digits.bytes().filter(|octet| !octet.is_ascii_whitespace()).collect();
    let pair = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.chunks(2).map(|digits| pair(digits).expect("pairs of hexadecimal digits")).collect()
}

#[test]
fn packets_are_answered_or_ignored() {
    let mut source = |_: &Path| Ok(ZONE.as_bytes().to_vec());
    let apex = Name::parse("example.test").expect("a name");
    let parsed = master::parse(&mut source, Path::new("zone"), &apex, Kind::Own).expect("a zone");
    let responder = responder(&index(), None, Zones::new([Arc::new(parsed.zone)]).expect("one zone"));
    let corpus = corpus("packets").into_iter().map(|(name, text)| (name, octets(&text))).collect();
    Target { name: "packets", corpus, tokens: TOKENS }.run(|packet| {
        for client in [&UDP, &TCP] {
            asked(&responder, packet, client);
        }
    });
}
