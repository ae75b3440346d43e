//! What the server says of the live zone and of itself.

use super::LiveZone;
use super::addresses::address_rdata;
use crate::model::Revision;
use crate::wire::record::Soa;
use crate::wire::{RecordType, RrSet};

impl LiveZone {
    /// The SOA record at the apex: its serial is the revision (RFC 1982), its TTL that of negative answers.
    pub fn soa(&self, revision: Revision) -> RrSet {
        let below = |label: &str| self.apex.prepend(label.as_bytes()).unwrap_or_else(|_| self.apex.clone());
        let soa = Soa {
            mname: below(NAME_SERVER),
            rname: below("hostmaster"),
            serial: revision.serial(),
            refresh: 3600,
            retry: 600,
            expire: 86_400,
            minimum: self.negative_ttl,
        };
        let ttl = self.negative_ttl;
        RrSet { owner: self.apex.clone(), rtype: RecordType::SOA, ttl, rdata: vec![soa.to_rdata()] }
    }

    /// What the server says of itself below the apex: that it is the zone's name server, and its addresses.
    pub fn own_records(&self) -> Vec<RrSet> {
        let Ok(server) = self.apex.prepend(NAME_SERVER.as_bytes()) else { return Vec::new() };
        let ttl = self.record_ttl;
        let ns = RrSet { owner: self.apex.clone(), rtype: RecordType::NS, ttl, rdata: vec![server.wire().into()] };
        let addresses = [RecordType::A, RecordType::AAAA].map(|rtype| {
            let rdata = self.addresses.iter().filter_map(|ip| address_rdata(*ip, rtype)).collect();
            RrSet { owner: server.clone(), rtype, ttl, rdata }
        });
        std::iter::once(ns).chain(addresses).filter(|set| !set.rdata.is_empty()).collect()
    }
}

/// The label of the server's own name below the apex, unless a service is called so.
const NAME_SERVER: &str = "ns";
