//! Writing an outcome as a response.
//!
//! What does not fit is left out as whole records: additional records first, which never sets TC (RFC 2181 §9) unless
//! they are glue that a referral needs (RFC 9471), then others, which does.

use std::collections::HashSet;

use crate::answer::Outcome;
use crate::wire::record::target;
use crate::wire::{MessageWriter, Name, Opt, RrSet, Section, flag};

use super::query::Query;

/// Response codes, with the high octet for the OPT record (RFC 6895 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    BadVers = 16,
}

/// What was sent of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sent {
    /// Records that TC speaks of were left out.
    pub truncated: bool,
    /// Anything was left out, additional records included.
    pub cut: bool,
    /// Records in the answer section.
    pub answers: usize,
}

/// The limits of a response.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Octets of the whole message.
    pub message: usize,
    /// Octets that this server takes in over UDP, for the OPT record.
    pub udp_payload: u16,
}

/// Writes a response that has no records.
pub fn error(id: u16, flags: u16, rcode: Rcode, query: Option<&Query<'_>>, limits: Limits, out: &mut Vec<u8>) {
    let (question, qname) = query.map_or((&[][..], None), |query| (query.question, Some(&query.qname)));
    let writer = MessageWriter::new(out, limits.message, question, qname);
    writer.finish(id, flags | flag::QR, rcode as u8, opt(query, rcode, limits));
}

/// Writes the response to `query` that `outcome` makes. With `truncated` it has TC set whatever fits, because something
/// was left out of the outcome before.
pub fn write(outcome: &Outcome, query: &Query<'_>, limits: Limits, truncated: bool, out: &mut Vec<u8>) -> Sent {
    let mut writer = MessageWriter::new(out, limits.message, query.question, Some(&query.qname));
    if query.edns.is_some() {
        writer.set_aside(Opt::LENGTH);
    }
    let mut page = Page { writer, truncated, cut: truncated, answers: 0 };
    let (rcode, authoritative) = match outcome {
        Outcome::Answer { answer, additional } => {
            page.answer(answer, additional);
            (Rcode::NoError, true)
        }
        Outcome::NoData { aliases, soa } => {
            page.negative(aliases, soa);
            (Rcode::NoError, true)
        }
        Outcome::NxDomain { aliases, soa } => {
            page.negative(aliases, soa);
            (Rcode::NxDomain, true)
        }
        Outcome::YxDomain { aliases } => {
            page.required(Section::Answer, aliases);
            (Rcode::YxDomain, true)
        }
        Outcome::Referral { aliases, ns, glue } => {
            page.referral(aliases, ns, glue);
            // Aliases found on the way are this server's own; the referral is not (RFC 1034 §4.3.1).
            (Rcode::NoError, !aliases.is_empty())
        }
        Outcome::Refused => (Rcode::Refused, false),
        Outcome::ServFail => (Rcode::ServFail, false),
    };
    let Page { writer, truncated, cut, answers } = page;
    let bits = [(authoritative, flag::AA), (truncated, flag::TC)];
    let flags = bits.iter().filter(|(set, _)| *set).fold(query.flags | flag::QR, |flags, (_, bit)| flags | bit);
    writer.finish(query.id, flags, rcode as u8, opt(Some(query), rcode, limits));
    Sent { truncated, cut, answers }
}

fn opt(query: Option<&Query<'_>>, rcode: Rcode, limits: Limits) -> Option<Opt> {
    query?.edns.map(|edns| Opt {
        udp_payload: limits.udp_payload,
        rcode_high: (rcode as u16 >> 4) as u8,
        dnssec_ok: edns.dnssec_ok,
    })
}

/// The sections of a response as they fill.
struct Page<'a> {
    writer: MessageWriter<'a>,
    truncated: bool,
    cut: bool,
    answers: usize,
}

impl Page<'_> {
    fn answer(&mut self, answer: &[RrSet], additional: &[RrSet]) {
        for set in answer {
            for (at, rdata) in set.rdata.iter().enumerate() {
                if !self.writer.push(Section::Answer, &set.owner, set.rtype, set.ttl, rdata) {
                    (self.truncated, self.cut) = (true, true);
                    let kept = set.rdata[..at].iter().filter_map(|rdata| target(set.rtype, rdata)).collect();
                    return self.additional(additional, Some(&kept));
                }
                self.answers += 1;
            }
        }
        self.additional(additional, None);
    }

    /// Writes whole RRsets of additional records until one does not fit; with `only`, those of these owners.
    fn additional(&mut self, additional: &[RrSet], only: Option<&HashSet<Name>>) {
        for set in additional.iter().filter(|set| only.is_none_or(|owners| owners.contains(&set.owner))) {
            let before = self.writer.mark();
            if !self.all(Section::Additional, set) {
                // Half an RRset would be taken for all of it (RFC 2181 §9).
                self.writer.rewind(before);
                self.cut = true;
                return;
            }
        }
    }

    fn negative(&mut self, aliases: &[RrSet], soa: &RrSet) {
        self.required(Section::Answer, aliases);
        self.required(Section::Authority, std::slice::from_ref(soa));
    }

    fn referral(&mut self, aliases: &[RrSet], ns: &RrSet, glue: &[RrSet]) {
        self.required(Section::Answer, aliases);
        self.required(Section::Authority, std::slice::from_ref(ns));
        let (needed, helpful): (Vec<&RrSet>, Vec<&RrSet>) =
            glue.iter().partition(|set| set.owner.is_at_or_below(&ns.owner));
        for set in needed {
            if !self.all(Section::Additional, set) {
                (self.truncated, self.cut) = (true, true);
                return;
            }
        }
        for set in helpful {
            self.additional(std::slice::from_ref(set), None);
        }
    }

    fn required(&mut self, section: Section, sets: &[RrSet]) {
        if !self.truncated && !sets.iter().all(|set| self.all(section, set)) {
            (self.truncated, self.cut) = (true, true);
        }
    }

    fn all(&mut self, section: Section, set: &RrSet) -> bool {
        set.rdata.iter().all(|rdata| self.writer.push(section, &set.owner, set.rtype, set.ttl, rdata))
    }
}
