//! What the server has to say to one question, in the words of the DNS.
//!
//! Every source of answers (the live registry, a static zone) ends in one of these, and every transport writes them
//! with the same function, so that no two paths can differ in what an outcome means.

use crate::wire::{Name, RrSet};

/// An outcome, and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    pub outcome: Outcome,
    /// The zone that was asked first; where aliases lead to others, they do not count.
    pub origin: Origin,
    /// The owner of the wildcard, or of the DNAME, that stood in first for a name on the way: any number of names has
    /// this outcome. `None` where every name on the way is in the data.
    pub stand_in: Option<Name>,
    pub remark: Option<Remark>,
}

/// The zone that a question falls into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Origin {
    /// No zone here holds the name.
    #[default]
    Nowhere,
    Live,
    /// Any of the reverse zones.
    Reverse,
    /// The static zone at this place.
    Static(usize),
}

/// What people should know about an outcome of registered names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// So few instances of the service are healthy that unhealthy ones are among the records.
    Panic,
    /// There are instances, and none of them is served.
    NoneServed,
}

impl Resolved {
    /// From names that are in the data alone.
    pub fn of_itself(outcome: Outcome) -> Self {
        Self { outcome, origin: Origin::Nowhere, stand_in: None, remark: None }
    }
}

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
    /// A DNAME above the name leads to one that is too long (RFC 6672 §2.2); `aliases` ends with that DNAME.
    YxDomain { aliases: Vec<RrSet> },
    /// The name is below a zone cut: the delegation's NS records, and glue for those name servers that need it.
    Referral { aliases: Vec<RrSet>, ns: RrSet, glue: Vec<RrSet> },
    /// No zone here holds the name, or policy says no.
    Refused,
    /// The answer is not known at the moment.
    ServFail,
}

impl Outcome {
    /// What it has for the sections of a response: answer, authority, additional.
    pub fn sections(&self) -> [Vec<&RrSet>; 3] {
        fn all(sets: &[RrSet]) -> Vec<&RrSet> {
            sets.iter().collect()
        }
        match self {
            Self::Answer { answer, additional } => [all(answer), Vec::new(), all(additional)],
            Self::NoData { aliases, soa } | Self::NxDomain { aliases, soa } => [all(aliases), vec![soa], Vec::new()],
            Self::YxDomain { aliases } => [all(aliases), Vec::new(), Vec::new()],
            Self::Referral { aliases, ns, glue } => [all(aliases), vec![ns], all(glue)],
            Self::Refused | Self::ServFail => Default::default(),
        }
    }

    /// The same outcome at the end of a chain of aliases.
    pub fn behind(self, mut chain: Vec<RrSet>) -> Self {
        if chain.is_empty() {
            return self;
        }
        match self {
            Self::Answer { answer, additional } => {
                chain.extend(answer);
                Self::Answer { answer: chain, additional }
            }
            Self::NoData { aliases, soa } => {
                chain.extend(aliases);
                Self::NoData { aliases: chain, soa }
            }
            Self::NxDomain { aliases, soa } => {
                chain.extend(aliases);
                Self::NxDomain { aliases: chain, soa }
            }
            Self::YxDomain { aliases } => {
                chain.extend(aliases);
                Self::YxDomain { aliases: chain }
            }
            Self::Referral { aliases, ns, glue } => {
                chain.extend(aliases);
                Self::Referral { aliases: chain, ns, glue }
            }
            Self::Refused | Self::ServFail => self,
        }
    }
}
