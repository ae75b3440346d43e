//! What must hold between settings that are each right by themselves.

use std::net::SocketAddr;

use super::{Config, Origins, Problem, Reason, StoreKind};

/// Settings with their origins while they are compared.
pub(super) struct Agreement<'a> {
    pub config: &'a Config,
    pub origins: &'a Origins,
    /// What was wrong before; keys in it have no value to compare.
    pub problems: &'a mut Vec<Problem>,
    pub warnings: &'a mut Vec<String>,
}

impl Agreement<'_> {
    /// Compares all there is to compare.
    pub fn check(&mut self) {
        self.listen("dns.listen", &self.config.dns.listen);
        self.listen("http.listen", &self.config.http.listen);
        if self.read_well("dns.listen") && self.read_well("http.listen") {
            self.apart();
        }
        if self.read_well("http.listen") && self.read_well("http.insecure") {
            self.exposure();
        }
        if self.config.dns.require_cookies && !self.config.dns.cookies {
            self.refuse("dns.require_cookies", Reason::NoCookies);
        }
        for prefix in self.config.dns.reverse_zones.iter().filter(|prefix| prefix.prefix_len() == 0) {
            let prefix = self.origins.shown("dns.reverse_zones", prefix);
            self.refuse("dns.reverse_zones", Reason::WholeReverse { prefix });
        }
        if self.config.store.kind == StoreKind::Etcd {
            self.etcd();
        }
        if self.config.traces.endpoint.is_some() && !cfg!(feature = "otlp") {
            self.refuse("traces.endpoint", Reason::NoTraces);
        }
    }

    /// Something to listen on, and nothing twice.
    fn listen(&mut self, key: &'static str, addresses: &[SocketAddr]) {
        if addresses.is_empty() {
            self.refuse(key, Reason::Nowhere);
        }
        for (at, address) in addresses.iter().enumerate() {
            let twin = |before: &SocketAddr| before == address && address.port() != 0;
            if addresses[..at].iter().any(twin) {
                let address = self.origins.shown(key, address);
                self.refuse(key, Reason::Repeated { address });
            }
        }
    }

    /// DNS and HTTP on different TCP addresses.
    fn apart(&mut self) {
        for http in &self.config.http.listen {
            if self.config.dns.listen.iter().any(|dns| clash(*dns, *http)) {
                let address = self.origins.shown("http.listen", http);
                self.refuse("http.listen", Reason::TakenByDns { address });
            }
        }
    }

    /// HTTP on loopback only, unless the operator insists.
    fn exposure(&mut self) {
        for address in &self.config.http.listen {
            if address.ip().to_canonical().is_loopback() {
                continue;
            }
            let address = self.origins.shown("http.listen", address);
            if self.config.http.insecure {
                let origin = self.origins.of("http.listen");
                self.warnings.push(format!(
                    "{origin}: http.listen: whoever reaches {address} can change the registry (http.insecure = true)"
                ));
            } else {
                self.refuse("http.listen", Reason::Exposed { address });
            }
        }
    }

    /// What it takes to use etcd.
    fn etcd(&mut self) {
        let store = &self.config.store;
        if store.endpoints.is_empty() {
            self.refuse("store.endpoints", Reason::NoMembers);
        }
        match (&store.cert_file, &store.key_file) {
            (Some(_), None) => self.refuse("store.cert_file", Reason::HalfIdentity { other: "store.key_file" }),
            (None, Some(_)) => self.refuse("store.key_file", Reason::HalfIdentity { other: "store.cert_file" }),
            _ => {}
        }
    }

    fn read_well(&self, key: &str) -> bool {
        self.problems.iter().all(|problem| problem.key != key)
    }

    fn refuse(&mut self, key: &str, reason: Reason) {
        self.problems.push(Problem { origin: self.origins.of(key), key: key.to_owned(), reason });
    }
}

/// Whether one TCP socket keeps the other from its address: the unspecified address takes all of its family.
fn clash(a: SocketAddr, b: SocketAddr) -> bool {
    let alike =
        a.ip() == b.ip() || (a.is_ipv4() == b.is_ipv4() && (a.ip().is_unspecified() || b.ip().is_unspecified()));
    a.port() == b.port() && a.port() != 0 && alike
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_clash_on_the_same_address() {
        for (a, b, expected) in [
            ("127.0.0.1:53", "127.0.0.1:53", true),
            ("0.0.0.0:53", "127.0.0.1:53", true),
            ("[::]:53", "[::1]:53", true),
            ("[::]:53", "127.0.0.1:53", false),
            ("127.0.0.1:53", "127.0.0.2:53", false),
            ("127.0.0.1:53", "127.0.0.1:54", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
        ] {
            assert_eq!(clash(a.parse().unwrap(), b.parse().unwrap()), expected, "{a} {b}");
        }
    }
}
