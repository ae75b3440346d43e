//! What can be wrong with a file.

use std::io;

/// Why a file could not be read, or written.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is not a file of srvd")]
    Alien,
    #[error("it was written in format {found}; this version reads up to {known}")]
    Format { found: u32, known: u32 },
    #[error("it is cut short at octet {at}")]
    Short { at: u64 },
    #[error("an entry cannot be read, or the one after it")]
    Entry,
    #[error("{0}")]
    Record(String),
    #[error("its last line is missing: it is cut short")]
    NoEnd,
    #[error("line {number}: {what}")]
    Line { number: u64, what: String },
    #[error("at octet {at}: {what}")]
    Damaged { at: u64, what: String },
}

impl Fault {
    pub(super) fn damaged(at: u64, what: impl Into<String>) -> Self {
        Self::Damaged { at, what: what.into() }
    }
}
