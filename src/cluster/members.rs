//! The servers that are live, and the duties that follow.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::draw::{draw, number};
use crate::model::{Keeping, Key, SubscriptionId};

/// After so long unheard, a server counts as dead. So long it may do what was its to do without knowing that it is not.
pub const UNHEARD: Duration = Duration::from_secs(5);

/// What a server is called among those that share its registry: drawn at random when its process starts, and written in
/// sixteen hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerId(pub u64);

impl ServerId {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let is_written_so = text.len() == 16 && text.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
        u64::from_str_radix(text, 16).ok().filter(|_| is_written_so).map(Self)
    }
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Who is live, as one server knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members {
    me: ServerId,
    live: BTreeSet<ServerId>,
    /// Whether the others may take this server for dead: then it has no duties, whatever it last heard.
    cut_off: bool,
}

impl Members {
    /// As the server `me` knows it that has heard of nobody yet.
    pub fn new(me: ServerId) -> Self {
        Self { me, live: BTreeSet::new(), cut_off: true }
    }

    pub fn me(&self) -> ServerId {
        self.me
    }

    /// Every server that is live, in the order of their ids.
    pub fn live(&self) -> impl ExactSizeIterator<Item = ServerId> {
        self.live.iter().copied()
    }

    pub fn is_live(&self, server: ServerId) -> bool {
        self.live.contains(&server)
    }

    /// A server has announced itself, or its announcement is gone.
    pub fn set(&mut self, server: ServerId, is_live: bool) {
        match is_live {
            true => self.live.insert(server),
            false => self.live.remove(&server),
        };
    }

    /// Nobody is live but these.
    pub fn replace(&mut self, live: impl IntoIterator<Item = ServerId>) {
        self.live = live.into_iter().collect();
    }

    /// Whether the others may take this server for dead from now on.
    pub fn set_cut_off(&mut self, cut_off: bool) {
        self.cut_off = cut_off;
    }

    /// Who keeps an instance that `owner` took last; `None` when nobody is live.
    pub fn keeper(&self, key: &Key, owner: Option<ServerId>) -> Option<ServerId> {
        owner.filter(|owner| self.is_live(*owner)).or_else(|| self.checker(key))
    }

    /// Who checks an instance.
    pub fn checker(&self, key: &Key) -> Option<ServerId> {
        draw(self.live(), number(&[key.service.as_str(), key.id.as_str()]))
    }

    /// Who posts to the callback of a subscription.
    pub fn poster(&self, id: &SubscriptionId) -> Option<ServerId> {
        draw(self.live(), number(&[id.as_str()]))
    }

    /// How this server keeps an instance that `owner` took last. Its own is only what it took itself: of that it knows
    /// everything there is to know, whatever it has not heard from the others.
    pub fn keeping(&self, key: &Key, owner: Option<ServerId>) -> Keeping {
        match self.is_on_duty() && self.keeper(key, owner) == Some(self.me) {
            false => Keeping::Elsewhere,
            true if owner == Some(self.me) => Keeping::Own,
            true => Keeping::InTrust,
        }
    }

    /// Whether this server checks an instance.
    pub fn checks(&self, key: &Key) -> bool {
        self.is_on_duty() && self.checker(key) == Some(self.me)
    }

    /// Whether this server posts to the callback of a subscription.
    pub fn posts(&self, id: &SubscriptionId) -> bool {
        self.is_on_duty() && self.poster(id) == Some(self.me)
    }

    fn is_on_duty(&self) -> bool {
        !self.cut_off && self.is_live(self.me)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{InstanceId, ServiceName};

    const A: ServerId = ServerId(1);
    const B: ServerId = ServerId(2);
    const C: ServerId = ServerId(3);

    fn key(id: usize) -> Key {
        let id = InstanceId::parse(&format!("i{id}")).unwrap();
        Key { service: ServiceName::parse("web").unwrap(), id }
    }

    fn seen_by(me: ServerId, live: &[ServerId]) -> Members {
        let mut members = Members::new(me);
        members.replace(live.iter().copied());
        members.set_cut_off(false);
        members
    }

    #[test]
    fn a_lease_is_kept_by_who_took_it_while_it_lives() {
        let drawn = |live: &[ServerId]| seen_by(A, live).checker(&key(0));
        for (live, owner, keeper) in [
            (&[A, B, C][..], Some(B), Some(B)),
            (&[A, C], Some(B), drawn(&[A, C])),
            (&[A], Some(B), Some(A)),
            (&[A, B, C], None, drawn(&[A, B, C])),
            (&[], Some(B), None),
        ] {
            assert_eq!(seen_by(A, live).keeper(&key(0), owner), keeper, "{live:?} {owner:?}");
        }
    }

    #[test]
    fn every_duty_is_somebody_s_and_nobody_else_s() {
        for live in [&[A, B, C][..], &[A, C], &[B]] {
            let all: Vec<_> = live.iter().map(|me| seen_by(*me, live)).collect();
            for at in 0..200 {
                let id = SubscriptionId::parse(&format!("s{at}")).unwrap();
                let count = |has: &dyn Fn(&Members) -> bool| all.iter().filter(|members| has(members)).count();
                assert_eq!(count(&|members| members.checks(&key(at))), 1, "checks {at} of {live:?}");
                assert_eq!(count(&|members| members.posts(&id)), 1, "posts {at} of {live:?}");
                for owner in [None, Some(A), Some(B), Some(C)] {
                    let keeps = |members: &Members| members.keeping(&key(at), owner) != Keeping::Elsewhere;
                    assert_eq!(count(&keeps), 1, "keeps {at} of {live:?}");
                    let owns = |members: &Members| members.keeping(&key(at), owner) == Keeping::Own;
                    let is_live = owner.is_some_and(|owner| live.contains(&owner));
                    assert_eq!(count(&owns), usize::from(is_live), "owns {at} of {live:?}");
                }
            }
        }
    }

    #[test]
    fn who_may_be_taken_for_dead_has_no_duties() {
        let mut members = seen_by(A, &[A]);
        let keeping = |members: &Members| members.keeping(&key(0), Some(A));
        assert!(members.checks(&key(0)) && keeping(&members) == Keeping::Own);
        members.set_cut_off(true);
        assert!(!members.checks(&key(0)) && keeping(&members) == Keeping::Elsewhere);
        members.set_cut_off(false);
        members.set(A, false);
        assert_eq!(keeping(&members), Keeping::Elsewhere);
    }

    #[test]
    fn ids_are_read_as_they_are_written() {
        let id = ServerId(0x00ab_cdef_0123_4567);
        assert_eq!(ServerId::parse(&id.to_string()), Some(id));
        for text in ["", "1", "00ABCDEF01234567", "+0abcdef01234567", "00abcdef012345678"] {
            assert_eq!(ServerId::parse(text), None, "{text}");
        }
    }
}
