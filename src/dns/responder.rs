//! From the octets of a query to the octets of its reply.

mod explain;

use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use tracing::field::Empty;

use super::exchange::{Exchange, Written};
use super::hot::{Asked, Found, Hit, Hot, Scratch, Target};
use super::metrics::{Metrics, ZoneLabel, ZoneLabels};
use super::query::{self, Query};
use super::query_log::QueryLog;
use super::reply::Reply;
use super::{Client, Settings, Transport};
use crate::answer::{Catalog, Live, Origin};
use crate::engine::{Index, Reading};
use crate::model::Moment;
use crate::telemetry::traces;
use crate::wire::NameRef;
use crate::zone;

/// What may change while the server runs, other than the registry itself.
#[derive(Debug)]
pub struct Present {
    pub catalog: Catalog,
    pub settings: Settings,
    labels: ZoneLabels,
    hot: Option<Hot>,
}

/// Several queries in a row, answered from one state of everything but the registry.
pub struct Round<'a> {
    present: Guard<Arc<Present>>,
    reading: Option<Reading<'a>>,
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
        let present = Present::new(catalog, settings, &metrics);
        Self { index, metrics, queries: Arc::default(), present: ArcSwap::from_pointee(present) }
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
        self.present.swap(Arc::new(Present::new(catalog, settings, &self.metrics)))
    }

    /// Begins a round, which should be over soon: nothing that is replaced meanwhile is freed.
    pub fn round(&self) -> Round<'_> {
        // What may be out of date is answered with a remark, which the complete path makes.
        let reading = if self.index.is_stale() { None } else { self.index.read() };
        Round { present: self.present.load(), reading }
    }

    /// Writes the reply to `packet` into `out` and says what it is; `None` when there is nothing to send. `draw` decides
    /// the order of records in this answer, `now` whether cookies are still good.
    pub fn respond(&self, packet: &[u8], client: &Client, draw: u64, now: Moment, out: &mut Vec<u8>) -> Option<Reply> {
        let mut respond = || self.exchange(packet, client, now, |exchange| exchange.reply(draw, out));
        if traces::are_on() { traced(packet, client, respond) } else { respond() }
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

/// Makes `respond`, which answers `packet`, a span in the words of OpenTelemetry's conventions.
#[cold]
fn traced(packet: &[u8], client: &Client, respond: impl FnOnce() -> Option<Reply>) -> Option<Reply> {
    let span = tracing::info_span!(
        target: traces::TARGET,
        "query",
        otel.kind = "server",
        dns.question.name = Empty,
        dns.question.type = Empty,
        dns.response_code = Empty,
        dns.truncated = Empty,
        network.transport = if client.transport == Transport::Udp { "udp" } else { "tcp" },
        client.address = %client.address,
    );
    let reply = span.in_scope(respond)?;
    // Of a query that others log as a whole, these say what it was about.
    if let Some(question) = query::read(packet).and_then(|query| query.question) {
        span.record("dns.question.name", question.qname.to_string());
        span.record("dns.question.type", zone::mnemonic(question.qtype).to_string());
    }
    span.record("dns.response_code", reply.rcode.as_str()).record("dns.truncated", reply.truncated);
    Some(reply)
}

impl Present {
    fn new(catalog: Catalog, settings: Settings, metrics: &Metrics) -> Self {
        let (labels, hot) = (metrics.labels(&catalog), Hot::new(&catalog, &settings));
        Self { catalog, settings, labels, hot }
    }
}

impl Round<'_> {
    /// Reads a query, if the hot path may answer this client. What it does not answer, here and in what
    /// follows, is for [`Responder::respond`].
    // Returned through memory, it would be loaded by other widths than it was stored by, and waited for.
    #[inline(always)]
    pub fn read<'p>(&self, packet: &'p [u8], client: &Client) -> Option<Asked<'p>> {
        let Settings { allow, require_cookies, .. } = &self.present.settings;
        let over_udp = client.transport == Transport::Udp;
        if (over_udp && *require_cookies) || (!allow.is_empty() && !allow.contains(client.address)) {
            return None;
        }
        self.present.hot.as_ref()?.read(packet)
    }

    /// Finds out whose names are asked for, of several questions at once: they wait for memory together. What each stands for
    /// is added to `found`, and nothing at all when there is no state to look into.
    pub fn find<'r>(&'r self, asked: &[Option<Asked<'_>>], found: &mut Found<'r>) {
        if let Some((hot, reading)) = self.present.hot.as_ref().zip(self.reading.as_ref()) {
            hot.find(asked, reading, found);
        }
    }

    /// Writes the reply into `out`. `now` decides whether cookies are still good, and is asked for only then.
    pub fn answer(
        &self,
        (asked, target): (&Asked<'_>, Target<'_>),
        client: &Client,
        now: impl FnOnce() -> Moment,
        scratch: &mut Scratch,
        random: impl FnMut() -> u64,
        out: &mut [u8],
    ) -> Option<Hit> {
        let (hot, revision) = (self.present.hot.as_ref()?, self.reading.as_ref()?.revision());
        let cookie = hot.cookie(asked, client.address, now);
        let over_udp = client.transport == Transport::Udp;
        hot.answer((asked, target, cookie.as_ref()), over_udp, revision, scratch, random, out)
    }

    /// All of it in one, for a single query.
    pub fn hit(
        &self,
        packet: &[u8],
        client: &Client,
        now: Moment,
        scratch: &mut Scratch,
        random: impl FnMut() -> u64,
        out: &mut [u8],
    ) -> Option<Hit> {
        let (asked, mut found) = ([self.read(packet, client)], Found::new());
        self.find(&asked, &mut found);
        let ([Some(asked)], [Some(target)]) = (&asked, &found[..]) else { return None };
        self.answer((asked, *target), client, || now, scratch, random, out)
    }

    /// The label of the zone that the hot path answers for.
    pub fn live_zone(&self) -> ZoneLabel {
        self.present.labels.of(Origin::Live)
    }

    /// The apex of that zone.
    pub fn live_apex(&self) -> NameRef<'_> {
        self.present.catalog.live_apex().borrowed()
    }
}

fn reply(written: Written, query: Query<'_>, zone: ZoneLabel, has_valid_cookie: bool) -> Reply {
    let Written { kind, rcode, truncated, name, .. } = written;
    let (qname, qtype) = query.question.map(|question| (question.qname, question.qtype)).unzip();
    Reply { kind, rcode, name: name.or(qname), qtype, zone, truncated, has_valid_cookie }
}

#[cfg(test)]
pub mod tests;
