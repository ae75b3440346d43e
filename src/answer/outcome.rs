//! What the server has to say to one question, in the words of the DNS.
//!
//! Every source of answers (the live registry, a static zone) ends in one of these, and every transport writes them
//! with the same function, so that no two paths can differ in what an outcome means.

use crate::wire::RrSet;

/// The end of a look-up (RFC 1034 §4.3.2, RFC 2308).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The name has records of the asked type. `answer` begins with the aliases that led there. `additional` holds
    /// address records in order of use; each is sent only while a record that names it is.
    Answer { answer: Vec<RrSet>, additional: Vec<RrSet> },
    /// The name exists and has no such records. `soa` carries the TTL that negative caching may use.
    NoData { aliases: Vec<RrSet>, soa: RrSet },
    /// The name does not exist.
    NxDomain { aliases: Vec<RrSet>, soa: RrSet },
    /// The name is below a zone cut: the delegation's NS records, and glue for those name servers that need it.
    Referral { aliases: Vec<RrSet>, ns: RrSet, glue: Vec<RrSet> },
    /// No zone here holds the name, or policy says no.
    Refused,
    /// The answer is not known at the moment.
    ServFail,
}
