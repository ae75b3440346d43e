//! Sources in, configuration or problems out; and `config.toml` against the table.

use super::*;
use crate::config::table::Effect;
use crate::config::table::SECTIONS;
use crate::config::{LogLevel, StoreKind};
use crate::model::Span;

const SHIPPED: &str = include_str!("../../../config.toml");

fn sources(env: &[(&str, &str)], set: &[&str]) -> Sources {
    Sources {
        file: Some("/etc/srvd/c.toml".into()),
        env: env.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        set: set.iter().map(|set| (*set).into()).collect(),
        ..Sources::default()
    }
}

fn loaded(text: &str, sources: &Sources) -> Loaded {
    load(sources, |_| Ok(text.to_owned())).unwrap_or_else(|problems| panic!("{problems}"))
}

fn refused(text: &str, sources: &Sources) -> String {
    load(sources, |_| Ok(text.to_owned())).map(|loaded| loaded.config).unwrap_err().to_string()
}

#[test]
fn the_shipped_file_is_the_defaults() {
    let sources = Sources::default();
    let loaded = loaded(SHIPPED, &sources);
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.warnings.is_empty());
    let unset: Vec<&str> =
        ROWS.iter().map(|row| row.key).filter(|key| loaded.origins.of(key) == Origin::Default).collect();
    // Tests run in the directory of that file.
    assert_eq!(Config::load(&sources).unwrap().config, Config::default());
    assert!(unset.is_empty(), "not in config.toml: {unset:?}");
}

#[test]
fn the_shipped_file_states_the_bounds() {
    let mut section = "";
    let mut comment = String::new();
    for line in SHIPPED.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = name.trim_end_matches(']');
        } else if let Some(text) = line.strip_prefix("# ") {
            comment = format!("{comment} {text}");
        } else if let Some((key, _)) = line.split_once(" = ") {
            let row = Row::of(&format!("{section}.{key}")).unwrap();
            let expected = row.slot.expected();
            let stated = !expected.contains(" to ") || comment.contains(&expected);
            assert!(stated && !comment.is_empty(), "{}: {expected} is not in{comment}", row.key);
            comment.clear();
        }
    }
}

#[test]
fn the_shipped_file_says_which_keys_need_a_restart() {
    let at_start = |row: &&Row| row.effect == Effect::AtStart;
    let mut keys: Vec<String> = Vec::new();
    for section in SECTIONS {
        let rows: Vec<&Row> = ROWS.iter().filter(|row| row.key.starts_with(&format!("{section}."))).collect();
        match rows.iter().copied().filter(at_start).collect::<Vec<_>>() {
            all if all.len() == rows.len() => keys.push(format!("all of [{section}]")),
            some => keys.extend(some.iter().map(|row| row.key.to_owned())),
        }
    }
    let head: Vec<&str> = SHIPPED.lines().map_while(|line| line.strip_prefix('#')).map(str::trim).collect();
    let sentence = format!("These act at a start alone: {}.", keys.join(", "));
    assert!(head.join(" ").contains(&sentence), "the head of config.toml does not say: {sentence}");
}

#[test]
fn strangers_are_refused_in_every_section() {
    for section in SECTIONS {
        let problem = refused(&format!("[{section}]\nbogus = 1\n"), &sources(&[], &[]));
        assert_eq!(problem, format!("/etc/srvd/c.toml:2: {section}.bogus: is not a known key"));
    }
}

#[test]
fn every_key_refuses_what_it_cannot_be() {
    for row in ROWS {
        let (section, key) = row.key.split_once('.').unwrap();
        // A date is nothing that any key takes.
        let problem = refused(&format!("[{section}]\n{key} = 2026-01-01\n"), &sources(&[], &[]));
        assert!(problem.starts_with(&format!("/etc/srvd/c.toml:2: {}: must be ", row.key)), "{problem}");
        assert!(!problem.contains('\n'), "{problem}");
    }
}

/// 144 digits.
const NINE_BY_16: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef",
    "0123456789abcdef0123456789abcdef0123456789abcdef",
);

#[test]
fn bounds_hold_on_both_sides() {
    for (key, good, bad) in [
        ("dns.udp_payload", vec!["512", "4096"], vec!["511", "4097", "-1", "1e3"]),
        ("dns.srv_weight_scale", vec!["1", "65535"], vec!["0", "65536"]),
        ("dns.workers", vec!["0", "256"], vec!["257"]),
        ("dns.tcp_connections", vec!["1", "65535"], vec!["0", "65536"]),
        ("dns.tcp_idle", vec!["1s", "1h"], vec!["999ms", "61m"]),
        ("dns.rate_limit", vec!["0", "100000"], vec!["100001"]),
        ("dns.rate_limit_slip", vec!["0", "10"], vec!["11"]),
        ("dns.record_ttl", vec!["0", "86400"], vec!["86401"]),
        ("dns.zone", vec!["a", "Svc.Example."], vec!["", ".", "a..b", "a_b", "*.a", "-a"]),
        ("dns.nsid", vec!["", "ns1"], vec![NINE_BY_16]),
        (
            "dns.cookie_secret",
            vec!["", "000102030405060708090a0B0c0d0e0F"],
            vec!["00", "+00102030405060708090a0b0c0d0e0f", NINE_BY_16],
        ),
        ("leases.ttl", vec!["1s", "24h"], vec!["999ms", "25h", "30"]),
        ("leases.reap_after", vec!["0s", "30d"], vec!["31d"]),
        ("leases.protection_fraction", vec!["0", "1.0"], vec!["1.1", "-0.1", "nan"]),
        ("health.rise", vec!["1", "100"], vec!["0", "101"]),
        ("health.allow", vec!["", "10.0.0.0/8,fd00::/8"], vec!["10.0.0.0/33", "10.0.0.1"]),
        ("store.path", vec!["x"], vec![""]),
        ("store.prefix", vec!["/", "/a/b"], vec!["", "srvd"]),
        ("log.level", vec!["error", "trace"], vec!["INFO", "loud"]),
        ("http.insecure", vec!["true", "false"], vec!["yes", "1"]),
    ] {
        for value in good {
            loaded("", &sources(&[], &[&format!("{key}={value}")]));
        }
        for value in bad {
            let problem = refused("", &sources(&[], &[&format!("{key}={value}")]));
            assert!(problem.starts_with(&format!("--set: {key}: must be ")), "{problem}");
        }
    }
}

#[test]
fn flags_outrank_variables_and_variables_the_file() {
    let file =
        "[dns]\nworkers = 1\nrecord_ttl = 1\nnegative_ttl = 1\nlisten = ['127.0.0.1:1']\n[log]\nlevel = 'warn'\n";
    let mut sources = sources(
        &[("SRVD_DNS_RECORD_TTL", "2"), ("SRVD_DNS_NEGATIVE_TTL", "2"), ("SRVD_DNS_LISTEN", "127.0.0.1:2,[::1]:2")],
        &["dns.negative_ttl=3", "store.kind=memory"],
    );
    sources.http = Some("127.0.0.1:3".into());
    let Loaded { config, origins, .. } = loaded(file, &sources);
    assert_eq!((config.dns.workers, config.dns.record_ttl, config.dns.negative_ttl), (1, 2, 3));
    assert_eq!((config.dns.listen.len(), config.http.listen[0].port()), (2, 3));
    assert_eq!((config.log.level, config.store.kind), (LogLevel::Warn, StoreKind::Memory));
    let origin = |key| origins.of(key).to_string();
    assert_eq!(origin("dns.workers"), "/etc/srvd/c.toml:2");
    assert_eq!(origin("dns.listen"), "SRVD_DNS_LISTEN");
    assert_eq!(origin("http.listen"), "--http");
    assert_eq!(origin("dns.zone"), "default");
}

#[test]
fn relative_paths_start_where_they_are_written() {
    let file = "[dns]\nzones_dir = 'z'\n";
    let config = loaded(file, &sources(&[], &[])).config;
    assert_eq!(config.dns.zones_dir, Path::new("/etc/srvd/z"));
    assert_eq!(config.store.path, Path::new("/etc/srvd/data"));
    let config = loaded(file, &sources(&[("SRVD_DNS_ZONES_DIR", "e")], &["store.path=/var/f"])).config;
    assert_eq!(config.dns.zones_dir, Path::new("e"));
    assert_eq!(config.store.path, Path::new("/var/f"));
}

#[test]
fn references_feed_every_type_and_stay_hidden() {
    let env =
        [("W", "2"), ("ON", "true"), ("PASS", "p\"]\n[dns]"), ("ALL", "127.0.0.1:1,[::1]:1"), ("BAD", "topsecret")];
    let file = "[dns]\nworkers = \"${W}\"\nrecord_ttl = \"${T:-7}\"\nlisten = \"${ALL}\"\n\
                [http]\ninsecure = \"${ON}\"\n\
                [store]\npassword = \"${PASS}\"\n[health]\ndefault_checks = [{kind = \"tcp\", port = \"${P:-80}\"}]\n";
    let config = loaded(file, &sources(&env, &[])).config;
    assert_eq!((config.dns.workers, config.dns.record_ttl, config.dns.listen.len()), (2, 7, 2));
    assert!(config.http.insecure && config.store.password.reveal() == "p\"]\n[dns]");
    assert_eq!(config.health.default_checks[0].port.unwrap().number(), 80);
    let secret = refused("[dns]\ncookie_secret = 'a${BAD}'\n", &sources(&env, &[]));
    assert!(secret.contains("32 hexadecimal digits") && !secret.contains("topsecret"), "{secret}");
    let takes_anything = [
        "store.user",
        "store.password",
        "store.path",
        "dns.zones_dir",
        "dns.zone",
        "dns.nsid",
        "dns.version",
        "health.ca_file",
        "store.ca_file",
        "store.cert_file",
        "store.key_file",
        "traces.service_name",
        "traces.ca_file",
    ];
    for row in ROWS.iter().filter(|row| !takes_anything.contains(&row.key) && row.key != "dns.cookie_secret") {
        let (section, key) = row.key.split_once('.').unwrap();
        let problem = refused(&format!("[{section}]\n{key} = 'a${{BAD}}'\n"), &sources(&env, &[]));
        assert!(problem.contains("a${BAD}") && !problem.contains("topsecret"), "{problem}");
    }
    for file in [
        "[http]\nlisten = '${OUT}'\n",
        "[http]\nlisten = ['${LO}', '${LO}']\n",
        "[dns]\nlisten='${LO}'\n[http]\nlisten='${LO}'",
    ] {
        let problem = refused(file, &sources(&[("OUT", "192.0.2.1:1"), ("LO", "127.0.0.1:1")], &[]));
        assert!(problem.contains("\"${") && !problem.contains(".0."), "{problem}");
    }
}

#[test]
fn checks_take_the_section_s_own_times() {
    let sources =
        sources(&[], &["health.default_checks=[{kind=\"tcp\"},{kind=\"http\",rise=1}]", "health.interval=3s"]);
    let checks = loaded("", &sources).config.health.default_checks;
    assert_eq!((checks[0].interval, checks[0].rise, checks[1].rise), (Span::from_secs(3), 2, 1));
    let file = "[health]\ndefault_checks = [\n {kind = 'tcp'},\n {kind = 'tcp', port = 0},\n]\n";
    let problem = refused(file, &self::sources(&[], &[]));
    assert_eq!(problem, "/etc/srvd/c.toml:4: health.default_checks[1].port: must be 1 to 65535");
}

#[test]
fn settings_must_agree() {
    for (set, problem) in [
        (vec!["dns.listen="], "--set: dns.listen: must name at least one address"),
        (vec!["http.listen=[]"], "--set: http.listen: must name at least one address"),
        (vec!["dns.listen=127.0.0.1:1,127.0.0.1:1"], "--set: dns.listen: names 127.0.0.1:1 more than once"),
        (vec!["dns.listen=127.0.0.1:0,127.0.0.1:0"], ""),
        (vec!["http.listen=[::1]:0"], ""),
        (vec!["dns.reverse_zones=10.0.0.7/8,fd00::/7"], ""),
        (
            vec!["dns.reverse_zones=10.0.0.0/8,::/0"],
            "--set: dns.reverse_zones: ::/0 holds every address there is; name the prefixes of instances, such as \
             10.0.0.0/8 or fd00::/8",
        ),
        (
            vec!["http.listen=127.0.0.1:5300"],
            "--set: http.listen: 127.0.0.1:5300 is taken by dns.listen, which serves TCP there too",
        ),
        (
            vec!["dns.listen=0.0.0.0:8053"],
            "default: http.listen: 127.0.0.1:8053 is taken by dns.listen, which serves TCP there too",
        ),
        (vec!["store.kind=etcd"], ""),
        (vec!["store.kind=etcd", "store.cert_file=a", "store.key_file=b"], ""),
        (
            vec!["store.kind=etcd", "store.cert_file=a"],
            "--set: store.cert_file: takes store.key_file too: a certificate and its key are of use together",
        ),
        (
            vec!["store.kind=etcd", "store.key_file=a"],
            "--set: store.key_file: takes store.cert_file too: a certificate and its key are of use together",
        ),
        (vec!["http.listen=0.0.0.0:80", "http.insecure=true"], ""),
    ] {
        let result = load(&sources(&[], &set), |_| Ok(String::new()));
        assert_eq!(result.err().map(|problems| problems.to_string()).unwrap_or_default(), problem);
    }
    let exposed = refused("", &sources(&[], &["http.listen=0.0.0.0:80"]));
    assert!(exposed.contains("0.0.0.0:80") && exposed.contains("http.insecure = true"), "{exposed}");
}

#[test]
fn warnings_say_what_has_no_effect() {
    for (set, warnings) in [
        (vec!["load.limit=0.5", "log.queries=true"], vec![]),
        (vec!["store.endpoints=http://a:1"], vec![]),
        (
            vec!["http.listen=0.0.0.0:80", "http.insecure=true"],
            vec!["--set: http.listen: whoever reaches 0.0.0.0:80 can change the registry (http.insecure = true)"],
        ),
    ] {
        assert_eq!(loaded("", &sources(&[], &set)).warnings, warnings);
    }
}

#[test]
fn all_problems_come_at_once() {
    let file = "[dns]\nudp_payload = 99\nlisen = []\n[http]\ninsecure = 1\n[extra]\n";
    assert_eq!(
        refused(file, &sources(&[("SRVD_LOG_LEVEL", "loud")], &["dns.workers=many"])),
        "/etc/srvd/c.toml:2: dns.udp_payload: must be 512 to 4096, not 99\n\
         /etc/srvd/c.toml:3: dns.lisen: is not a known key; is `listen` meant?\n\
         /etc/srvd/c.toml:5: http.insecure: must be true or false, not 1\n\
         /etc/srvd/c.toml:6: extra: is no section\n\
         SRVD_LOG_LEVEL: log.level: must be one of error, warn, info, debug, trace, not \"loud\"\n\
         --set: dns.workers: must be 0 to 256, not \"many\""
    );
}

#[test]
fn only_a_named_file_must_be_there() {
    let absent = |_: &Path| Err(io::Error::from(io::ErrorKind::NotFound));
    assert_eq!(load(&Sources::default(), absent).unwrap().config, Config::default());
    let problem = load(&sources(&[], &[]), absent).unwrap_err().to_string();
    assert_eq!(problem, "/etc/srvd/c.toml: cannot be read: entity not found");
    let denied = |_: &Path| Err(io::Error::from(io::ErrorKind::PermissionDenied));
    assert!(load(&Sources::default(), denied).is_err());
}

#[test]
fn what_starting_finds_has_its_place() {
    let loaded = loaded("[dns]\nlisten = ['127.0.0.1:1']\n", &sources(&[], &[]));
    let problem = loaded.problem("dns.listen", "127.0.0.1:1 is in use");
    assert_eq!(problem.to_string(), "/etc/srvd/c.toml:2: dns.listen: 127.0.0.1:1 is in use");
}
