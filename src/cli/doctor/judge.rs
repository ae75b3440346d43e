//! What the facts about a host mean for whoever resolves names on it.
//!
//! Nothing is looked at here: facts in, findings out, so that hosts of all kinds can be judged in a test.

use std::net::{IpAddr, SocketAddr};

use super::facts::{Asked, Facts, Host, Lookup};
use crate::wire::Name;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Ok,
    /// It may be meant so.
    Note,
    /// Names of the zone do not reach programs.
    Problem,
}

impl Verdict {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at, and what is to be said about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// What was looked at: `server`, `dns`, `local`, `name server`, `lookup`.
    pub(super) subject: String,
    pub(super) verdict: Verdict,
    pub(super) words: String,
}

impl Finding {
    fn new(subject: impl Into<String>, verdict: Verdict, words: impl Into<String>) -> Self {
        Self { subject: subject.into(), verdict, words: words.into() }
    }
}

/// Everything there is to say, from the server to the program.
pub(super) fn judge(facts: &Facts) -> Vec<Finding> {
    let mut findings = vec![server(facts)];
    if facts.server.is_ok() && facts.srvd.is_empty() {
        let words = "the server does not say where it answers DNS; name the place with --dns ADDR:PORT";
        findings.push(Finding::new("dns", Verdict::Note, words));
    }
    findings.extend(facts.srvd.iter().map(|(address, asked)| srvd(&facts.zone, *address, asked)));
    findings.extend(local(&facts.zone, &facts.host));
    let is_reached = facts.lookup.as_ref().is_some_and(reaches);
    let own = facts.srvd.iter().find_map(|(_, asked)| match asked {
        Asked::Served { server, .. } => Some(server),
        _ => None,
    });
    for (address, asked) in &facts.name_servers {
        findings.push(name_server(&facts.zone, *address, asked, own, is_reached));
    }
    findings.push(match &facts.lookup {
        Some(lookup) => looked_up(lookup),
        None => Finding::new("lookup", Verdict::Note, "no name is known to try; register an instance, or give --name"),
    });
    findings
}

fn server(facts: &Facts) -> Finding {
    match &facts.server {
        Ok(_) => Finding::new("server", Verdict::Ok, format!("{} serves {}", facts.url, facts.zone)),
        // Names may well reach this host from a server that does not answer it over HTTP.
        Err(why) => Finding::new("server", Verdict::Note, why.clone()),
    }
}

fn srvd(zone: &Name, address: SocketAddr, asked: &Asked) -> Finding {
    let finding = |verdict, words: String| Finding::new("dns", verdict, words);
    match asked {
        Asked::Served { authoritative: true, .. } => {
            finding(Verdict::Ok, format!("srvd answers for {zone} at {address}"))
        }
        Asked::Served { authoritative: false, .. } => finding(
            Verdict::Note,
            format!("{address} knows {zone}, but as a resolver: it is not srvd that answers there"),
        ),
        Asked::Answered(2) => finding(
            Verdict::Problem,
            format!(
                "{address} answers SERVFAIL: srvd has not loaded its state yet, or its store is away; see `srvd status`"
            ),
        ),
        Asked::Answered(code) => finding(
            Verdict::Problem,
            format!(
                "{address} answers {} for {zone}; see dns.zone and dns.allow in srvd's configuration",
                rcode(*code)
            ),
        ),
        Asked::Silent => finding(
            Verdict::Problem,
            format!("no answer from {address} over UDP; is there a firewall between, or is it another host's address?"),
        ),
        Asked::Failed(why) => finding(
            Verdict::Problem,
            format!("cannot ask {address}: {why}; if srvd answers elsewhere, name the place with --dns ADDR:PORT"),
        ),
    }
}

fn name_server(zone: &Name, address: SocketAddr, asked: &Asked, own: Option<&Name>, is_reached: bool) -> Finding {
    let subject = "name server";
    // What one name server does not know does no harm where the look-up works all the same.
    let bad = if is_reached { Verdict::Note } else { Verdict::Problem };
    match asked {
        Asked::Served { server, .. } if own.is_some_and(|own| own != server) => Finding::new(
            subject,
            bad,
            format!("{address} has another zone {zone}, of the name server {server}: it does not forward to this srvd"),
        ),
        Asked::Served { .. } => Finding::new(subject, Verdict::Ok, format!("{address} knows {zone}")),
        Asked::Answered(code) => Finding::new(
            subject,
            bad,
            format!("{address} answers {} for {zone}: it does not forward the zone to srvd", rcode(*code)),
        ),
        Asked::Silent => Finding::new(subject, bad, format!("no answer from {address} about {zone}")),
        Asked::Failed(why) => Finding::new(subject, bad, format!("cannot ask {address}: {why}")),
    }
}

fn reaches(lookup: &Lookup) -> bool {
    let is_expected = |address: &IpAddr| lookup.expected.contains(address);
    lookup.found.as_ref().is_ok_and(|found| lookup.expected.is_empty() || found.iter().any(is_expected))
}

fn looked_up(lookup: &Lookup) -> Finding {
    let name = &lookup.name;
    let finding = |verdict, words: String| Finding::new("lookup", verdict, words);
    match &lookup.found {
        Ok(found) if reaches(lookup) => {
            finding(Verdict::Ok, format!("programs on this host resolve {name} to {}", listed(found)))
        }
        Ok(found) => finding(
            Verdict::Problem,
            format!("programs on this host resolve {name} to {}, srvd to {}", listed(found), listed(&lookup.expected)),
        ),
        Err(why) => finding(Verdict::Problem, format!("programs on this host cannot resolve {name}: {why}")),
    }
}

fn listed(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// What `.local` means on the host, where the zone ends in it.
fn local(zone: &Name, host: &Host) -> Vec<Finding> {
    let is_local = zone.labels().last().is_some_and(|label| label.eq_ignore_ascii_case(b"local"));
    if !is_local {
        return Vec::new();
    }
    let finding = |verdict, words: String| Finding::new("local", verdict, words);
    if host.is_macos {
        return vec![match &host.macos_resolver {
            Some(_) => {
                finding(Verdict::Ok, format!("macOS asks multicast DNS for .local, but /etc/resolver has {zone}"))
            }
            None => finding(
                Verdict::Note,
                format!("macOS asks multicast DNS for .local; it leaves {zone} to srvd once /etc/resolver has it"),
            ),
        }];
    }
    let mut findings = Vec::new();
    if let Some(source) = host.hosts.as_ref().and_then(|hosts| hosts.mdns_first()) {
        findings.push(nss_mdns(zone, source, host.mdns_allow));
    }
    if host.uses_resolved() {
        findings.push(finding(
            Verdict::Note,
            format!("systemd-resolved keeps .local for multicast DNS; it leaves {zone} to srvd only where a line `Domains=~{}` says so", bare(zone)),
        ));
    }
    if findings.is_empty() {
        findings.push(finding(Verdict::Ok, ".local is an ordinary name here: it is asked in DNS".to_owned()));
    }
    findings
}

/// nss-mdns takes names of two labels below `.local`, or whatever /etc/mdns.allow lists.
fn nss_mdns(zone: &Name, source: &str, is_listed: bool) -> Finding {
    let words = if is_listed {
        format!(
            "{source} comes before dns in /etc/nsswitch.conf, and takes the names that /etc/mdns.allow lists: leave {zone} out there"
        )
    } else if zone.label_count() < 2 {
        let words = format!(
            "{source} comes before dns in /etc/nsswitch.conf and takes names such as web.local from srvd: choose a zone with two labels, as svc.local"
        );
        return Finding::new("local", Verdict::Problem, words);
    } else {
        format!(
            "{source} comes before dns in /etc/nsswitch.conf; it leaves names of three and more labels, as web.{}, to DNS",
            bare(zone)
        )
    };
    Finding::new("local", Verdict::Note, words)
}

/// A name without its last dot, as configurations of resolvers have it.
pub(super) fn bare(name: &Name) -> String {
    name.to_string().trim_end_matches('.').to_owned()
}

/// A response code by its name (RFC 1035, section 4.1.1, and RFC 2136).
fn rcode(code: u8) -> String {
    let known = ["an empty answer", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
    known.get(usize::from(code)).map_or_else(|| format!("response code {code}"), ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::super::files::{Hosts, ResolvConf};
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn served(server: &str, authoritative: bool) -> Asked {
        Asked::Served { server: name(server), authoritative }
    }

    /// A host on which all is well.
    fn well() -> Facts {
        Facts {
            zone: name("svc.local"),
            url: "http://127.0.0.1:8053".to_owned(),
            server: Ok(vec!["127.0.0.1:5300".parse().unwrap()]),
            srvd: vec![("127.0.0.1:5300".parse().unwrap(), served("ns.svc.local", true))],
            host: Host::default(),
            name_servers: vec![("10.0.0.2:53".parse().unwrap(), served("ns.svc.local", false))],
            lookup: Some(lookup(&["10.0.0.7"], Ok(&["10.0.0.7", "10.0.0.8"]))),
        }
    }

    fn lookup(expected: &[&str], found: Result<&[&str], &str>) -> Lookup {
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let found = found.map(addresses).map_err(str::to_owned);
        Lookup { name: name("web.svc.local"), expected: addresses(expected), found }
    }

    /// The findings on one subject.
    fn on(facts: &Facts, subject: &str) -> Vec<(Verdict, String)> {
        let findings = judge(facts).into_iter().filter(|finding| finding.subject == subject);
        findings.map(|finding| (finding.verdict, finding.words)).collect()
    }

    #[test]
    fn all_is_well() {
        let findings = judge(&well());
        assert!(findings.iter().all(|finding| finding.verdict == Verdict::Ok), "{findings:#?}");
        let subjects: Vec<_> = findings.iter().map(|finding| finding.subject.as_str()).collect();
        assert_eq!(subjects, ["server", "dns", "local", "name server", "lookup"]);
    }

    #[test]
    fn what_srvd_answers() {
        for (asked, verdict, words) in [
            (served("ns.svc.local", true), Verdict::Ok, "answers for svc.local. at 127.0.0.1:5300"),
            (served("ns.svc.local", false), Verdict::Note, "as a resolver"),
            (Asked::Answered(2), Verdict::Problem, "has not loaded its state"),
            (Asked::Answered(5), Verdict::Problem, "answers REFUSED for svc.local.; see dns.zone and dns.allow"),
            (Asked::Answered(0), Verdict::Problem, "an empty answer"),
            (Asked::Answered(11), Verdict::Problem, "response code 11"),
            (Asked::Silent, Verdict::Problem, "firewall"),
            (Asked::Failed("nobody listens there".into()), Verdict::Problem, "nobody listens there; if srvd"),
        ] {
            let facts = Facts { srvd: vec![("127.0.0.1:5300".parse().unwrap(), asked)], ..well() };
            let found = on(&facts, "dns");
            assert!(found[0].0 == verdict && found[0].1.contains(words), "{found:?}");
        }
    }

    #[test]
    fn a_server_that_says_nothing_is_no_problem_by_itself() {
        let facts = Facts { server: Err("cannot reach it".into()), srvd: vec![], ..well() };
        assert_eq!(on(&facts, "server"), [(Verdict::Note, "cannot reach it".to_owned())]);
        assert!(judge(&facts).iter().all(|finding| finding.verdict != Verdict::Problem));
        let facts = Facts { srvd: vec![], ..well() };
        assert!(on(&facts, "dns")[0].1.contains("--dns ADDR:PORT"));
    }

    #[test]
    fn name_servers_that_do_not_forward() {
        let fails = Some(lookup(&["10.0.0.7"], Err("no such name")));
        for (asked, words) in [
            (served("a.root-servers.net", true), "of the name server a.root-servers.net."),
            (Asked::Answered(3), "answers NXDOMAIN for svc.local.: it does not forward"),
            (Asked::Answered(5), "REFUSED"),
            (Asked::Silent, "no answer from 10.0.0.2:53"),
            (Asked::Failed("no route".into()), "cannot ask 10.0.0.2:53: no route"),
        ] {
            let name_servers = vec![("10.0.0.2:53".parse().unwrap(), asked)];
            for (lookup, verdict) in [(fails.clone(), Verdict::Problem), (well().lookup, Verdict::Note)] {
                let found = on(&Facts { name_servers: name_servers.clone(), lookup, ..well() }, "name server");
                assert!(found[0].0 == verdict && found[0].1.contains(words), "{found:?}");
            }
        }
    }

    #[test]
    fn lookups() {
        for (expected, found, verdict, words) in [
            (&["10.0.0.7"][..], Ok(&["10.0.0.7"][..]), Verdict::Ok, "resolve web.svc.local. to 10.0.0.7"),
            (&[], Ok(&["10.0.0.9"]), Verdict::Ok, "to 10.0.0.9"),
            (&["10.0.0.7"], Ok(&["10.0.0.9"]), Verdict::Problem, "to 10.0.0.9, srvd to 10.0.0.7"),
            (&["10.0.0.7"], Err("no such name"), Verdict::Problem, "cannot resolve web.svc.local.: no such name"),
        ] {
            let facts = Facts { lookup: Some(lookup(expected, found)), ..well() };
            let got = on(&facts, "lookup");
            assert!(got[0].0 == verdict && got[0].1.contains(words), "{got:?}");
        }
        assert!(on(&Facts { lookup: None, ..well() }, "lookup")[0].1.contains("--name"));
    }

    #[test]
    fn what_local_means() {
        let hosts = |line: &str| Host { hosts: Hosts::parse(&format!("hosts: {line}")), ..Host::default() };
        let mdns = "files mdns4_minimal [NOTFOUND=return] dns";
        for (zone, host, said) in [
            ("svc.example.net", hosts(mdns), vec![]),
            ("notlocal", hosts(mdns), vec![]),
            ("svc.local", hosts("files dns"), vec![(Verdict::Ok, "an ordinary name")]),
            ("svc.local", hosts("files dns mdns4"), vec![(Verdict::Ok, "an ordinary name")]),
            (
                "svc.local",
                hosts(mdns),
                vec![(Verdict::Note, "leaves names of three and more labels, as web.svc.local, to DNS")],
            ),
            ("local", hosts(mdns), vec![(Verdict::Problem, "choose a zone with two labels")]),
            ("svc.local", Host { mdns_allow: true, ..hosts(mdns) }, vec![(Verdict::Note, "/etc/mdns.allow lists")]),
            (
                "svc.local",
                Host { resolved: true, ..hosts("files resolve dns") },
                vec![(Verdict::Note, "`Domains=~svc.local`")],
            ),
            (
                "SVC.Local",
                Host { resolved: true, resolv_conf: Some(ResolvConf::parse("nameserver 127.0.0.53")), ..hosts(mdns) },
                vec![(Verdict::Note, "mdns4_minimal"), (Verdict::Note, "systemd-resolved")],
            ),
            (
                "svc.local",
                Host { is_macos: true, ..Host::default() },
                vec![(Verdict::Note, "once /etc/resolver has it")],
            ),
            (
                "svc.local",
                Host { is_macos: true, macos_resolver: Some(ResolvConf::default()), ..Host::default() },
                vec![(Verdict::Ok, "/etc/resolver has svc.local.")],
            ),
        ] {
            let found = local(&name(zone), &host);
            assert_eq!(found.len(), said.len(), "{zone}: {found:?}");
            for (finding, (verdict, words)) in found.iter().zip(said) {
                assert!(finding.verdict == verdict && finding.words.contains(words), "{finding:?}");
            }
        }
    }
}
