//! What a transport, a limit or a metric learns of a reply without reading it again.

use super::metrics::ZoneLabel;
use crate::wire::{Name, RecordType};

/// A reply that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub kind: Kind,
    pub rcode: Rcode,
    /// What the reply is about, for limits that count by it: the name that was asked for, or the owner of the wildcard
    /// or DNAME that answered for it; in a negative answer the apex of the zone, and in a referral the zone cut. Names
    /// below those are without number. `None` when there was no question that could be read.
    pub name: Option<Name>,
    pub qtype: Option<RecordType>,
    /// The zone that was asked, for metrics.
    pub zone: ZoneLabel,
    /// TC is set.
    pub truncated: bool,
    /// The query had a server cookie made for its sender's address: the address is no forgery (RFC 7873 §5.2.4).
    pub has_valid_cookie: bool,
}

/// The kinds of replies, as limits tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Records of the asked type, or aliases that lead out of the zones here.
    Positive,
    /// The name exists without such records.
    NoData,
    /// The name does not exist.
    NxDomain,
    Referral,
    /// Anything without an answer: response codes other than NXDOMAIN, a demand for a cookie, a redirection to TCP.
    Error,
}

/// Response codes; those above 15 have their high octet in the OPT record (RFC 6895 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rcode {
    NoError = 0,
    FormErr = 1,
    ServFail = 2,
    NxDomain = 3,
    NotImp = 4,
    Refused = 5,
    YxDomain = 6,
    NotAuth = 9,
    BadVers = 16,
    BadCookie = 23,
}

impl Rcode {
    pub const ALL: [Self; 10] = [
        Self::NoError,
        Self::FormErr,
        Self::ServFail,
        Self::NxDomain,
        Self::NotImp,
        Self::Refused,
        Self::YxDomain,
        Self::NotAuth,
        Self::BadVers,
        Self::BadCookie,
    ];

    /// The mnemonic, as dig prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoError => "NOERROR",
            Self::FormErr => "FORMERR",
            Self::ServFail => "SERVFAIL",
            Self::NxDomain => "NXDOMAIN",
            Self::NotImp => "NOTIMP",
            Self::Refused => "REFUSED",
            Self::YxDomain => "YXDOMAIN",
            Self::NotAuth => "NOTAUTH",
            Self::BadVers => "BADVERS",
            Self::BadCookie => "BADCOOKIE",
        }
    }
}
