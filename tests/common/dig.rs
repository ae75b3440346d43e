//! Questions asked by the real `dig`, and what it prints taken apart.

use std::fmt;
use std::net::SocketAddr;
use std::process::Command;

use super::process::tool;

/// One response as dig shows it. Records are lines with single spaces: `web.svc.local. 5 IN A 10.0.0.1`.
#[derive(Debug, Default)]
pub struct Dig {
    /// The RCODE: `NOERROR`, `NXDOMAIN`, `BADVERS`.
    pub status: String,
    /// The header flags, lower case: `qr`, `aa`, `tc`, `rd`.
    pub flags: Vec<String>,
    /// The question as echoed, without the leading semicolon.
    pub question: Option<String>,
    pub answer: Vec<String>,
    pub authority: Vec<String>,
    pub additional: Vec<String>,
    pub edns: Option<Edns>,
    /// True when the shown response came over TCP.
    pub tcp: bool,
    /// The size of the shown response in octets.
    pub size: usize,
    /// Everything that dig printed.
    pub raw: String,
}

/// The OPT record of a response.
#[derive(Debug, PartialEq, Eq)]
pub struct Edns {
    pub version: u8,
    /// The UDP payload size that the server offers, in octets.
    pub udp: u16,
    /// Everything between `flags:` and `udp:`: `do`, unknown bits as `MBZ`.
    pub flags: String,
}

/// Asks `server` once, without cookies: `dig(address, "web.svc.local SRV +tcp")`.
///
/// # Panics
///
/// When dig got no response at all, or one that it found malformed.
#[track_caller]
pub fn dig(server: SocketAddr, question: &str) -> Dig {
    let mut command = Command::new(tool("dig", "bind9-dnsutils"));
    command.args(["-r", &format!("@{}", server.ip()), "-p", &server.port().to_string()]);
    command.args(["+tries=1", "+time=10", "+nocookie"]).args(question.split_whitespace());
    let mut ask = || {
        let output = command.output().expect("dig can be started");
        let raw = String::from_utf8_lossy(&output.stdout).into_owned();
        (output, raw)
    };
    // dig shares ports, as the server does, so that once in a while it is given the server's own and hears itself.
    let heard_itself = |raw: &str| raw.contains("Warning: query response not set");
    let heard = std::iter::repeat_with(&mut ask).take(3).find(|(_, raw)| !heard_itself(raw));
    let (output, raw) = heard.expect("a response to dig");
    assert!(output.status.success(), "{command:?}: {}\n{raw}", output.status);
    for complaint in ["Warning: query response", "malformed", "Got bad packet", "parse"] {
        assert!(!raw.contains(complaint), "{command:?} complains:\n{raw}");
    }
    Dig::parse(raw)
}

impl Dig {
    /// The data of the answer's records of type `kind`, sorted: addresses, or `0 1 8080 a.web.svc.local.`.
    pub fn data(&self, kind: &str) -> Vec<String> {
        data(&self.answer, kind)
    }

    /// Asserts that the answer holds records of type `kind` with exactly these data, in any order, and no others.
    #[track_caller]
    pub fn answers(&self, kind: &str, expected: &[&str]) -> &Self {
        let mut expected: Vec<String> = expected.iter().map(|data| (*data).to_owned()).collect();
        expected.sort();
        assert_eq!(self.status, "NOERROR", "{self}");
        assert_eq!(self.data(kind), expected, "{self}");
        assert_eq!(self.answer.len(), expected.len(), "other records are in the answer\n{self}");
        self.has("aa")
    }

    /// Asserts that the name exists and has nothing of the asked type.
    #[track_caller]
    pub fn is_nodata(&self) -> &Self {
        self.is_negative("NOERROR")
    }

    /// Asserts that the name does not exist.
    #[track_caller]
    pub fn is_nxdomain(&self) -> &Self {
        self.is_negative("NXDOMAIN")
    }

    /// Asserts a refusal: nothing said, and no authority claimed.
    #[track_caller]
    pub fn is_refused(&self) -> &Self {
        assert_eq!(self.status, "REFUSED", "{self}");
        assert!(self.answer.is_empty() && self.authority.is_empty(), "{self}");
        self.lacks("aa")
    }

    #[track_caller]
    pub fn has(&self, flag: &str) -> &Self {
        assert!(self.flags.iter().any(|known| known == flag), "flag {flag} is not set\n{self}");
        self
    }

    #[track_caller]
    pub fn lacks(&self, flag: &str) -> &Self {
        assert!(self.flags.iter().all(|known| known != flag), "flag {flag} is set\n{self}");
        self
    }

    /// The data of the additional section's records of type `kind`, sorted.
    pub fn additional_data(&self, kind: &str) -> Vec<String> {
        data(&self.additional, kind)
    }

    #[track_caller]
    fn is_negative(&self, status: &str) -> &Self {
        assert_eq!(self.status, status, "{self}");
        assert!(self.answer.is_empty(), "{self}");
        assert_eq!(data(&self.authority, "SOA").len(), 1, "no SOA in authority\n{self}");
        self.has("aa")
    }

    fn parse(raw: String) -> Self {
        let mut parsed = Self::default();
        let mut section = "";
        for line in raw.lines() {
            match line.trim_end() {
                "" => section = "",
                ";; QUESTION SECTION:" => section = "question",
                ";; ANSWER SECTION:" => section = "answer",
                ";; AUTHORITY SECTION:" => section = "authority",
                ";; ADDITIONAL SECTION:" => section = "additional",
                line => parsed.take(section, line),
            }
        }
        parsed.raw = raw;
        parsed
    }

    fn take(&mut self, section: &str, line: &str) {
        match section {
            "question" => self.question = Some(spaced(line.trim_start_matches(';'))),
            "answer" => self.answer.push(spaced(line)),
            "authority" => self.authority.push(spaced(line)),
            "additional" => self.additional.push(spaced(line)),
            _ => self.take_header(line),
        }
    }

    fn take_header(&mut self, line: &str) {
        if let Some(status) = between(line, "status: ", ",") {
            self.status = status.to_owned();
        } else if let Some(flags) = between(line, ";; flags: ", ";") {
            self.flags = flags.split_whitespace().map(str::to_owned).collect();
        } else if let Some(edns) = line.strip_prefix("; EDNS: ") {
            self.edns = Edns::parse(edns);
        } else if line.starts_with(";; SERVER: ") {
            self.tcp = line.ends_with("(TCP)");
        } else if let Some(size) = line.strip_prefix(";; MSG SIZE  rcvd: ") {
            self.size = size.parse().unwrap_or_default();
        }
    }
}

impl fmt::Display for Dig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw)
    }
}

impl Edns {
    /// `version: 0, flags: do; udp: 1232`
    fn parse(line: &str) -> Option<Self> {
        let version = between(line, "version: ", ",")?.parse().ok()?;
        let (flags, udp) = line.split_once("flags:")?.1.rsplit_once("; udp: ")?;
        Some(Self { version, udp: udp.trim().parse().ok()?, flags: flags.trim().to_owned() })
    }
}

fn data(records: &[String], kind: &str) -> Vec<String> {
    let mut data: Vec<String> = records.iter().filter_map(|record| data_of(record, kind)).collect();
    data.sort();
    data
}

fn data_of(record: &str, kind: &str) -> Option<String> {
    let fields: Vec<&str> = record.splitn(5, ' ').collect();
    (fields.get(3) == Some(&kind)).then(|| fields[4].to_owned())
}

fn spaced(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn between<'a>(line: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_, rest) = line.split_once(start)?;
    Some(rest.split_once(end).map_or(rest, |(found, _)| found))
}
