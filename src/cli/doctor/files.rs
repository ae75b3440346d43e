//! The files that tell a host how to resolve names, as resolv.conf(5), nsswitch.conf(5) and resolver(5) have them.

use std::net::{IpAddr, SocketAddr};

/// Name servers beyond these are not asked by glibc (MAXNS).
const MOST: usize = 3;
/// The port of DNS.
const DNS: u16 = 53;

/// What counts of a resolv.conf, or of a file in /etc/resolver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ResolvConf {
    pub(super) name_servers: Vec<SocketAddr>,
}

impl ResolvConf {
    /// Reads what can be read; what cannot, resolvers skip as well. A file without name servers means this host.
    pub(super) fn parse(text: &str) -> Self {
        let mut port = DNS;
        let mut addresses: Vec<IpAddr> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with(['#', ';'])) {
            let mut words = line.split_whitespace();
            match (words.next(), words.next()) {
                (Some("nameserver"), Some(address)) => {
                    // A zone, as in fe80::1%eth0, is known to this host alone.
                    addresses.extend(address.split('%').next().and_then(|address| address.parse::<IpAddr>().ok()));
                }
                // Only macOS has it.
                (Some("port"), Some(number)) => port = number.parse().unwrap_or(port),
                _ => {}
            }
        }
        if addresses.is_empty() {
            addresses.push(IpAddr::from([127, 0, 0, 1]));
        }
        addresses.truncate(MOST);
        Self { name_servers: addresses.into_iter().map(|address| SocketAddr::new(address, port)).collect() }
    }
}

/// The sources of host names in their order: `files mdns4_minimal [NOTFOUND=return] dns`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hosts(Vec<String>);

impl Hosts {
    /// The line `hosts:`, if the file has one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
        let sources = lines.filter_map(|line| line.strip_prefix("hosts:")).next()?;
        // An action may have blanks in it; brackets become words of their own.
        let sources = sources.replace('[', " [ ").replace(']', " ] ");
        Some(Self(sources.split_whitespace().map(str::to_lowercase).collect()))
    }

    /// Whether `source` is asked at all.
    pub(super) fn has(&self, source: &str) -> bool {
        self.0.iter().any(|word| word == source)
    }

    /// The source of multicast DNS that is asked before DNS, if there is one.
    pub(super) fn mdns_first(&self) -> Option<&str> {
        let is_dns = |word: &str| word == "dns" || word == "resolve";
        self.0.iter().map(String::as_str).take_while(|word| !is_dns(word)).find(|word| word.starts_with("mdns"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_servers() {
        for (text, name_servers) in [
            ("nameserver 10.0.0.2\nnameserver ::1 # x\n", &["10.0.0.2:53", "[::1]:53"][..]),
            ("# nameserver 1.1.1.1\n;nameserver 1.1.1.2\nsearch example.net\n", &["127.0.0.1:53"]),
            ("nameserver fe80::1%eth0\nnameserver\nnameserver here\n", &["[fe80::1]:53"]),
            ("nameserver 127.0.0.1\nport 5300\n", &["127.0.0.1:5300"]),
            (
                "nameserver 1.0.0.1\nnameserver 1.0.0.2\nnameserver 1.0.0.3\nnameserver 1.0.0.4\n",
                &["1.0.0.1:53", "1.0.0.2:53", "1.0.0.3:53"],
            ),
            ("", &["127.0.0.1:53"]),
        ] {
            let parsed = ResolvConf::parse(text).name_servers;
            assert_eq!(parsed.iter().map(ToString::to_string).collect::<Vec<_>>(), name_servers, "{text}");
        }
    }

    #[test]
    fn sources_of_host_names() {
        for (line, mdns, resolve) in [
            ("files dns", None, false),
            ("files mdns4_minimal [NOTFOUND=return] dns", Some("mdns4_minimal"), false),
            ("files mdns4_minimal [NOTFOUND=return] dns mdns4", Some("mdns4_minimal"), false),
            ("files dns mdns4", None, false),
            ("mymachines resolve [!UNAVAIL=return] files myhostname dns", None, true),
            ("files[ !unavail = return ]RESOLVE", None, true),
            ("files mdns [NOTFOUND=return] resolve [!UNAVAIL=return] dns", Some("mdns"), true),
            ("", None, false),
        ] {
            let hosts = Hosts::parse(&format!("passwd: files\nhosts:\t{line} # and more\n")).unwrap();
            assert_eq!((hosts.mdns_first(), hosts.has("resolve")), (mdns, resolve), "{line}");
        }
        assert_eq!(Hosts::parse("passwd: files\n# hosts: dns\n"), None);
    }
}
