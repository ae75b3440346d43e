//! The hot path: the usual questions, answered by copying.
//!
//! ```text
//!  query    │ header │ 3web3svc5local0 │ SRV IN │ OPT │         Asked: where the labels are, nothing is copied
//!                       └─┬─┘└───┬───┘
//!                   lower case   equals the apex
//!                         ▼
//!  registry │ name ─► block │                                    one look-up without a lock
//!
//!  block    │ TTL, flags, counts │ 3web │ where each begins │ tcp 1 0 │ 0 5 80 2i1 │ 10.0.0.1 │ … │ A │ AAAA │
//!                                    │                                    │             │
//!                                    │   Lots: in which order, by weights │             │
//!                                    └────────────────────────────┐       ▼             ▼
//!  reply    │ header │ question │ c00c SRV IN TTL length │ 0 5 80 2i1 │ 3web │ 3svc5local0 │ … │ ptr A IN TTL 4 10.0.0.1 │ … │ OPT │
//! ```
//!
//! What is answered here, in the live zone, by name and type:
//!
//! | name | types |
//! |---|---|
//! | `<service>` | A, AAAA, SRV; NODATA for others |
//! | `_<service>._<proto>` | SRV |
//! | `<instance>.<service>` | A, AAAA, SRV; NODATA for others but TXT |
//! | any other label below the apex that no static record has | NXDOMAIN |
//!
//! Everything else gives `None`, and is answered by the complete path from the same packet: other names and types, options
//! of EDNS beside a cookie, messages that do not fit, services in panic or with nothing to serve, instances that are host names. The two
//! ways give the same answers, but for the order of records: `tests` holds them against each other.
//!
//! An answer takes no lock and allocates nothing. What it needs of the configuration is worked out beforehand, in [`Hot`];
//! what it needs of the registry is in the [`Block`] of one service, so that it cannot mix two states of it.

mod absence;
mod asked;
mod find;
mod page;
#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::ops::Range;

use foldhash::HashSet;

use self::absence::{Absence, differ_in_serial};
pub use self::asked::Asked;
pub use self::find::{AT_ONCE, Found, Part, Target};
use self::page::{COOKIE, OPT, POINTER, Page, RECORD, SRV_NUMBERS, Section, Srv, TO_QNAME};
use super::edns::Cookies;
use super::edns::cookie::{self, Answered};
use super::reply::{Kind, Rcode};
use super::settings::Settings;
use crate::answer::{Addresses, Block, Catalog, Entry, Lots};
use crate::model::{Moment, Protocol, Revision};
use crate::wire::{MAX_LABEL, MAX_NAME, RecordType};

/// Octets of a UDP reply to a client that offers no more (RFC 1035 §2.3.4).
const PLAIN_UDP: usize = 512;

/// What the configuration says, as far as it matters here.
#[derive(Debug)]
pub struct Hot {
    /// In wire form, in the case of the configuration.
    apex: Box<[u8]>,
    record_ttl: u32,
    srv_weight_scale: u32,
    udp_payload: u16,
    cookies: Option<Cookies>,
    absence: Absence,
    /// The labels below the apex that static records have; `None` where these speak for every name.
    taken: Option<HashSet<Box<[u8]>>>,
}

/// A reply that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    pub octets: usize,
    pub kind: Kind,
    pub rcode: Rcode,
    pub qtype: RecordType,
    /// Where the name that was asked for is in the query.
    pub qname: Range<usize>,
    /// Whether the client has proved its address with a cookie.
    pub has_valid_cookie: bool,
}

/// What outlasts a query only to be used again.
#[derive(Debug)]
pub struct Scratch {
    lots: Lots,
    /// For [`Srv::new`].
    end: [u8; MAX_NAME],
}

impl Default for Scratch {
    fn default() -> Self {
        Self { lots: Lots::default(), end: [0; MAX_NAME] }
    }
}

impl Hot {
    /// `None` when the live zone has no SOA record to show, which leaves everything to the complete path.
    pub fn new(catalog: &Catalog, settings: &Settings) -> Option<Self> {
        let zone = catalog.live_zone();
        let [soa, next] = [Revision(0), Revision(1)].map(|revision| catalog.negative_soa_at(revision));
        Some(Self {
            apex: zone.apex.wire().into(),
            record_ttl: zone.record_ttl,
            srv_weight_scale: u32::from(zone.srv_weight_scale),
            udp_payload: settings.udp_payload,
            cookies: settings.cookies.clone(),
            absence: Absence::new(&soa, &zone.apex, differ_in_serial(&soa, &next))?,
            taken: catalog.labels_below_apex(),
        })
    }

    /// Reads a packet; `None` when it is nothing usual.
    #[inline]
    pub fn read<'p>(&self, packet: &'p [u8]) -> Option<Asked<'p>> {
        Asked::read(packet, &self.apex)
    }

    /// What the cookie of a query is answered with, if it has one and cookies mean something here.
    pub fn cookie(&self, asked: &Asked<'_>, client: IpAddr, now: impl FnOnce() -> Moment) -> Option<Answered> {
        let (cookies, option) = self.cookies.as_ref().zip(asked.cookie())?;
        cookies.answer(option, client, cookie::seconds(now()))
    }

    /// Writes the reply to what was found into `out`, if it is one of those that are answered here and it fits: into
    /// `out`, and over UDP into a datagram. `random` decides the order of records.
    pub fn answer(
        &self,
        (asked, target, cookie): (&Asked<'_>, Target<'_>, Option<&Answered>),
        over_udp: bool,
        revision: Revision,
        scratch: &mut Scratch,
        mut random: impl FnMut() -> u64,
        out: &mut [u8],
    ) -> Option<Hit> {
        if target.block.is_some_and(Block::is_panicking) {
            return None;
        }
        let room = if over_udp { self.datagram(asked).min(out.len()) } else { out.len() };
        let opt = asked.opt.map_or(0, |_| OPT) + cookie.map_or(0, |_| COOKIE);
        let room = room.checked_sub(asked.end + opt)?;
        let page = Page::begin(asked, out);
        let mut reply = Reply { hot: self, asked, room, page, lots: &mut scratch.lots, end: &mut scratch.end };
        let (kind, rcode) = match reply.records(target, &mut random)? {
            true => (Kind::Positive, Rcode::NoError),
            false => reply.absence(target, revision)?,
        };
        let octets = reply.page.end(asked, cookie.map(|cookie| &cookie.option), rcode, self.udp_payload);
        let has_valid_cookie = cookie.is_some_and(|cookie| cookie.is_valid);
        Some(Hit { octets, kind, rcode, qtype: asked.qtype, qname: asked.qname(), has_valid_cookie })
    }

    /// Octets that a datagram to this client may have (RFC 6891 §6.2.3 to §6.2.5).
    fn datagram(&self, asked: &Asked<'_>) -> usize {
        asked.opt.map_or(PLAIN_UDP, |opt| usize::from(opt.udp_payload.min(self.udp_payload)).max(PLAIN_UDP))
    }

    fn ttl(&self, block: &Block) -> u32 {
        block.record_ttl().unwrap_or(self.record_ttl)
    }

    /// Whether no record that is not registered exists at or below a label in lower case.
    fn has_nothing_at(&self, label: &[u8]) -> bool {
        label.first() != Some(&b'_') && self.taken.as_ref().is_some_and(|taken| !taken.contains(label))
    }
}

/// A reply on its way.
struct Reply<'a, 'o> {
    hot: &'a Hot,
    asked: &'a Asked<'a>,
    /// Octets that records may take.
    room: usize,
    page: Page<'o>,
    lots: &'a mut Lots,
    end: &'a mut [u8; MAX_NAME],
}

impl Reply<'_, '_> {
    /// Writes the records of the target, if it has any of the asked type. `None` when they do not fit, or are for the
    /// complete path to find.
    fn records(&mut self, target: Target<'_>, random: &mut impl FnMut() -> u64) -> Option<bool> {
        let qtype = self.asked.qtype;
        let Some(block) = target.block else { return (!qtype.is_meta()).then_some(false) };
        match (target.part, qtype) {
            (Part::Service, RecordType::A) => self.addresses(block, block.ipv4(), random),
            (Part::Service, RecordType::AAAA) => self.addresses(block, block.ipv6(), random),
            (Part::Service, RecordType::SRV) => self.services(block, None, random),
            (Part::Service, qtype) => (!qtype.is_meta()).then_some(false),
            (Part::Type(protocol), RecordType::SRV) => self.services(block, Some(protocol), random),
            (Part::Type(_), _) => None,
            (Part::Instance, qtype) => self.of_instance(block, qtype, random),
        }
    }

    /// The records of the instance whose id is the first label, if it is served.
    fn of_instance(&mut self, block: &Block, qtype: RecordType, random: &mut impl FnMut() -> u64) -> Option<bool> {
        let mut id = [0; MAX_LABEL];
        let entry = block.entries().find(self.asked.lowered(0, &mut id)?)?;
        match qtype {
            RecordType::A => {
                let (ips, ttl) = (entry.ipv4(), self.hot.ttl(block));
                self.shuffle(ips.len(), RECORD + 4, random)?;
                self.page.a(Section::Answer, TO_QNAME, ttl, picked(self.lots, ips));
                Some(!ips.is_empty())
            }
            RecordType::AAAA => {
                let (ips, ttl) = (entry.ipv6(), self.hot.ttl(block));
                self.shuffle(ips.len(), RECORD + 16, random)?;
                self.page.aaaa(Section::Answer, TO_QNAME, ttl, picked(self.lots, ips));
                Some(!ips.is_empty())
            }
            RecordType::SRV => self.service(block, &entry),
            RecordType::TXT => None,
            qtype => (!qtype.is_meta()).then_some(false),
        }
    }

    /// Says that there is nothing of the asked type.
    fn absence(&mut self, target: Target<'_>, revision: Revision) -> Option<(Kind, Rcode)> {
        let absence = &self.hot.absence;
        self.room.checked_sub(absence.len())?;
        absence.write(&mut self.page, self.asked.apex, revision);
        Some(if target.block.is_some() { (Kind::NoData, Rcode::NoError) } else { (Kind::NxDomain, Rcode::NxDomain) })
    }

    /// The addresses of a service.
    fn addresses(&mut self, block: &Block, of: Addresses<'_>, random: &mut impl FnMut() -> u64) -> Option<bool> {
        self.room.checked_sub(of.len() * (RECORD + of.width()))?;
        self.lots.clear();
        (0..of.len()).for_each(|at| self.lots.put(at as u8, of.weight(at)));
        self.lots.draw(random);
        let ttl = self.hot.ttl(block);
        let places = self.lots.items().iter().map(|at| usize::from(*at));
        if of.width() == 4 {
            self.page.a(Section::Answer, TO_QNAME, ttl, places.filter_map(|at| of.address(at)));
        } else {
            self.page.aaaa(Section::Answer, TO_QNAME, ttl, places.filter_map(|at| of.address(at)));
        }
        Some(!of.is_empty())
    }

    /// Draws the order of so many records of `octets` each, all as likely to be first.
    fn shuffle(&mut self, count: usize, octets: usize, random: &mut impl FnMut() -> u64) -> Option<()> {
        self.room.checked_sub(count * octets)?;
        self.lots.clear();
        (0..count).for_each(|at| self.lots.put(at as u8, 1));
        self.lots.draw(random);
        Some(())
    }

    /// The SRV record of one instance, and its addresses.
    fn service(&mut self, block: &Block, entry: &Entry<'_>) -> Option<bool> {
        // What the addresses of a host are, others know.
        if entry.counts() == (0, 0) {
            return None;
        }
        let srv = Srv::new(self.hot.srv_weight_scale, block.label(), &self.hot.apex, self.end);
        self.room.checked_sub(octets(&srv, entry))?;
        let ttl = self.hot.ttl(block);
        self.page.srv(&srv, entry, ttl);
        self.page.a(Section::Additional, TO_QNAME, ttl, entry.ipv4());
        self.page.aaaa(Section::Additional, TO_QNAME, ttl, entry.ipv6());
        Some(true)
    }

    /// The SRV records of a service, and the addresses of their targets.
    fn services(
        &mut self,
        block: &Block,
        protocol: Option<Protocol>,
        random: &mut impl FnMut() -> u64,
    ) -> Option<bool> {
        if block.has_hosts() {
            return None;
        }
        let srv = Srv::new(self.hot.srv_weight_scale, block.label(), &self.hot.apex, self.end);
        let (entries, mut taken) = (block.entries(), 0);
        self.lots.clear();
        for at in 0..entries.len() {
            let entry = entries.at(at);
            if protocol.is_none_or(|protocol| protocol == entry.protocol()) {
                taken += octets(&srv, &entry);
                self.lots.put(at as u8, u32::from(entry.weight()));
            }
        }
        // Without any it is for the complete path to say whether there is such a name.
        self.room.checked_sub(taken).filter(|_| taken > 0)?;
        if block.has_priorities() {
            self.lots.draw_by_rank(|item| entries.at(usize::from(item)).priority(), random);
        } else {
            self.lots.draw(random);
        }
        let (ttl, mut target) = (self.hot.ttl(block), self.page.at() + RECORD + SRV_NUMBERS);
        for item in self.lots.items() {
            self.page.srv(&srv, &entries.at(usize::from(*item)), ttl);
        }
        for item in self.lots.items() {
            let entry = entries.at(usize::from(*item));
            let owner = POINTER | target as u16;
            self.page.a(Section::Additional, owner, ttl, entry.ipv4());
            self.page.aaaa(Section::Additional, owner, ttl, entry.ipv6());
            target += RECORD + srv.rdata_length(&entry);
        }
        Some(true)
    }
}

/// Octets of an instance's SRV record and of the records of its addresses. Targets are never compressed (RFC 2782).
fn octets(srv: &Srv<'_>, entry: &Entry<'_>) -> usize {
    let (ipv4, ipv6) = entry.counts();
    RECORD + srv.rdata_length(entry) + ipv4 * (RECORD + 4) + ipv6 * (RECORD + 16)
}

/// Items in the order of their lots.
fn picked<'a, T>(lots: &Lots, items: &'a [T]) -> impl Iterator<Item = &'a T> {
    lots.items().iter().map(|at| &items[usize::from(*at)])
}
