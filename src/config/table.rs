//! Every key of the configuration: where its value goes, its bounds, and when this version acts on it.
//!
//! Defaults are those of [`super::Config`]; the tests hold `config.toml` and this table to each other.

use super::slot::Slot;
use crate::model::limits;

/// One key.
pub(super) struct Row {
    /// Section and key, such as `dns.zone`.
    pub key: &'static str,
    pub slot: Slot,
    pub effect: Effect,
}

/// When this version acts on a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// At the start, and as soon as a running server has read it again.
    AtOnce,
    /// At the start alone: a running server keeps the value that it has.
    AtStart,
}

pub(super) const SECTIONS: &[&str] = &["dns", "http", "leases", "health", "load", "store", "log", "traces"];

/// Seconds of a TTL: a day at most, so that no resolver holds on to an instance that went long ago.
const TTL: std::ops::RangeInclusive<u32> = 0..=86_400;

const fn acts(key: &'static str, slot: Slot) -> Row {
    Row { key, slot, effect: Effect::AtOnce }
}

const fn at_start(key: &'static str, slot: Slot) -> Row {
    Row { key, slot, effect: Effect::AtStart }
}

/// All keys, in the order in which they are read.
pub(super) const ROWS: &[Row] = &[
    at_start("dns.zone", Slot::Zone(|to| &mut to.dns.zone)),
    at_start("dns.listen", Slot::Listen(|to| &mut to.dns.listen)),
    acts("dns.zones_dir", Slot::Path(|to| &mut to.dns.zones_dir)),
    acts("dns.record_ttl", Slot::Whole(TTL, |to| &mut to.dns.record_ttl)),
    // RFC 2308 §5: more than a day has been found to be problematic.
    acts("dns.negative_ttl", Slot::Whole(TTL, |to| &mut to.dns.negative_ttl)),
    // Below 512 counts as 512 (RFC 6891 §6.2.3); 4096 is the most that its §6.2.5 speaks of, and fragmented already.
    acts("dns.udp_payload", Slot::Small(512..=4096, |to| &mut to.dns.udp_payload)),
    // The weight of an SRV record has 16 bits (RFC 2782).
    acts("dns.srv_weight_scale", Slot::Small(1..=65_535, |to| &mut to.dns.srv_weight_scale)),
    // A worker is a thread and a socket for each address; more than cores only take turns.
    at_start("dns.workers", Slot::Small(0..=256, |to| &mut to.dns.workers)),
    at_start("dns.reverse_zones", Slot::Prefixes(|to| &mut to.dns.reverse_zones)),
    // With the longest name and a cookie it always has its place in 512 octets.
    acts("dns.nsid", Slot::Short(128, |to| &mut to.dns.nsid)),
    // One string of a TXT record (RFC 1035 §3.3).
    acts("dns.version", Slot::Short(255, |to| &mut to.dns.version)),
    acts("dns.cookies", Slot::Switch(|to| &mut to.dns.cookies)),
    acts("dns.cookie_secret", Slot::CookieSecret(|to| &mut to.dns.cookie_secret)),
    acts("dns.require_cookies", Slot::Switch(|to| &mut to.dns.require_cookies)),
    acts("dns.allow", Slot::Prefixes(|to| &mut to.dns.allow)),
    // Ports, and so descriptors, run out above that.
    acts("dns.tcp_connections", Slot::Small(1..=65_535, |to| &mut to.dns.tcp_connections)),
    acts("dns.tcp_connections_per_client", Slot::Small(1..=65_535, |to| &mut to.dns.tcp_connections_per_client)),
    // Less is over before an answer has crossed the world; the upper end fits edns-tcp-keepalive (RFC 7828 §3.1).
    acts("dns.tcp_idle", Slot::Span(1_000..=3_600_000, |to| &mut to.dns.tcp_idle)),
    // Accounts are kept in microseconds, of which an answer should cost some.
    acts("dns.rate_limit", Slot::Whole(0..=100_000, |to| &mut to.dns.rate_limit)),
    // As in BIND.
    acts("dns.rate_limit_slip", Slot::Small(0..=10, |to| &mut to.dns.rate_limit_slip)),
    acts("dns.rate_limit_exempt", Slot::Prefixes(|to| &mut to.dns.rate_limit_exempt)),
    at_start("http.listen", Slot::Listen(|to| &mut to.http.listen)),
    at_start("http.insecure", Slot::Switch(|to| &mut to.http.insecure)),
    // What a registration may ask for itself.
    acts("leases.ttl", Slot::Span(limits::LEASE_TTL, |to| &mut to.leases.ttl)),
    // 0 removes at once; the upper end is that of a registration's own `deregister_after`.
    acts("leases.reap_after", Slot::Span(0..=*limits::DEREGISTER_AFTER.end(), |to| &mut to.leases.reap_after)),
    // 0 would hold the lapse of nobody; ten times the million instances that srvd is made for never happens.
    acts("leases.protection_instances", Slot::Whole(1..=10_000_000, |to| &mut to.leases.protection_instances)),
    acts("leases.protection_fraction", Slot::Share(|to| &mut to.leases.protection_fraction)),
    // 0 holds nothing; after a day instances are gone, not cut off.
    acts("leases.protection_max", Slot::Span(0..=86_400_000, |to| &mut to.leases.protection_max)),
    // The bounds of a check's own members.
    acts("health.interval", Slot::Span(limits::CHECK_INTERVAL, |to| &mut to.health.interval)),
    acts("health.timeout", Slot::Span(limits::CHECK_TIMEOUT, |to| &mut to.health.timeout)),
    acts("health.rise", Slot::Whole(STREAK, |to| &mut to.health.rise)),
    acts("health.fall", Slot::Whole(STREAK, |to| &mut to.health.fall)),
    acts("health.default_checks", Slot::Checks),
    acts("health.panic_threshold", Slot::Share(|to| &mut to.health.panic_threshold)),
    acts("health.allow", Slot::Prefixes(|to| &mut to.health.allow)),
    at_start("health.ca_file", Slot::File(|to| &mut to.health.ca_file)),
    acts("load.cpu", Slot::Share(|to| &mut to.load.cpu)),
    acts("load.memory", Slot::Share(|to| &mut to.load.memory)),
    acts("load.latency", Slot::Share(|to| &mut to.load.latency)),
    // 0 would make every latency full load; above ten minutes nothing is a service.
    acts("load.latency_ms", Slot::Whole(1..=600_000, |to| &mut to.load.latency_ms)),
    acts("load.limit", Slot::Share(|to| &mut to.load.limit)),
    at_start("store.kind", Slot::Kind(|to| &mut to.store.kind)),
    at_start("store.path", Slot::Path(|to| &mut to.store.path)),
    // Those of etcd may stand whatever the kind, so they are no reason for a warning.
    at_start("store.endpoints", Slot::Urls(|to| &mut to.store.endpoints)),
    at_start("store.prefix", Slot::KeyPrefix(|to| &mut to.store.prefix)),
    at_start("store.user", Slot::Text(|to| &mut to.store.user)),
    at_start("store.password", Slot::Secret(|to| &mut to.store.password)),
    // Less is lost to any hiccup; a client does not wait longer for its registration.
    at_start("store.timeout", Slot::Span(100..=300_000, |to| &mut to.store.timeout)),
    at_start("store.ca_file", Slot::File(|to| &mut to.store.ca_file)),
    at_start("store.cert_file", Slot::File(|to| &mut to.store.cert_file)),
    at_start("store.key_file", Slot::File(|to| &mut to.store.key_file)),
    acts("log.level", Slot::Level(|to| &mut to.log.level)),
    at_start("log.format", Slot::Format(|to| &mut to.log.format)),
    acts("log.access", Slot::Switch(|to| &mut to.log.access)),
    acts("log.queries", Slot::Switch(|to| &mut to.log.queries)),
    // Of a million queries a second, one line a second.
    acts("log.query_sample", Slot::Whole(1..=1_000_000, |to| &mut to.log.query_sample)),
    at_start("traces.endpoint", Slot::Endpoint(|to| &mut to.traces.endpoint)),
    at_start("traces.service_name", Slot::Named(|to| &mut to.traces.service_name)),
    at_start("traces.sample_ratio", Slot::Share(|to| &mut to.traces.sample_ratio)),
    at_start("traces.ca_file", Slot::File(|to| &mut to.traces.ca_file)),
];

const STREAK: std::ops::RangeInclusive<u32> = *limits::STREAK.start() as u32..=*limits::STREAK.end() as u32;

/// How alike two names must be for one to be suggested for the other (Jaro-Winkler, 0 to 1).
const NEAR: f64 = 0.85;
/// And how alike, not to be taken for one of the same name elsewhere.
const TWIN: f64 = 0.97;

impl Row {
    /// The row of `key`, such as `dns.zone`.
    pub fn of(key: &str) -> Option<&'static Self> {
        ROWS.iter().find(|row| row.key == key)
    }

    /// The variable that sets the key, such as `SRVD_DNS_ZONE`.
    pub fn variable(&self) -> String {
        format!("SRVD_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// Section and key by themselves.
    fn parts(&self) -> (&'static str, &'static str) {
        self.key.split_once('.').unwrap_or((self.key, ""))
    }
}

/// The section that `name` was probably meant to be; with a key's name, the first key that is called so.
pub(super) fn nearest_section(name: &str) -> Option<&'static str> {
    let same = ROWS.iter().find(|row| row.parts().1 == name);
    nearest(name, SECTIONS.iter().copied()).or(same.map(|row| row.key))
}

/// The key that `name` in `section` was probably meant to be; the same name in another section is given with it.
pub(super) fn nearest_key(section: &str, name: &str) -> Option<&'static str> {
    let elsewhere = ROWS.iter().find(|row| row.parts().1 == name).map(|row| row.key);
    let here = || ROWS.iter().map(Row::parts).filter(|(its, _)| *its == section).map(|(_, key)| key);
    // One letter too few in a long name is a slip, whatever other sections have.
    as_near(name, here(), TWIN).or(elsewhere).or_else(|| nearest(name, here()))
}

fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    as_near(name, known, NEAR)
}

fn as_near(name: &str, known: impl Iterator<Item = &'static str>, least: f64) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let likeness = |known: &&'static str| strsim::jaro_winkler(&name, known);
    known.max_by(|a, b| likeness(a).total_cmp(&likeness(b))).filter(|best| likeness(best) >= least)
}

/// The variable that `name` was probably meant to be.
pub(super) fn nearest_variable(name: &str) -> Option<String> {
    // Variables share their beginning, which Jaro-Winkler would count in their favour: two slips at most.
    let distance = |known: &String| strsim::damerau_levenshtein(name, known);
    ROWS.iter().map(Row::variable).min_by_key(distance).filter(|best| distance(best) <= 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_in_sections() {
        for (at, row) in ROWS.iter().enumerate() {
            assert!(SECTIONS.contains(&row.parts().0) && !row.parts().1.is_empty(), "{}", row.key);
            assert!(ROWS[..at].iter().all(|other| other.variable() != row.variable()), "{}", row.key);
        }
    }

    #[test]
    fn near_names_are_suggested() {
        for (section, name, meant) in [
            ("dns", "lisen", Some("listen")),
            ("dns", "Zone", Some("zone")),
            ("dns", "insecure", Some("http.insecure")),
            ("store", "endpoint", Some("endpoints")),
            ("store", "bogus", None),
        ] {
            assert_eq!(nearest_key(section, name), meant, "{name}");
        }
        assert_eq!(nearest_section("lease"), Some("leases"));
        assert_eq!(nearest_section("zones_dir"), Some("dns.zones_dir"));
        assert_eq!(nearest_variable("SRVD_DNS_LISTN").as_deref(), Some("SRVD_DNS_LISTEN"));
        assert_eq!(nearest_variable("SRVD_SERVICE_HOST"), None);
    }
}
