//! Response rate limiting: what keeps the server from being made to flood a third party with its answers.
//!
//! The sender of a UDP query can be forged, and an answer is longer than its query. Each network of clients has an account
//! for each thing that it can be told (one RRset, whichever names a wildcard lends it; the absence of names in one zone;
//! one referral; errors), as in BIND and NSD: many different questions of a resolver are nothing unusual, the same answer
//! again and again is. An account is credited `rate` answers a second, holds at most those of one second, and each answer
//! costs one, sent or not; so a flood stays limited until it lets up, and for at most [`accounts::WINDOW`] after that.
//!
//! Accounts are found by a hash that is keyed at random, so that nobody can aim at the account of another.

mod accounts;

use std::hash::{BuildHasher, Hash, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use ipnet::IpNet;

use self::accounts::{Accounts, CREDIT, micros};
use super::prefixes::{Prefixes, network};
use super::reply::{Kind, Reply};
use crate::config;
use crate::telemetry::metrics::{Exposition, Source};
use crate::wire::{Name, NameRef, RecordType};

/// Networks whose clients share accounts, in bits: what one site is given, as in BIND.
const IPV4_NETWORK: u8 = 24;
const IPV6_NETWORK: u8 = 56;
/// Lines in the log within [`QUIET`], at most; networks that share a place share its line.
const NEWS: usize = 64;
/// Between two lines in the log on one network.
const QUIET: Duration = Duration::from_secs(60);

/// What an answer tells, as far as it matters who is told it how often.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Told<'a> {
    /// Records of one owner and type.
    Records(NameRef<'a>, RecordType),
    /// That something is not in this zone: by zone, because names that do not exist are not to be counted.
    Nothing(NameRef<'a>),
    /// Who serves the zone at this cut.
    Referral(NameRef<'a>),
    /// Any error.
    Error,
}

impl<'a> Told<'a> {
    /// What `reply` tells.
    pub fn by(reply: &'a Reply) -> Self {
        Self::of(reply.kind, reply.name.as_ref().map(Name::borrowed), reply.qtype)
    }

    /// What a reply of this kind tells that is about `name`; see [`Reply::name`].
    pub fn of(kind: Kind, name: Option<NameRef<'a>>, qtype: Option<RecordType>) -> Self {
        match (kind, name, qtype) {
            (Kind::Positive, Some(name), Some(qtype)) => Self::Records(name, qtype),
            (Kind::NoData | Kind::NxDomain, Some(zone), _) => Self::Nothing(zone),
            (Kind::Referral, Some(cut), _) => Self::Referral(cut),
            (Kind::Error, ..) | (_, None, _) | (_, _, None) => Self::Error,
        }
    }
}

impl Told<'_> {
    /// What it is about, in a word for the log.
    pub fn matter(&self) -> &'static str {
        match self {
            Self::Records(..) => "records",
            Self::Nothing(_) => "absence",
            Self::Referral(_) => "referral",
            Self::Error => "error",
        }
    }
}

/// What becomes of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    Send,
    /// An empty answer with TC set is sent in its place: no gain to an attacker, and an honest client asks again by TCP.
    Slip,
    Drop,
}

/// How often who may be told the same.
#[derive(Debug, Clone)]
pub struct RateLimits {
    /// Answers per second and account, at most 100,000; 0: any number.
    pub rate: u32,
    /// Every so many limited answers an empty one with TC is sent, the first one included; 0: never.
    pub slip: u8,
    /// Clients without accounts.
    pub exempt: Prefixes,
}

impl RateLimits {
    /// Those of a configuration.
    pub fn new(config: &config::Dns) -> Self {
        Self {
            rate: config.rate_limit,
            slip: config.rate_limit_slip as u8,
            exempt: Prefixes::new(&config.rate_limit_exempt),
        }
    }
}

/// The limits, and the accounts of all clients. Shared by all UDP workers.
#[derive(Debug)]
pub struct RateLimiter {
    limits: ArcSwap<RateLimits>,
    keys: RandomState,
    accounts: Accounts,
    /// When a network may be in the log again, in microseconds.
    quiet_until: [AtomicU64; NEWS],
    limited: AtomicU64,
}

/// The limits as they were at one instant, for many answers in a row.
pub struct Limiting<'a> {
    limiter: &'a RateLimiter,
    limits: Guard<Arc<RateLimits>>,
}

impl RateLimiter {
    pub fn new(limits: RateLimits) -> Self {
        Self {
            limits: ArcSwap::from_pointee(limits),
            keys: RandomState::new(),
            accounts: Accounts::default(),
            quiet_until: std::array::from_fn(|_| AtomicU64::new(0)),
            limited: AtomicU64::new(0),
        }
    }

    /// Keeps other limits from now on. What was charged before stays charged.
    pub fn limit(&self, limits: RateLimits) {
        self.limits.store(Arc::new(limits));
    }

    /// Looks at the limits once for several answers.
    pub fn limiting(&self) -> Limiting<'_> {
        Limiting { limiter: self, limits: self.limits.load() }
    }

    /// The network of a limited client, when it is time for a line in the log about it.
    pub fn news(&self, client: IpAddr, now: Duration) -> Option<IpNet> {
        let network = network(client, IPV4_NETWORK, IPV6_NETWORK);
        let until = &self.quiet_until[self.keys.hash_one(network) as usize % NEWS];
        let next = |until: u64| (until <= micros(now)).then(|| micros(now + QUIET));
        until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok().map(|_| network)
    }

    /// Answers that were limited since the start, slipped ones included.
    pub fn limited(&self) -> u64 {
        self.limited.load(Ordering::Relaxed)
    }
}

impl Limiting<'_> {
    /// Charges the account for an answer at `now`, which is the time since any one instant. Neither that nor what is told
    /// is asked for where there is no account.
    ///
    /// Errors never slip, as in BIND: some of them echo nothing that a client could recognise as its own question.
    #[inline]
    pub fn decide<'t>(
        &self,
        client: IpAddr,
        told: impl FnOnce() -> Told<'t>,
        now: impl FnOnce() -> Duration,
    ) -> Decision {
        if self.limits.rate == 0 || self.limits.exempt.contains(client) {
            return Decision::Send;
        }
        self.charge(client, &told(), now())
    }

    fn charge(&self, client: IpAddr, told: &Told<'_>, now: Duration) -> Decision {
        let Self { limiter, limits } = self;
        let account = limiter.keys.hash_one((network(client, IPV4_NETWORK, IPV6_NETWORK), told));
        let cost = micros(CREDIT) / u64::from(limits.rate);
        let Some(turn) = limiter.accounts.charge(account, micros(now), cost, limits.slip) else {
            return Decision::Send;
        };
        limiter.limited.fetch_add(1, Ordering::Relaxed);
        let slips = limits.slip > 0 && turn == 0 && *told != Told::Error;
        if slips { Decision::Slip } else { Decision::Drop }
    }
}

impl Source for RateLimiter {
    fn tell(&self, to: &mut Exposition) {
        let help =
            "Answers over UDP that the rate limit kept back, with those that were sent empty and truncated instead.";
        to.counter("srvd_dns_rate_limited_total", help, self.limited());
    }
}

#[cfg(test)]
mod tests;
