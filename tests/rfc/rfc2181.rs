//! RFC 2181: §5, RRsets; §9, the TC bit is for what an answer needs, and additional records are left out in whole RRsets.

use std::fmt::Write as _;

use crate::common::message::{Response, Udp};
use crate::common::{Setup, message};
use crate::table::check;

/// Three exchangers behind an alias, each with 16 addresses: 448 octets, so that one set fits into 512 and two do not.
fn zone() -> String {
    let mut zone =
        String::from("$TTL 60\n@ SOA ns hostmaster 1 3600 600 86400 30\n@ NS ns\nns A 192.0.2.1\nalias CNAME mail\n");
    for exchanger in ["a", "b", "c"] {
        writeln!(zone, "mail MX 10 {exchanger}.mx").unwrap();
        for number in 0..16 {
            writeln!(zone, "{exchanger}.mx AAAA 2001:db8::{number}").unwrap();
        }
    }
    zone
}

fn owners(response: &Response) -> Vec<(&str, usize)> {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for record in &response.additional {
        match counted.last_mut() {
            Some((owner, count)) if *owner == record.owner => *count += 1,
            _ => counted.push((&record.owner, 1)),
        }
    }
    counted
}

#[test]
fn additional_sets_are_left_out_whole_and_in_silence() {
    let server = Setup::new().zone("example.test.zone", &zone()).start();
    let mut client = Udp::to(server.dns[0]);
    for (name, size, sets) in [
        ("mail.example.test", None, 0),
        ("mail.example.test", Some(700), 1),
        ("alias.example.test", Some(700), 1),
        ("mail.example.test", Some(1232), 2),
    ] {
        let response = client.ask(name, message::kind("MX"), size);
        assert!(!response.truncated, "{response:?}");
        let mx = response.answer.iter().filter(|record| record.kind == "MX").count();
        assert_eq!(mx, 3, "{response:?}");
        let owners = owners(&response);
        assert_eq!(owners.len(), sets, "{owners:?} for {name} in {size:?}");
        assert!(owners.iter().all(|(_, count)| *count == 16), "half an RRset would be taken for all of it: {owners:?}");
    }
    let query = message::query(1, "alias.example.test", message::kind("MX"), None);
    let whole = Response::read(&message::pipeline(server.dns[0], std::slice::from_ref(&query))[0], &query);
    assert_eq!(owners(&whole).iter().map(|(_, count)| count).sum::<usize>(), 48);
}

#[test]
fn an_answer_that_does_not_fit_sets_tc() {
    let server = Setup::new().zone("example.test.zone", &zone()).start();
    let response = Udp::to(server.dns[0]).ask("a.mx.example.test", message::AAAA, None);
    assert!(!response.truncated && response.answer.len() == 16, "{response:?}");
    let large = zone() + &(16..40).map(|number| format!("a.mx AAAA 2001:db8::{number}\n")).collect::<String>();
    let server = Setup::new().zone("example.test.zone", &large).start();
    let response = Udp::to(server.dns[0]).ask("a.mx.example.test", message::AAAA, None);
    assert!(response.truncated && response.octets.len() <= 512, "{response:?}");
    assert!(response.octets.len() + 28 > 512, "records are kept while there is room: {response:?}");
}

/// §5.2 and §5: an RRset has one TTL, the lowest that was written, and a record once.
#[test]
fn an_rrset_has_one_ttl_and_no_duplicates() {
    let zone = "\
@   60  SOA ns.example. hostmaster 1 3600 600 86400 30
@   60  NS  ns.example.
www 300 A   192.0.2.1
www 20  A   192.0.2.2
www 60  A   192.0.2.1
WWW 60  MX  10 Mail.Example.
www 60  MX  10 Mail.Example.
";
    let server = Setup::new().zone("example.test.zone", zone).start();
    check(
        server.dns[0],
        "
> www.example.test. A
NOERROR aa
answer www.example.test. 20 A 192.0.2.1
answer www.example.test. 20 A 192.0.2.2

> www.example.test. MX
NOERROR aa
answer www.example.test. 60 MX 10 Mail.Example.
",
    );
    let told = server.process.log();
    let warning =
        "example.test.zone:4: the A records at www.example.test. have different TTLs: 20, the lowest, is that of all";
    assert!(told.contains(warning), "{told}");
}
