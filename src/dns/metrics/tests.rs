//! Tallies and their labels.

use std::sync::Arc;

use super::super::reply::Kind;
use super::*;
use crate::answer::LiveZone;
use crate::wire::RecordType;
use crate::zone::{Zone, Zones};

fn catalog(live: &str, zones: &[&str]) -> Catalog {
    let name = |text: &str| Name::parse(text).unwrap();
    let live =
        LiveZone { apex: name(live), record_ttl: 5, negative_ttl: 5, srv_weight_scale: 1, addresses: Vec::new() };
    let zones = zones.iter().map(|apex| Arc::new(Zone::new(name(apex), [])));
    Catalog::new(live, None, Zones::new(zones).unwrap())
}

fn reply(zone: ZoneLabel, qtype: Option<u16>, rcode: Rcode) -> Reply {
    let qtype = qtype.map(RecordType);
    Reply { kind: Kind::Positive, rcode, name: None, qtype, zone, truncated: false, has_valid_cookie: false }
}

fn told(metrics: &Metrics) -> String {
    let mut exposition = Exposition::default();
    metrics.tell(&mut exposition);
    exposition.into_text()
}

#[test]
fn tallies_of_all_threads_are_added_up() {
    let metrics = Metrics::default();
    let labels = metrics.labels(&catalog("SVC.local", &["a.test"]));
    let tallies = [Carrier::Udp, Carrier::Udp, Carrier::Tcp].map(|carrier| metrics.tally(carrier));
    let took = Duration::from_micros(7);
    for tally in &tallies {
        tally.answered(&reply(labels.of(Origin::Live), Some(1), Rcode::NoError), took);
        tally.answered(&Reply { truncated: true, ..reply(labels.of(Origin::Static(0)), None, Rcode::BadVers) }, took);
        tally.ignored();
    }
    tallies[0].answered(&reply(labels.of(Origin::Reverse), Some(99), Rcode::NxDomain), took);
    tallies[0].answered(&reply(labels.of(Origin::Nowhere), Some(28), Rcode::Refused), took);
    let text = told(&metrics);
    for line in [
        "srvd_dns_queries_total{zone=\"svc.local\",transport=\"udp\",type=\"A\",rcode=\"NOERROR\"} 2",
        "srvd_dns_queries_total{zone=\"svc.local\",transport=\"tcp\",type=\"A\",rcode=\"NOERROR\"} 1",
        "srvd_dns_queries_total{zone=\"a.test\",transport=\"udp\",type=\"none\",rcode=\"BADVERS\"} 2",
        "srvd_dns_queries_total{zone=\"reverse\",transport=\"udp\",type=\"other\",rcode=\"NXDOMAIN\"} 1",
        "srvd_dns_queries_total{zone=\"none\",transport=\"udp\",type=\"AAAA\",rcode=\"REFUSED\"} 1",
        "srvd_dns_truncated_total 3",
        "srvd_dns_ignored_total 3",
        "srvd_dns_query_duration_seconds_bucket{le=\"0.000005\"} 0",
        "srvd_dns_query_duration_seconds_bucket{le=\"0.00001\"} 8",
        "srvd_dns_query_duration_seconds_count 8",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} in {text}");
    }
    let samples = text.lines().filter(|line| line.starts_with("srvd_dns_queries_total{")).count();
    assert_eq!(samples, 6, "what was never asked has no sample");
}

#[test]
fn zones_keep_their_labels_over_a_reload() {
    let metrics = Metrics::default();
    let before = metrics.labels(&catalog("svc.local", &["a.test", "b.test"]));
    let after = metrics.labels(&catalog("svc.local", &["b.test", "c.test", "."]));
    assert_eq!(before.of(Origin::Static(1)), after.of(Origin::Static(0)));
    assert_eq!(before.of(Origin::Live), after.of(Origin::Live));
    assert_ne!(before.of(Origin::Static(0)), after.of(Origin::Static(1)));
    let zones: Vec<String> = metrics.zones.lock().keys().cloned().collect();
    assert_eq!(zones, [".", "a.test", "b.test", "c.test", "none", "other", "reverse", "svc.local"]);
}

#[test]
fn zones_beyond_the_bound_share_a_label() {
    let metrics = Metrics::default();
    let names: Vec<String> = (0..ZONES + 5).map(|number| format!("z{number}.test")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let labels = metrics.labels(&catalog("svc.local", &names));
    assert_eq!(metrics.zones.lock().len(), ZONES);
    assert_eq!(labels.of(Origin::Static(names.len() - 1)), OTHER);
    assert_ne!(labels.of(Origin::Static(0)), OTHER);
    metrics.tally(Carrier::Udp).answered(&reply(OTHER, Some(1), Rcode::NoError), Duration::ZERO);
    assert!(told(&metrics).contains("{zone=\"other\","));
}

#[test]
fn a_zone_with_a_shared_name_has_no_second_series() {
    let metrics = Metrics::default();
    let labels = metrics.labels(&catalog("none", &["reverse"]));
    assert_eq!((labels.of(Origin::Live), labels.of(Origin::Static(0))), (NONE, REVERSE));
}

#[test]
fn every_code_has_a_place_of_its_own() {
    for (at, rcode) in Rcode::ALL.into_iter().enumerate() {
        assert_eq!(column(rcode), at, "{rcode:?}");
    }
}
