//! Servers that share one registry: which of them does what.
//!
//! Pure rules, the same on every server. Each server that is live has announced itself under its [`ServerId`]; from who is
//! live, and from what the registry says, everybody works out alike who keeps which lease, who checks whom, and who tells
//! which callback. Nothing is negotiated:
//!
//! | duty | who has it |
//! |---|---|
//! | the lease of an instance, and its removal | the server that took it last ([`Members::keeper`]); when that one is not live, the one that is drawn for the instance |
//! | the checks of an instance | the one that is drawn for the instance ([`Members::checker`]) |
//! | the posts of a subscription | the one that is drawn for the subscription ([`Members::poster`]) |
//!
//! Drawn by rendezvous hashing: when a server comes or goes, only what it gains or had changes hands.
//!
//! Who is cut off does not know at once that others have come back, and everybody draws from what it knows. So a lease that
//! was drawn is kept in trust ([`Members::keeping`]): it runs out there, if the server that took it last is still not live
//! by then, but a heartbeat is good only where the instance was taken over, or taken before.
//!
//! Who is cut off does not know at once either that another server took an instance over, and may go on hearing it for as
//! long as it is live itself. So the lease of an instance that was taken over begins with [`UNHEARD`] more than its ttl.

mod draw;
mod members;

pub use members::{Members, ServerId, UNHEARD};
