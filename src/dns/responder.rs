//! From the octets of a query to the octets of its response.

use std::net::IpAddr;
use std::sync::Arc;

use super::query::{self, Packet, Query};
use super::reply::{Kind, Rcode, Reply};
use super::settings::Settings;
use super::write::{self, Limits};
use super::{Client, Transport};
use crate::answer::order::{self, Draw};
use crate::answer::{Catalog, Outcome};
use crate::engine::Index;
use crate::model::Moment;
use crate::wire::RecordType;

/// Octets of a UDP response to a client that offers no more (RFC 1035 §2.3.4).
const PLAIN_UDP: usize = 512;
/// Octets of an A record whose owner name is a pointer: no record that is drawn takes less.
const SMALLEST_RECORD: usize = 16;
const CLASS_IN: u16 = 1;
const AXFR: RecordType = RecordType(252);
const IXFR: RecordType = RecordType(251);

/// Answers queries from the present state. Shared by all transports.
#[derive(Debug)]
pub struct Responder {
    catalog: Catalog,
    index: Arc<Index>,
    settings: Settings,
}

impl Responder {
    pub fn new(catalog: Catalog, index: Arc<Index>, settings: Settings) -> Self {
        Self { catalog, index, settings }
    }

    /// Writes the response to `packet` into `out` and says what it is; `None` when there is nothing to send. `draw`
    /// decides the order of records in this answer.
    pub fn respond(&self, packet: &[u8], client: &Client, draw: u64, _now: Moment, out: &mut Vec<u8>) -> Option<Reply> {
        let limits = |query: Option<&Query<'_>>| Limits {
            message: query.map_or(PLAIN_UDP, |query| self.room(query, client.transport)),
            udp_payload: self.settings.udp_payload,
        };
        let reply = match query::read(packet) {
            Packet::Noise => return None,
            Packet::Malformed { id, flags } => {
                write::error(id, flags, Rcode::FormErr, None, limits(None), out);
                failed(Rcode::FormErr, None)
            }
            Packet::Unserved { id, flags, query } => {
                write::error(id, flags, Rcode::NotImp, query.as_ref(), limits(query.as_ref()), out);
                failed(Rcode::NotImp, query)
            }
            Packet::Query(query) => match self.refusal(&query) {
                Some(rcode) => {
                    write::error(query.id, query.flags, rcode, Some(&query), limits(Some(&query)), out);
                    failed(rcode, Some(query))
                }
                None => {
                    let limits = limits(Some(&query));
                    self.answer(query, client.address, draw, limits, out)
                }
            },
        };
        Some(reply)
    }

    /// Octets that a response may have (RFC 1035 §4.2, RFC 6891 §6.2.3 to §6.2.5).
    fn room(&self, query: &Query<'_>, transport: Transport) -> usize {
        match (transport, query.edns) {
            (Transport::Tcp { .. }, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => PLAIN_UDP,
            (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.min(self.settings.udp_payload)).max(PLAIN_UDP),
        }
    }

    /// The response code for questions that are not looked up at all.
    fn refusal(&self, query: &Query<'_>) -> Option<Rcode> {
        if query.edns.is_some_and(|edns| edns.version > 0) {
            Some(Rcode::BadVers)
        } else if query.qclass != CLASS_IN || matches!(query.qtype, AXFR | IXFR) {
            Some(Rcode::Refused)
        } else if !self.index.is_loaded() {
            Some(Rcode::ServFail)
        } else {
            None
        }
    }

    /// Answers with the records in the order of this draw. When they do not all fit, which of them are sent depends on
    /// the client alone: one that uses what a cut answer holds would otherwise see instances come and go with every
    /// query. Their order is still drawn, where nothing but the order tells clients whom to take first.
    fn answer(&self, query: Query<'_>, client: IpAddr, draw: u64, limits: Limits, out: &mut Vec<u8>) -> Reply {
        let look_up = |draw: &Draw| self.catalog.resolve(&*self.index, &query.qname, query.qtype, draw);
        // One more than can fit, so that what does not fit is noticed.
        let at_most = limits.message / SMALLEST_RECORD + 1;
        let outcome = look_up(&Draw { order: draw, subset: draw, at_most });
        let mut sent = write::write(&outcome, &query, limits, false, out);
        if sent.cut && matches!(outcome, Outcome::Answer { .. }) {
            let client = seed_of(client);
            let stable = look_up(&Draw { order: client, subset: client, at_most });
            sent = write::write(&stable, &query, limits, false, out);
            if let (true, Outcome::Answer { additional, .. }) = (sent.truncated, &stable)
                && additional.is_empty()
            {
                let reordered = look_up(&Draw { order: draw, subset: client, at_most: sent.answers });
                sent = write::write(&reordered, &query, limits, true, out);
            }
        }
        about(outcome, query, sent.truncated)
    }
}

/// The reply that an outcome was written as.
fn about(outcome: Outcome, query: Query<'_>, truncated: bool) -> Reply {
    let Query { qname, qtype, .. } = query;
    let (kind, rcode, name) = match outcome {
        Outcome::Answer { .. } => (Kind::Positive, Rcode::NoError, qname),
        Outcome::NoData { soa, .. } => (Kind::NoData, Rcode::NoError, soa.owner),
        Outcome::NxDomain { soa, .. } => (Kind::NxDomain, Rcode::NxDomain, soa.owner),
        Outcome::Referral { ns, .. } => (Kind::Referral, Rcode::NoError, ns.owner),
        Outcome::Refused => (Kind::Error, Rcode::Refused, qname),
        Outcome::ServFail => (Kind::Error, Rcode::ServFail, qname),
    };
    Reply { kind, rcode, name: Some(name), qtype: Some(qtype), truncated, has_valid_cookie: false }
}

/// The reply that is nothing but a response code.
fn failed(rcode: Rcode, query: Option<Query<'_>>) -> Reply {
    let (name, qtype) = query.map(|query| (query.qname, query.qtype)).unzip();
    Reply { kind: Kind::Error, rcode, name, qtype, truncated: false, has_valid_cookie: false }
}

/// A seed that is always the same for one client.
fn seed_of(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}
