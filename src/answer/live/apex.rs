//! What the server says of the live zone and of itself.

use super::LiveZone;
use super::addresses::address_rdata;
use crate::model::Revision;
use crate::wire::record::Soa;
use crate::wire::{Name, NameError, RecordType, RrSet};

/// The server's own name below the apex. No service can take it: of three labels, a registered name has one with an
/// underscore.
const NAME_SERVER: [&str; 3] = ["server", "srvd", "ns"];

/// Where clients learn which domains to browse: all of them, and the one that is meant for them (RFC 6763 §11).
const BROWSE: [[&str; 3]; 2] = [["b", "_dns-sd", "_udp"], ["lb", "_dns-sd", "_udp"]];

impl LiveZone {
    /// The SOA record of a zone that the registry fills: its serial is the revision (RFC 1982), its TTL that of negative
    /// answers. `primary` is the zone's name server.
    pub fn soa(&self, owner: Name, primary: Name, revision: Revision) -> RrSet {
        let soa = Soa {
            mname: primary,
            rname: self.below(&["hostmaster"]).unwrap_or_else(|_| self.apex.clone()),
            serial: revision.serial(),
            refresh: 3600,
            retry: 600,
            expire: 86_400,
            minimum: self.negative_ttl,
        };
        RrSet { owner, rtype: RecordType::SOA, ttl: self.negative_ttl, rdata: vec![soa.to_rdata()] }
    }

    /// What the server says of itself below the apex: that it is the zone's name server, its addresses, and that the
    /// zone is one to browse.
    pub fn own_records(&self) -> Vec<RrSet> {
        let ttl = self.record_ttl;
        let mut records = Vec::new();
        if let Ok(server) = self.below(&NAME_SERVER) {
            let rdata = vec![server.wire().into()];
            records.push(RrSet { owner: self.apex.clone(), rtype: RecordType::NS, ttl, rdata });
            records.extend([RecordType::A, RecordType::AAAA].map(|rtype| {
                let rdata = self.addresses.iter().filter_map(|ip| address_rdata(*ip, rtype)).collect();
                RrSet { owner: server.clone(), rtype, ttl, rdata }
            }));
        }
        for owner in BROWSE.iter().filter_map(|labels| self.below(labels).ok()) {
            let rdata = vec![self.apex.wire().into()];
            records.push(RrSet { owner, rtype: RecordType::PTR, ttl, rdata });
        }
        records.retain(|set| !set.rdata.is_empty());
        records
    }

    fn below(&self, labels: &[&str]) -> Result<Name, NameError> {
        Name::from_labels(labels.iter().map(|label| label.as_bytes()).chain(self.apex.labels()))
    }
}
