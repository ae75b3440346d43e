//! RFC 9471: a referral without the addresses of name servers inside the delegated zone is truncated.

use std::fmt::Write as _;

use crate::common::Setup;
use crate::common::message::{A, Response, Udp, pipeline, query};

/// A delegation to 13 name servers below `host`, each with two addresses.
fn zone(host: &str) -> String {
    let mut zone = String::from("$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns\nns A 192.0.2.1\n");
    for number in 0..13 {
        writeln!(
            zone,
            "sub NS ns{number}.{host}\nns{number}.{host} A 192.0.2.{number}\nns{number}.{host} AAAA 2001:db8::{number}"
        )
        .unwrap();
    }
    zone
}

#[test]
fn glue_from_inside_is_needed_and_other_is_not() {
    for (host, truncated) in [("sub", true), ("other", false)] {
        let server = Setup::new().zone("example.test.zone", &zone(host)).start();
        let cut = Udp::to(server.dns[0]).ask("x.sub.example.test", A, None);
        assert_eq!((cut.truncated, cut.authority.len()), (truncated, 13), "{cut:?}");
        assert!(cut.additional.len() < 26 && cut.octets.len() <= 512, "{cut:?}");
        let packet = query(1, "x.sub.example.test", A, None);
        let whole = Response::read(&pipeline(server.dns[0], std::slice::from_ref(&packet))[0], &packet);
        assert_eq!((whole.truncated, whole.authority.len(), whole.additional.len()), (false, 13, 26), "{whole:?}");
    }
}
