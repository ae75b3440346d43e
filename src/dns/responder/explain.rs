//! Answers that are made to be explained, not sent.
//!
//! Each transport's reply is made by the same [`Exchange`] that makes those which are sent, over a registry that stays as
//! it was in between.

use std::net::IpAddr;
use std::time::Duration;

use super::Responder;
use crate::answer::explain::{Explain, Explained, Message};
use crate::answer::{Live, Pinned};
use crate::dns::edns::{Asked, Edns};
use crate::dns::exchange::Exchange;
use crate::dns::query::{Query, Question};
use crate::dns::{Client, Transport};
use crate::model::Moment;
use crate::wire::octets::u16_at;
use crate::wire::{Name, RecordType};

const CLASS_IN: u16 = 1;
/// Where a header counts the answers and the additional records (RFC 1035 §4.1.1).
const COUNTS: [usize; 2] = [6, 10];

impl Explain for Responder {
    fn explain(&self, qname: &Name, qtype: RecordType, client: IpAddr, now: Moment, draw: u64) -> Explained {
        let present = self.present.load();
        let pinned = Pinned::new(&*self.index);
        let live = self.index.is_loaded().then_some(&pinned as &dyn Live);
        let octets = [qname.wire(), &qtype.0.to_be_bytes(), &CLASS_IN.to_be_bytes()].concat();
        let query = |edns| {
            let question = Question { qname: qname.clone(), qtype, qclass: CLASS_IN, octets: &octets };
            Query { id: 0, flags: 0, question: Some(question), edns, tsig: None, is_whole: true }
        };
        let udp_payload = present.settings.udp_payload;
        let opt = Edns { version: 0, udp_payload, dnssec_ok: false, asked: Asked::default() };
        let plain = query(None);
        let with_edns = query(Some(opt));
        let make = |query, transport| {
            let client = Client { address: client, transport };
            message(&mut Exchange::new(&present, live, query, &client, now), draw)
        };
        let (udp, edns) = (make(&plain, Transport::Udp), make(&with_edns, Transport::Udp));
        let client = Client { address: client, transport: Transport::Tcp { idle: Duration::ZERO } };
        let mut exchange = Exchange::new(&present, live, &plain, &client, now);
        let (tcp, explanation) = (message(&mut exchange, draw), exchange.explain(draw));
        let explanation = explanation.map_err(|error| error.map_or("the query is at fault", |error| error.text()));
        let (rcode, tcp) = tcp;
        Explained { revision: pinned.revision(), rcode, explanation, udp: udp.1, edns: edns.1, tcp }
    }
}

/// The reply of an exchange, measured.
fn message(exchange: &mut Exchange<'_>, draw: u64) -> (&'static str, Message) {
    let mut out = Vec::new();
    let written = exchange.reply(draw, &mut out);
    let [answers, additional] = COUNTS.map(|at| u16_at(&out, at).unwrap_or_default());
    let message = Message {
        limit: exchange.limit(),
        octets: out.len(),
        truncated: written.truncated,
        answers,
        additional: additional.saturating_sub(u16::from(exchange.has_edns())),
    };
    (written.rcode.as_str(), message)
}
