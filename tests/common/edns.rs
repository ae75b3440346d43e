//! OPT records (RFC 6891): written by hand for queries, read by the `domain` crate in responses.

use domain::base::opt::{AllOptData, OptRecord, UnknownOptData};

pub const NSID: u16 = 3;
pub const COOKIE: u16 = 10;
pub const KEEPALIVE: u16 = 11;
pub const PADDING: u16 = 12;
pub const EXTENDED_ERROR: u16 = 15;

/// The OPT record of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edns {
    pub version: u8,
    /// Octets that the server takes in over UDP.
    pub udp_payload: u16,
    /// The flags, DO first.
    pub flags: u16,
    /// Codes and data, in order.
    pub options: Vec<(u16, Vec<u8>)>,
}

impl Edns {
    /// # Panics
    ///
    /// When an option is not what its code says.
    pub(super) fn read(opt: &OptRecord<&[u8]>) -> Self {
        assert!(opt.opt().iter::<AllOptData<_, _>>().all(|option| option.is_ok()), "an option does not parse: {opt:?}");
        let raw = opt.opt().iter::<UnknownOptData<_>>().map(|option| option.expect("any option"));
        Self {
            version: opt.version(),
            udp_payload: opt.udp_payload_size(),
            // Of the flags the crate knows but one; the record's TTL has them all.
            flags: (opt.as_record().ttl().as_secs() & 0xffff) as u16,
            options: raw.map(|option| (option.code().to_int(), option.data().to_vec())).collect(),
        }
    }

    /// The data of the first option with this code.
    pub fn option(&self, code: u16) -> Option<&[u8]> {
        self.options.iter().find(|(its, _)| *its == code).map(|(_, data)| data.as_slice())
    }
}

/// Appends an OPT record to a query that has none: version, flags and options.
pub fn append(query: &mut Vec<u8>, version: u8, flags: u16, options: &[(u16, &[u8])]) {
    let mut rdata = Vec::new();
    for (code, data) in options {
        rdata.extend(code.to_be_bytes());
        rdata.extend(u16::try_from(data.len()).expect("an option is at most 65,535 octets").to_be_bytes());
        rdata.extend(*data);
    }
    query[11] += 1;
    query.extend([0, 0, 41, 0x04, 0xd0, 0, version]);
    query.extend(flags.to_be_bytes());
    query.extend(u16::try_from(rdata.len()).expect("RDATA is at most 65,535 octets").to_be_bytes());
    query.extend(rdata);
}
