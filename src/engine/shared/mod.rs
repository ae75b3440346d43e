//! An engine over a store that many servers share.
//!
//! Where one server owns its store, a change is applied, made durable and shown. Here the order of changes is the
//! store's, and every server follows it:
//!
//! ```text
//!  commands ─► tried out on the registry ─► what they would change ─► transaction ─► the store
//!                  (taken back at once)       requires that nothing of it          │
//!                                             has changed meanwhile                │ news, in the store's order
//!                  replies ◄── shown ◄── adopted by the registry ◄─────────────────┘
//! ```
//!
//! * **One round at a time**: what has gathered is tried out, service by service, and goes to the store in as few
//!   transactions as hold it. A round is over when the news have caught up with its last transaction, so the next one is
//!   tried out on a registry that has seen it. A transaction that met a change of somebody else's changes nothing; its
//!   commands are tried out again, for as long as the store's time-out.
//! * **Labels**: no id may equal a tag of its service. A transaction that brings a service another id or tag also requires
//!   that no other such transaction came between, and marks itself as one ([`Place::Labels`]). So two servers that
//!   register at the same time are put in an order, and the later one sees what the earlier one did.
//! * **Leases**: a heartbeat that reaches the server which keeps the instance ([`crate::cluster`]) renews a deadline in
//!   memory, as ever. One that reaches another server is a change: that server takes the instance over. Lapses and
//!   removals by time are written by the keeper alone, on the condition that the instance is as it knows it.
//! * **What srvd notices** (verdicts, what heartbeats report) goes the same way, and nobody waits for it. What is lost
//!   while the store is away is noticed again.
//! * **A server that is not heard** may be taken for dead, and others do what was its to do. It knows by its own clock until
//!   when it is live to them ([`Duty`]), and renews and writes nothing after that, even if it stood still and has not been
//!   told yet.
//! * **When the store is away** readers go on with what was last known, which is then called stale; what would be
//!   written is refused; nothing lapses. When it is back, every lease that is kept here begins anew.

mod following;
mod port;
mod queue;
mod rounds;
mod run;
mod sharing;
mod trial;
mod unit;

pub use port::{Encoded, Fact, Found, News, Outcome, Place, SharedStore, Snapshot, State, Transaction, Write, Writer};
pub use run::Runner;
pub use sharing::{Duty, Sharing};
