//! Figures of answering: what was asked, of which zone, how it went and how long it took.
//!
//! Each thread that answers has a [`Tally`] of its own, on cache lines that no other thread writes, and adds a few numbers
//! to it at places that it knows without looking for them. A scrape adds all of them up. Labels are few, whatever is
//! asked: zones are those that are configured, and types those that have a name here.

mod types;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::Mutex;

use self::types::{TYPE_LABELS, type_label};
use super::reply::{Rcode, Reply};
use crate::answer::{Catalog, Origin};
use crate::telemetry::metrics::{Counter, Exposition, Figure, Histogram, Sample, Source, Type};
use crate::wire::{Name, RecordType};

/// Labels of zones, those of no single zone included. Zones beyond them share one.
const ZONES: usize = 1_000;
/// Of queries that fall into no zone, or have no question.
const NONE: ZoneLabel = ZoneLabel(0);
/// Of all reverse zones.
const REVERSE: ZoneLabel = ZoneLabel(1);
/// Of zones that are too many.
const OTHER: ZoneLabel = ZoneLabel(2);
const SHARED: [(&str, ZoneLabel); 3] = [("none", NONE), ("reverse", REVERSE), ("other", OTHER)];

/// What a query in the usual way takes is in the first ones.
const BOUNDS: &[Duration] = &[
    Duration::from_micros(5),
    Duration::from_micros(10),
    Duration::from_micros(25),
    Duration::from_micros(50),
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_millis(1),
    Duration::from_millis(10),
    Duration::from_millis(100),
];

/// What queries come over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Udp,
    Tcp,
}

/// The label of a zone, which stays the same as long as the process lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ZoneLabel(u16);

/// The labels of the zones of one catalog.
#[derive(Debug)]
pub struct ZoneLabels {
    live: ZoneLabel,
    /// By the places of the zones.
    fixed: Box<[ZoneLabel]>,
}

impl ZoneLabels {
    pub fn of(&self, origin: Origin) -> ZoneLabel {
        match origin {
            Origin::Nowhere => NONE,
            Origin::Live => self.live,
            Origin::Reverse => REVERSE,
            Origin::Static(place) => self.fixed.get(place).copied().unwrap_or(OTHER),
        }
    }
}

/// The figures of all threads.
#[derive(Debug)]
pub struct Metrics {
    zones: Mutex<BTreeMap<String, ZoneLabel>>,
    tallies: Mutex<Vec<Arc<Tally>>>,
}

impl Default for Metrics {
    fn default() -> Self {
        let shared = SHARED.map(|(name, label)| (name.to_owned(), label));
        Self { zones: Mutex::new(shared.into()), tallies: Mutex::default() }
    }
}

impl Metrics {
    /// A tally for one thread.
    pub fn tally(&self, carrier: Carrier) -> Arc<Tally> {
        let tally = Arc::new(Tally::new(carrier));
        self.tallies.lock().push(Arc::clone(&tally));
        tally
    }

    /// The labels of the zones of a catalog; zones that had one before keep it.
    pub fn labels(&self, catalog: &Catalog) -> ZoneLabels {
        let mut zones = self.zones.lock();
        let live = label(&mut zones, catalog.live_apex());
        ZoneLabels { live, fixed: catalog.static_apexes().map(|apex| label(&mut zones, apex)).collect() }
    }
}

fn label(zones: &mut BTreeMap<String, ZoneLabel>, apex: &Name) -> ZoneLabel {
    let name = match apex.to_string().to_ascii_lowercase() {
        root if root == "." => root,
        name => name.trim_end_matches('.').to_owned(),
    };
    let next = ZoneLabel(zones.len() as u16);
    match zones.get(&name) {
        Some(known) => *known,
        None if zones.len() < ZONES => *zones.entry(name).or_insert(next),
        None => OTHER,
    }
}

/// Queries by type and response code.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cells([[AtomicU64; Rcode::ALL.len()]; TYPE_LABELS.len()]);

/// The figures of one thread that answers.
#[derive(Debug)]
#[repr(align(128))]
pub struct Tally {
    carrier: Carrier,
    truncated: Counter,
    ignored: Counter,
    durations: Histogram,
    /// By zone, those that were asked.
    zones: Box<[OnceLock<Box<Cells>>]>,
}

impl Tally {
    fn new(carrier: Carrier) -> Self {
        Self {
            carrier,
            truncated: Counter::default(),
            ignored: Counter::default(),
            durations: Histogram::new(BOUNDS),
            zones: std::iter::repeat_with(OnceLock::new).take(ZONES).collect(),
        }
    }

    /// Counts a query that has this reply, whether or not it is sent, `took` after it was received.
    pub fn answered(&self, reply: &Reply, took: Duration) {
        self.count(reply.zone, reply.qtype, reply.rcode);
        self.truncated(reply.truncated);
        self.took(1, took);
    }

    /// Counts a reply by what it answers.
    pub fn count(&self, zone: ZoneLabel, qtype: Option<RecordType>, rcode: Rcode) {
        if let Some(zone) = self.zones.get(usize::from(zone.0)) {
            let Cells(cells) = &**zone.get_or_init(Box::default);
            cells[type_label(qtype)][column(rcode)].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts a reply by what it answers, on the only thread that ever counts here: without the price of an addition that
    /// others could come between.
    #[inline]
    pub fn count_alone(&self, zone: ZoneLabel, qtype: RecordType, rcode: Rcode) {
        if let Some(Cells(cells)) = self.zones.get(usize::from(zone.0)).map(|zone| &**zone.get_or_init(Box::default)) {
            let cell = &cells[type_label(Some(qtype))][column(rcode)];
            cell.store(cell.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
    }

    /// Counts a reply with TC, if it is one.
    pub fn truncated(&self, truncated: bool) {
        self.truncated.add(u64::from(truncated));
    }

    /// Counts so many replies that each were there `took` after their queries.
    pub fn took(&self, replies: u64, took: Duration) {
        self.durations.observe_all(replies, took);
    }

    /// Counts a message that is no query.
    pub fn ignored(&self) {
        self.ignored.increment();
    }
}

/// The place of a code in [`Rcode::ALL`].
fn column(rcode: Rcode) -> usize {
    const PLACES: [u8; 24] = {
        let (mut places, mut at) = ([0; 24], 0);
        while at < Rcode::ALL.len() {
            places[Rcode::ALL[at] as usize] = at as u8;
            at += 1;
        }
        places
    };
    usize::from(PLACES[rcode as usize])
}

impl Source for Metrics {
    fn tell(&self, to: &mut Exposition) {
        let (zones, tallies) = (self.zones.lock().clone(), self.tallies.lock().clone());
        let help = "Queries, by the zone that they fall into and how they are answered.";
        let mut family = to.family("srvd_dns_queries_total", Type::Counter, help);
        for (zone, ZoneLabel(at)) in &zones {
            for (carrier, transport) in [(Carrier::Udp, "udp"), (Carrier::Tcp, "tcp")] {
                let of = tallies.iter().filter(|tally| tally.carrier == carrier);
                let all: Vec<&Cells> =
                    of.filter_map(|tally| tally.zones[usize::from(*at)].get().map(AsRef::as_ref)).collect();
                each(&all, |qtype, rcode, count| {
                    let labels = [("zone", zone.as_str()), ("transport", transport), ("type", qtype), ("rcode", rcode)];
                    family.sample(&labels, count);
                });
            }
        }
        let sum = |of: fn(&Tally) -> &Counter| tallies.iter().map(|tally| of(tally).value()).sum::<u64>();
        let help = "Answers with TC, over which clients are to ask again by TCP.";
        to.counter("srvd_dns_truncated_total", help, sum(|tally| &tally.truncated));
        let help = "Messages without an answer, because they are no queries.";
        to.counter("srvd_dns_ignored_total", help, sum(|tally| &tally.ignored));
        let help = "From a query's being received to its answer's being written.";
        let durations = tallies.iter().map(|tally| &tally.durations);
        to.histogram("srvd_dns_query_duration_seconds", help, durations);
    }

    fn measure(&self, sample: &mut Sample) {
        let tallies = self.tallies.lock().clone();
        let asked = tallies.iter().flat_map(|tally| tally.zones.iter().filter_map(OnceLock::get));
        for Cells(cells) in asked.map(AsRef::as_ref) {
            for (column, rcode) in Rcode::ALL.into_iter().enumerate() {
                let count = cells.iter().map(|row| row[column].load(Ordering::Relaxed)).sum();
                sample.add(Figure::Queries, count);
                match rcode {
                    Rcode::NoError => {}
                    Rcode::NxDomain => sample.add(Figure::NxDomain, count),
                    Rcode::ServFail => sample.add(Figure::Failed, count),
                    _ => sample.add(Figure::Refused, count),
                }
            }
        }
    }
}

/// Gives the sum of each cell that is not zero.
fn each(all: &[&Cells], mut tell: impl FnMut(&str, &str, u64)) {
    if all.is_empty() {
        return;
    }
    for (row, qtype) in TYPE_LABELS.iter().enumerate() {
        for (column, rcode) in Rcode::ALL.iter().enumerate() {
            let count = all.iter().map(|Cells(cells)| cells[row][column].load(Ordering::Relaxed)).sum();
            if count > 0 {
                tell(qtype, rcode.as_str(), count);
            }
        }
    }
}

#[cfg(test)]
mod tests;
