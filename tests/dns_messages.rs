//! The form of DNS messages whatever they are about: transports, flags, echo, sizes, truncation, EDNS.

mod common;

use std::net::IpAddr;

use common::message::{self, Record, Udp};
use common::{Server, Setup, dig, population};
use serde_json::json;

#[test]
fn every_listener_answers_over_udp_and_tcp() {
    let server = Setup::new().also_dns("[::1]:0").start();
    population::two(&server);
    assert_eq!(server.dns.len(), 2, "both listeners are in the ready line");
    for address in &server.dns {
        for transport in ["+notcp", "+tcp"] {
            let reply = dig(*address, &format!("web.svc.local A {transport}"));
            reply.answers("A", &["10.0.0.1", "10.0.0.2"]);
            assert_eq!(reply.tcp, transport == "+tcp", "{reply}");
        }
    }
}

#[test]
fn one_tcp_connection_takes_several_queries() {
    let server = Server::start();
    population::two(&server);
    let names = ["web.svc.local", "a.web.svc.local", "nothing.svc.local"];
    let queries: Vec<_> = (7_u16..).zip(names).map(|(id, name)| message::query(id, name, message::A, None)).collect();
    let mut replies = message::pipeline(server.dns[0], &queries);
    // RFC 7766 lets a server answer in any order.
    replies.sort_by_key(|reply| [reply[0], reply[1]]);
    let replies: Vec<_> = replies.iter().zip(&queries).map(|(r, q)| message::Response::read(r, q)).collect();
    assert_eq!(replies.iter().map(|reply| reply.answer.len()).collect::<Vec<_>>(), [2, 1, 0]);
    assert_eq!(replies[2].rcode, "NXDOMAIN");
}

#[test]
fn flags_are_those_of_an_authoritative_server() {
    let server = Server::start();
    population::two(&server);
    let asked = server.dig("web.svc.local A +recurse");
    asked.has("qr").has("aa").has("rd").lacks("ra").lacks("tc");
    server.dig("web.svc.local A +norecurse").has("aa").lacks("rd").lacks("ra");
}

#[test]
fn names_match_without_case_and_are_echoed_with_it() {
    let server = Server::start();
    server.register("Web", "A", json!({ "address": "10.0.0.1", "port": 80, "tags": ["V2"] }));
    for (name, kind) in [("wEb.SvC.LOcal.", "A"), ("_WEB._tCp.svc.LOCAL.", "SRV"), ("v2.Web.sVc.local.", "A")] {
        let reply = server.dig(&format!("{name} {kind}"));
        assert_eq!(reply.question.as_deref(), Some(&*format!("{name} IN {kind}")), "{reply}");
        assert!(reply.answer.iter().all(|record| record.starts_with(&format!("{name} "))), "{reply}");
        assert_eq!(reply.data(kind).len(), 1, "{reply}");
    }
    server.dig("NoThing.svc.LOCAL A").is_nxdomain();
}

#[test]
fn the_question_is_echoed_byte_for_byte() {
    let server = Server::start();
    population::two(&server);
    let mut client = Udp::to(server.dns[0]);
    for name in ["WEB.svc.local", "wEB.sVC.lOCAL", "nOTHING.svc.LOCAL", "eXAMPLE.Com"] {
        // `Response::read` compares the question's octets.
        let reply = client.ask(name, message::A, Some(1232));
        assert!(reply.answer.iter().all(|record| record.owner == name), "{reply:?}");
    }
}

#[test]
fn answers_point_at_the_question_for_their_owner() {
    let server = Server::start();
    population::two(&server);
    let reply = Udp::to(server.dns[0]).ask("web.svc.local", message::A, None);
    let answer = 12 + "web.svc.local".len() + 2 + 4;
    assert_eq!(reply.octets[answer..answer + 2], [0xc0, 12], "the first owner is a pointer to the question");
    assert_eq!(reply.octets.len(), answer + 2 * 16, "so is the second: {reply:?}");
}

#[test]
fn srv_targets_are_never_compressed() {
    let server = Server::start();
    population::two(&server);
    let reply = Udp::to(server.dns[0]).ask("_web._tcp.svc.local", message::SRV, Some(1232));
    assert_eq!(reply.answer.len(), 2, "{reply:?}");
    for record in &reply.answer {
        assert_eq!(record.length, 6 + record.target_length, "RFC 2782: {record:?}");
    }
}

#[test]
fn any_is_answered_minimally() {
    let server = Server::start();
    server.register("web", "a", json!({ "addresses": ["10.0.0.1", "2001:db8::1"], "port": 80 }));
    for transport in ["+notcp", "+tcp"] {
        let reply = server.dig(&format!("web.svc.local ANY {transport}"));
        assert_eq!(reply.status, "NOERROR", "{reply}");
        let mut kinds: Vec<_> = reply.answer.iter().filter_map(|record| record.split(' ').nth(3)).collect();
        kinds.dedup();
        assert_eq!(kinds.len(), 1, "RFC 8482: one RRset or HINFO\n{reply}");
    }
    server.dig("nothing.svc.local ANY").is_nxdomain();
}

#[test]
fn other_classes_are_refused() {
    let server = Server::start();
    population::two(&server);
    for question in ["version.bind CH TXT", "id.server CH TXT", "web.svc.local CH A", "web.svc.local HS A"] {
        server.dig(question).is_refused();
    }
}

#[test]
fn unknown_types_are_types_without_records() {
    let server = Server::start();
    population::two(&server);
    for kind in ["TYPE65280", "HTTPS", "MX", "CAA", "DNSKEY"] {
        server.dig(&format!("web.svc.local {kind}")).is_nodata();
        server.dig(&format!("nothing.svc.local {kind}")).is_nxdomain();
    }
}

#[test]
fn without_edns_512_octets_and_tcp_as_the_way_out() {
    let server = Server::start();
    population::many(&server, 40);
    for question in ["web.svc.local A", "_web._tcp.svc.local SRV"] {
        let cut = server.dig(&format!("{question} +noedns +ignore"));
        cut.has("tc");
        assert!(cut.size <= 512 && !cut.answer.is_empty() && cut.answer.len() < 40, "{cut}");
        assert_eq!(cut.edns, None, "no EDNS was offered\n{cut}");
        let whole = server.dig(&format!("{question} +noedns"));
        whole.has("aa").lacks("tc");
        assert!(whole.tcp, "dig goes on by TCP\n{whole}");
        assert_eq!(whole.answer.len(), 40, "{whole}");
    }
}

#[test]
fn an_answer_that_just_fits_is_not_cut() {
    let server = Server::start();
    population::many(&server, 30);
    let header_and_question = 12 + "web.svc.local".len() + 2 + 4;
    let reply = server.dig("web.svc.local A +noedns +ignore");
    reply.lacks("tc");
    assert_eq!((reply.answer.len(), reply.size), (30, header_and_question + 30 * 16), "{reply}");
    assert!(reply.size + 16 > 512, "one more would not fit");
}

#[test]
fn edns_sizes_are_honoured_up_to_the_limit() {
    let server = Server::start();
    population::many(&server, 40);
    for (offered, limit) in [(100, 512), (512, 512), (700, 700), (1232, 1232), (4096, 1232), (65_535, 1232)] {
        let reply = server.dig(&format!("_web._tcp.svc.local SRV +ignore +bufsize={offered}"));
        reply.has("tc");
        assert!(reply.size <= limit, "{} octets for an offer of {offered}\n{reply}", reply.size);
        let longest_record = 2 + 10 + 6 + "i-00.web.svc.local".len() + 2;
        assert!(reply.size + longest_record > limit, "room was left for an offer of {offered}\n{reply}");
        assert_eq!(reply.edns.as_ref().map(|edns| (edns.version, edns.udp)), Some((0, 1232)), "{reply}");
    }
}

#[test]
fn the_udp_limit_is_configured() {
    let server = Setup::new().set("dns.udp_payload", 4096).start();
    population::many(&server, 40);
    let reply = server.dig("_web._tcp.svc.local SRV +ignore +bufsize=4096");
    reply.lacks("tc");
    assert_eq!(reply.answer.len(), 40, "{reply}");
}

#[test]
fn additional_records_alone_never_set_tc() {
    let server = Server::start();
    population::many(&server, 25);
    let reply = server.dig("_web._tcp.svc.local SRV +ignore +bufsize=1232");
    reply.lacks("tc");
    assert_eq!(reply.answer.len(), 25, "{reply}");
    let kept = reply.additional_data("A").len();
    assert!(0 < kept && kept < 25, "{kept} addresses are kept, and some but not all fit\n{reply}");
}

#[test]
fn every_additional_record_belongs_to_a_kept_answer() {
    let server = Server::start();
    population::many(&server, 40);
    let reply = Udp::to(server.dns[0]).ask("_web._tcp.svc.local", message::SRV, Some(700));
    let targets: Vec<_> = reply.answer.iter().filter_map(|record| record.data.split(' ').nth(3)).collect();
    for record in &reply.additional {
        assert!(targets.iter().any(|target| target.trim_end_matches('.') == record.owner), "{record:?} in {reply:?}");
    }
}

#[test]
fn a_cut_answer_is_stable_for_one_client() {
    let server = Server::start();
    population::many(&server, 40);
    for client in [[127, 0, 0, 1], [127, 0, 0, 99]].map(IpAddr::from) {
        for (name, kind) in [("web.svc.local", message::A), ("_web._tcp.svc.local", message::SRV)] {
            let cut = || kept(&server, client, name, kind);
            let first = cut();
            // A new socket each time: another port is still the same client.
            assert!((0..20).all(|_| cut() == first), "{client} sees other records of {name} from query to query");
        }
    }
}

fn kept(server: &Server, client: IpAddr, name: &str, kind: u16) -> Vec<Record> {
    let reply = Udp::from_address(client, server.dns[0]).ask(name, kind, None);
    assert!(reply.truncated && !reply.answer.is_empty(), "{reply:?}");
    reply.sorted_answer()
}

#[test]
fn edns_versions_above_0_are_refused() {
    let server = Server::start();
    population::two(&server);
    let reply = server.dig("web.svc.local A +edns=1 +noednsnegotiation");
    assert_eq!(reply.status, "BADVERS", "{reply}");
    assert!(reply.answer.is_empty(), "{reply}");
    assert_eq!(reply.edns.as_ref().map(|edns| edns.version), Some(0), "{reply}");
    server.dig("web.svc.local A +edns=1").answers("A", &["10.0.0.1", "10.0.0.2"]);
}

#[test]
fn unknown_edns_flags_and_options_are_ignored() {
    let server = Server::start();
    population::two(&server);
    for asked in ["+ednsflags=0x4000", "+ednsopt=65001:beef", "+nsid", "+subnet=192.0.2.0/24", "+cookie"] {
        let reply = server.dig(&format!("web.svc.local A {asked}"));
        reply.answers("A", &["10.0.0.1", "10.0.0.2"]);
        let edns = reply.edns.as_ref().unwrap_or_else(|| panic!("no EDNS\n{reply}"));
        assert!(!edns.flags.contains("MBZ"), "RFC 6891 §6.1.4: unknown flags are not echoed\n{reply}");
    }
}
