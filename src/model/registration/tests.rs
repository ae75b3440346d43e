//! Registrations by tables: what reads, what is refused and where, what is written back.

use super::*;
use serde_json::json;
use std::net::Ipv4Addr;

const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

fn read(value: &Value) -> Result<Registration, Invalid> {
    Registration::from_json(value, &Defaults::default(), FROM)
}

#[test]
fn what_was_written_reads_back_equal() {
    for body in [
        json!({"address": "10.0.0.7", "port": 8080}),
        json!({"address": "auto", "ports": {"http": 8080}}),
        json!({"addresses": ["10.0.0.7", "2001:db8::7"], "port": 1, "ttl": "none", "status": "starting"}),
        json!({"address": "db.example", "port": 65535, "ports": {"http": 8080, "metrics": 9100}, "protocol": "udp",
               "scheme": "HTTPS", "version": "2.1.0", "weight": 0, "priority": 65535, "tags": ["v2", "Canary", "v2"],
               "metadata": {"team": "shop", "n": [1, true]}, "deregister_after": "1m", "slow_start": "60s",
               "checks": [{"kind": "http"}, {"kind": "tcp", "port": 9}]}),
    ] {
        let first = read(&body).unwrap();
        let written = Value::Object(first.to_json());
        assert_eq!(first.brings_checks, body.get("checks").is_some());
        assert_eq!(read(&written).unwrap(), Registration { brings_checks: true, ..first }, "{body}");
    }
    let only = read(&json!({"address": "auto", "ports": {"http": 8080}})).unwrap();
    assert_eq!((only.port.number(), only.address.ips()), (8080, [FROM].as_slice()));
}

#[test]
fn every_member_is_checked() {
    let base = || json!({"address": "10.0.0.7", "port": 8080});
    for (member, value, field) in [
        ("host", json!("10.0.0.7"), "host"),
        ("address", json!("0.0.0.0"), "address"),
        ("address", json!(null), "address"),
        ("addresses", json!(["10.0.0.1"]), "addresses"),
        ("port", json!(0), "port"),
        ("port", json!(65536), "port"),
        ("port", json!("80"), "port"),
        ("ports", json!({"http_x": 1}), "ports.http_x"),
        ("ports", json!({"http": 0}), "ports.http"),
        ("ports", json!({"http": 1, "HTTP": 2}), "ports.HTTP"),
        ("ports", json!((0..17).map(|n| (format!("p{n}"), json!(1))).collect::<Map<_, _>>()), "ports"),
        ("protocol", json!("sctp"), "protocol"),
        ("scheme", json!("1http"), "scheme"),
        ("version", json!("é"), "version"),
        ("version", json!(""), "version"),
        ("weight", json!(65536), "weight"),
        ("weight", json!(-1), "weight"),
        ("weight", json!(1.5), "weight"),
        ("priority", json!(70000), "priority"),
        ("tags", json!("v2"), "tags"),
        ("tags", json!([""]), "tags[0]"),
        ("tags", json!(vec!["x"; 65]), "tags"),
        ("metadata", json!({"a=": 1}), "metadata.a="),
        ("status", json!(5), "status"),
        ("ttl", json!("500ms"), "ttl"),
        ("ttl", json!("25h"), "ttl"),
        ("ttl", json!(30), "ttl"),
        ("deregister_after", json!("30s"), "deregister_after"),
        ("deregister_after", json!("31d"), "deregister_after"),
        ("slow_start", json!("x"), "slow_start"),
        ("checks", json!([{"kind": "tcp"}, {"kind": "http", "timeout": "0s"}]), "checks[1].timeout"),
        ("checks", json!([{"kind": "tcp", "intervall": "1s"}]), "checks[0].intervall"),
        ("checks", json!(vec![json!({"kind": "tcp"}); 9]), "checks"),
    ] {
        let mut body = base();
        body[member] = value.clone();
        assert_eq!(read(&body).map_err(|fault| fault.field), Err(field.to_owned()), "{member}: {value}");
    }
    for missing in ["address", "port"] {
        let mut body = base();
        body.as_object_mut().unwrap().remove(missing);
        assert_eq!(read(&body).unwrap_err(), Invalid::at(missing, Reason::Missing));
    }
    assert_eq!(read(&json!([1])).unwrap_err().field, "");
}

#[test]
fn members_of_replies_and_foreign_statuses_are_ignored() {
    let body = json!({"address": "10.0.0.7", "port": 8080, "service": "web", "id": "a", "status": "lapsed", "revision": 7,
                      "endpoint": "x", "expires_at": "x", "effective_weight": 4});
    assert_eq!(read(&body).unwrap().status, SelfReport::Healthy);
}

#[test]
fn txt_holds_version_once_and_metadata() {
    let body = json!({"address": "10.0.0.7", "port": 1, "version": "2", "metadata": {"Version": "1", "a": [1, 2]}});
    assert_eq!(read(&body).unwrap().txt_strings(), ["version=2", "a=1,2"]);
}

#[test]
fn longest_name_counts_every_form() {
    let service = ServiceName::parse("web").unwrap();
    let apex = 11; // svc.local.
    for (extra, octets) in [
        (json!({}), "\x01a\x04_web\x04_tcp".len() + apex),
        (json!({"ports": {"metrics": 1}}), "\x08_metrics\x04_tcp\x03web".len() + apex),
        (json!({"tags": ["canary", "not a label"]}), "\x07_canary\x04_sub\x04_web\x04_tcp".len() + apex),
        (json!({"tags": ["canary"], "ports": {"metrics": 1}}), "\x08_metrics\x04_tcp\x06canary\x03web".len() + apex),
    ] {
        let mut body = json!({"address": "10.0.0.7", "port": 8080});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        assert_eq!(read(&body).unwrap().longest_name(&service, 1, apex), octets, "{body}");
    }
}

#[test]
fn what_nobody_says_takes_no_room_and_what_many_say_takes_it_once() {
    let bare = json!({"address": "10.0.0.7", "port": 8080, "weight": 5, "ttl": "60s"});
    let none = read(&bare).unwrap();
    assert!(none.particulars.is_none() && none.metadata.is_none() && none.metadata().is_empty());
    let with = |members: Value| {
        let mut body = bare.clone();
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        read(&body).unwrap()
    };
    let first = with(json!({"tags": ["v2"], "metadata": {"team": "shop"}}));
    let shared = |second: &Registration| {
        let particulars = first.particulars.as_ref().zip(second.particulars.as_ref());
        let metadata = first.metadata.as_ref().zip(second.metadata.as_ref());
        (particulars.is_some_and(|(a, b)| Arc::ptr_eq(a, b)), metadata.is_some_and(|(a, b)| Arc::ptr_eq(a, b)))
    };
    let alike = Arc::new(with(json!({"address": "10.0.0.8", "tags": ["v2"], "metadata": {"team": "shop"}})));
    let sharing = Arc::clone(&alike).sharing([&first]);
    assert_eq!((shared(&alike), shared(&sharing), &sharing), ((false, false), (true, true), &alike));
    assert!(Arc::ptr_eq(&sharing, &Arc::clone(&sharing).sharing([&first])), "nothing is left to share");
    let other = Arc::new(with(json!({"tags": ["v3"], "metadata": {"team": "shop"}})));
    let sharing = Arc::clone(&other).sharing([&first]);
    assert_eq!((shared(&other), shared(&sharing), &sharing), ((false, false), (false, true), &other));
    let neither = with(json!({"tags": ["v4"], "metadata": {"team": "pay"}}));
    let _shares_with_other = Registration::clone(&other);
    let sharing = Arc::clone(&alike).sharing([&neither, &other, &first]);
    assert_eq!((shared(&sharing), &sharing), ((true, false), &alike), "metadata came from the first who say the same");
    let mut asked = [&first, &neither].into_iter();
    assert_eq!(
        (shared(&Arc::clone(&alike).sharing(&mut asked)), asked.len()),
        ((true, true), 1),
        "no more than it takes"
    );
    let lone = with(json!({"tags": ["v2"], "metadata": {"team": "shop"}}));
    let sharing = Arc::clone(&alike).sharing([&lone, &first]);
    assert_eq!((shared(&lone), shared(&sharing)), ((false, false), (true, true)), "with those who share already");
    let sharing = Arc::clone(&alike).sharing([&lone, &neither]);
    let of_lone = sharing.metadata.as_ref().zip(lone.metadata.as_ref()).map(|(a, b)| Arc::ptr_eq(a, b));
    assert_eq!(of_lone, Some(true), "with one rather than with nobody");
    let checked =
        first
            .clone()
            .with_default_checks(&[CheckSpec::from_json(&json!({"kind": "tcp"}), &Defaults::default().check).unwrap()]);
    assert_eq!((checked.checks().len(), checked.tags(), checked.brings_checks), (1, first.tags(), false));
    assert_eq!(checked.with_default_checks(&[]), first);
}
