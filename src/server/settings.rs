//! What the configuration says to each part of the server.

use std::net::IpAddr;
use std::path::Path;

use super::zones::StaticZones;
use crate::answer::{Catalog, LiveZone, ReverseZones};
use crate::config::{Config, Store};
use crate::model::Defaults;
use crate::registry::Rules;
use crate::store::etcd;

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

/// For the store in etcd.
///
/// # Errors
/// When a certificate or key cannot be read.
pub fn etcd(store: &Store) -> anyhow::Result<etcd::Settings> {
    let read = |key: &str, file: &Option<std::path::PathBuf>| file.as_deref().map(|file| pem(key, file)).transpose();
    let certificate = read("store.cert_file", &store.cert_file)?;
    let key = read("store.key_file", &store.key_file)?;
    Ok(etcd::Settings {
        endpoints: store.endpoints.clone(),
        prefix: store.prefix.clone(),
        user: store.user.clone(),
        password: store.password.reveal().to_owned(),
        timeout: store.timeout.as_duration(),
        roots: read("store.ca_file", &store.ca_file)?,
        identity: certificate.zip(key),
    })
}

/// The text of a PEM file.
fn pem(key: &str, file: &Path) -> anyhow::Result<Vec<u8>> {
    let shown = file.display();
    let text = std::fs::read(file).map_err(|error| anyhow::Error::msg(format!("{key}: {shown}: {error}")))?;
    let is_pem = text.windows(11).any(|part| part == b"-----BEGIN ");
    if is_pem { Ok(text) } else { Err(anyhow::Error::msg(format!("{key}: {shown}: is not a PEM file"))) }
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
