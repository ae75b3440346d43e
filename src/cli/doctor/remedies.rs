//! The lines that make each resolver send the zone to srvd.

use std::net::SocketAddr;

use super::facts::Facts;
use super::judge::bare;

/// What to write for one resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remedy {
    pub(super) resolver: &'static str,
    pub(super) file: String,
    pub(super) lines: String,
    /// What makes the resolver read it.
    pub(super) then: &'static str,
    /// Whether the host is known to use that resolver.
    pub(super) is_used: bool,
}

/// One for each resolver, the host's own first. Where srvd answers is not known without a server; then it is taken to be
/// where it answers unless configured otherwise.
pub(super) fn remedies(facts: &Facts) -> Vec<Remedy> {
    let srvd = facts.srvd.first().map_or_else(|| SocketAddr::from(([127, 0, 0, 1], 5300)), |(address, _)| *address);
    let zone = bare(&facts.zone);
    let mut remedies = vec![
        resolved(&zone, srvd, facts.host.uses_resolved()),
        dnsmasq(&zone, srvd),
        unbound(&zone, srvd),
        coredns(&zone, srvd),
        macos(&zone, srvd, facts.host.is_macos),
    ];
    remedies.sort_by_key(|remedy| !remedy.is_used);
    remedies
}

fn resolved(zone: &str, srvd: SocketAddr, is_used: bool) -> Remedy {
    Remedy {
        resolver: "systemd-resolved",
        file: "/etc/systemd/resolved.conf.d/srvd.conf".to_owned(),
        lines: format!("[Resolve]\nDNS={srvd}\nDomains=~{zone}\n"),
        then: "systemctl restart systemd-resolved",
        is_used,
    }
}

fn dnsmasq(zone: &str, srvd: SocketAddr) -> Remedy {
    Remedy {
        resolver: "dnsmasq",
        file: "/etc/dnsmasq.d/srvd.conf".to_owned(),
        // Answers with private addresses are what is wanted here, also where others are taken for an attack.
        lines: format!("server=/{zone}/{}#{}\nrebind-domain-ok=/{zone}/\n", srvd.ip(), srvd.port()),
        then: "systemctl restart dnsmasq",
        is_used: false,
    }
}

fn unbound(zone: &str, srvd: SocketAddr) -> Remedy {
    // unbound sends nothing to loopback unless told to.
    let loopback = if srvd.ip().is_loopback() { "    do-not-query-localhost: no\n" } else { "" };
    Remedy {
        resolver: "unbound",
        file: "/etc/unbound/unbound.conf.d/srvd.conf".to_owned(),
        lines: format!(
            "server:\n{loopback}    domain-insecure: \"{zone}\"\n    private-domain: \"{zone}\"\n\
             stub-zone:\n    name: \"{zone}\"\n    stub-addr: {}@{}\n",
            srvd.ip(),
            srvd.port()
        ),
        then: "unbound-control reload",
        is_used: false,
    }
}

fn coredns(zone: &str, srvd: SocketAddr) -> Remedy {
    Remedy {
        resolver: "CoreDNS",
        file: "Corefile".to_owned(),
        lines: format!("{zone}:53 {{\n    errors\n    cache 5\n    forward . {srvd}\n}}\n"),
        then: "wait for the plugin reload, or restart CoreDNS",
        is_used: false,
    }
}

fn macos(zone: &str, srvd: SocketAddr, is_used: bool) -> Remedy {
    Remedy {
        resolver: "macOS",
        file: format!("/etc/resolver/{zone}"),
        lines: format!("nameserver {}\nport {}\n", srvd.ip(), srvd.port()),
        then: "nothing; the file is read at once",
        is_used,
    }
}

#[cfg(test)]
mod tests {
    use super::super::facts::{Asked, Host};
    use super::super::files::ResolvConf;
    use super::*;
    use crate::wire::Name;

    fn facts(srvd: Option<&str>, host: Host) -> Facts {
        Facts {
            zone: Name::parse("svc.local").unwrap(),
            url: String::new(),
            server: Ok(vec![]),
            srvd: srvd.map(|address| (address.parse().unwrap(), Asked::Silent)).into_iter().collect(),
            host,
            name_servers: vec![],
            lookup: None,
        }
    }

    #[test]
    fn lines_name_the_zone_and_where_srvd_answers() {
        let lines: Vec<_> =
            remedies(&facts(Some("10.0.0.2:53"), Host::default())).into_iter().map(|remedy| remedy.lines).collect();
        assert_eq!(
            lines,
            [
                "[Resolve]\nDNS=10.0.0.2:53\nDomains=~svc.local\n",
                "server=/svc.local/10.0.0.2#53\nrebind-domain-ok=/svc.local/\n",
                "server:\n    domain-insecure: \"svc.local\"\n    private-domain: \"svc.local\"\nstub-zone:\n    name: \"svc.local\"\n    stub-addr: 10.0.0.2@53\n",
                "svc.local:53 {\n    errors\n    cache 5\n    forward . 10.0.0.2:53\n}\n",
                "nameserver 10.0.0.2\nport 53\n",
            ]
        );
        let unbound = &remedies(&facts(Some("[::1]:5300"), Host::default()))[2];
        assert!(
            unbound.lines.contains("do-not-query-localhost: no") && unbound.lines.contains("::1@5300"),
            "{unbound:?}"
        );
        let default = &remedies(&facts(None, Host::default()))[0];
        assert!(default.lines.contains("DNS=127.0.0.1:5300"), "{default:?}");
    }

    #[test]
    fn the_resolver_of_the_host_comes_first() {
        for (host, first, is_used) in [
            (Host::default(), "systemd-resolved", false),
            (Host { resolved: true, ..Host::default() }, "systemd-resolved", false),
            (
                Host {
                    resolved: true,
                    resolv_conf: Some(ResolvConf::parse("nameserver 127.0.0.53")),
                    ..Host::default()
                },
                "systemd-resolved",
                true,
            ),
            (Host { is_macos: true, ..Host::default() }, "macOS", true),
        ] {
            let remedies = remedies(&facts(None, host));
            assert_eq!((remedies[0].resolver, remedies[0].is_used, remedies.len()), (first, is_used, 5));
        }
    }
}
