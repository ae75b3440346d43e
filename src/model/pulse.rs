//! What moves in an instance without being a change: its deadline, its last heartbeat, its last words and check results.
//!
//! A heartbeat touches this and nothing else, so that renewing a million leases takes no lock that two of them share and
//! wakes nobody. One number holds the state of the lease; renewal and expiry meet in a compare-and-swap on it, so that a
//! lease is never both renewed and lapsed. The lease's ttl is here too: a heartbeat that comes while another ttl is on its
//! way to the disk must not bring the old one back. Whoever takes back a change gives the lease back with
//! [`Pulse::restart`].

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use jiff::Timestamp;
use parking_lot::Mutex;
use serde_json::Value;
use smol_str::SmolStr;

use super::json as read;
use super::lease::PackedTtl;
use super::{CheckSpec, LeaseTtl, Load, Reason, Tick, limits};

const PERMANENT: u64 = u64::MAX;
const LAPSED: u64 = u64::MAX - 1;
const ELSEWHERE: u64 = u64::MAX - 2;
const NEVER: u64 = u64::MAX;

/// The moving part of an instance.
#[derive(Debug)]
pub struct Pulse {
    /// Deadline of the lease in ticks, or one of the marks above.
    lease: AtomicU64,
    /// What a renewal gives.
    ttl: AtomicU32,
    /// Whether the lease is [`Keeping::InTrust`], if it is here.
    in_trust: AtomicBool,
    /// Tick of the last heartbeat, or [`NEVER`].
    heartbeat: AtomicU64,
    /// Tick at which caches have forgotten the instance since it left DNS, or [`NEVER`] while DNS serves it.
    clear_at: AtomicU64,
    /// `None` as long as there are none: most instances never say any.
    words: Mutex<Option<Box<Words>>>,
}

/// What was last heard from and about an instance.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Words {
    pub message: Option<SmolStr>,
    pub load: Option<Load>,
    /// The last result of each check.
    pub results: Vec<(CheckSpec, CheckResult)>,
}

/// Who keeps the lease of an instance, where several servers share a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// This server: a heartbeat renews it here, and it runs out here.
    Own,
    /// A server that is not live, and this one in its place: it runs out here, but whoever hears the instance has to take
    /// it over first. The other one may be back, and be heard by everybody but this server.
    InTrust,
    /// Another server.
    Elsewhere,
}

/// What a heartbeat found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    Renewed,
    /// The lease has run out, or is not this server's own; going on with it here is a change.
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
    /// When the check runs next.
    pub next: Tick,
    /// More passes in a row that it takes because the verdict turned often lately; see [`super::Streak::damped`].
    pub damped: Option<u32>,
}

impl Pulse {
    /// The pulse of an instance whose lease begins now.
    pub fn begin(now: Tick, ttl: LeaseTtl) -> Self {
        let pulse = Self {
            lease: AtomicU64::new(0),
            ttl: AtomicU32::new(0),
            in_trust: AtomicBool::new(false),
            heartbeat: AtomicU64::new(NEVER),
            clear_at: AtomicU64::new(NEVER),
            words: Mutex::default(),
        };
        pulse.restart(now, ttl);
        pulse
    }

    /// Begins the lease anew with this ttl, whatever it was.
    pub fn restart(&self, now: Tick, ttl: LeaseTtl) {
        let ttl = PackedTtl::from(ttl);
        self.ttl.store(ttl.0, Ordering::SeqCst);
        self.lease.store(deadline(now, ttl), Ordering::SeqCst);
    }

    /// Gives a lease that has not run out its full ttl, without the instance having been heard.
    pub fn extend(&self, now: Tick) {
        let next = deadline(now, self.ttl());
        let later = |current: u64| (current < ELSEWHERE && current < next).then_some(next);
        // One that lapsed, is permanent or lasts longer stays as it is.
        self.lease.fetch_update(Ordering::SeqCst, Ordering::SeqCst, later).ok();
    }

    /// Turns a lapsed lease into one that ran out just now: the next heartbeat renews it like any other.
    pub fn overdue_since(&self, now: Tick) {
        self.lease.compare_exchange(LAPSED, now.0, Ordering::SeqCst, Ordering::SeqCst).ok();
    }

    /// Marks the lease as run out.
    pub fn lapse(&self) {
        self.lease.store(LAPSED, Ordering::SeqCst);
    }

    /// Leaves the lease to another server, which hears the instance.
    pub fn leave_to_others(&self) {
        self.lease.store(ELSEWHERE, Ordering::SeqCst);
    }

    /// Whether the lease is kept in trust, if it is here.
    pub fn set_in_trust(&self, in_trust: bool) {
        self.in_trust.store(in_trust, Ordering::SeqCst);
    }

    /// Who keeps the lease.
    pub fn keeping(&self) -> Keeping {
        if self.lease.load(Ordering::SeqCst) == ELSEWHERE {
            Keeping::Elsewhere
        } else if self.in_trust.load(Ordering::SeqCst) {
            Keeping::InTrust
        } else {
            Keeping::Own
        }
    }

    /// Whether another server keeps the lease.
    pub fn is_kept_elsewhere(&self) -> bool {
        self.keeping() == Keeping::Elsewhere
    }

    /// Whether the lease has run out here.
    pub fn has_lapsed(&self) -> bool {
        self.lease.load(Ordering::SeqCst) == LAPSED
    }

    /// Notes that the instance was heard.
    pub fn heard(&self, now: Tick) {
        self.heartbeat.store(now.0, Ordering::Relaxed);
    }

    /// Renews a lease that is this server's own and has not run out. A deadline never moves back.
    pub fn renew(&self, now: Tick) -> Renewal {
        if self.in_trust.load(Ordering::SeqCst) {
            return Renewal::Lapsed;
        }
        loop {
            let ttl = self.ttl();
            let next = deadline(now, ttl);
            let later = |current: u64| if current == PERMANENT { next } else { current.max(next) };
            let renewed = self.lease.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |current| {
                (current != LAPSED && current != ELSEWHERE).then(|| later(current))
            });
            if renewed.is_err() {
                return Renewal::Lapsed;
            }
            // A restart that came in between has the last word, with its own ttl.
            if self.ttl() == ttl {
                self.heard(now);
                return Renewal::Renewed;
            }
        }
    }

    /// Lets the lease run out if its deadline has come; otherwise gives the deadline to wait for, `None` for a permanent
    /// or lapsed one.
    pub fn expire(&self, now: Tick) -> Result<(), Option<Tick>> {
        self.lease
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |current| (current <= now.0).then_some(LAPSED))
            .map(|_| ())
            .map_err(|current| (current < ELSEWHERE).then_some(Tick(current)))
    }

    /// When the lease runs out; `None` when it is permanent, already has, or is kept elsewhere.
    pub fn deadline(&self) -> Option<Tick> {
        let current = self.lease.load(Ordering::SeqCst);
        (current < ELSEWHERE).then_some(Tick(current))
    }

    pub fn last_heartbeat(&self) -> Option<Tick> {
        let tick = self.heartbeat.load(Ordering::Relaxed);
        (tick != NEVER).then_some(Tick(tick))
    }

    /// Notes whether DNS serves the instance. When it has just left, or it is not known when it did, `clear_at` tells when
    /// the last cache forgets it.
    pub fn note_served(&self, served: bool, clear_at: impl FnOnce() -> Tick) {
        let known = self.clear_at.load(Ordering::Relaxed) != NEVER;
        if served && known {
            self.clear_at.store(NEVER, Ordering::Relaxed);
        } else if !served && !known {
            self.clear_at.store(clear_at().0, Ordering::Relaxed);
        }
    }

    /// When no cache holds the instance any more; `None` while DNS serves it.
    pub fn clear_at(&self) -> Option<Tick> {
        let tick = self.clear_at.load(Ordering::Relaxed);
        (tick != NEVER).then_some(Tick(tick))
    }

    /// The last words, to read or to change.
    pub fn words<T>(&self, look: impl FnOnce(&mut Words) -> T) -> T {
        let mut slot = self.words.lock();
        if let Some(words) = slot.as_deref_mut() {
            return look(words);
        }
        let mut words = Words::default();
        let seen = look(&mut words);
        if words != Words::default() {
            *slot = Some(Box::new(words));
        }
        seen
    }

    fn ttl(&self) -> PackedTtl {
        PackedTtl(self.ttl.load(Ordering::SeqCst))
    }
}

/// Where a lease of this ttl ends.
fn deadline(now: Tick, ttl: PackedTtl) -> u64 {
    match ttl {
        PackedTtl::PERMANENT => PERMANENT,
        PackedTtl(millis) => now.0.saturating_add(millis.into()).min(ELSEWHERE - 1),
    }
}

impl Words {
    /// Keeps the result of a check in place of its last one.
    pub fn keep_result(&mut self, check: &CheckSpec, result: CheckResult) {
        match self.results.iter_mut().find(|(kept, _)| kept == check) {
            Some((_, last)) => *last = result,
            None => self.results.push((check.clone(), result)),
        }
    }

    /// The last result of a check.
    pub fn result(&self, check: &CheckSpec) -> Option<&CheckResult> {
        self.results.iter().find(|(kept, _)| kept == check).map(|(_, result)| result)
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

    const TTL: LeaseTtl = LeaseTtl::For(Span::from_millis(100));

    #[test]
    fn a_lease_is_renewed_until_it_lapses() {
        let pulse = Pulse::begin(Tick(0), TTL);
        assert_eq!(pulse.expire(Tick(99)), Err(Some(Tick(100))));
        assert_eq!(pulse.renew(Tick(50)), Renewal::Renewed);
        assert_eq!(pulse.last_heartbeat(), Some(Tick(50)));
        assert_eq!(pulse.expire(Tick(149)), Err(Some(Tick(150))));
        assert_eq!(pulse.expire(Tick(150)), Ok(()));
        assert_eq!(pulse.renew(Tick(151)), Renewal::Lapsed);
        assert_eq!(pulse.deadline(), None);
        pulse.restart(Tick(160), TTL);
        assert_eq!(pulse.deadline(), Some(Tick(260)));
    }

    #[test]
    fn caches_are_clear_a_while_after_the_instance_left() {
        let pulse = Pulse::begin(Tick(0), TTL);
        assert_eq!(pulse.clear_at(), None);
        pulse.note_served(false, || Tick(6));
        pulse.note_served(false, || Tick(7));
        assert_eq!(pulse.clear_at(), Some(Tick(6)), "it left once");
        pulse.note_served(true, || Tick(8));
        assert_eq!(pulse.clear_at(), None);
        pulse.note_served(false, || Tick(9));
        assert_eq!(pulse.clear_at(), Some(Tick(9)));
    }

    #[test]
    fn a_lease_is_extended_and_brought_back() {
        let pulse = Pulse::begin(Tick(0), TTL);
        pulse.extend(Tick(50));
        assert_eq!((pulse.deadline(), pulse.last_heartbeat()), (Some(Tick(150)), None));
        pulse.extend(Tick(20));
        assert_eq!(pulse.deadline(), Some(Tick(150)), "never shorter");
        pulse.lapse();
        pulse.extend(Tick(200));
        assert_eq!(pulse.deadline(), None, "what has lapsed stays so");
        pulse.overdue_since(Tick(300));
        assert_eq!(pulse.deadline(), Some(Tick(300)));
        assert_eq!(pulse.renew(Tick(301)), Renewal::Renewed);
        pulse.overdue_since(Tick(302));
        assert_eq!(pulse.deadline(), Some(Tick(401)), "only what has lapsed is brought back");
    }

    #[test]
    fn words_are_kept_when_there_are_any() {
        let pulse = Pulse::begin(Tick(0), TTL);
        assert_eq!(pulse.words(|words| words.message.clone()), None);
        assert!(pulse.words.lock().is_none(), "to look costs nothing");
        pulse.words(|words| words.message = Some("busy".into()));
        assert_eq!(pulse.words(|words| words.message.take()).as_deref(), Some("busy"));
        assert_eq!(pulse.words(|words| words.message.clone()), None);
    }

    #[test]
    fn a_lease_that_others_keep_is_neither_renewed_nor_lapsed() {
        let pulse = Pulse::begin(Tick(0), TTL);
        pulse.leave_to_others();
        assert_eq!((pulse.renew(Tick(10)), pulse.deadline()), (Renewal::Lapsed, None));
        pulse.extend(Tick(20));
        pulse.overdue_since(Tick(20));
        assert_eq!(pulse.expire(Tick(5_000)), Err(None));
        assert!(pulse.is_kept_elsewhere() && !pulse.has_lapsed());
        pulse.restart(Tick(30), TTL);
        assert_eq!((pulse.is_kept_elsewhere(), pulse.deadline()), (false, Some(Tick(130))));
    }

    #[test]
    fn a_lease_in_trust_runs_out_here_and_is_not_renewed() {
        let pulse = Pulse::begin(Tick(0), TTL);
        pulse.set_in_trust(true);
        assert_eq!((pulse.renew(Tick(10)), pulse.deadline()), (Renewal::Lapsed, Some(Tick(100))));
        pulse.extend(Tick(20));
        assert_eq!((pulse.keeping(), pulse.expire(Tick(119))), (Keeping::InTrust, Err(Some(Tick(120)))));
        assert_eq!(pulse.expire(Tick(120)), Ok(()));
        pulse.leave_to_others();
        assert_eq!(pulse.keeping(), Keeping::Elsewhere);
        pulse.set_in_trust(false);
        pulse.restart(Tick(200), TTL);
        assert_eq!((pulse.keeping(), pulse.renew(Tick(210))), (Keeping::Own, Renewal::Renewed));
    }

    #[test]
    fn a_permanent_lease_never_lapses() {
        let pulse = Pulse::begin(Tick(0), LeaseTtl::Permanent);
        assert_eq!(pulse.expire(Tick(u64::MAX - 2)), Err(None));
        assert_eq!(pulse.renew(Tick(5)), Renewal::Renewed);
    }
}
