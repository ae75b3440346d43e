//! What can be wrong with a zone file, and where.
//!
//! A [`ZoneError`] is one mistake that the author of the file can mend; a file is refused with the list of them.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::rdata::RdataError;
use super::scan::ScanError;
use super::ttl::TtlError;
use crate::wire::{Name, NameError, RecordType};

/// A mistake in a zone file.
#[derive(Debug)]
pub struct ZoneError {
    pub path: PathBuf,
    /// From 1; 0 when the mistake is the whole file's.
    pub line: u32,
    pub reason: Reason,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("cannot be read: {0}")]
    Read(#[source] io::Error),
    #[error("cannot include {path}: {source}")]
    Include { path: PathBuf, source: io::Error },
    #[error("files include each other more than {0} deep")]
    IncludeDepth(u32),
    #[error(transparent)]
    Scan(#[from] ScanError),
    #[error("unknown directive ${0}: $ORIGIN, $TTL and $INCLUDE are known")]
    UnknownDirective(String),
    #[error("the form is {0}")]
    DirectiveForm(&'static str),
    #[error("{text} is not a name: {source}")]
    Name { text: String, source: NameError },
    #[error("there is no record before this one to take the owner name from")]
    NoOwner,
    #[error("no record type")]
    NoType,
    #[error("unknown record type {0}")]
    UnknownType(String),
    #[error("{0} is not a type that a zone can hold")]
    MetaType(RecordType),
    #[error("class {0}: only IN is served")]
    Class(String),
    #[error("{text} is not a TTL: {source}")]
    Ttl { text: String, source: TtlError },
    #[error("no TTL: give the record one, or the file a $TTL")]
    NoTtl,
    #[error("bad {rtype} data: {source}")]
    Rdata { rtype: RecordType, source: RdataError },
    #[error("{owner} is outside of the zone {apex}")]
    OutOfZone { owner: Name, apex: Name },
    #[error("no SOA record at {0}")]
    NoSoa(Name),
    #[error("no NS record at {0}")]
    NoNs(Name),
    #[error("the SOA is at {soa}, but the zone is {apex} by the name of its file")]
    SoaElsewhere { soa: Name, apex: Name },
    #[error("a second {rtype} at {owner}")]
    Second { rtype: RecordType, owner: Name },
    #[error("CNAME and other data at {0}")]
    CnameAndOther(Name),
    #[error("DNAME and NS at {0}, which is not the apex")]
    DnameAndNs(Name),
    #[error("a DNAME at {0} would be above all registered services")]
    DnameAboveServices(Name),
    #[error("{owner} is below the DNAME at {dname}")]
    BelowDname { owner: Name, dname: Name },
}

impl fmt::Display for ZoneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.reason),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.reason),
        }
    }
}

impl std::error::Error for ZoneError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.source()
    }
}
