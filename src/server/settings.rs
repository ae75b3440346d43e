//! What the configuration says to each part of the server.

use std::net::IpAddr;

use super::zones::StaticZones;
use crate::answer::{Catalog, LiveZone, ReverseZones};
use crate::config::Config;
use crate::model::Defaults;
use crate::registry::Rules;

/// For the engine.
pub fn rules(config: &Config) -> Rules {
    Rules {
        defaults: defaults(config),
        reap_after: config.leases.reap_after,
        apex_octets: config.dns.zone.wire().len(),
        record_ttl: config.dns.record_ttl,
        protection: config.leases.protection(),
        panic_threshold: config.health.panic_threshold,
        load: config.load.rules(),
    }
}

/// For registrations that leave members out.
pub fn defaults(config: &Config) -> Defaults {
    Defaults {
        ttl: config.leases.ttl,
        check: config.health.check_defaults(),
        checks: config.health.default_checks.clone(),
    }
}

/// For the live zone, whose name server has `addresses`.
pub fn live_zone(config: &Config, addresses: &[IpAddr]) -> LiveZone {
    LiveZone {
        apex: config.dns.zone.clone(),
        record_ttl: config.dns.record_ttl,
        negative_ttl: config.dns.negative_ttl,
        srv_weight_scale: config.dns.srv_weight_scale,
        addresses: addresses.to_vec(),
    }
}

/// The live zone with all static ones.
pub fn catalog(config: &Config, zones: &StaticZones, addresses: &[IpAddr]) -> Catalog {
    let live = &config.dns.zone;
    let catalog = Catalog::new(live_zone(config, addresses), zones.additions(live), zones.beside(live));
    catalog.with_reverse(ReverseZones::new(&config.dns.reverse_zones))
}
