//! One run of one check: from an instance's addresses to what was found there.
//!
//! An instance with several IP addresses passes if every one of them does, asked in turn: DNS hands out all of them, so
//! a single dead one is a share of failing clients. A host name passes if any of its addresses does, each getting an
//! equal part of the time that is left: clients of a name go on to the next address themselves. It is resolved anew for
//! each run, and the address that was judged is the address that is connected to. The timeout spans everything: resolving,
//! connecting, shaking hands, asking, and as much of the answer as is needed.

mod finding;
mod grpc;
mod http;
mod limit;
mod metered;
mod resolver;
mod tcp;
mod tls;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

pub use finding::{Fault, Finding, Hindrance, Outcome, Pass};

use super::Roots;
use crate::config::Setting;
use crate::model::reach::refusal;
use crate::model::{Address, CheckKind, CheckSpec, HostName, Registration, Trust};
use limit::{Limit, Phase};
use metered::Metered;
use resolver::Resolver;
use tls::Tls;

/// Octets that an answer may have, with everything that comes before it.
const ANSWER: u64 = 64 * 1024;
/// Octets that TLS may need for that, handshake included, which alone may have 64 KiB.
const ENCRYPTED: u64 = 3 * ANSWER;
/// How srvd calls itself to targets.
const AGENT: &str = concat!("srvd/", env!("CARGO_PKG_VERSION"));

/// Carries out checks.
#[derive(Debug)]
pub struct Prober {
    allow: Setting<Vec<IpNet>>,
    resolver: Resolver,
    tls: Option<Tls>,
}

impl Prober {
    /// Checks may go to the prefixes in `allow` although they are link-local or hold a metadata service, `https` checks
    /// believe `roots`, and no more than `naming` checks wait for a name at one time.
    pub fn new(allow: Setting<Vec<IpNet>>, roots: &Roots, naming: usize) -> Self {
        Self { allow, resolver: Resolver::new(naming), tls: Tls::new(std::sync::Arc::clone(&roots.0)).ok() }
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
        let Ok(turn) = limit.hold(Phase::Resolve, self.resolver.turn()).await else {
            return (None, Hindrance::ResolverBusy.into());
        };
        let addresses = match limit.hold(Phase::Resolve, self.resolver.resolve(turn, host, port)).await {
            Ok(addresses) => addresses,
            Err(outcome) => return (None, outcome),
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
        if let Some(refusal) = refusal(address.ip(), &self.allow.get()) {
            return Fault::Forbidden(refusal).into();
        }
        let stream = match limit.hold(Phase::Connect, tcp::connect(address)).await {
            Ok(stream) => stream,
            Err(outcome) => return outcome,
        };
        match kind {
            CheckKind::Tcp => Outcome::Passed(Pass::Connected),
            CheckKind::Http { tls: None, .. } => ask(Metered::new(stream, ANSWER), authority, kind, limit).await,
            // The rarer kinds need more room, which plain ones shall not have to take up too.
            CheckKind::Http { tls: Some(trust), .. } => {
                Box::pin(self.ask_encrypted(stream, *trust, authority, kind, limit)).await
            }
            CheckKind::Grpc { .. } => Box::pin(ask(Metered::new(stream, ANSWER), authority, kind, limit)).await,
        }
    }

    async fn ask_encrypted(
        &self,
        stream: TcpStream,
        trust: Trust,
        authority: &str,
        kind: &CheckKind,
        limit: Limit,
    ) -> Outcome {
        let Some(tls) = &self.tls else { return Hindrance::NoTls.into() };
        let name = host_header(kind).unwrap_or(authority);
        let stream = Metered::new(stream, ENCRYPTED);
        match limit.hold(Phase::Tls, tls.connect(trust, name, stream)).await {
            Ok(stream) => ask(Metered::new(stream, ANSWER), authority, kind, limit).await,
            Err(outcome) => outcome,
        }
    }
}

/// Asks what a check asks once there is a connection.
async fn ask<S: AsyncRead + AsyncWrite + Unpin + Send>(
    mut stream: Metered<S>,
    authority: &str,
    kind: &CheckKind,
    limit: Limit,
) -> Outcome {
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
    match asked {
        Ok(pass) => Outcome::Passed(pass),
        Err(Outcome::Failed(Fault::TimedOut { within, .. })) => {
            Fault::TimedOut { phase: stream.phase(), within }.into()
        }
        // Libraries tell of it in their own words.
        Err(Outcome::Failed(_)) if stream.is_exhausted() => Fault::TooMuch.into(),
        Err(outcome) => outcome,
    }
}

/// The `Host` field that an `http` check brings, which names the server for TLS too.
fn host_header(kind: &CheckKind) -> Option<&str> {
    let CheckKind::Http { headers, .. } = kind else { return None };
    headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("host")).map(|(_, host)| host.as_str())
}

#[cfg(test)]
mod tests;
