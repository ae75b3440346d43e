//! Record types and RRsets, with RDATA in uncompressed wire form.
//!
//! RDATA is opaque here but for the few types whose names other records depend on: the writer may compress the names of
//! RFC 1035's own types (RFC 3597 §4), and additional-section processing asks which host a record points at.

use std::fmt;

use super::Name;

/// A record type, known or not (RFC 3597).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RecordType(pub u16);

impl RecordType {
    pub const A: Self = Self(1);
    pub const NS: Self = Self(2);
    pub const CNAME: Self = Self(5);
    pub const SOA: Self = Self(6);
    pub const PTR: Self = Self(12);
    pub const MX: Self = Self(15);
    pub const TXT: Self = Self(16);
    pub const AAAA: Self = Self(28);
    pub const SRV: Self = Self(33);
    pub const DNAME: Self = Self(39);
    pub const OPT: Self = Self(41);
    pub const DS: Self = Self(43);
    pub const SVCB: Self = Self(64);
    pub const HTTPS: Self = Self(65);
    pub const TSIG: Self = Self(250);
    pub const IXFR: Self = Self(251);
    pub const AXFR: Self = Self(252);
    pub const ANY: Self = Self(255);

    /// SVCB and its likes (RFC 9460).
    pub fn is_service_binding(self) -> bool {
        matches!(self, Self::SVCB | Self::HTTPS)
    }

    /// QTYPEs and meta-types: the range 128 to 255 (RFC 6895 §3.1) and OPT, none of which a zone can hold.
    pub fn is_meta(self) -> bool {
        self == Self::OPT || (128..=255).contains(&self.0)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = match *self {
            Self::A => "A",
            Self::NS => "NS",
            Self::CNAME => "CNAME",
            Self::SOA => "SOA",
            Self::PTR => "PTR",
            Self::MX => "MX",
            Self::TXT => "TXT",
            Self::AAAA => "AAAA",
            Self::SRV => "SRV",
            Self::DNAME => "DNAME",
            Self::OPT => "OPT",
            Self::DS => "DS",
            Self::SVCB => "SVCB",
            Self::HTTPS => "HTTPS",
            Self::TSIG => "TSIG",
            Self::IXFR => "IXFR",
            Self::AXFR => "AXFR",
            Self::ANY => "ANY",
            Self(other) => return write!(f, "TYPE{other}"),
        };
        f.write_str(known)
    }
}

/// RDATA in wire form, names in it uncompressed.
pub type Rdata = Box<[u8]>;

/// All records of one owner name and type, with one TTL in seconds (RFC 2181 §5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RrSet {
    pub owner: Name,
    pub rtype: RecordType,
    pub ttl: u32,
    pub rdata: Vec<Rdata>,
}

impl RrSet {
    /// The host names that the records of this set point at, for additional-section processing (RFC 1035 §3.3.9 and
    /// §3.3.11, RFC 2782, RFC 9460 §4.1), in order.
    pub fn targets(&self) -> impl Iterator<Item = Name> + '_ {
        self.rdata.iter().filter_map(|rdata| self.target_of(rdata))
    }

    /// The host name that one record of this set points at. That of a service binding may be its owner, written `.`
    /// (RFC 9460 §2.5.2); in AliasMode that means that there is no such host (§2.5.1).
    pub fn target_of(&self, rdata: &[u8]) -> Option<Name> {
        let is_itself =
            |target: &Name| target.is_root() && self.rtype.is_service_binding() && !rdata.starts_with(&[0; 2]);
        let target = target(self.rtype, rdata)?;
        Some(if is_itself(&target) { self.owner.clone() } else { target })
    }
}

/// The host name that one record points at, if its type names one.
pub fn target(rtype: RecordType, rdata: &[u8]) -> Option<Name> {
    Name::from_wire(rdata.get(target_at(rtype)?..)?).ok()
}

/// How many octets stand before the host name in RDATA, if the type has one.
pub(super) fn target_at(rtype: RecordType) -> Option<usize> {
    match rtype {
        RecordType::NS => Some(0),
        RecordType::MX | RecordType::SVCB | RecordType::HTTPS => Some(2),
        RecordType::SRV => Some(6),
        _ => None,
    }
}

/// Where the compressible names of RDATA begin: how many octets stand before them and how many names follow each other.
/// SRV is not among them (RFC 2782), nor is any type newer than RFC 1035 (RFC 3597 §4).
pub(super) fn compressible(rtype: RecordType) -> Option<(usize, usize)> {
    match rtype {
        RecordType::NS | RecordType::CNAME | RecordType::PTR => Some((0, 1)),
        RecordType::MX => Some((2, 1)),
        RecordType::SOA => Some((0, 2)),
        _ => None,
    }
}

/// RDATA of an SRV record (RFC 2782).
pub fn srv(priority: u16, weight: u16, port: u16, target: &Name) -> Rdata {
    let mut rdata = Vec::with_capacity(6 + target.wire().len());
    for number in [priority, weight, port] {
        rdata.extend_from_slice(&number.to_be_bytes());
    }
    rdata.extend_from_slice(target.wire());
    rdata.into()
}

/// RDATA of a TXT record (RFC 1035 §3.3.14): each string at most 255 octets, and one empty string when there is none.
pub fn txt<'a>(strings: impl IntoIterator<Item = &'a [u8]>) -> Rdata {
    let mut rdata = Vec::new();
    for string in strings {
        let string = &string[..string.len().min(255)];
        rdata.push(string.len() as u8);
        rdata.extend_from_slice(string);
    }
    if rdata.is_empty() {
        rdata.push(0);
    }
    rdata.into()
}

/// The fields of an SOA record (RFC 1035 §3.3.13); times in seconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soa {
    pub mname: Name,
    pub rname: Name,
    pub serial: u32,
    pub refresh: u32,
    pub retry: u32,
    pub expire: u32,
    pub minimum: u32,
}

impl Soa {
    /// The RDATA.
    pub fn to_rdata(&self) -> Rdata {
        let mut rdata = Vec::with_capacity(self.mname.wire().len() + self.rname.wire().len() + 20);
        rdata.extend_from_slice(self.mname.wire());
        rdata.extend_from_slice(self.rname.wire());
        for number in [self.serial, self.refresh, self.retry, self.expire, self.minimum] {
            rdata.extend_from_slice(&number.to_be_bytes());
        }
        rdata.into()
    }

    /// The SERIAL field of SOA RDATA (RFC 1982).
    pub fn serial_of(rdata: &[u8]) -> Option<u32> {
        let (serial, _) = rdata.get(rdata.len().checked_sub(20)?..)?.split_first_chunk()?;
        Some(u32::from_be_bytes(*serial))
    }

    /// The MINIMUM field of SOA RDATA: the cap on the TTL of negative answers (RFC 2308 §4).
    pub fn minimum_of(rdata: &[u8]) -> Option<u32> {
        let tail = rdata.get(rdata.len().checked_sub(4)?..)?;
        Some(u32::from_be_bytes(tail.try_into().ok()?))
    }
}
