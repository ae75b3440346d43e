//! Tables of questions and the responses they get, in presentation format.
//!
//! ```text
//! > web.svc.local. SRV                             the question; behind it `tcp`, `edns` or `edns=SIZE`
//! NOERROR aa                                       the response code, then the flags aa and tc if they are set
//! answer     web.svc.local. 5 SRV 0 1 80 a.web.svc.local.
//! authority  …
//! additional a.web.svc.local. 5 A 10.0.0.1
//! ```
//!
//! Cases are divided by empty lines; `;` begins a comment. Sections are compared as sets: a record that is not listed
//! fails the case as one that is missing does. The OPT record is not listed. A TTL written `*` is any.

use std::net::SocketAddr;

use crate::common::message::{self, Response, Udp};

/// Asks `server` every question of `table`, and compares the responses.
///
/// # Panics
///
/// With every case that differs, in the format of the table.
#[track_caller]
pub fn check(server: SocketAddr, table: &str) {
    let mut udp = Udp::to(server);
    let cases: Vec<Case> = table.split("\n\n").filter_map(Case::parse).collect();
    assert!(!cases.is_empty(), "the table is empty");
    let wrong: Vec<String> = cases.iter().filter_map(|case| case.difference(&mut udp, server)).collect();
    assert!(wrong.is_empty(), "{} of {} cases differ:\n\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

struct Case {
    question: String,
    /// The lines behind the question, with single spaces, sorted.
    expected: Vec<String>,
}

impl Case {
    fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(|line| line.split(" ;").next().unwrap_or_default());
        let spaced = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut lines = spaced.filter(|line| !line.is_empty() && !line.starts_with(';'));
        let first = lines.next()?;
        let question = first.strip_prefix("> ").unwrap_or_else(|| panic!("a case begins with `> `: {first}"));
        let mut expected: Vec<String> = lines.collect();
        assert!(!expected.is_empty(), "{question} says nothing of its response");
        expected[1..].sort();
        Some(Self { question: question.to_owned(), expected })
    }

    fn difference(&self, udp: &mut Udp, server: SocketAddr) -> Option<String> {
        let mut words = self.question.split(' ');
        let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (mut tcp, mut edns) = (false, None);
        for option in words {
            match option.split_once('=') {
                None if option == "tcp" => tcp = true,
                None if option == "edns" => edns = Some(1232),
                Some(("edns", size)) => edns = Some(size.parse().expect("octets")),
                _ => panic!("no such option: {option}"),
            }
        }
        let kind = message::kind(kind);
        let response = if tcp {
            let query = message::query(1, name, kind, edns);
            Response::read(&message::pipeline(server, std::slice::from_ref(&query))[0], &query)
        } else {
            udp.ask(name, kind, edns)
        };
        let found = shown(&response);
        let same = found.len() == self.expected.len()
            && found.iter().zip(&self.expected).all(|(found, expected)| matches(expected, found));
        let listed = |lines: &[String]| lines.join("\n  ");
        (!same).then(|| {
            format!("> {}\nexpected\n  {}\nfound\n  {}", self.question, listed(&self.expected), listed(&found))
        })
    }
}

/// Whether a line is what is expected, `*` for a TTL being any.
fn matches(expected: &str, found: &str) -> bool {
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let (expected, found) = (words(expected), words(found));
    expected.len() == found.len()
        && expected.iter().zip(&found).enumerate().all(|(at, (one, other))| one == other || (at == 2 && one == "*"))
}

fn shown(response: &Response) -> Vec<String> {
    let flags = [(response.authoritative, " aa"), (response.truncated, " tc")];
    let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
    let sections =
        [("answer", &response.answer), ("authority", &response.authority), ("additional", &response.additional)];
    let mut lines: Vec<String> = sections
        .iter()
        .flat_map(|(section, records)| records.iter().map(move |record| format!("{section} {record}")))
        .collect();
    lines.sort();
    lines.insert(0, format!("{}{flags}", response.rcode));
    lines
}
