//! Questions to zones and their outcomes, in presentation format.
//!
//! An outcome is shown as its name, then its records as `owner TYPE data`, then after `+` the additional ones.

use std::path::Path;

use super::*;
use crate::wire::Rdata;
use crate::zone::master::{self, Kind};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn zone(apex: &str, text: &str, kind: Kind) -> Zone {
    let mut source = |_: &Path| Ok(text.as_bytes().to_vec());
    master::parse(&mut source, Path::new("test.zone"), &name(apex), kind)
        .unwrap_or_else(|errors| panic!("{}", errors[0]))
        .zone
}

fn shown_data(rtype: RecordType, rdata: &Rdata) -> String {
    let tail = |at: usize| Name::from_wire(&rdata[at..]).unwrap().to_string();
    match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => tail(0),
        RecordType::MX => tail(2),
        RecordType::SRV => tail(6),
        RecordType::A => rdata.iter().map(u8::to_string).collect::<Vec<_>>().join("."),
        RecordType::TXT => rdata[1..].escape_ascii().to_string(),
        _ => String::new(),
    }
}

fn shown_sets(sets: &[RrSet]) -> String {
    let of_set = |set: &RrSet| {
        let data: Vec<_> = set.rdata.iter().map(|rdata| shown_data(set.rtype, rdata)).collect();
        format!(" {} {} {}", set.owner, set.rtype, data.join(",")).trim_end().to_string()
    };
    sets.iter().map(of_set).collect::<Vec<_>>().join(";")
}

fn shown(outcome: &Outcome) -> String {
    let plus = |sets: &[RrSet]| if sets.is_empty() { String::new() } else { format!(" +{}", shown_sets(sets)) };
    match outcome {
        Outcome::Answer { answer, additional } => format!("Answer{}{}", shown_sets(answer), plus(additional)),
        Outcome::NoData { aliases, .. } => format!("NoData{}", shown_sets(aliases)),
        Outcome::NxDomain { aliases, .. } => format!("NxDomain{}", shown_sets(aliases)),
        Outcome::Referral { aliases, ns, glue } => {
            format!("Referral{} ->{}{}", shown_sets(aliases), shown_sets(std::slice::from_ref(ns)), plus(glue))
        }
        Outcome::YxDomain { aliases } => format!("YxDomain{}", shown_sets(aliases)),
        Outcome::Refused => "Refused".into(),
        Outcome::ServFail => "ServFail".into(),
    }
}

/// Asks `name TYPE` for each row.
fn check(zone: &Zone, rows: &[(&str, &str)]) {
    for (question, expected) in rows {
        assert_eq!(shown(&ask(&Context::of(zone, usize::MAX).unwrap(), question)), *expected, "{question}");
    }
}

fn ask(context: &Context<'_>, question: &str) -> Outcome {
    let (qname, qtype) = question.split_once(' ').unwrap();
    let known = [1, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 255].map(RecordType);
    let qtype = known.into_iter().find(|known| known.to_string() == qtype).unwrap();
    resolve(context, &name(qname), qtype).outcome
}

/// The zone of RFC 4592 §2.2.1, with its answers in the order of that section.
#[test]
fn rfc_4592() {
    let zone = zone(
        "example",
        "$TTL 3600
@                       SOA  ns.example.com. host.example.com. 1 2 3 4 60
@                       NS   ns.example.com.
@                       NS   ns.example.net.
*                       TXT  \"this is a wildcard\"
*                       MX   10 host1.example.
sub.*                   TXT  \"this is not a wildcard\"
host1                   A    192.0.2.1
_ssh._tcp.host1         SRV  0 0 22 host1
_ssh._tcp.host2         SRV  0 0 22 host1
subdel                  NS   ns.example.com.
subdel                  NS   ns.example.net.
",
        Kind::Own,
    );
    check(
        &zone,
        &[
            ("host3.example MX", "Answer host3.example. MX host1.example. + host1.example. A 192.0.2.1"),
            ("host3.example A", "NoData"),
            ("foo.bar.example TXT", "Answer foo.bar.example. TXT this is a wildcard"),
            ("host1.example MX", "NoData"),
            ("sub.*.example MX", "NoData"),
            ("_telnet._tcp.host1.example SRV", "NxDomain"),
            ("host.subdel.example A", "Referral -> subdel.example. NS ns.example.com.,ns.example.net."),
            ("ghost.*.example MX", "NxDomain"),
            // beyond the table: the wildcard itself, empty non-terminals, the case of the question
            ("*.example TXT", "Answer *.example. TXT this is a wildcard"),
            ("_tcp.host1.example SRV", "NoData"),
            ("host2.example TXT", "NoData"),
            ("FOO.Bar.example TXT", "Answer FOO.Bar.example. TXT this is a wildcard"),
            ("foo.example ANY", "Answer foo.example. MX host1.example. + host1.example. A 192.0.2.1"),
        ],
    );
}

/// A zone in the manner of RFC 1034 §6.1, and questions in the manner of §6.2.
#[test]
fn rfc_1034() {
    let zone = zone(
        "mil",
        "$TTL 86400
@ SOA sri-nic hostmaster.sri-nic 870611 1800 300 604800 300
@ NS sri-nic
@ NS a.isi.edu.
sri-nic A 26.0.0.73
sri-nic A 10.0.0.51
sri-nic MX 0 SRI-NIC
acc A 26.6.0.65
usc-isic CNAME c.isi
nic CNAME sri-nic
gone CNAME nowhere
empty CNAME acc
edu.acc NS ns.edu.acc
edu.acc NS Vaxa.isi
edu.acc NS a.isi.edu.
ns.edu.acc A 10.1.0.1
ns.edu.acc AAAA 2001:db8::1
mx.edu.acc MX 0 hidden
vaxa.isi A 128.9.0.33
into CNAME deep.edu.acc
outside CNAME web.example.com.
isi MX 0 vaxa.isi
isi MX 5 VAXA.isi
isi MX 9 mail.example.com.
isi MX 9 ns.edu.acc
_s._tcp SRV 0 0 1 nic
_s._tcp SRV 0 0 1 acc
",
        Kind::Own,
    );
    let cut = "edu.acc.mil. NS ns.edu.acc.mil.,Vaxa.isi.mil.,a.isi.edu. + ns.edu.acc.mil. A 10.1.0.1; ns.edu.acc.mil. AAAA; Vaxa.isi.mil. A 128.9.0.33";
    let referral = format!("Referral -> {cut}");
    let chained = format!("Referral into.mil. CNAME deep.edu.acc.mil. -> {cut}");
    let upper = referral.replace("-> edu.acc.mil.", "-> EDU.ACC.mil.");
    check(
        &zone,
        &[
            ("SRI-nic.mil A", "Answer SRI-nic.mil. A 26.0.0.73,10.0.0.51"),
            ("sri-nic.mil ANY", "Answer sri-nic.mil. A 26.0.0.73,10.0.0.51"),
            ("SRI-nic.mil MX", "Answer SRI-nic.mil. MX SRI-NIC.mil. + SRI-nic.mil. A 26.0.0.73,10.0.0.51"),
            ("sri-nic.mil NS", "NoData"),
            ("sir-nic.mil A", "NxDomain"),
            ("nic.mil A", "Answer nic.mil. CNAME sri-nic.mil.; sri-nic.mil. A 26.0.0.73,10.0.0.51"),
            ("nic.mil CNAME", "Answer nic.mil. CNAME sri-nic.mil."),
            ("nic.mil ANY", "Answer nic.mil. CNAME sri-nic.mil."),
            ("usc-isic.mil A", "NxDomain usc-isic.mil. CNAME c.isi.mil."),
            ("gone.mil A", "NxDomain gone.mil. CNAME nowhere.mil."),
            ("empty.mil TXT", "NoData empty.mil. CNAME acc.mil."),
            ("outside.mil A", "Answer outside.mil. CNAME web.example.com."),
            ("mil NS", "Answer mil. NS sri-nic.mil.,a.isi.edu. + sri-nic.mil. A 26.0.0.73,10.0.0.51"),
            ("mil SOA", "Answer mil. SOA"),
            ("mil DS", "NoData"),
            ("edu A", "Refused"),
            // delegations: at the cut, below it, its own glue, what it occludes, DS
            ("edu.acc.mil NS", &referral),
            ("EDU.ACC.mil A", &upper),
            ("x.y.edu.acc.mil A", &referral),
            ("ns.edu.acc.mil A", &referral),
            ("mx.edu.acc.mil MX", &referral),
            ("edu.acc.mil ANY", &referral),
            ("edu.acc.mil DS", "NoData"),
            ("x.edu.acc.mil DS", &referral),
            ("into.mil A", &chained),
            // additional: each host once, in the zone only, no aliases, no glue
            (
                "isi.mil MX",
                "Answer isi.mil. MX vaxa.isi.mil.,VAXA.isi.mil.,mail.example.com.,ns.edu.acc.mil. + vaxa.isi.mil. A 128.9.0.33",
            ),
            ("_s._tcp.mil SRV", "Answer _s._tcp.mil. SRV nic.mil.,acc.mil. + acc.mil. A 26.6.0.65"),
            ("_tcp.mil SRV", "NoData"),
        ],
    );
}

#[test]
fn aliases_end() {
    let chain: String = (0..40).map(|at| format!("c{at} CNAME c{}\n", at + 1)).collect();
    let text = format!(
        "$TTL 5\n@ SOA . . 1 2 3 4 5\n@ NS ns.example.\n{chain}
self CNAME self\na CNAME B\nb CNAME a\nin CNAME a
*.w CNAME target\ntarget A 10.0.0.1\n*.l CNAME x.l\n*.n CNAME nothing\n*.out CNAME x.example.\n*.d NS ns.example.\n"
    );
    let zone = zone("e.test", &text, Kind::Own);
    check(
        &zone,
        &[
            ("self.e.test A", "Answer self.e.test. CNAME self.e.test."),
            ("a.e.test A", "Answer a.e.test. CNAME B.e.test.; B.e.test. CNAME a.e.test."),
            ("in.e.test A", "Answer in.e.test. CNAME a.e.test.; a.e.test. CNAME B.e.test.; B.e.test. CNAME a.e.test."),
            ("X.y.w.e.test A", "Answer X.y.w.e.test. CNAME target.e.test.; target.e.test. A 10.0.0.1"),
            ("x.w.e.test TXT", "NoData x.w.e.test. CNAME target.e.test."),
            ("x.w.e.test CNAME", "Answer x.w.e.test. CNAME target.e.test."),
            ("w.e.test A", "NoData"),
            ("y.l.e.test A", "Answer y.l.e.test. CNAME x.l.e.test.; x.l.e.test. CNAME x.l.e.test."),
            ("y.n.e.test A", "NxDomain y.n.e.test. CNAME nothing.e.test."),
            ("y.out.e.test A", "Answer y.out.e.test. CNAME x.example."),
            ("y.d.e.test NS", "Answer y.d.e.test. NS ns.example."),
        ],
    );
    let context = Context::of(&zone, usize::MAX).unwrap();
    let Outcome::Answer { answer, .. } = ask(&context, "c0.e.test A") else { panic!() };
    assert_eq!(answer.len(), MAX_ALIASES);
    assert_eq!(alias_end(&answer), Some(name("c16.e.test")));
    assert_eq!(alias_end(&[]), None);
}

#[test]
fn rfc_6672() {
    let long = ["a".repeat(63), "b".repeat(63), "c".repeat(63)].join(".");
    let text = format!(
        "$TTL 5\n@ SOA . . 1 2 3 4 5\n@ NS ns.example.\n
old DNAME new\nold TXT here\na.new A 10.0.0.1\naway DNAME other.example.\nloop DNAME loop\nlong DNAME {long}
ping DNAME pong\npong DNAME ping\ngrow DNAME x.grow\nto CNAME a.old\nsub NS ns.example.\ncut DNAME sub\nup DNAME @\n"
    );
    let zone = zone("e.test", &text, Kind::Own);
    let far = format!("{}.{}.long.e.test A", "d".repeat(30), "e".repeat(30));
    let too_long = format!("YxDomain long.e.test. DNAME {long}.e.test.");
    check(
        &zone,
        &[
            (
                "A.old.e.test A",
                "Answer old.e.test. DNAME new.e.test.; A.old.e.test. CNAME A.new.e.test.; A.new.e.test. A 10.0.0.1",
            ),
            ("old.e.test DNAME", "Answer old.e.test. DNAME new.e.test."),
            ("old.e.test TXT", "Answer old.e.test. TXT here"),
            ("old.e.test A", "NoData"),
            ("b.old.e.test A", "NxDomain old.e.test. DNAME new.e.test.; b.old.e.test. CNAME b.new.e.test."),
            ("a.old.e.test TXT", "NoData old.e.test. DNAME new.e.test.; a.old.e.test. CNAME a.new.e.test."),
            (
                "x.y.away.e.test A",
                "Answer away.e.test. DNAME other.example.; x.y.away.e.test. CNAME x.y.other.example.",
            ),
            ("x.loop.e.test A", "Answer loop.e.test. DNAME loop.e.test.; x.loop.e.test. CNAME x.loop.e.test."),
            (
                "x.ping.e.test A",
                "Answer ping.e.test. DNAME pong.e.test.; x.ping.e.test. CNAME x.pong.e.test.; \
                 pong.e.test. DNAME ping.e.test.; x.pong.e.test. CNAME x.ping.e.test.",
            ),
            (
                "to.e.test A",
                "Answer to.e.test. CNAME a.old.e.test.; old.e.test. DNAME new.e.test.; \
                 a.old.e.test. CNAME a.new.e.test.; a.new.e.test. A 10.0.0.1",
            ),
            (
                "x.cut.e.test A",
                "Referral cut.e.test. DNAME sub.e.test.; x.cut.e.test. CNAME x.sub.e.test. -> sub.e.test. NS ns.example.",
            ),
            ("x.cut.e.test CNAME", "Answer cut.e.test. DNAME sub.e.test.; x.cut.e.test. CNAME x.sub.e.test."),
            ("up.up.e.test DNAME", "Answer up.e.test. DNAME e.test.; up.up.e.test. CNAME up.e.test."),
            (&far, &too_long),
        ],
    );
    let Outcome::Answer { answer, .. } = ask(&Context::of(&zone, usize::MAX).unwrap(), "q.grow.e.test A") else {
        panic!()
    };
    assert_eq!(answer.len(), 1 + MAX_ALIASES, "the DNAME once");
}

/// RFC 2308 §3: the TTL of the SOA in negative answers is the lesser of its own and MINIMUM.
#[test]
fn negative_answers_carry_the_soa() {
    for (ttl, minimum, expected) in [(3600, 60, 60), (30, 60, 30), (0, 60, 0)] {
        let text = format!("@ {ttl} SOA . . 1 2 3 4 {minimum}\n@ 9 NS .\n");
        let zone = zone("E.test", &text, Kind::Own);
        for question in ["e.TEST A", "x.e.TEST A"] {
            let (Outcome::NoData { soa, .. } | Outcome::NxDomain { soa, .. }) =
                ask(&Context::of(&zone, usize::MAX).unwrap(), question)
            else {
                panic!("{question}")
            };
            assert_eq!((soa.rtype, soa.ttl, soa.owner == name("e.test")), (RecordType::SOA, expected, true));
            let case = if question.starts_with('e') { "e.TEST." } else { "E.test." };
            assert_eq!(soa.owner.to_string(), case);
        }
        assert_eq!(zone.soa().map(|soa| soa.ttl), Some(ttl));
    }
}

/// The static half of a live zone: names of the other half exist, block wildcards and need no SOA in the file.
#[test]
fn names_from_elsewhere_count() {
    let zone = zone(
        "live.test",
        "$TTL 5\n*  TXT wild\n*.a.web TXT deep\nalias CNAME web\nweb MX 0 mail.web\nout.ns NS x.\n",
        Kind::Live,
    );
    assert!(Context::of(&zone, usize::MAX).is_none() && zone.ns().is_none());
    let soa = RrSet { owner: name("live.test"), rtype: RecordType::SOA, ttl: 9, rdata: vec![vec![0; 22].into()] };
    let live =
        ["web", "mail.web", "db", "i1.db", "tag.queue", "queue"].map(|front| name(&format!("{front}.live.test")));
    let beyond = |name: &Name| if live.contains(name) { Beyond::Exists } else { Beyond::Nothing };
    let context = Context { zone: &zone, soa: &soa, beyond: &beyond, at_most: usize::MAX };
    for (question, expected) in [
        ("foo.live.test TXT", "Answer foo.live.test. TXT wild"),
        ("foo.live.test A", "NoData"),
        ("db.live.test TXT", "NoData"),
        ("i1.DB.live.test TXT", "NoData"),
        ("i2.db.live.test TXT", "NxDomain"),
        ("queue.live.test TXT", "NoData"),
        ("web.live.test MX", "Answer web.live.test. MX mail.web.live.test."),
        ("x.a.web.live.test TXT", "Answer x.a.web.live.test. TXT deep"),
        ("x.web.live.test TXT", "NxDomain"),
        ("alias.live.test A", "NoData alias.live.test. CNAME web.live.test."),
        ("live.test SOA", "Answer live.test. SOA"),
        ("y.out.ns.live.test A", "Referral -> out.ns.live.test. NS x."),
    ] {
        assert_eq!(shown(&ask(&context, question)), expected, "{question}");
    }
}

/// A name with thousands of hosts costs no more than the answer to it can hold.
#[test]
fn hosts_are_looked_up_while_there_can_be_room() {
    let hosts: String = (0..100).map(|at| format!("@ MX 1 h{at}\nh{at} A 10.0.0.{at}\nh{at} AAAA ::{at}\n")).collect();
    let cut: String = (0..100).map(|at| format!("cut NS n{at}.cut\nn{at}.cut A 10.0.0.{at}\n")).collect();
    let zone = zone("e.test", &format!("$TTL 5\n@ SOA . . 1 2 3 4 5\n@ NS .\n{hosts}{cut}"), Kind::Own);
    for (at_most, for_mail, for_cut) in [(0, 2, 1), (5, 6, 6), (6, 8, 7), (1000, 200, 100)] {
        let context = Context::of(&zone, at_most).unwrap();
        let Outcome::Answer { additional, .. } = ask(&context, "e.test MX") else { panic!() };
        let Outcome::Referral { glue, .. } = ask(&context, "x.cut.e.test A") else { panic!() };
        assert_eq!((additional.len(), glue.len()), (for_mail, for_cut), "room for {at_most}");
    }
}
