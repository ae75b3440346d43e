//! One TCP connection from its first query to its end (RFC 7766).
//!
//! Queries are answered in the order in which they come, which is right as none of them waits for anything. Reading goes
//! on while answers are on their way, until the client has [taken in](Outbox::is_full) too few of them; answers that are
//! ready together leave together. Whatever the peer does, it holds a bounded part of memory, and each state of the
//! conversation ends in time:
//!
//! ```text
//!            octets of a query               all of it              answers taken in
//! Resting ───────────────────────► Arriving ──────────► Delivering ──────────────────► Resting
//!    └─ idle time ─► end               └─ TRANSFER ─► end     └─ TRANSFER for a batch ─► end
//! ```
//!
//! The end of the client's stream, something that is no query, the server's own end and an age of [`LIFETIME`] stop the
//! reading; what was asked before is still answered.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::connections::Place;
use super::framing::{Inbox, Outbox};
use crate::engine::Clock;
use crate::model::Moment;

/// From the first octet of a query to its last, and from a batch of answers to its being taken in.
const TRANSFER: Duration = Duration::from_secs(10);
/// The age at which a connection takes no more queries: clients find their way to another server, or to a new address
/// of this one, and what a connection holds by mistake it does not hold for ever.
const LIFETIME: Duration = Duration::from_secs(3600);
/// Queries that are answered before others have their turn. As long as they come and their answers go they would
/// otherwise be answered without a pause, at the cost of all other connections.
const TURN: usize = 16;

/// What a conversation needs beside its stream.
pub struct Party<'a> {
    pub place: &'a Place,
    pub clock: &'a Clock,
    pub stop: &'a CancellationToken,
}

/// What makes answers: writes the one to a message into the vector, given how long the connection may rest after it and
/// the time. `false` for what gets no answer, which ends the conversation.
pub trait Make: FnMut(&[u8], Duration, Moment, &mut Vec<u8>) -> bool {}

impl<F: FnMut(&[u8], Duration, Moment, &mut Vec<u8>) -> bool> Make for F {}

/// Answers what comes in until the conversation ends.
///
/// # Errors
/// Those of the stream, and `TimedOut` where the peer was too slow.
pub async fn converse(
    mut reader: impl AsyncRead + Unpin,
    mut writer: impl AsyncWrite + Unpin,
    party: Party<'_>,
    make: impl Make,
) -> io::Result<()> {
    let mut talk = Talk::new(&party, make);
    let mut timer = pin!(sleep_until(talk.deadline()));
    let mut stopped = pin!(party.stop.cancelled());
    let mut evicted = pin!(party.place.evicted());
    loop {
        talk.answer();
        if talk.answered == TURN {
            talk.answered = 0;
            yield_now().await;
            continue;
        }
        if talk.is_over() {
            return writer.shutdown().await;
        }
        talk.enter();
        if talk.deadline() < timer.deadline() {
            timer.as_mut().reset(talk.deadline());
        }
        tokio::select! {
            // Those that end it come first, or a client that always has something to do would not hear of them.
            biased;
            () = &mut evicted => return Ok(()),
            () = &mut stopped, if !talk.is_ending => talk.end(),
            sent = writer.write(talk.outbox.pending()), if !talk.outbox.is_empty() => talk.sent(sent?)?,
            read = reader.read_buf(talk.inbox.room()), if talk.is_reading && !talk.outbox.is_full() => {
                talk.is_reading &= read? > 0;
            }
            () = &mut timer => {
                // Deadlines mostly move away; the timer follows when it has run out.
                if talk.deadline() <= Instant::now() {
                    return talk.timed_out();
                }
                timer.as_mut().reset(talk.deadline());
            }
        }
    }
}

/// What the conversation waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    Resting,
    Arriving,
    Delivering,
}

/// The state of a conversation.
struct Talk<'a, M> {
    party: &'a Party<'a>,
    make: M,
    inbox: Inbox,
    outbox: Outbox,
    /// The answer that is being made.
    scratch: Vec<u8>,
    began: Instant,
    wait: Wait,
    since: Instant,
    /// How long the client was last told that it may rest.
    idle: Duration,
    is_reading: bool,
    /// Queries that were answered since others had their turn.
    answered: usize,
    /// The query that the client is at is the last one.
    is_ending: bool,
}

impl<'a, M: Make> Talk<'a, M> {
    fn new(party: &'a Party<'a>, make: M) -> Self {
        let now = Instant::now();
        Self {
            party,
            make,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            scratch: Vec::new(),
            began: now,
            wait: Wait::Resting,
            since: now,
            idle: party.place.idle(),
            is_reading: true,
            answered: 0,
            is_ending: false,
        }
    }

    /// Answers the queries that are there, as far as its turn goes and answers are taken in.
    fn answer(&mut self) {
        if !self.inbox.has_next() || self.outbox.is_full() {
            return;
        }
        self.idle = self.party.place.idle();
        let now = self.party.clock.now();
        while self.answered < TURN && !self.outbox.is_full() {
            let Some(query) = self.inbox.next() else { return };
            self.answered += 1;
            if !(self.make)(query, self.idle, now, &mut self.scratch) {
                // Whoever sends this sends no queries, or not where they begin: nothing behind it can be trusted.
                self.inbox.clear();
                self.is_reading = false;
                return;
            }
            self.outbox.push(&self.scratch);
            self.is_reading &= !self.is_ending;
        }
    }

    fn is_over(&self) -> bool {
        !self.is_reading && self.outbox.is_empty()
    }

    /// Notes what is waited for now, and since when.
    fn enter(&mut self) {
        let wait = match (self.outbox.is_empty(), self.inbox.is_empty()) {
            (false, _) => Wait::Delivering,
            (true, false) => Wait::Arriving,
            (true, true) => Wait::Resting,
        };
        if wait == self.wait {
            return;
        }
        let tick = self.party.clock.tick();
        match wait {
            Wait::Delivering => self.party.place.works(tick),
            Wait::Arriving | Wait::Resting if self.wait == Wait::Delivering => self.party.place.rests(tick),
            Wait::Arriving | Wait::Resting => {}
        }
        self.wait = wait;
        self.wait_anew();
    }

    fn wait_anew(&mut self) {
        self.since = Instant::now();
        if self.since >= self.began + LIFETIME {
            self.end();
        }
    }

    fn deadline(&self) -> Instant {
        match self.wait {
            Wait::Resting => (self.since + self.idle).min(self.began + LIFETIME),
            Wait::Arriving | Wait::Delivering => self.since + TRANSFER,
        }
    }

    fn timed_out(&self) -> io::Result<()> {
        match self.wait {
            Wait::Resting => Ok(()),
            Wait::Arriving => Err(io::Error::new(io::ErrorKind::TimedOut, "the query took too long to arrive")),
            Wait::Delivering => Err(io::Error::new(io::ErrorKind::TimedOut, "the answers were not taken in")),
        }
    }

    fn sent(&mut self, octets: usize) -> io::Result<()> {
        if octets == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        if self.outbox.advance(octets) {
            self.wait_anew();
        }
        Ok(())
    }

    /// Ends the conversation with the query that the client is at.
    fn end(&mut self) {
        self.is_ending = true;
        self.is_reading &= !self.inbox.is_empty();
    }
}

#[cfg(test)]
mod tests;
