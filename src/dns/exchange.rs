//! One query and the making of its reply.
//!
//! [`Exchange::look_up_or`] decides in a fixed order whether a query is looked up at all: its EDNS version, its opcode, its
//! form, its sender, its signature, its cookie, its class and type, and whether there is state to look in. The first
//! that is against it says what the reply is.

use std::net::IpAddr;

use super::edns::{ExtendedError, Options, cookie};
use super::query::{Query, Question};
use super::reply::{Kind, Rcode};
use super::responder::Present;
use super::write::{self, Ending, Frame};
use super::{Client, Settings, Transport, chaos};
use crate::answer::explain::Explanation;
use crate::answer::order::{self, Draw};
use crate::answer::{Live, Origin, Outcome, Resolved};
use crate::model::Moment;
use crate::wire::{Name, RecordType, flag};

/// Octets of a UDP reply to a client that offers no more (RFC 1035 §2.3.4).
const PLAIN_UDP: usize = 512;
/// Octets of an A record whose owner name is a pointer: no record that is drawn takes less.
const SMALLEST_RECORD: usize = 16;
const CLASS_IN: u16 = 1;

/// A query, and all that its reply depends on.
pub struct Exchange<'a> {
    present: &'a Present,
    /// The registry; `None` until its state is loaded.
    live: Option<&'a dyn Live>,
    client: &'a Client,
    query: &'a Query<'a>,
    frame: Frame<'a>,
    cookie: Cookie,
}

/// What the query has for a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cookie {
    None,
    /// A length that no cookie has.
    Malformed,
    /// That of the client alone, or with a server cookie that is not good.
    Unproved,
    Valid,
}

/// A reply that needs no look-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Short {
    /// Something in it is not as it should be.
    FormErr,
    /// An EDNS version above 0.
    BadVers,
    /// An opcode other than QUERY.
    NotImp,
    /// From an address that is not answered.
    Stranger,
    /// Signed, with a key that is not known: none is.
    BadKey,
    /// No question, only a cookie to be answered (RFC 7873 §5.4).
    CookieOnly,
    /// Another try with the cookie in the reply is asked for (RFC 7873 §5.2.3).
    BadCookie,
    /// Another try over TCP is asked for.
    OverTcp,
    /// A class in which nothing is told.
    OtherClass,
    /// AXFR or IXFR.
    Transfer,
    /// There is no state to look in yet.
    Loading,
}

/// What was written of a reply; `name` where it is about another one than was asked for.
pub struct Written {
    pub kind: Kind,
    pub origin: Origin,
    pub rcode: Rcode,
    pub truncated: bool,
    pub name: Option<Name>,
}

impl<'a> Exchange<'a> {
    /// An exchange over a registry; `None` while its state is not loaded.
    pub fn new(
        present: &'a Present,
        live: Option<&'a dyn Live>,
        query: &'a Query<'a>,
        client: &'a Client,
        now: Moment,
    ) -> Self {
        let settings = &present.settings;
        let mut frame = Frame {
            query,
            limit: room(query, client.transport, settings.udp_payload),
            udp_payload: settings.udp_payload,
            options: Options::default(),
            padded: false,
            remark: None,
            stale: false,
        };
        let cookie = options(&mut frame, settings, client, now);
        Self { present, live, client, query, frame, cookie }
    }

    /// Whether the client has proved its address with a cookie.
    pub fn has_valid_cookie(&self) -> bool {
        self.cookie == Cookie::Valid
    }

    /// Writes the reply. `draw` decides the order of records in it.
    pub fn reply(&mut self, draw: u64, out: &mut Vec<u8>) -> Written {
        match self.look_up_or() {
            Ok(question) if question.qclass == CLASS_IN => self.look_up(question, draw, out),
            Ok(question) => self.about_the_server(question, out),
            Err(short) => self.short(short, out),
        }
    }

    /// The question to look up, or the reply that there is without.
    fn look_up_or(&self) -> Result<&'a Question<'a>, Short> {
        let edns = self.query.edns.as_ref();
        let keeps = edns.and_then(|edns| edns.asked.keepalive).filter(|_| self.client.transport != Transport::Udp);
        if edns.is_some_and(|edns| edns.version > 0) {
            return Err(Short::BadVers);
        }
        if !self.query.is_query() {
            return Err(Short::NotImp);
        }
        if !self.query.is_whole || self.cookie == Cookie::Malformed || keeps.is_some_and(|length| length > 0) {
            return Err(Short::FormErr);
        }
        let allow = &self.present.settings.allow;
        if !allow.is_empty() && !allow.contains(self.client.address) {
            return Err(Short::Stranger);
        }
        if self.query.tsig.is_some() {
            return Err(Short::BadKey);
        }
        let Some(question) = &self.query.question else {
            return Err(if self.cookie == Cookie::None { Short::FormErr } else { Short::CookieOnly });
        };
        if self.present.settings.require_cookies && self.client.transport == Transport::Udp {
            match self.cookie {
                Cookie::None => return Err(Short::OverTcp),
                Cookie::Malformed | Cookie::Unproved => return Err(Short::BadCookie),
                Cookie::Valid => {}
            }
        }
        self.question(question)
    }

    /// The question, if its class and type are served, and can be at the moment.
    fn question(&self, question: &'a Question<'a>) -> Result<&'a Question<'a>, Short> {
        match (question.qclass, question.qtype) {
            (CLASS_IN, RecordType::AXFR | RecordType::IXFR) => Err(Short::Transfer),
            (CLASS_IN, _) if self.live.is_none() => Err(Short::Loading),
            (CLASS_IN | chaos::CLASS, _) => Ok(question),
            _ => Err(Short::OtherClass),
        }
    }

    /// Writes the reply that sends the client to TCP, unless there is an error to tell it.
    pub fn redirect(&self, out: &mut Vec<u8>) -> Written {
        self.short(self.look_up_or().err().unwrap_or(Short::OverTcp), out)
    }

    fn short(&self, short: Short, out: &mut Vec<u8>) -> Written {
        let (rcode, extended_error) = short.code();
        let signature = self.query.tsig.as_ref().filter(|_| short == Short::BadKey).map(|tsig| tsig.unknown_key());
        let truncated = short == Short::OverTcp;
        let flags = if truncated { flag::TC } else { 0 };
        write::short(&self.frame, Ending { flags, rcode, extended_error, last: signature.as_deref() }, out);
        Written { kind: Kind::Error, origin: Origin::Nowhere, rcode, truncated, name: None }
    }

    fn about_the_server(&self, question: &Question<'_>, out: &mut Vec<u8>) -> Written {
        let Some(text) = chaos::text(&self.present.settings, question) else {
            return self.short(Short::OtherClass, out);
        };
        write::about_the_server(&self.frame, question, &text, out);
        let (origin, rcode) = (Origin::Nowhere, Rcode::NoError);
        Written { kind: Kind::Positive, origin, rcode, truncated: false, name: None }
    }

    /// Answers with the records in the order of this draw. When they do not all fit, which of them are sent depends on
    /// the client alone: one that uses what a cut answer holds would otherwise see instances come and go with every
    /// query. Their order is still drawn, where nothing but the order tells clients whom to take first.
    fn look_up(&mut self, question: &Question<'_>, draw: u64, out: &mut Vec<u8>) -> Written {
        let Some(live) = self.live else { return self.short(Short::Loading, out) };
        let catalog = &self.present.catalog;
        let resolve = |draw: &Draw| catalog.resolve(live, &question.qname, question.qtype, draw);
        let at_most = self.at_most();
        let Resolved { outcome, origin, stand_in, remark } = resolve(&Draw { order: draw, subset: draw, at_most });
        self.frame.remark = remark.map(ExtendedError::from);
        self.frame.stale = live.is_stale() && matches!(origin, Origin::Live | Origin::Reverse);
        let mut sent = write::outcome(&outcome, &self.frame, false, out);
        if sent.cut && matches!(outcome, Outcome::Answer { .. }) {
            let client = seed_of(self.client.address);
            let stable = resolve(&Draw { order: client, subset: client, at_most }).outcome;
            sent = write::outcome(&stable, &self.frame, false, out);
            if let (true, Outcome::Answer { additional, .. }) = (sent.truncated, &stable)
                && additional.is_empty()
            {
                let reordered = resolve(&Draw { order: draw, subset: client, at_most: sent.answers }).outcome;
                sent = write::outcome(&reordered, &self.frame, true, out);
            }
        }
        written(outcome, origin, stand_in, sent.truncated)
    }
}

impl Exchange<'_> {
    /// What is found for the question and how it comes about, with the records of this client and their order as drawn;
    /// or why nothing is looked up, where there are words for that.
    pub fn explain(&self, draw: u64) -> Result<Explanation, Option<ExtendedError>> {
        let question = self.look_up_or().map_err(|short| short.code().1)?;
        let live = self.live.ok_or(Some(ExtendedError::Loading))?;
        let draw = Draw { order: draw, subset: seed_of(self.client.address), at_most: self.at_most() };
        Ok(self.present.catalog.explain(live, &question.qname, question.qtype, &draw))
    }

    /// Octets that the reply may have.
    pub fn limit(&self) -> usize {
        self.frame.limit
    }

    /// Whether the reply has an OPT record.
    pub fn has_edns(&self) -> bool {
        self.query.edns.is_some()
    }

    /// One record more than can fit, so that what does not fit is noticed.
    fn at_most(&self) -> usize {
        self.frame.limit / SMALLEST_RECORD + 1
    }
}

impl Short {
    fn code(self) -> (Rcode, Option<ExtendedError>) {
        match self {
            Self::FormErr => (Rcode::FormErr, None),
            Self::BadVers => (Rcode::BadVers, None),
            Self::NotImp => (Rcode::NotImp, Some(ExtendedError::Opcode)),
            Self::Stranger => (Rcode::Refused, Some(ExtendedError::Stranger)),
            Self::BadKey => (Rcode::NotAuth, None),
            Self::CookieOnly | Self::OverTcp => (Rcode::NoError, None),
            Self::BadCookie => (Rcode::BadCookie, None),
            Self::OtherClass => (Rcode::Refused, Some(ExtendedError::Withheld)),
            Self::Transfer => (Rcode::Refused, Some(ExtendedError::Transfer)),
            Self::Loading => (Rcode::ServFail, Some(ExtendedError::Loading)),
        }
    }
}

/// Octets that a reply may have (RFC 1035 §4.2, RFC 6891 §6.2.3 to §6.2.5).
fn room(query: &Query<'_>, transport: Transport, udp_payload: u16) -> usize {
    match (transport, &query.edns) {
        (Transport::Tcp { .. }, _) => usize::from(u16::MAX),
        (Transport::Udp, None) => PLAIN_UDP,
        (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.min(udp_payload)).max(PLAIN_UDP),
    }
}

/// Puts the options into `frame` that the query asks for, and gives what its cookie is worth.
fn options(frame: &mut Frame<'_>, settings: &Settings, client: &Client, now: Moment) -> Cookie {
    let Some(edns) = frame.query.edns.filter(|edns| edns.version == 0) else { return Cookie::None };
    if edns.asked.nsid && !settings.nsid.is_empty() {
        frame.options.nsid(&settings.nsid);
    }
    if let Transport::Tcp { idle } = client.transport {
        frame.padded = edns.asked.padding;
        if edns.asked.keepalive.is_some() {
            frame.options.keepalive(idle);
        }
    }
    let (Some(cookies), Some(option)) = (&settings.cookies, edns.asked.cookie) else { return Cookie::None };
    let Some(answered) = cookies.answer(option, client.address, cookie::seconds(now)) else { return Cookie::Malformed };
    frame.options.cookie(&answered.option);
    if answered.is_valid { Cookie::Valid } else { Cookie::Unproved }
}

fn written(outcome: Outcome, origin: Origin, stand_in: Option<Name>, truncated: bool) -> Written {
    let (kind, rcode, name) = match outcome {
        Outcome::Answer { .. } => (Kind::Positive, Rcode::NoError, stand_in),
        Outcome::NoData { soa, .. } => (Kind::NoData, Rcode::NoError, Some(soa.owner)),
        Outcome::NxDomain { soa, .. } => (Kind::NxDomain, Rcode::NxDomain, Some(soa.owner)),
        Outcome::YxDomain { .. } => (Kind::Error, Rcode::YxDomain, None),
        Outcome::Referral { ns, .. } => (Kind::Referral, Rcode::NoError, Some(ns.owner)),
        Outcome::Refused => (Kind::Error, Rcode::Refused, None),
        Outcome::ServFail => (Kind::Error, Rcode::ServFail, None),
    };
    Written { kind, origin, rcode, truncated, name }
}

/// A seed that is always the same for one client.
fn seed_of(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}
