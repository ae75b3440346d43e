//! RFC 6763: browsing by DNS-SD, from the domains to browse down to the addresses of one instance.

use serde_json::json;

use crate::common::{Server, Setup};
use crate::table::check;

fn printers() -> Server {
    let server = Server::start();
    let lobby =
        json!({"address": "10.0.0.1", "port": 631, "tags": ["color"], "metadata": {"note": "Lobby", "rp": "q"}});
    server.register("ipp", "lobby", lobby);
    server.register("ipp", "attic", json!({"address": "2001:db8::2", "port": 632, "weight": 0}));
    server.register(
        "ipp",
        "dark",
        json!({"address": "10.0.0.3", "port": 633, "tags": ["mono"], "status": "unhealthy"}),
    );
    server.register("ntp", "clock", json!({"address": "10.0.0.9", "port": 123, "protocol": "udp"}));
    server.register("off", "a", json!({"address": "10.0.0.8", "port": 1, "status": "starting"}));
    server
}

#[test]
fn browsing_goes_from_domains_to_addresses() {
    check(
        printers().dns[0],
        "
> b._dns-sd._udp.svc.local. PTR                    ; §11, the domains to browse
NOERROR aa
answer b._dns-sd._udp.svc.local. 5 PTR svc.local.

> lb._dns-sd._udp.svc.local. PTR
NOERROR aa
answer lb._dns-sd._udp.svc.local. 5 PTR svc.local.

> _services._dns-sd._udp.svc.local. PTR            ; §9, the types; those without a healthy instance are not among them
NOERROR aa
answer _services._dns-sd._udp.svc.local. 5 PTR _ipp._tcp.svc.local.
answer _services._dns-sd._udp.svc.local. 5 PTR _ntp._udp.svc.local.

> _ipp._tcp.svc.local. PTR edns                    ; §4.1, the instances; §12.1, what is asked of them next
NOERROR aa
answer _ipp._tcp.svc.local. 5 PTR lobby._ipp._tcp.svc.local.
answer _ipp._tcp.svc.local. 5 PTR attic._ipp._tcp.svc.local.
additional lobby._ipp._tcp.svc.local. 5 SRV 0 1 631 lobby.ipp.svc.local.
additional lobby._ipp._tcp.svc.local. 5 TXT \"note=Lobby\" \"rp=q\"
additional lobby.ipp.svc.local. 5 A 10.0.0.1
additional attic._ipp._tcp.svc.local. 5 SRV 0 0 632 attic.ipp.svc.local.
additional attic._ipp._tcp.svc.local. 5 TXT \"\"
additional attic.ipp.svc.local. 5 AAAA 2001:db8::2

> _color._sub._ipp._tcp.svc.local. PTR             ; §7.1, a subtype has the names of the type
NOERROR aa
answer _color._sub._ipp._tcp.svc.local. 5 PTR lobby._ipp._tcp.svc.local.
additional lobby._ipp._tcp.svc.local. 5 SRV 0 1 631 lobby.ipp.svc.local.
additional lobby._ipp._tcp.svc.local. 5 TXT \"note=Lobby\" \"rp=q\"
additional lobby.ipp.svc.local. 5 A 10.0.0.1

> LOBBY._ipp._tcp.svc.local. SRV                   ; §5, names compare without case
NOERROR aa
answer LOBBY._ipp._tcp.svc.local. 5 SRV 0 1 631 lobby.ipp.svc.local.
additional lobby.ipp.svc.local. 5 A 10.0.0.1

> lobby._ipp._tcp.svc.local. TXT
NOERROR aa
answer lobby._ipp._tcp.svc.local. 5 TXT \"note=Lobby\" \"rp=q\"

> attic._ipp._tcp.svc.local. TXT                   ; §6.1, never without a string
NOERROR aa
answer attic._ipp._tcp.svc.local. 5 TXT \"\"
",
    );
}

#[test]
fn names_exist_as_long_as_someone_is_registered() {
    let soa = "svc.local. 5 SOA server.srvd.ns.svc.local. hostmaster.svc.local. 5 3600 600 86400 5";
    let nodata = format!("NOERROR aa\nauthority {soa}");
    let nxdomain = format!("NXDOMAIN aa\nauthority {soa}");
    let cases = [
        ("dark._ipp._tcp.svc.local. SRV", &nodata),
        ("dark._ipp._tcp.svc.local. TXT", &nodata),
        ("dark._ipp._tcp.svc.local. A", &nodata),
        ("_mono._sub._ipp._tcp.svc.local. PTR", &nodata),
        ("_off._tcp.svc.local. PTR", &nodata),
        ("_sub._ipp._tcp.svc.local. PTR", &nodata),
        ("_services._dns-sd._udp.svc.local. A", &nodata),
        ("_dns-sd._udp.svc.local. PTR", &nodata),
        ("_udp.svc.local. PTR", &nodata),
        ("_tcp.svc.local. PTR", &nodata),
        ("gone._ipp._tcp.svc.local. SRV", &nxdomain),
        ("lobby._ipp._udp.svc.local. SRV", &nxdomain),
        ("lobby._ntp._udp.svc.local. SRV", &nxdomain),
        ("_gone._sub._ipp._tcp.svc.local. PTR", &nxdomain),
        ("_color._sub._ntp._udp.svc.local. PTR", &nxdomain),
        ("_sub._ntp._udp.svc.local. PTR", &nxdomain),
        ("color._sub._ipp._tcp.svc.local. PTR", &nxdomain),
        ("_ipp._udp.svc.local. PTR", &nxdomain),
        ("_color._ipp._tcp.svc.local. PTR", &nxdomain),
        ("_services._dns-sd._tcp.svc.local. PTR", &nxdomain),
        ("r._dns-sd._udp.svc.local. PTR", &nxdomain),
    ];
    let table: String = cases.iter().map(|(question, response)| format!("> {question}\n{response}\n\n")).collect();
    check(printers().dns[0], &table);
}

/// RFC 6763 §12 and RFC 2181 §9: additional records that do not fit are left out, and TC is for answers alone.
#[test]
fn additional_records_never_truncate() {
    let server = Server::start();
    for at in 0..12 {
        let metadata = json!({"text": "x".repeat(200)});
        server.register("web", &format!("i{at}"), json!({"address": "10.0.0.1", "port": 80, "metadata": metadata}));
    }
    let reply = server.dig("_web._tcp.svc.local PTR +noedns +ignore");
    assert_eq!(reply.data("PTR").len(), 12, "{reply}");
    reply.lacks("tc");
    let some = server.dig("_web._tcp.svc.local PTR +bufsize=1232 +ignore");
    assert!((1..12).contains(&some.additional_data("TXT").len()), "{some}");
    some.lacks("tc");
    let all = server.dig("_web._tcp.svc.local PTR +tcp");
    assert_eq!((all.additional_data("SRV").len(), all.additional_data("TXT").len()), (12, 12), "{all}");
}

/// RFC 6763 §9 with more types than an answer holds: what fits over UDP, always the same, and all over TCP.
#[test]
fn a_list_of_types_is_cut_where_it_must_be() {
    let server = Setup::new().start();
    for at in 0..100 {
        server.register(&format!("s{at:02}"), "a", json!({"address": "10.0.0.1", "port": 80}));
    }
    let name = "_services._dns-sd._udp.svc.local PTR";
    let cut = server.dig(&format!("{name} +noedns +ignore"));
    cut.has("tc");
    let kept = cut.data("PTR");
    assert!(kept.len() > 15, "{cut}");
    assert_eq!(server.dig(&format!("{name} +noedns +ignore")).data("PTR"), kept);
    assert_eq!(server.dig(&format!("{name} +tcp")).data("PTR").len(), 100);
}
