//! From the octets of a query to the octets of its reply.

mod explain;

use std::sync::Arc;

use arc_swap::ArcSwap;

use super::exchange::{Exchange, Written};
use super::metrics::{Metrics, ZoneLabel, ZoneLabels};
use super::query::{self, Query};
use super::query_log::QueryLog;
use super::reply::Reply;
use super::{Client, Settings};
use crate::answer::{Catalog, Live};
use crate::engine::Index;
use crate::model::Moment;

/// What may change while the server runs, other than the registry itself.
#[derive(Debug)]
pub struct Present {
    pub catalog: Catalog,
    pub settings: Settings,
    labels: ZoneLabels,
}

/// Answers queries from the present state. Shared by all transports.
///
/// The catalog and the settings can be replaced while it does. Each query is answered from what was there or from what is
/// there now, never from some of both, and waits for neither.
#[derive(Debug)]
pub struct Responder {
    index: Arc<Index>,
    metrics: Arc<Metrics>,
    queries: Arc<QueryLog>,
    present: ArcSwap<Present>,
}

impl Responder {
    pub fn new(catalog: Catalog, index: Arc<Index>, settings: Settings) -> Self {
        let metrics = Arc::<Metrics>::default();
        let labels = metrics.labels(&catalog);
        Self {
            index,
            metrics,
            queries: Arc::default(),
            present: ArcSwap::from_pointee(Present { catalog, settings, labels }),
        }
    }

    /// The figures of what is answered, which those who call [`Self::respond`] keep.
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The log of what is answered, which those who call [`Self::respond`] keep too.
    pub fn queries(&self) -> &Arc<QueryLog> {
        &self.queries
    }

    /// Answers from another catalog and by other settings from now on. What was there is given back, so that freeing it
    /// need not fall to a query under way.
    pub fn replace(&self, catalog: Catalog, settings: Settings) -> Arc<Present> {
        let labels = self.metrics.labels(&catalog);
        self.present.swap(Arc::new(Present { catalog, settings, labels }))
    }

    /// Writes the reply to `packet` into `out` and says what it is; `None` when there is nothing to send. `draw` decides
    /// the order of records in this answer, `now` whether cookies are still good.
    pub fn respond(&self, packet: &[u8], client: &Client, draw: u64, now: Moment, out: &mut Vec<u8>) -> Option<Reply> {
        self.exchange(packet, client, now, |exchange| exchange.reply(draw, out))
    }

    /// Instead of answering `packet`, asks its sender to come back over TCP: an empty reply with TC, which is no longer
    /// than the query but for its OPT record. A query that would not be answered anyway gets its error. `None` when there
    /// is nothing to send.
    pub fn redirect(&self, packet: &[u8], client: &Client, now: Moment, out: &mut Vec<u8>) -> Option<Reply> {
        self.exchange(packet, client, now, |exchange| exchange.redirect(out))
    }

    fn exchange(
        &self,
        packet: &[u8],
        client: &Client,
        now: Moment,
        write: impl FnOnce(&mut Exchange<'_>) -> Written,
    ) -> Option<Reply> {
        let query = query::read(packet)?;
        let present = self.present.load();
        let live = self.index.is_loaded().then_some(&*self.index as &dyn Live);
        let mut exchange = Exchange::new(&present, live, &query, client, now);
        let (written, has_valid_cookie) = (write(&mut exchange), exchange.has_valid_cookie());
        let zone = present.labels.of(written.origin);
        Some(reply(written, query, zone, has_valid_cookie))
    }
}

fn reply(written: Written, query: Query<'_>, zone: ZoneLabel, has_valid_cookie: bool) -> Reply {
    let Written { kind, rcode, truncated, name, .. } = written;
    let (qname, qtype) = query.question.map(|question| (question.qname, question.qtype)).unzip();
    Reply { kind, rcode, name: name.or(qname), qtype, zone, truncated, has_valid_cookie }
}

#[cfg(test)]
mod tests;
