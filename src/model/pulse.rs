//! What moves in an instance without being a change: its deadline, its last heartbeat, its last words and check results.
//!
//! A heartbeat touches this and nothing else, so that renewing a million leases takes no lock that two of them share and
//! wakes nobody. One number holds the state of the lease; renewal and expiry meet in a compare-and-swap on it, so that a
//! lease is never both renewed and lapsed.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::{Map, Value};
use smol_str::SmolStr;

use super::json::{self as read, Members};
use super::{Invalid, LeaseTtl, Reason, Tick, limits};

const PERMANENT: u64 = u64::MAX;
const LAPSED: u64 = u64::MAX - 1;
const NEVER: u64 = u64::MAX;

/// The moving part of an instance.
#[derive(Debug)]
pub struct Pulse {
    /// Deadline of the lease in ticks, or one of the marks above.
    lease: AtomicU64,
    /// Tick of the last heartbeat, or [`NEVER`].
    heartbeat: AtomicU64,
    words: Mutex<Words>,
}

/// What was last heard from and about an instance.
#[derive(Debug, Default, Clone)]
pub struct Words {
    pub message: Option<SmolStr>,
    pub load: Option<Load>,
    /// The last result of each check, by its place in the registration.
    pub results: Vec<Option<CheckResult>>,
}

/// What a heartbeat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Renewed,
    /// The lease has run out; bringing the instance back is a change.
    Lapsed,
}

/// The last result of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    pub at: Timestamp,
    pub passed: bool,
    pub took_ms: u32,
    /// One line on what was found; never anything that the target sent as a body.
    pub detail: String,
}

/// How loaded an instance says it is. Shares are 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Load(Map<String, Value>);

impl Pulse {
    /// The pulse of an instance whose lease begins now.
    pub fn begin(now: Tick, ttl: LeaseTtl) -> Self {
        let pulse = Self { lease: AtomicU64::new(0), heartbeat: AtomicU64::new(NEVER), words: Mutex::default() };
        pulse.restart(now, ttl);
        pulse
    }

    /// Begins the lease anew, whatever it was.
    pub fn restart(&self, now: Tick, ttl: LeaseTtl) {
        self.lease.store(deadline(now, ttl), Ordering::Release);
    }

    /// Marks the lease as run out.
    pub fn lapse(&self) {
        self.lease.store(LAPSED, Ordering::Release);
    }

    /// Notes that the instance was heard.
    pub fn heard(&self, now: Tick) {
        self.heartbeat.store(now.0, Ordering::Relaxed);
    }

    /// Renews a lease that has not run out.
    pub fn renew(&self, now: Tick, ttl: LeaseTtl) -> Renewal {
        let next = deadline(now, ttl);
        let renewed =
            self.lease.fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| (current != LAPSED).then_some(next));
        if renewed.is_err() {
            return Renewal::Lapsed;
        }
        self.heard(now);
        Renewal::Renewed
    }

    /// Lets the lease run out if its deadline has come; otherwise gives the deadline to wait for, `None` for a permanent
    /// or lapsed one.
    pub fn expire(&self, now: Tick) -> Result<(), Option<Tick>> {
        self.lease
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |current| (current <= now.0).then_some(LAPSED))
            .map(|_| ())
            .map_err(|current| (current < LAPSED).then_some(Tick(current)))
    }

    /// When the lease runs out; `None` when it is permanent or already has.
    pub fn deadline(&self) -> Option<Tick> {
        let current = self.lease.load(Ordering::Acquire);
        (current < LAPSED).then_some(Tick(current))
    }

    pub fn last_heartbeat(&self) -> Option<Tick> {
        let tick = self.heartbeat.load(Ordering::Relaxed);
        (tick != NEVER).then_some(Tick(tick))
    }

    /// The last words, to read or to change.
    pub fn words<T>(&self, look: impl FnOnce(&mut Words) -> T) -> T {
        look(&mut self.words.lock())
    }
}

fn deadline(now: Tick, ttl: LeaseTtl) -> u64 {
    match ttl {
        LeaseTtl::For(span) => now.after(span).0.min(LAPSED - 1),
        LeaseTtl::Permanent => PERMANENT,
    }
}

impl Words {
    /// Keeps the result of check number `at`.
    pub fn keep_result(&mut self, at: usize, result: CheckResult) {
        if self.results.len() <= at {
            self.results.resize(at + 1, None);
        }
        self.results[at] = Some(result);
    }
}

impl Load {
    pub fn from_json(value: &Value) -> Result<Self, Invalid> {
        const SHARES: &[&str] = &["cpu", "memory", "disk"];
        const AMOUNTS: &[&str] = &["latency_ms", "connections", "requests", "errors"];
        let members = Members::of(value, &[SHARES, AMOUNTS].concat(), &[])?;
        for share in SHARES {
            members.optional(share, |value| match value.as_f64() {
                None => Err(Reason::Type { expected: "a number" }),
                Some(number) if (0.0..=1.0).contains(&number) => Ok(()),
                Some(_) => Err(Reason::Range { min: 0, max: 1 }),
            })?;
        }
        for amount in AMOUNTS {
            members.optional(amount, |value| match value.as_f64() {
                Some(number) if number >= 0.0 => Ok(()),
                _ => Err(Reason::Type { expected: "a number that is not negative" }),
            })?;
        }
        Ok(Self(value.as_object().cloned().unwrap_or_default()))
    }

    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }
}

/// Reads the message that a heartbeat may carry.
pub fn message(value: &Value) -> Result<SmolStr, Reason> {
    let text = read::string(value)?;
    if text.len() > limits::MESSAGE {
        return Err(Reason::Length { min: 0, max: limits::MESSAGE });
    }
    Ok(SmolStr::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Span;
    use serde_json::json;

    const TTL: LeaseTtl = LeaseTtl::For(Span::from_millis(100));

    #[test]
    fn a_lease_is_renewed_until_it_lapses() {
        let pulse = Pulse::begin(Tick(0), TTL);
        assert_eq!(pulse.expire(Tick(99)), Err(Some(Tick(100))));
        assert_eq!(pulse.renew(Tick(50), TTL), Renewal::Renewed);
        assert_eq!(pulse.last_heartbeat(), Some(Tick(50)));
        assert_eq!(pulse.expire(Tick(149)), Err(Some(Tick(150))));
        assert_eq!(pulse.expire(Tick(150)), Ok(()));
        assert_eq!(pulse.renew(Tick(151), TTL), Renewal::Lapsed);
        assert_eq!(pulse.deadline(), None);
        pulse.restart(Tick(160), TTL);
        assert_eq!(pulse.deadline(), Some(Tick(260)));
    }

    #[test]
    fn a_permanent_lease_never_lapses() {
        let pulse = Pulse::begin(Tick(0), LeaseTtl::Permanent);
        assert_eq!(pulse.expire(Tick(u64::MAX - 2)), Err(None));
        assert_eq!(pulse.renew(Tick(5), LeaseTtl::Permanent), Renewal::Renewed);
    }

    #[test]
    fn load_is_checked() {
        let good = json!({"cpu": 0.5, "memory": 1, "latency_ms": 12.5, "connections": 3});
        assert_eq!(Load::from_json(&good).unwrap().to_json(), good);
        for (load, field) in [
            (json!({"cpu": 1.5}), "cpu"),
            (json!({"cpu": "high"}), "cpu"),
            (json!({"errors": -1}), "errors"),
            (json!({"gpu": 1}), "gpu"),
            (json!(1), ""),
        ] {
            assert_eq!(Load::from_json(&load).unwrap_err().field, field, "{load}");
        }
    }
}
