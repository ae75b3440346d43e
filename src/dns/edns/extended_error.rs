//! Extended errors (RFC 8914): why a reply is no better, for the people who read it.

use crate::answer::Remark;

/// A reason, in the words of this server. Each has a code of the registry at IANA and a short text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExtendedError {
    /// The registry has not been read from the store yet.
    Loading,
    /// A class that nothing is served in, or a name there that the operator keeps to himself.
    Withheld,
    /// The client is none of those that are answered.
    Stranger,
    /// The name is in none of the zones here.
    NotAuthoritative,
    /// An opcode other than QUERY.
    Opcode,
    /// AXFR or IXFR.
    Transfer,
    /// Unhealthy instances are among the records.
    Panic,
    /// Instances are registered, and none is served.
    NoneServed,
    /// The records are the last that are known: the shared store cannot be reached.
    Stale,
    /// The same of a name that did not exist then.
    StaleNxDomain,
}

impl ExtendedError {
    /// The INFO-CODE (RFC 8914 §4).
    pub fn code(self) -> u16 {
        match self {
            // Other Error
            Self::Panic | Self::NoneServed => 0,
            // Stale Answer
            Self::Stale => 3,
            // Stale NXDOMAIN Answer
            Self::StaleNxDomain => 19,
            // Not Ready
            Self::Loading => 14,
            // Prohibited
            Self::Withheld | Self::Stranger => 18,
            // Not Authoritative
            Self::NotAuthoritative => 20,
            // Not Supported
            Self::Opcode | Self::Transfer => 21,
        }
    }

    /// The EXTRA-TEXT.
    pub fn text(self) -> &'static str {
        match self {
            Self::Loading => "state is being loaded",
            Self::Withheld => "nothing is told in this class",
            Self::Stranger => "not answered from this address",
            Self::NotAuthoritative => "in no zone of this server",
            Self::Opcode => "only queries are served",
            Self::Panic => "few instances are healthy: unhealthy ones are here too",
            Self::NoneServed => "instances are registered, none of them healthy",
            Self::Stale | Self::StaleNxDomain => "the last that is known: the shared store cannot be reached",
            Self::Transfer => "zones are not transferred",
        }
    }
}

impl From<Remark> for ExtendedError {
    fn from(remark: Remark) -> Self {
        match remark {
            Remark::Panic => Self::Panic,
            Remark::NoneServed => Self::NoneServed,
        }
    }
}
