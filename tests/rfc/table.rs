//! Tables of questions and the responses they get, in presentation format.
//!
//! ```text
//! > web.svc.local. SRV                             the question; behind it `tcp`, `edns` or `edns=SIZE`, and any of
//!                                                  `opt=CODE:HEX` (implies EDNS), `do`, `class=CH`
//! NOERROR aa                                       the response code, then the flags aa and tc if they are set
//! answer     web.svc.local. 5 SRV 0 1 80 a.web.svc.local.
//! authority  …
//! additional a.web.svc.local. 5 A 10.0.0.1
//! option 3 6e7331                                  options of the OPT record in hexadecimal, extended errors but
//! error 20                                         by their code
//! ```
//!
//! Cases are divided by empty lines; `;` begins a comment. Sections are compared as sets: a record that is not listed
//! fails the case as one that is missing does. The OPT record is not listed, its
//! options are. A TTL or an option's data written `*` is any.

use std::net::SocketAddr;

use crate::common::edns;
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
        let (query, tcp) = asked(&self.question);
        let response =
            if tcp { message::pipeline(server, std::slice::from_ref(&query)).remove(0) } else { udp.exchange(&query) };
        let response = Response::read(&response, &query);
        let found = shown(&response);
        let same = found.len() == self.expected.len()
            && found.iter().zip(&self.expected).all(|(found, expected)| matches(expected, found));
        let listed = |lines: &[String]| lines.join("\n  ");
        (!same).then(|| {
            format!("> {}\nexpected\n  {}\nfound\n  {}", self.question, listed(&self.expected), listed(&found))
        })
    }
}

/// The query of a case, and whether it goes over TCP.
fn asked(question: &str) -> (Vec<u8>, bool) {
    let mut words = question.split(' ');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (mut tcp, mut size, mut flags, mut class, mut options) = (false, None, 0, 1, Vec::new());
    for option in words {
        match option.split_once('=') {
            None if option == "tcp" => tcp = true,
            None if option == "edns" => size = Some(1232),
            None if option == "do" => flags = 0x8000,
            Some(("edns", octets)) => size = Some(octets.parse::<u16>().expect("octets")),
            Some(("class", name)) => class = name.parse::<domain::base::iana::Class>().expect("a class").to_int(),
            Some(("opt", option)) => {
                let (code, data) = option.split_once(':').unwrap_or((option, ""));
                options.push((code.parse().expect("a code"), octets(data)));
            }
            _ => panic!("no such option: {option}"),
        }
    }
    let mut query = message::query(1, name, message::kind(kind), None);
    let end = query.len();
    query[end - 2..].copy_from_slice(&u16::to_be_bytes(class));
    if size.is_some() || flags != 0 || !options.is_empty() {
        let options: Vec<(u16, &[u8])> =
            options.iter().map(|(code, data): &(u16, Vec<u8>)| (*code, &data[..])).collect();
        edns::append(&mut query, 0, flags, &options);
        query[end + 3..end + 5].copy_from_slice(&size.unwrap_or(1232).to_be_bytes());
    }
    (query, tcp)
}

fn octets(hex: &str) -> Vec<u8> {
    let pair = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal digits");
    (0..hex.len()).step_by(2).map(pair).collect()
}

/// An option as a line of a table.
fn option((code, data): &(u16, Vec<u8>)) -> String {
    if *code == edns::EXTENDED_ERROR {
        return format!("error {}", u16::from_be_bytes([data[0], data[1]]));
    }
    let hex: String = data.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("option {code} {hex}").trim_end().to_owned()
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
    lines.extend(response.edns.iter().flat_map(|edns| edns.options.iter().map(option)));
    lines.sort();
    lines.insert(0, format!("{}{flags}", response.rcode));
    lines
}
