//! RFC 2782: SRV records, their targets, and the addresses that come with them.

use serde_json::json;

use crate::common::Setup;
use crate::table::check;

const OTHER: &str = "\
$TTL 60
@      SOA   ns hostmaster 1 3600 600 86400 30
@      NS    ns
ns     A     192.0.2.1
db     A     192.0.2.5
db     AAAA  2001:db8::5
alias  CNAME db
sub    NS    ns.sub
ns.sub A     192.0.2.9
";

#[test]
fn targets_are_hosts_with_their_addresses() {
    let server = Setup::new().zone("example.test.zone", OTHER).start();
    for (service, address) in [
        ("near", "10.0.0.1"),
        ("file", "db.example.test"),
        ("alias", "alias.example.test"),
        ("below", "ns.sub.example.test"),
        ("far", "db.example.org"),
        ("self", "a.near.svc.local"),
    ] {
        let ports = json!({"sql": 5432});
        server.register(service, "a", json!({"address": address, "port": 80, "ports": ports}));
    }
    server.register("file", "b", json!({"address": "db.example.test", "port": 80}));
    check(
        server.dns[0],
        "
> _near._tcp.svc.local. SRV
NOERROR aa
answer _near._tcp.svc.local. 5 SRV 0 1 80 a.near.svc.local.
additional a.near.svc.local. 5 A 10.0.0.1

> _file._tcp.svc.local. SRV                        ; equal records are one, and this server knows the host
NOERROR aa
answer _file._tcp.svc.local. 5 SRV 0 1 80 db.example.test.
additional db.example.test. 60 A 192.0.2.5
additional db.example.test. 60 AAAA 2001:db8::5

> _sql._tcp.file.svc.local. SRV
NOERROR aa
answer _sql._tcp.file.svc.local. 5 SRV 0 1 5432 db.example.test.
additional db.example.test. 60 A 192.0.2.5
additional db.example.test. 60 AAAA 2001:db8::5

> _alias._tcp.svc.local. SRV                       ; a target must not be an alias: nothing goes with it
NOERROR aa
answer _alias._tcp.svc.local. 5 SRV 0 1 80 alias.example.test.

> _below._tcp.svc.local. SRV                       ; below a zone cut others are the authority
NOERROR aa
answer _below._tcp.svc.local. 5 SRV 0 1 80 ns.sub.example.test.

> _far._tcp.svc.local. SRV
NOERROR aa
answer _far._tcp.svc.local. 5 SRV 0 1 80 db.example.org.

> self.svc.local. SRV
NOERROR aa
answer self.svc.local. 5 SRV 0 1 80 a.near.svc.local.
additional a.near.svc.local. 5 A 10.0.0.1

> a._file._tcp.svc.local. SRV
NOERROR aa
answer a._file._tcp.svc.local. 5 SRV 0 1 80 db.example.test.
additional db.example.test. 60 A 192.0.2.5
additional db.example.test. 60 AAAA 2001:db8::5
",
    );
}
