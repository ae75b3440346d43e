//! What can be wrong with a zone file, and where.
//!
//! A [`ZoneError`] is one mistake that the author of the file can mend; a file is refused with the list of them. A
//! [`ZoneWarning`] is about what can be served and is hardly meant.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::forms::mnemonic;
use super::rdata::RdataError;
use super::scan::ScanError;
use super::ttl::TtlError;
use crate::wire::{Name, NameError, RecordType};

/// A mistake in a zone file.
pub type ZoneError = Located<Reason>;

/// Something in a zone file that is served as it is and looks wrong.
pub type ZoneWarning = Located<Caution>;

/// What there is to say about a place in a file.
#[derive(Debug, Clone)]
pub struct Located<R> {
    pub path: PathBuf,
    /// From 1; 0 when it is about the whole file.
    pub line: u32,
    pub reason: R,
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
    #[error("the zone has more than {0} octets in all its files")]
    TooLarge(u64),
    #[error("$GENERATE is known to BIND only: write out the records that it stands for")]
    Generate,
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
    #[error("{} is not a type that a zone can hold", mnemonic(*.0))]
    MetaType(RecordType),
    #[error("class {0}: only IN is served")]
    Class(String),
    #[error("{text} is not a TTL: {source}")]
    Ttl { text: String, source: TtlError },
    #[error("no TTL: give the record one, or the file a $TTL")]
    NoTtl,
    #[error("bad {} data: {source}", mnemonic(*rtype))]
    Rdata { rtype: RecordType, source: RdataError },
    #[error("{owner} is outside of the zone {apex}")]
    OutOfZone { owner: Name, apex: Name },
    #[error("no SOA record at {0}; only the file that is named after dns.zone may leave it out")]
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

/// What looks wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Caution {
    #[error("the {rtype} records at {owner} have different TTLs: {ttl}, the lowest, is that of all (RFC 2181 §5.2)")]
    TtlsDiffer { rtype: RecordType, owner: Name, ttl: u32 },
    #[error("{target}, which the {rtype} record at {owner} points at, has no address here")]
    NoAddress { rtype: RecordType, owner: Name, target: Name },
    #[error("{target}, which the {rtype} record at {owner} points at, is an alias (RFC 2181 §10.3)")]
    TargetIsAlias { rtype: RecordType, owner: Name, target: Name },
    #[error("{owner} is below the zone cut at {cut} and is never answered: only glue belongs there")]
    Occluded { owner: Name, cut: Name },
    #[error("the NS records at {0} delegate no name: a wildcard makes no zone cut (RFC 4592 §4.2)")]
    WildcardCut(Name),
    #[error("the DS records at {0} belong to the zone above")]
    DsAtApex(Name),
    #[error("the DS records at {0} stand at no zone cut")]
    DsWithoutNs(Name),
    #[error("the ANAME record at {0} is given to those who ask for it and makes no addresses: the type is no standard")]
    AnameIsData(Name),
}

impl<R: fmt::Display> fmt::Display for Located<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.reason),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.reason),
        }
    }
}

impl<R: std::error::Error + 'static> std::error::Error for Located<R> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.reason.source()
    }
}
