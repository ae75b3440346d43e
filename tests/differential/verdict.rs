//! Responses as they are compared, and what may differ in them.
//!
//! What RFCs leave open is made equal, and nothing else is:
//!
//! * **Order and repetition of records, and case.** RRsets are sets (RFC 2181 §5) and names compare without case
//!   (RFC 4343); which of several spellings a server picks for compression is its own affair.
//! * **The NS records of the apex in the authority section of an answer.** NSD and BIND add them as a courtesy; RFC 1034
//!   §4.3.2 puts NS records there for referrals only.
//! * **Additional records that no record of the answer or of the referral names.** They belong to that courtesy.
//! * **What is left of a response with TC.** How much of it is kept is the server's choice, because the client asks again
//!   by TCP (RFC 2181 §9). The flag is compared, and everything in the response must be in the complete one.
//! * **Additional records of a large response over UDP.** They may be left out when they do not fit (RFC 2181 §9), and
//!   whether they fit depends on how well a server compresses. One response must have all that the other has.
//! * **In a referral, addresses of name servers outside the delegated name.** They may be left out (RFC 9471 §2.2), and
//!   BIND does so. srvd must still have what one of the others has.
//! * **TC of a referral.** NSD 4.6 and BIND 9.18 leave in-domain glue out without it, which RFC 9471 §2.1 forbids. srvd's
//!   is held against the RFC instead: [`View::glue_is_whole`].
//! * **Type ANY.** RFC 8482 allows a subset; the response code and AA are compared, and that there is an answer.

use std::collections::BTreeSet;
use std::fmt;

use crate::common::message::{Record, Response};
use crate::questions::Question;

/// From this share of the limit on, an RRset may not have fitted.
const LARGE: f64 = 0.6;

/// A response as it is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    pub rcode: String,
    pub aa: bool,
    pub tc: bool,
    pub answer: BTreeSet<String>,
    pub authority: BTreeSet<String>,
    pub additional: BTreeSet<String>,
    /// Additional records of name servers inside the delegated name of a referral.
    in_domain: BTreeSet<String>,
    is_any: bool,
    /// Whether it may be without additional records because they did not fit.
    is_large: bool,
}

impl View {
    /// `apex` is that of the zone which is asked.
    pub fn of(response: &Response, question: &Question, apex: &str) -> Self {
        let is_courtesy = |record: &&Record| {
            record.kind == "NS" && record.owner.eq_ignore_ascii_case(apex) && !response.answer.is_empty()
        };
        let authority: Vec<&Record> = response.authority.iter().filter(|record| !is_courtesy(record)).collect();
        let named: BTreeSet<String> =
            response.answer.iter().chain(authority.iter().copied()).filter_map(target).collect();
        let mut additional: Vec<&Record> =
            response.additional.iter().filter(|record| named.contains(&record.owner.to_lowercase())).collect();
        let cut = authority.iter().find(|record| record.kind == "NS").map(|ns| ns.owner.to_lowercase());
        let is_inside = |record: &&&Record| {
            let (owner, cut) = (record.owner.to_lowercase(), cut.as_deref());
            cut.is_some_and(|cut| owner == cut || owner.ends_with(&format!(".{cut}")))
        };
        let mut answer: BTreeSet<String> = response.answer.iter().map(line).collect();
        if question.kind == "ANY" && !answer.is_empty() {
            answer = BTreeSet::from(["something".to_owned()]);
            additional.clear();
        }
        Self {
            is_large: response.octets.len() as f64 > LARGE * question.transport.limit() as f64,
            rcode: response.rcode.clone(),
            aa: response.authoritative,
            tc: response.truncated,
            is_any: question.kind == "ANY",
            answer,
            authority: authority.iter().copied().map(line).collect(),
            in_domain: additional.iter().filter(is_inside).copied().map(line).collect(),
            additional: additional.into_iter().map(line).collect(),
        }
    }

    /// Whether this is a referral, behind aliases or not.
    pub fn is_referral(&self) -> bool {
        self.authority.iter().any(|record| record.split(' ').nth(2) == Some("NS"))
    }

    /// The parts in which this differs from another one.
    pub fn differs(&self, other: &Self) -> Vec<&'static str> {
        let referral = self.is_referral() && other.is_referral();
        let cut = self.tc || other.tc;
        let is_large = self.is_large || other.is_large;
        let nested = self.additional.is_subset(&other.additional) || other.additional.is_subset(&self.additional);
        let open = (is_large && nested) || (referral && self.in_domain == other.in_domain && nested);
        let same = [
            ("rcode", self.rcode == other.rcode),
            ("aa", self.aa == other.aa),
            ("tc", self.tc == other.tc || referral || self.is_any),
            ("answer", self.answer == other.answer || cut),
            ("authority", self.authority == other.authority || cut),
            ("additional", self.additional == other.additional || cut || open || (referral && is_large)),
        ];
        same.into_iter().filter(|(_, same)| !same).map(|(part, _)| part).collect()
    }

    /// Whether the additional records are those of the other response, or may have been left out for their size.
    pub fn has_additional_of(&self, other: &Self) -> bool {
        let open = [self, other].iter().any(|view| view.tc || view.is_large);
        self.additional == other.additional || open
    }

    /// Whether TC tells that in-domain glue of a referral is missing (RFC 9471 §2.1). `whole` is the same response over
    /// TCP.
    pub fn glue_is_whole(&self, whole: &Self) -> bool {
        self.tc != (self.in_domain == whole.in_domain && self.authority == whole.authority)
    }

    /// Whether every record of this response is in the complete one.
    pub fn is_part_of(&self, whole: &Self) -> bool {
        self.answer.is_subset(&whole.answer)
            && self.authority.is_subset(&whole.authority)
            && self.additional.is_subset(&whole.additional)
    }
}

impl fmt::Display for View {
    /// In the manner of the tables in `tests/rfc`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = [(self.aa, " aa"), (self.tc, " tc")];
        let flags: String = flags.iter().filter(|(set, _)| *set).map(|(_, flag)| *flag).collect();
        write!(f, "{}{flags}", self.rcode)?;
        let sections = [("answer", &self.answer), ("authority", &self.authority), ("additional", &self.additional)];
        for (section, records) in sections {
            for record in records {
                write!(f, "\n    {section} {record}")?;
            }
        }
        Ok(())
    }
}

/// The host that a record names, in lower case.
fn target(record: &Record) -> Option<String> {
    let at = match record.kind.as_str() {
        "NS" => 0,
        "MX" => 1,
        "SRV" => 3,
        _ => return None,
    };
    let name = record.data.split(' ').nth(at)?;
    Some(name.strip_suffix('.').unwrap_or(name).to_lowercase())
}

fn line(record: &Record) -> String {
    let Record { owner, ttl, kind, data, .. } = record;
    let data = match kind.as_str() {
        "NS" | "CNAME" | "DNAME" | "SOA" | "MX" | "SRV" | "PTR" | "RP" | "AFSDB" | "NAPTR" => data.to_lowercase(),
        _ => data.clone(),
    };
    format!("{} {ttl} {kind} {data}", owner.to_lowercase())
}
