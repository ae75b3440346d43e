//! The names of addresses: which zone has them, and whose they are.

use serde_json::json;

use super::*;

#[test]
fn addresses_have_names_in_their_zones_alone() {
    let prefixes = ["10.0.0.0/8", "10.1.0.0/20", "192.0.2.64/31", "2001:db8::/33"].map(|text| text.parse().unwrap());
    let zone = "$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns.example.\n1 PTR a.example.\n";
    let own = [("9.9.10.in-addr.arpa", zone), ("8.10.in-addr.arpa", zone)];
    let catalog = catalog(None, &own).with_reverse(ReverseZones::new(&prefixes));
    let views = views(&[
        ("web", "a", json!({"address": "10.2.3.4"})),
        ("api", "b", json!({"address": "10.2.3.4"})),
        ("web", "down", json!({"address": "10.1.2.3", "status": "unhealthy"})),
        ("web", "v6", json!({"address": "2001:db8::1"})),
        ("web", "shadowed", json!({"address": "10.8.0.1"})),
        ("web", "edge", json!({"address": "192.0.2.65"})),
    ]);
    let one = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.d.0.1.0.0.2.ip6.arpa. PTR";
    let two = one.replacen('1', "2", 1);
    table(
        &catalog,
        &views,
        &[
            ("4.3.2.10.in-addr.arpa. PTR", "Answer 4.3.2.10.in-addr.arpa. PTR b.api.@ a.web.@"),
            ("4.3.2.10.in-addr.arpa. ANY", "Answer 4.3.2.10.in-addr.arpa. PTR b.api.@ a.web.@"),
            ("4.3.2.10.in-addr.arpa. A", "NoData"),
            ("5.3.2.10.in-addr.arpa. PTR", "NxDomain"),
            ("3.2.10.in-addr.arpa. PTR", "NoData"),
            ("3.10.in-addr.arpa. PTR", "NxDomain"),
            ("x.4.3.2.10.in-addr.arpa. PTR", "NxDomain"),
            ("04.3.2.10.in-addr.arpa. PTR", "NxDomain"),
            ("256.3.2.10.in-addr.arpa. PTR", "NxDomain"),
            ("4.3.x.10.in-addr.arpa. PTR", "NxDomain"),
            ("10.in-addr.arpa. SOA", "Answer 10.in-addr.arpa. SOA"),
            ("10.in-addr.arpa. ANY", "Answer 10.in-addr.arpa. SOA"),
            ("10.in-addr.arpa. NS", "Answer 10.in-addr.arpa. NS + server.srvd.ns.@ A 127.0.0.1"),
            ("10.in-addr.arpa. PTR", "NoData"),
            ("10.in-addr.arpa. DS", "NoData"),
            ("in-addr.arpa. SOA", "Refused"),
            ("1.11.in-addr.arpa. PTR", "Refused"),
            // The longest apex has the name: 10.1.0.0/20 is sixteen zones of its own.
            ("2.1.10.in-addr.arpa. SOA", "Answer 2.1.10.in-addr.arpa. SOA"),
            ("16.1.10.in-addr.arpa. SOA", "NxDomain"),
            ("3.2.1.10.in-addr.arpa. PTR", "NoData"),
            ("1.10.in-addr.arpa. PTR", "NoData"),
            // A file for a zone, or for one below, has its names.
            ("1.0.8.10.in-addr.arpa. PTR", "NxDomain"),
            ("1.8.10.in-addr.arpa. PTR", "Answer 1.8.10.in-addr.arpa. PTR a.example."),
            ("1.9.9.10.in-addr.arpa. PTR", "Answer 1.9.9.10.in-addr.arpa. PTR a.example."),
            ("9.10.in-addr.arpa. PTR", "NoData"),
            // Of a prefix longer than /24 every address is a zone.
            ("64.2.0.192.in-addr.arpa. SOA", "Answer 64.2.0.192.in-addr.arpa. SOA"),
            ("64.2.0.192.in-addr.arpa. PTR", "NoData"),
            ("65.2.0.192.in-addr.arpa. PTR", "Answer 65.2.0.192.in-addr.arpa. PTR edge.web.@"),
            ("66.2.0.192.in-addr.arpa. PTR", "Refused"),
            ("2.0.192.in-addr.arpa. PTR", "Refused"),
            (one, &format!("Answer {one} v6.web.@")),
            (&two, "NxDomain"),
            ("0.8.b.d.0.1.0.0.2.ip6.arpa. AAAA", "NoData"),
            ("7.8.b.d.0.1.0.0.2.ip6.arpa. SOA", "Answer 7.8.b.d.0.1.0.0.2.ip6.arpa. SOA"),
            ("8.8.b.d.0.1.0.0.2.ip6.arpa. SOA", "Refused"),
            ("0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR", "NoData"),
            ("00.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR", "NxDomain"),
            ("g.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR", "NxDomain"),
        ],
    );
}
