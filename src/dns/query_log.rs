//! A line for each query, or for one in so many: switched on by `log.queries`, off the way of the answers.
//!
//! While it is off, [`QueryLog::note`] is one read of a number. While it is on, the octets of the question are copied and
//! handed to a thread that spells them out (`Aside`); what it cannot keep up with is dropped and counted.

use std::cell::Cell;
use std::io;
use std::net::IpAddr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use smallvec::SmallVec;

use super::metrics::Carrier;
use super::query;
use super::reply::Rcode;
use crate::telemetry::Aside;
use crate::telemetry::metrics::{Exposition, Source};
use crate::zone;

/// Octets of the header and the longest question.
const QUESTION: usize = 12 + 255 + 4;

/// The log of queries.
#[derive(Debug, Default)]
pub struct QueryLog {
    /// One query in so many makes a line; 0: none does.
    every: AtomicU32,
    lines: OnceLock<Aside<Line>>,
}

/// What a line is made of.
#[derive(Debug)]
struct Line {
    client: IpAddr,
    carrier: Carrier,
    rcode: Rcode,
    took: Duration,
    /// The packet as far as its question.
    packet: SmallVec<[u8; 96]>,
}

thread_local! {
    /// Queries of this thread until the next one that makes a line.
    static LEFT: Cell<u32> = const { Cell::new(0) };
}

impl QueryLog {
    /// From now on, one query in `every` makes a line, or none with 0.
    ///
    /// # Errors
    /// When the thread that writes cannot be started. The log stays off then.
    pub fn set(&self, every: u32) -> io::Result<()> {
        if every > 0 && self.lines.get().is_none() {
            // Who loses a race for it ends its thread again.
            self.lines.set(Aside::start("log-queries", |line: Line| line.write())?).ok();
        }
        self.every.store(every, Ordering::Relaxed);
        Ok(())
    }

    /// Whether some queries make lines.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.every.load(Ordering::Relaxed) != 0
    }

    /// Notes a query that was answered with `rcode`, `took` after it was received.
    #[inline]
    pub fn note(&self, packet: &[u8], client: IpAddr, carrier: Carrier, rcode: Rcode, took: Duration) {
        let every = self.every.load(Ordering::Relaxed);
        if every != 0 {
            self.sample(every, packet, client, (carrier, rcode, took));
        }
    }

    #[cold]
    fn sample(&self, every: u32, packet: &[u8], client: IpAddr, (carrier, rcode, took): (Carrier, Rcode, Duration)) {
        // Another `every` may hold by now, so that what is left may be more than it.
        let left = LEFT.get().min(every - 1);
        LEFT.set(left.checked_sub(1).unwrap_or(every - 1));
        if left == 0
            && let Some(lines) = self.lines.get()
        {
            let packet = SmallVec::from_slice(&packet[..packet.len().min(QUESTION)]);
            lines.give(Line { client, carrier, rcode, took, packet });
        }
    }
}

impl Line {
    fn write(&self) {
        let question = query::read(&self.packet).and_then(|query| query.question);
        let name = question.as_ref().map(|question| question.qname.to_string());
        let kind = question.as_ref().map(|question| zone::mnemonic(question.qtype).to_string());
        let transport = match self.carrier {
            Carrier::Udp => "udp",
            Carrier::Tcp => "tcp",
        };
        let took_us = self.took.as_micros() as u64;
        let (client, rcode) = (self.client, self.rcode.as_str());
        tracing::info!(target: "srvd::queries", %client, transport, name, r#type = kind, rcode, took_us, "query");
    }
}

impl Source for QueryLog {
    fn tell(&self, to: &mut Exposition) {
        let help = "Lines of the query log that were dropped because they could not be written fast enough.";
        to.counter("srvd_query_log_dropped_total", help, self.lines.get().map_or(0, Aside::dropped));
    }
}
