//! The form in which records are kept: in the files of the embedded store, and in copies for people to keep.
//!
//! Every file is one sequence of frames, each with checksums:
//!
//! ```text
//! file    = magic, frame(head), frame(…)…
//! magic   = "srvd" 0d 0a 1a 0a
//! frame   = length: u32, number: u32, check: u32 of the two before, check: u32 of the body, body
//! head    = "H", format: u32, kind: octet (1 copy, 2 log), generation, revision, records: varint, writer: text
//! batch   = "B", revision: varint, entry…
//! entry   = kind and action: octet, name: text, (form: octet, value) as one text if the action is to put
//! closed  = "C"                                             a log that was closed in order
//! end     = "E", records: varint, check: u32 of the heads of all frames before
//! text    = length: varint, octets
//! ```
//!
//! Fixed numbers are little-endian, checks are CRC-32 (of zlib), varints hold seven bits in an octet, the low ones first.
//! Frames are numbered from 0, so that none can be missing. A *copy* has every name once, records that are no instances
//! first, and ends with its end: without it, it is cut short. A *log* goes on for ever; a batch counts when it is whole. As
//! long as it is not closed, zeros may follow the last one.
//!
//! How the format changes: a value begins with the number of its form, and forms are only added (`compact`, [`text`]).
//! The format of the file ([`FORMAT`]) is raised whenever an older version could not read what is written. Older formats
//! stay readable; a later one is refused by its number.

mod compact;
mod copy;
mod entry;
mod fault;
mod frame;
mod lines;
mod octets;
#[cfg(test)]
mod tests;
pub mod text;

pub use copy::{Reader, Writer};
pub use entry::{Coder, Entry, Restored};
pub use fault::Fault;
pub use frame::{Batch, Body, Frames, Head, HeadKind, LONGEST, begin, begin_batch, framed, has_later_frame};
pub use lines::{LineReader, LineWriter};

/// The format that is written: of 1 and 2 there were files of another kind.
pub const FORMAT: u32 = 3;
