//! RFC 3596 §2.5: the names of IPv6 addresses, nibble by nibble.

use serde_json::json;

use crate::common::Setup;
use crate::table::check;

#[test]
fn addresses_lead_to_instances() {
    let server = Setup::new().set("dns.reverse_zones", "2001:db8::/32,fd00::/7").start();
    server.register("web", "a", json!({"address": "2001:db8:0:beef::1", "port": 80}));
    server.register("web", "b", json!({"address": "fd12::1", "port": 80}));
    server.register("web", "c", json!({"address": "::ffff:10.0.0.1", "port": 80}));
    check(
        server.dns[0],
        "
> 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.e.e.b.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR
NOERROR aa
answer 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.f.e.e.b.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. 5 PTR a.web.svc.local.

> 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.F.E.e.B.0.0.0.0.8.B.D.0.1.0.0.2.IP6.ARPA. PTR   ; digits in either case
NOERROR aa
answer 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.F.E.e.B.0.0.0.0.8.B.D.0.1.0.0.2.IP6.ARPA. 5 PTR a.web.svc.local.

> 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa. PTR
NOERROR aa
answer 1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.2.1.d.f.ip6.arpa. 5 PTR b.web.svc.local.

> e.b.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR        ; an empty non-terminal
NOERROR aa
authority 8.b.d.0.1.0.0.2.ip6.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 3 3600 600 86400 5

> f.b.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR
NXDOMAIN aa
authority 8.b.d.0.1.0.0.2.ip6.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 3 3600 600 86400 5

> be.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR         ; not one digit
NXDOMAIN aa
authority 8.b.d.0.1.0.0.2.ip6.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 3 3600 600 86400 5

> c.f.ip6.arpa. SOA                                ; a prefix of seven bits is two zones
NOERROR aa
answer c.f.ip6.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 3 3600 600 86400 5

> d.f.ip6.arpa. SOA
NOERROR aa
answer d.f.ip6.arpa. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 3 3600 600 86400 5

> e.f.ip6.arpa. SOA
REFUSED

> 8.b.d.0.1.0.0.2.ip6.arpa. NS
NOERROR aa
answer 8.b.d.0.1.0.0.2.ip6.arpa. 5 NS server.srvd.ns.svc.local.
additional server.srvd.ns.svc.local. 5 A 127.0.0.1
",
    );
}
