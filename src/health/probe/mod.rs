//! One run of one check: from an instance's addresses to what was found there.
//!
//! An instance with several IP addresses passes if every one of them does, asked in turn: DNS hands out all of them, so
//! a single dead one is a share of failing clients. A host name passes if any of its addresses does, each getting an
//! equal part of the time that is left: clients of a name go on to the next address themselves. It is resolved anew for
//! each run, and the address that was judged is the address that is connected to. The timeout spans everything: resolving,
//! connecting, shaking hands, asking, and as much of the answer as is needed.

mod finding;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

pub use finding::{Finding, Outcome, Pass};

use super::Roots;
use crate::config::Setting;
use crate::model::reach::refusal;
use crate::model::{Address, CheckKind, CheckSpec, HostName, Registration};
use crate::outbound::{Dialer, Failure, Fault, Limit, Metered, Phase, grpc, http, metered};

/// Carries out checks.
#[derive(Debug)]
pub struct Prober {
    dialer: Dialer,
}

impl Prober {
    /// Checks may go to the prefixes in `allow` although they are link-local or hold a metadata service, `https` checks
    /// believe `roots`, and no more than `naming` checks wait for a name at one time.
    pub fn new(allow: Setting<Vec<IpNet>>, roots: &Roots, naming: usize) -> Self {
        Self { dialer: Dialer::new(refusal, allow, roots, naming) }
    }

    /// Runs one check of an instance once. Takes no longer than the timeout of the check; dropping it closes its
    /// sockets.
    pub async fn probe(&self, registration: &Registration, spec: &CheckSpec) -> Finding {
        let started = Instant::now();
        let port = spec.port.unwrap_or(registration.port).number();
        let limit = Limit::of(started, spec.timeout);
        let (address, outcome) = match &registration.address {
            Address::One(_) | Address::Several(_) => {
                self.every(registration.address.ips(), port, &spec.kind, limit).await
            }
            Address::Host(host) => self.any(host, port, &spec.kind, limit).await,
        };
        Finding::new(address, outcome, started.elapsed())
    }

    /// Passes if every address does. The one that does not is named where there are several.
    async fn every(&self, ips: &[IpAddr], port: u16, kind: &CheckKind, limit: Limit) -> (Option<IpAddr>, Outcome) {
        let mut outcome = Fault::Unresolved.into();
        for ip in ips {
            let address = SocketAddr::new(*ip, port);
            outcome = self.attempt(address, &address.to_string(), kind, limit).await;
            if !matches!(outcome, Outcome::Passed(_)) {
                return ((ips.len() > 1).then_some(*ip), outcome);
            }
        }
        (None, outcome)
    }

    /// Passes if any address of the name does. The one that decided is named.
    async fn any(&self, host: &HostName, port: u16, kind: &CheckKind, limit: Limit) -> (Option<IpAddr>, Outcome) {
        let authority = format!("{}:{port}", host.as_str());
        let addresses = match self.dialer.resolve(host, port, limit).await {
            Ok(addresses) => addresses,
            Err(failure) => return (None, failure.into()),
        };
        let mut worst = (None, Fault::Unresolved.into());
        for (at, address) in addresses.iter().enumerate() {
            let limit = limit.part_of(addresses.len() - at);
            let outcome = self.attempt(*address, &authority, kind, limit).await;
            if matches!(outcome, Outcome::Passed(_)) {
                return (Some(address.ip()), outcome);
            }
            // What we could not try might have passed.
            if !matches!(worst.1, Outcome::Hindered(_)) {
                worst = (Some(address.ip()), outcome);
            }
        }
        worst
    }

    async fn attempt(&self, address: SocketAddr, authority: &str, kind: &CheckKind, limit: Limit) -> Outcome {
        self.pass(address, authority, kind, limit).await.map_or_else(Outcome::from, Outcome::Passed)
    }

    async fn pass(
        &self,
        address: SocketAddr,
        authority: &str,
        kind: &CheckKind,
        limit: Limit,
    ) -> Result<Pass, Failure> {
        let stream = self.dialer.connect(address, limit).await?;
        match kind {
            CheckKind::Tcp => Ok(Pass::Connected),
            CheckKind::Http { tls: None, .. } => ask(metered(stream), authority, kind, limit).await,
            // The rarer kinds need more room, which plain ones shall not have to take up too.
            CheckKind::Http { tls: Some(trust), .. } => {
                let name = host_header(kind).unwrap_or(authority);
                let encrypted = async {
                    let stream = self.dialer.encrypt(*trust, name, stream, limit).await?;
                    ask(metered(stream), authority, kind, limit).await
                };
                Box::pin(encrypted).await
            }
            CheckKind::Grpc { .. } => Box::pin(ask(metered(stream), authority, kind, limit)).await,
        }
    }
}

/// Asks what a check asks once there is a connection.
async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut stream: Metered<S>,
    authority: &str,
    kind: &CheckKind,
    limit: Limit,
) -> Result<Pass, Failure> {
    let asked = match kind {
        CheckKind::Tcp => Ok(Pass::Connected),
        CheckKind::Http { path, method, headers, expect, .. } => {
            let asked = http::ask(&mut stream, authority, path, *method, headers);
            limit.hold(Phase::Answer, asked).await.and_then(|status| match expect.contains(status.as_u16()) {
                true => Ok(Pass::Status(status)),
                false => Err(Fault::Status(status).into()),
            })
        }
        CheckKind::Grpc { service } => {
            let asked = Box::pin(grpc::ask(&mut stream, authority, service, limit.patience));
            limit.hold(Phase::Answer, asked).await.map(|()| Pass::Serving)
        }
    };
    asked.map_err(|failure| stream.explain(failure))
}

/// The `Host` field that an `http` check brings, which names the server for TLS too.
fn host_header(kind: &CheckKind) -> Option<&str> {
    let CheckKind::Http { headers, .. } = kind else { return None };
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, host)| host.as_str())
}

#[cfg(test)]
mod tests;
