//! Master files of any kind: refused with reasons, or served.

use std::io;
use std::path::Path;
use std::sync::Arc;

use srvd::dns::Responder;
use srvd::engine::Index;
use srvd::wire::{Name, RecordType};
use srvd::zone::master::{self, Kind, MAX_ERRORS};
use srvd::zone::{Zone, Zones};

use crate::common::message::Response;
use crate::serving::{LIVE, TCP, UDP, asked, index, responder};
use crate::{Target, corpus};

/// Owner names of a zone that are asked for, with a name below each.
const NAMES: usize = 12;

const TOKENS: &[&[u8]] = &[
    b" ",
    b"\n",
    b"\r\n",
    b"\t",
    b"(",
    b")",
    b"\"",
    b";",
    b"\\",
    b"\\#",
    b"@",
    b"*",
    b".",
    b"..",
    b"=",
    b",",
    b"-",
    b"\\000",
    b"\\255",
    b"\\256",
    b"\xff",
    b"\xef\xbb\xbf",
    b"\0",
    b"$TTL ",
    b"$ORIGIN ",
    b"$INCLUDE more",
    b"\n$INCLUDE again\n",
    b" IN ",
    b" CH ",
    b" 0 ",
    b" 2147483647 ",
    b" 2147483648 ",
    b" 1w2d ",
    b"\n@ SOA . . 1 2 3 4 5\n",
    b"\n@ NS ns\n",
    b" A 192.0.2.1\n",
    b" AAAA ::1\n",
    b" CNAME a\n",
    b" DNAME b\n",
    b" NS ns.a\n",
    b" MX 10 a\n",
    b" TXT x\n",
    b" SRV 0 0 1 a\n",
    b" SVCB 1 . ",
    b" HTTPS \\# ",
    b" TYPE65280 \\# 0\n",
    b" CAA ",
    b" NSEC a A\n",
    b" DS 1 8 2 00\n",
    b"alpn=h2 ",
    b"mandatory=alpn ",
    b"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.",
];

#[test]
fn zone_files_are_refused_or_served() {
    let index = index();
    Target { name: "zones", corpus: corpus("zones"), tokens: TOKENS }.run(|text| {
        for (apex, kind) in [("e.test", Kind::Own), (LIVE, Kind::Live)] {
            tried(&index, text, &Name::parse(apex).expect("a name"), kind);
        }
    });
}

fn tried(index: &Arc<Index>, text: &[u8], apex: &Name, kind: Kind) {
    let mut source = |path: &Path| match path.file_name().and_then(|name| name.to_str()) {
        Some("file" | "again") => Ok(text.to_vec()),
        Some("more") => Ok(b"more TXT x\n@ 5 A 192.0.2.7\n".to_vec()),
        _ => Err(io::Error::from(io::ErrorKind::NotFound)),
    };
    match master::parse(&mut source, Path::new("zones/file"), apex, kind) {
        Err(errors) => {
            assert!((1..=MAX_ERRORS).contains(&errors.len()), "{} errors", errors.len());
            assert!(errors.iter().all(|error| error.to_string().len() < 2000), "nobody reads that: {}", errors[0]);
        }
        Ok(parsed) => {
            assert!(parsed.warnings.len() <= MAX_ERRORS);
            parsed.warnings.iter().for_each(|warning| assert!(!warning.to_string().is_empty()));
            served(index, parsed.zone, kind);
        }
    }
}

/// Asks for names of the zone, and for names below them.
fn served(index: &Arc<Index>, zone: Zone, kind: Kind) {
    let sets: Vec<(Name, RecordType)> = zone.rrsets().map(|set| (set.owner.clone(), set.rtype)).take(NAMES).collect();
    let responder = match kind {
        Kind::Own => responder(index, None, Zones::new([Arc::new(zone)]).expect("one zone")),
        Kind::Live => responder(index, Some(&zone), Zones::default()),
    };
    for (owner, rtype) in sets {
        for name in [Some(owner.clone()), owner.prepend(b"x").ok()].into_iter().flatten() {
            for rtype in [rtype, RecordType::A, RecordType::CNAME, RecordType::ANY] {
                judged(&responder, &name, rtype);
            }
        }
    }
}

fn judged(responder: &Responder, name: &Name, rtype: RecordType) {
    let header = [0x12, 0x34, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    let query = [&header[..], name.wire(), &rtype.0.to_be_bytes(), &[0, 1]].concat();
    asked(responder, &query, &UDP).expect("a reply");
    let response = asked(responder, &query, &TCP).expect("a reply");
    Response::read(&response.octets, &query);
    let has = |kind: &str| response.authority.iter().any(|record| record.kind == kind);
    let is_right = match response.rcode.as_str() {
        "NXDOMAIN" => response.authoritative && (has("SOA") || response.truncated),
        "YXDOMAIN" => response.authoritative && response.answer.iter().any(|record| record.kind == "DNAME"),
        "NOERROR" if response.answer.is_empty() => has("SOA") || has("NS") || response.truncated,
        "NOERROR" => response.authoritative,
        _ => false,
    };
    assert!(is_right, "{name} {rtype}: {response:?}");
}
