//! One run of one check: from an instance's addresses to what was found there.
//!
//! An instance with several IP addresses passes if every one of them does, asked in turn: DNS hands out all of them, so
//! a single dead one is a share of failing clients. A host name passes if any of its addresses does, each getting an
//! equal part of the time that is left: clients of a name go on to the next address themselves. It is resolved anew for
//! each run. The timeout spans everything: resolving, connecting, asking, and the head of the answer.

mod finding;
mod http;
mod resolver;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use tokio::time::{Instant, timeout_at};

pub use finding::{Fault, Finding, Hindrance, Outcome, Pass};

use crate::config::Setting;
use crate::model::reach::refusal;
use crate::model::{Address, CheckKind, CheckSpec, HostName, Registration, Span};
use resolver::Resolver;

/// When our own timer is later than this, the process stood still, and what timed out says nothing about the target.
const STALL: Duration = Duration::from_secs(1);

/// Carries out checks.
#[derive(Debug)]
pub struct Prober {
    allow: Setting<Vec<IpNet>>,
    resolver: Resolver,
}

impl Prober {
    /// Checks may go to the prefixes in `allow` although they are link-local or hold a metadata service.
    pub fn new(allow: Setting<Vec<IpNet>>) -> Self {
        Self { allow, resolver: Resolver::default() }
    }

    /// Runs one check of an instance once. Takes no longer than the timeout of the check; dropping it closes its
    /// sockets.
    pub async fn probe(&self, registration: &Registration, spec: &CheckSpec) -> Finding {
        let started = Instant::now();
        let port = spec.port.unwrap_or(registration.port).number();
        let limit = Limit { deadline: started + spec.timeout.as_duration(), patience: spec.timeout };
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
        let Ok(permit) = limit.hold(self.resolver.permit()).await else {
            return (None, Hindrance::ResolverBusy.into());
        };
        let addresses = match limit.hold(self.resolver.resolve(permit, host, port)).await {
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
        let asked = limit.hold(async {
            let stream = tcp::connect(address).await?;
            match kind {
                CheckKind::Tcp => Ok(Outcome::Passed(Pass::Connected)),
                CheckKind::Http { path, method, headers, expect } => {
                    let status = http::ask(stream, authority, path, *method, headers).await?;
                    let expected = expect.contains(status.as_u16());
                    Ok(if expected { Outcome::Passed(Pass::Status(status)) } else { Fault::Status(status).into() })
                }
            }
        });
        asked.await.unwrap_or_else(|outcome| outcome)
    }
}

/// How long something may take.
#[derive(Debug, Clone, Copy)]
struct Limit {
    deadline: Instant,
    /// As people are told it.
    patience: Span,
}

impl Limit {
    /// An equal share of what is left, when so many have to get one.
    fn part_of(self, shares: usize) -> Self {
        if shares == 1 {
            return self;
        }
        let now = Instant::now();
        let part = self.deadline.saturating_duration_since(now) / shares as u32;
        Self { deadline: now + part, patience: Span::from_millis(part.as_millis() as u64) }
    }

    /// What `work` comes to, or that it took too long. A timer that is late by more than [`STALL`] is no time-out.
    async fn hold<T>(self, work: impl Future<Output = Result<T, Outcome>>) -> Result<T, Outcome> {
        match timeout_at(self.deadline, work).await {
            Ok(done) => done,
            Err(_) if Instant::now() > self.deadline + STALL => Err(Hindrance::StoodStill.into()),
            Err(_) => Err(Fault::NoAnswer { within: self.patience }.into()),
        }
    }
}

#[cfg(test)]
mod tests;
