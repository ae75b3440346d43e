//! From the octets of a query to the octets of its response.

use std::net::IpAddr;
use std::sync::Arc;

use super::query::{self, Packet, Query};
use super::write::{self, Limits, Rcode};
use crate::answer::order::{self, Draw};
use crate::answer::{Catalog, Outcome};
use crate::engine::Index;
use crate::wire::RecordType;

/// Octets of a UDP response to a client that offers no more (RFC 1035 §2.3.4).
const PLAIN_UDP: usize = 512;
/// Octets of an A record whose owner name is a pointer: no record that is drawn takes less.
const SMALLEST_RECORD: usize = 16;
const CLASS_IN: u16 = 1;
const AXFR: RecordType = RecordType(252);
const IXFR: RecordType = RecordType(251);

/// How a query came, which bounds its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
}

/// Answers queries from the present state. Shared by all transports.
#[derive(Debug)]
pub struct Responder {
    catalog: Catalog,
    index: Arc<Index>,
    udp_payload: u16,
}

impl Responder {
    /// `udp_payload` bounds answers over UDP, in octets.
    pub fn new(catalog: Catalog, index: Arc<Index>, udp_payload: u16) -> Self {
        Self { catalog, index, udp_payload }
    }

    /// Writes the response to `packet` into `out`; `false` when there is nothing to send. `draw` decides the order of
    /// records in this answer.
    pub fn respond(&self, packet: &[u8], client: IpAddr, transport: Transport, draw: u64, out: &mut Vec<u8>) -> bool {
        let limits = |query: Option<&Query<'_>>| Limits {
            message: query.map_or(PLAIN_UDP, |query| self.room(query, transport)),
            udp_payload: self.udp_payload,
        };
        match query::read(packet) {
            Packet::Noise => return false,
            Packet::Malformed { id, flags } => write::error(id, flags, Rcode::FormErr, None, limits(None), out),
            Packet::Unserved { id, flags, query } => {
                write::error(id, flags, Rcode::NotImp, query.as_ref(), limits(query.as_ref()), out);
            }
            Packet::Query(query) => match self.refusal(&query) {
                Some(rcode) => write::error(query.id, query.flags, rcode, Some(&query), limits(Some(&query)), out),
                None => self.answer(&query, client, draw, limits(Some(&query)), out),
            },
        }
        true
    }

    /// Octets that a response may have (RFC 1035 §4.2, RFC 6891 §6.2.3 to §6.2.5).
    fn room(&self, query: &Query<'_>, transport: Transport) -> usize {
        match (transport, query.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => PLAIN_UDP,
            (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.min(self.udp_payload)).max(PLAIN_UDP),
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
    fn answer(&self, query: &Query<'_>, client: IpAddr, draw: u64, limits: Limits, out: &mut Vec<u8>) {
        let look_up = |draw: &Draw| self.catalog.resolve(&*self.index, &query.qname, query.qtype, draw);
        // One more than can fit, so that what does not fit is noticed.
        let at_most = limits.message / SMALLEST_RECORD + 1;
        let outcome = look_up(&Draw { order: draw, subset: draw, at_most });
        let sent = write::write(&outcome, query, limits, false, out);
        if !sent.cut || !matches!(outcome, Outcome::Answer { .. }) {
            return;
        }
        let client = seed_of(client);
        let stable = look_up(&Draw { order: client, subset: client, at_most });
        let sent = write::write(&stable, query, limits, false, out);
        if let (true, Outcome::Answer { additional, .. }) = (sent.truncated, &stable)
            && additional.is_empty()
        {
            let reordered = look_up(&Draw { order: draw, subset: client, at_most: sent.answers });
            write::write(&reordered, query, limits, true, out);
        }
    }
}

/// A seed that is always the same for one client.
fn seed_of(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}
