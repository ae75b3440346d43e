//! When a program is ready to be registered: its checks pass, or without any its port accepts.
//!
//! The checks are those of the server, run by the same code. What they go to is the instance's own address; where that is
//! not known yet, loopback and the address on the way to the server stand for it. A port that is only tried is left in
//! peace: the connection is closed as any other is, where checks cut theirs off.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::config::Setting;
use crate::health::{Outcome, Prober};
use crate::model::{Address, CheckKind, CheckSpec, Protocol, Registration};
use crate::outbound::Roots;

/// Between two looks: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// The longest wait for one connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Looks after which it is worth a word that the program is not ready: half a minute.
const PATIENT: u32 = 35;

/// What is looked at until it is well.
#[derive(Debug)]
pub(super) struct Readiness {
    prober: Prober,
    /// One for each address that may be the instance's own; any of them will do.
    candidates: Vec<Registration>,
    checks: Vec<CheckSpec>,
    /// Whether the port has to accept a connection.
    tries_port: bool,
}

impl Readiness {
    /// That of `registration`, whose address is known or not. `server` is where the way to the server leads, if there is
    /// an address of it.
    pub(super) fn of(registration: &Registration, is_address_known: bool, server: Option<SocketAddr>) -> Self {
        let candidates = match is_address_known {
            true => vec![registration.clone()],
            false => own_addresses(server)
                .into_iter()
                .map(|ip| {
                    let mut there = registration.clone();
                    there.address = Address::One(ip);
                    there
                })
                .collect(),
        };
        // There is no knowing whether somebody takes datagrams.
        let tries_port = registration.checks().is_empty() && registration.protocol == Protocol::Tcp;
        let checks = registration.checks().to_vec();
        let (roots, _) = if checks.iter().any(is_https) { Roots::of_system() } else { (Roots::none(), 0) };
        Self { prober: Prober::new(Setting::new(Vec::new()), &roots, 1), candidates, checks, tries_port }
    }

    /// Returns when all checks pass. `tell` is given a word when that takes long.
    pub(super) async fn come(&self, mut tell: impl FnMut(&str)) {
        let mut pause = PAUSES.0;
        for look in 1u32.. {
            match self.fault().await {
                None => return,
                Some(fault) if look == PATIENT => tell(&format!("not ready yet: {fault}; still waiting")),
                Some(_) => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
    }

    /// What speaks against being ready.
    async fn fault(&self) -> Option<String> {
        let mut fault = None;
        for candidate in &self.candidates {
            fault = self.fault_at(candidate).await;
            if fault.is_none() {
                break;
            }
        }
        fault
    }

    async fn fault_at(&self, candidate: &Registration) -> Option<String> {
        if self.tries_port {
            return accepts(candidate).await.err();
        }
        for check in &self.checks {
            let finding = self.prober.probe(candidate, check).await;
            // What could not be carried out says nothing; the server will see.
            if let Outcome::Failed(_) = finding.outcome() {
                return Some(format!("{} check: {finding}", check.kind.as_str()));
            }
        }
        None
    }
}

fn is_https(check: &CheckSpec) -> bool {
    matches!(&check.kind, CheckKind::Http { tls: Some(_), .. })
}

/// Whether somebody listens, at one of the addresses.
async fn accepts(candidate: &Registration) -> Result<(), String> {
    let port = candidate.port.number();
    let found = match &candidate.address {
        Address::Host(host) => timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await,
        Address::One(_) | Address::Several(_) => {
            let places: Vec<SocketAddr> = candidate.address.ips().iter().map(|ip| (*ip, port).into()).collect();
            timeout(CONNECT, TcpStream::connect(&places[..])).await
        }
    };
    match found {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(format!("port {port}: {error}")),
        Err(_) => Err(format!("port {port}: no connection within {} s", CONNECT.as_secs())),
    }
}

/// The addresses under which a program on this host may listen for others.
fn own_addresses(server: Option<SocketAddr>) -> Vec<IpAddr> {
    let mut addresses = vec![IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)];
    addresses.extend(server.and_then(way_to).filter(|address| !address.is_loopback()));
    addresses
}

/// The address that a packet to `server` would come from; none is sent.
fn way_to(server: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(server).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    fn registration(body: serde_json::Value) -> Registration {
        super::super::registration(body.as_object().unwrap()).unwrap()
    }

    #[tokio::test]
    async fn a_port_that_accepts_on_any_own_address() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = TcpListener::bind(address).await else { continue };
            let port = listener.local_addr().unwrap().port();
            let readiness = Readiness::of(&registration(json!({"port": port})), false, None);
            readiness.come(|word| panic!("{word}")).await;
            drop(listener);
            let fault = readiness.fault().await.unwrap();
            assert!(fault.starts_with(&format!("port {port}: ")), "{fault}");
        }
    }

    #[tokio::test]
    async fn a_check_counts_where_there_is_one() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, other) = (listener.local_addr().unwrap().port(), 1);
        let body = json!({"port": port, "checks": [{"kind": "tcp", "port": other}], "address": "127.0.0.1"});
        let readiness = Readiness::of(&registration(body), true, None);
        assert!(readiness.fault().await.is_some());
    }

    #[tokio::test]
    async fn datagrams_are_not_waited_for() {
        let readiness = Readiness::of(&registration(json!({"port": 1, "protocol": "udp"})), false, None);
        assert_eq!(readiness.fault().await, None);
    }

    #[test]
    fn the_way_to_a_server() {
        assert_eq!(way_to("127.0.0.1:80".parse().unwrap()), Some("127.0.0.1".parse().unwrap()));
        assert_eq!(own_addresses(Some("127.0.0.1:80".parse().unwrap())).len(), 2);
    }
}
