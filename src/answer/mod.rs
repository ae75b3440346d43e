//! From a question to an outcome: pure look-ups in the live view and in static zones.
//!
//! [`Catalog::resolve`] is the way in. It finds the zone that a name belongs to and asks either the live zone
//! ([`live`]), the reverse zones ([`reverse`]) or the algorithm for static data ([`authoritative`]); for the live zone,
//! whose static additions may hold names beside the registry's, it does both in the order that keeps each name in one
//! hand.

pub mod authoritative;
mod block;
mod catalog;
mod crowd;
pub mod explain;
mod kept;
pub mod live;
mod lots;
mod numbers;
pub mod order;
mod outcome;
mod pinned;
pub mod reverse;
mod tags;
mod view;

pub use block::{Addresses, Block, Entry, MAX as BLOCK_MAX};
pub use catalog::Catalog;
pub use explain::Explain;
pub use live::{Live, LiveZone};
pub use lots::Lots;
pub use outcome::{Origin, Outcome, Remark, Resolved};
pub use pinned::Pinned;
pub use reverse::ReverseZones;
pub use view::{Filter, PROTOCOLS, ServiceView};
