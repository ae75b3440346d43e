//! From the octets of a query to the octets of its response.

use std::net::IpAddr;
use std::sync::Arc;

use super::query::{self, Packet, Query};
use super::reply::{self, Limits, Rcode};
use crate::answer::{Catalog, Outcome, order};
use crate::engine::Index;
use crate::wire::RecordType;

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
        let limits = |message| Limits { message, udp_payload: self.udp_payload };
        match query::read(packet) {
            Packet::Noise => return false,
            Packet::Malformed { id, flags } => reply::error(id, flags, Rcode::FormErr, None, limits(512), out),
            Packet::Unserved { id, flags } => reply::error(id, flags, Rcode::NotImp, None, limits(512), out),
            Packet::Query(query) => {
                let limits = limits(self.room(&query, transport));
                match self.refusal(&query) {
                    Some(rcode) => reply::error(query.id, query.flags, rcode, Some(&query), limits, out),
                    None => self.answer(&query, client, draw, limits, out),
                }
            }
        }
        true
    }

    /// Octets that a response may have (RFC 1035 §4.2, RFC 6891 §6.2.3 to §6.2.5).
    fn room(&self, query: &Query<'_>, transport: Transport) -> usize {
        match (transport, query.edns) {
            (Transport::Tcp, _) => usize::from(u16::MAX),
            (Transport::Udp, None) => 512,
            (Transport::Udp, Some(edns)) => usize::from(edns.udp_payload.clamp(512, self.udp_payload.max(512))),
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
    /// the client alone, and only their order on the draw: a client that uses what a cut answer holds would otherwise
    /// see instances come and go with every query.
    fn answer(&self, query: &Query<'_>, client: IpAddr, draw: u64, limits: Limits, out: &mut Vec<u8>) {
        let look_up = |seed| self.catalog.resolve(&*self.index, &query.qname, query.qtype, seed);
        let drawn = look_up(draw);
        if !reply::write(&drawn, query, limits, false, out).cut {
            return;
        }
        let stable = look_up(seed_of(client));
        let sent = reply::write(&stable, query, limits, false, out);
        if let Some(reordered) = reordered(&stable, drawn, sent.answers, sent.additional) {
            let mut other = Vec::with_capacity(out.len());
            let again = reply::write(&reordered, query, limits, sent.truncated, &mut other);
            // Compression may come out differently in another order; the stable order is right in any case.
            if (again.answers, again.additional) == (sent.answers, sent.additional) {
                *out = other;
            }
        }
    }
}

/// The first `answers` records and `additional` RRsets of `stable`, in the order that they have in `drawn`. Only for
/// answers of one RRset, which all answers from the registry are.
fn reordered(stable: &Outcome, drawn: Outcome, answers: usize, additional: usize) -> Option<Outcome> {
    let (Outcome::Answer { answer: kept, additional: kept_additional }, Outcome::Answer { answer, additional: all }) =
        (stable, drawn)
    else {
        return None;
    };
    let (Ok([mut set]), [kept]) = (<[_; 1]>::try_from(answer), kept.as_slice()) else { return None };
    let records: std::collections::HashSet<_> = kept.rdata.get(..answers)?.iter().collect();
    let owners: std::collections::HashSet<_> =
        kept_additional.iter().map(|set| (&set.owner, set.rtype)).take(additional).collect();
    set.rdata.retain(|rdata| records.contains(rdata));
    let additional = all.into_iter().filter(|set| owners.contains(&(&set.owner, set.rtype))).collect();
    Some(Outcome::Answer { answer: vec![set], additional })
}

/// A seed that is always the same for one client.
fn seed_of(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(ip) => order::identity(&ip.octets()),
        IpAddr::V6(ip) => order::identity(&ip.octets()),
    }
}
