//! DNS as octets: names, record data and the message writer.
//!
//! Everything here works on slices and vectors that the caller owns. There is no I/O, no clock and no knowledge of
//! services; the layers above decide what to say and this one how it is spelled (RFC 1035 §3 and §4).

mod name;
pub mod octets;
pub mod record;
mod writer;

pub use name::{Labels, MAX_LABEL, MAX_NAME, Name, NameError, NameRef};
pub use record::{Rdata, RecordType, RrSet};
pub use writer::{MessageWriter, Opt, Section, flag};
