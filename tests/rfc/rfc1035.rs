//! RFC 1035 §3.5: the names of IPv4 addresses, in zones that the configured prefixes make.

use serde_json::json;

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
