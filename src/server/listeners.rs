//! The sockets of a server: all bound before anything is started.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};

use crate::config::{Loaded, Problem, Problems};
use crate::dns;

/// Bound sockets.
#[derive(Debug)]
pub struct Listeners {
    pub dns: Vec<dns::Sockets>,
    pub http: Vec<TcpListener>,
}

/// Binds every configured address.
///
/// # Errors
/// Every address that cannot be bound, with the place in the configuration that names it.
pub fn bind(loaded: &Loaded) -> Result<Listeners, Problems> {
    let config = &loaded.config;
    let workers = match config.dns.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        workers => usize::from(workers),
    };
    let mut problems = Vec::new();
    let mut listeners = Listeners { dns: Vec::new(), http: Vec::new() };
    for &address in &config.dns.listen {
        match dns::bind(address, workers) {
            Ok(sockets) => listeners.dns.push(sockets),
            Err(error) => problems.push(problem(loaded, "dns.listen", address, &error.source)),
        }
    }
    for &address in &config.http.listen {
        match http(address) {
            Ok(listener) => listeners.http.push(listener),
            Err(error) => problems.push(problem(loaded, "http.listen", address, &error)),
        }
    }
    if problems.is_empty() { Ok(listeners) } else { Err(problems.into_iter().collect()) }
}

fn http(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn problem(loaded: &Loaded, key: &str, address: SocketAddr, error: &io::Error) -> Problem {
    let shown = loaded.origins.shown(key, address);
    let reason = match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{shown} is in use; stop what listens there, or choose another port (0: any)")
        }
        io::ErrorKind::AddrNotAvailable => format!("{shown} is not an address of this machine"),
        io::ErrorKind::PermissionDenied => {
            format!("{shown} may not be bound; ports below 1024 take CAP_NET_BIND_SERVICE or root")
        }
        _ => format!("{shown} cannot be bound: {error}"),
    };
    loaded.problem(key, reason)
}

impl Listeners {
    pub fn dns_addresses(&self) -> Vec<SocketAddr> {
        self.dns.iter().map(|sockets| sockets.address).collect()
    }

    pub fn http_addresses(&self) -> Vec<SocketAddr> {
        self.http.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The addresses under which the server is its zone's name server: those that it was told, not wildcards.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        let mut addresses: Vec<IpAddr> = self.dns_addresses().iter().map(SocketAddr::ip).collect();
        addresses.retain(|address| !address.is_unspecified());
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// The line that says where the server is, once it is ready.
    pub fn ready_line(&self) -> String {
        let joined =
            |addresses: Vec<SocketAddr>| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        format!("srvd ready dns={} http={}", joined(self.dns_addresses()), joined(self.http_addresses()))
    }
}
