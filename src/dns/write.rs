//! Writing replies: an outcome with its records, or one that needs none.
//!
//! What does not fit is left out as whole records: additional records first, which never sets TC (RFC 2181 §9) unless
//! they are glue that a referral needs (RFC 9471), then others, which does. The OPT record is always kept, with what
//! the client asked for in it; an extended error takes the room that records leave.

use std::collections::HashSet;

use super::edns::{ExtendedError, Options};
use super::query::{Query, Question};
use super::reply::Rcode;
use crate::answer::Outcome;
use crate::wire::{MessageWriter, Name, Opt, Rdata, RecordType, RrSet, Section, flag};

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

/// What the replies to one query have in common, whatever they say.
#[derive(Debug)]
pub struct Frame<'a> {
    pub query: &'a Query<'a>,
    /// Octets of the whole message.
    pub limit: usize,
    /// Octets that this server takes in over UDP, for the OPT record.
    pub udp_payload: u16,
    /// The options that the client gets.
    pub options: Options,
    /// Whether the message is filled up (RFC 7830).
    pub padded: bool,
    /// What goes with records, or with their absence.
    pub remark: Option<ExtendedError>,
    /// Whether what is looked up may be out of date. That matters more than any other remark.
    pub stale: bool,
}

/// The end of a message.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// AA and TC, where they are set.
    pub flags: u16,
    pub rcode: Rcode,
    pub extended_error: Option<ExtendedError>,
    /// A record behind all others, in wire form.
    pub last: Option<&'a [u8]>,
}

impl Frame<'_> {
    fn begin<'o>(&self, out: &'o mut Vec<u8>) -> MessageWriter<'o> {
        let question = self.query.question.as_ref();
        let (octets, qname) = question.map_or((&[][..], None), |question| (question.octets, Some(&question.qname)));
        let mut writer = MessageWriter::new(out, self.limit, octets, qname);
        if self.query.edns.is_some() {
            writer.set_aside(Opt::LENGTH + self.options.octets().len());
        }
        writer
    }

    fn end(&self, mut writer: MessageWriter<'_>, ending: Ending<'_>) {
        let last = ending.last.filter(|last| last.len() <= writer.room()).unwrap_or_default();
        writer.set_aside(last.len());
        if let Some(edns) = &self.query.edns {
            let mut options = self.options.clone();
            if let Some(error) = ending.extended_error {
                options.extended_error(error, writer.room());
            }
            if self.padded {
                options.pad(writer.written() + Opt::LENGTH + last.len(), self.limit);
            }
            writer.opt(&Opt {
                udp_payload: self.udp_payload,
                rcode_high: (ending.rcode as u16 >> 4) as u8,
                dnssec_ok: edns.dnssec_ok,
                options: options.octets(),
            });
        }
        if !last.is_empty() {
            writer.append(last);
        }
        writer.finish(self.query.id, self.query.flags | flag::QR | ending.flags, ending.rcode as u8);
    }
}

/// Writes a reply without records of a zone.
pub fn short(frame: &Frame<'_>, ending: Ending<'_>, out: &mut Vec<u8>) {
    frame.end(frame.begin(out), ending);
}

/// Writes the reply to a question about the server itself. It is in no zone, so nobody has authority for it.
pub fn about_the_server(frame: &Frame<'_>, question: &Question<'_>, text: &Rdata, out: &mut Vec<u8>) {
    let mut writer = frame.begin(out);
    writer.set_class(question.qclass);
    let whole = writer.push(Section::Answer, &question.qname, RecordType::TXT, 0, text);
    let flags = if whole { 0 } else { flag::TC };
    frame.end(writer, Ending { flags, rcode: Rcode::NoError, extended_error: None, last: None });
}

/// Writes the reply that `outcome` makes. With `truncated` it has TC set whatever fits, because something was left out of
/// the outcome before.
pub fn outcome(outcome: &Outcome, frame: &Frame<'_>, truncated: bool, out: &mut Vec<u8>) -> Sent {
    let mut page = Page { writer: frame.begin(out), truncated, cut: truncated, answers: 0 };
    let (rcode, authoritative, extended_error) = match outcome {
        Outcome::Answer { answer, additional } => {
            page.answer(answer, additional);
            (Rcode::NoError, true, frame.stale.then_some(ExtendedError::Stale).or(frame.remark))
        }
        Outcome::NoData { aliases, soa } => {
            page.negative(aliases, soa);
            (Rcode::NoError, true, frame.stale.then_some(ExtendedError::Stale).or(frame.remark))
        }
        Outcome::NxDomain { aliases, soa } => {
            page.negative(aliases, soa);
            (Rcode::NxDomain, true, frame.stale.then_some(ExtendedError::StaleNxDomain))
        }
        Outcome::YxDomain { aliases } => {
            page.required(Section::Answer, aliases);
            (Rcode::YxDomain, true, None)
        }
        Outcome::Referral { aliases, ns, glue } => {
            page.referral(aliases, ns, glue);
            // Aliases found on the way are this server's own; the referral is not (RFC 1034 §4.3.1).
            (Rcode::NoError, !aliases.is_empty(), None)
        }
        Outcome::Refused => (Rcode::Refused, false, Some(ExtendedError::NotAuthoritative)),
        Outcome::ServFail => (Rcode::ServFail, false, None),
    };
    let Page { writer, truncated, cut, answers } = page;
    let bits = [(authoritative, flag::AA), (truncated, flag::TC)];
    let flags = bits.iter().filter(|(set, _)| *set).fold(0, |flags, (_, bit)| flags | bit);
    frame.end(writer, Ending { flags, rcode, extended_error, last: None });
    Sent { truncated, cut, answers }
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
                    let kept = set.rdata[..at].iter().filter_map(|rdata| set.target_of(rdata)).collect();
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
