//! The verdicts of all checks of an instance, in two octets: a million instances have them.

use super::{Verdict, limits};

/// One verdict for each check of a registration, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verdicts(
    /// Two bits for each place, the first lowest; zero where there is no check.
    u16,
);

const BITS: usize = 2;
const MASK: u16 = (1 << BITS) - 1;
/// The lower bit of each place.
const LOWS: u16 = u16::MAX / MASK;
const _: () = assert!(limits::CHECKS * BITS <= u16::BITS as usize);

impl Verdicts {
    /// The verdicts of `checks` checks: those that are given, and for the rest none yet.
    pub fn of(checks: usize, given: impl IntoIterator<Item = Verdict>) -> Self {
        given.into_iter().chain(std::iter::repeat(Verdict::Unknown)).take(checks).collect()
    }

    /// The verdict of the check at a place, if there is one.
    pub fn get(self, place: usize) -> Option<Verdict> {
        if place >= limits::CHECKS {
            return None;
        }
        match (self.0 >> (place * BITS)) & MASK {
            0 => None,
            1 => Some(Verdict::Unknown),
            2 => Some(Verdict::Passing),
            _ => Some(Verdict::Failing),
        }
    }

    /// Another verdict for the check at a place. Where there is no check there will be none.
    pub fn set(&mut self, place: usize, verdict: Verdict) {
        if self.get(place).is_some() {
            let shift = place * BITS;
            self.0 = self.0 & !(MASK << shift) | code(verdict) << shift;
        }
    }

    pub fn iter(self) -> impl Iterator<Item = Verdict> {
        (0..limits::CHECKS).map_while(move |place| self.get(place))
    }

    pub fn contains(self, verdict: Verdict) -> bool {
        // No bit is left where it is the verdict.
        let others = self.0 ^ (code(verdict) * LOWS);
        !(others | (others >> 1)) & LOWS != 0
    }
}

impl FromIterator<Verdict> for Verdicts {
    /// As many as an instance may have checks.
    fn from_iter<I: IntoIterator<Item = Verdict>>(verdicts: I) -> Self {
        let placed = verdicts.into_iter().take(limits::CHECKS).enumerate();
        Self(placed.fold(0, |bits, (place, verdict)| bits | code(verdict) << (place * BITS)))
    }
}

fn code(verdict: Verdict) -> u16 {
    match verdict {
        Verdict::Unknown => 1,
        Verdict::Passing => 2,
        Verdict::Failing => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Failing, Passing, Unknown};

    #[test]
    fn verdicts_keep_their_places() {
        let all = [Unknown, Passing, Failing, Failing, Unknown, Passing, Passing, Failing];
        for count in 0..=all.len() {
            let mut verdicts: Verdicts = all[..count].iter().copied().collect();
            assert_eq!(verdicts.iter().collect::<Vec<_>>(), all[..count]);
            assert_eq!(verdicts.contains(Failing), all[..count].contains(&Failing));
            assert_eq!((verdicts.get(count), verdicts.get(usize::MAX)), (None, None));
            for place in 0..=count {
                verdicts.set(place, Passing);
            }
            assert_eq!(verdicts.iter().collect::<Vec<_>>(), vec![Passing; count], "and none comes where no check is");
        }
    }

    #[test]
    fn checks_without_a_verdict_have_none_yet() {
        let of = |checks, given: &[Verdict]| Verdicts::of(checks, given.iter().copied()).iter().collect::<Vec<_>>();
        assert_eq!(of(3, &[Passing]), [Passing, Unknown, Unknown]);
        assert_eq!(of(1, &[Failing, Passing]), [Failing]);
        assert_eq!(of(0, &[Failing]), []);
    }
}
