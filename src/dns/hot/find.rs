//! Finding whose names are asked for: of a whole batch, one step of all at a time.

use std::hint::black_box;

use smallvec::SmallVec;

use super::{Asked, Hot};
use crate::answer::Block;
use crate::engine::{Likely, Reading};
use crate::model::Protocol;
use crate::wire::MAX_LABEL;

/// Questions that are looked up at once without an allocation.
pub const AT_ONCE: usize = 32;

/// What is found of several questions; `None` where that is not for the hot path.
pub type Found<'r> = SmallVec<[Option<Target<'r>>; AT_ONCE]>;

/// What a name stands for.
///
/// Two fields without an enumeration around them: they are handed on in registers. One would be copied through memory, loaded
/// by other widths than it was stored by, and waited for each time.
#[derive(Debug, Clone, Copy)]
pub struct Target<'r> {
    pub part: Part,
    /// The service; `None` when there is none of that name.
    pub block: Option<&'r Block>,
}

/// What a name is of a service.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Service,
    /// The instances of one protocol.
    Type(Protocol),
    /// One instance, whose id is the first label.
    Instance,
}

/// A service whose entry has not been read yet.
struct Sought<'q, 'r> {
    part: Part,
    /// The label of the service, in the case of the question.
    label: &'q [u8],
    likely: Option<Likely<'r>>,
}

impl Hot {
    /// Looks up whose names are asked for, and adds what each stands for to `found`. What is found has been touched, so that
    /// it may still be on its way from memory.
    ///
    /// The table leads to an entry and the entry to a block, and each may have to come from memory. All questions take one
    /// step before any takes the next, so that they wait together.
    pub fn find<'r>(&self, asked: &[Option<Asked<'_>>], reading: &'r Reading<'_>, found: &mut Found<'r>) {
        let mut sought = SmallVec::<[Option<Sought<'_, '_>>; AT_ONCE]>::new();
        for asked in asked {
            sought.push(asked.as_ref().and_then(|asked| Sought::new(asked, reading)));
        }
        let likely = || sought.iter().flatten().filter_map(|sought| sought.likely);
        black_box(likely().fold(0, |sum: u8, likely| sum.wrapping_add(likely.touch())));
        black_box(likely().fold(0, |sum: u8, likely| sum.wrapping_add(likely.touch_block())));
        for sought in &sought {
            found.push(sought.as_ref().and_then(|sought| self.target(sought, reading)));
        }
    }

    #[inline]
    fn target<'r>(&self, sought: &Sought<'_, 'r>, reading: &'r Reading<'_>) -> Option<Target<'r>> {
        match sought.likely.and_then(|likely| likely.block_of(sought.label)) {
            Some(block) => Some(Target { part: sought.part, block: Some(block) }),
            None => self.unlikely(sought, reading),
        }
    }

    /// Looks up whose entry is not where it was likely to be.
    fn unlikely<'r>(&self, sought: &Sought<'_, 'r>, reading: &'r Reading<'_>) -> Option<Target<'r>> {
        let Sought { part, label, .. } = *sought;
        let mut octets = [0; MAX_LABEL];
        let lowered = octets.get_mut(..label.len())?;
        lowered.copy_from_slice(label);
        lowered.make_ascii_lowercase();
        match (reading.block(lowered), part) {
            (Some(block), part) => block.map(|block| Target { part, block: Some(block) }),
            (None, Part::Service) => self.has_nothing_at(lowered).then_some(Target { part, block: None }),
            (None, Part::Type(_) | Part::Instance) => None,
        }
    }
}

impl<'q, 'r> Sought<'q, 'r> {
    /// `None` when the name is not for the hot path.
    // Returned through memory, it would be loaded by other widths than it was stored by, which waits until the stores are
    // done: nothing is forwarded then.
    #[inline(always)]
    fn new(asked: &Asked<'q>, reading: &'r Reading<'_>) -> Option<Self> {
        let (mut labels, mut octets) = (asked.labels(), [0; MAX_LABEL]);
        let (front, back) = (labels.next()?, labels.next());
        if labels.next().is_some() {
            return None;
        }
        let (part, label, lowered) = match back.map(|back| (back, transport(back))) {
            None => (Part::Service, front, asked.lowered(0, &mut octets)?),
            Some((back, None)) => (Part::Instance, back, asked.lowered(1, &mut octets)?),
            Some((_, Some(protocol))) => {
                let lowered = asked.lowered(0, &mut octets)?.strip_prefix(b"_")?;
                (Part::Type(protocol), &front[1..], lowered)
            }
        };
        Some(Self { part, label, likely: reading.seek(lowered) })
    }
}

/// The protocol that a label means, in any case.
#[inline]
fn transport(label: &[u8]) -> Option<Protocol> {
    match &label.as_array()?.map(|octet: u8| octet.to_ascii_lowercase()) {
        b"_tcp" => Some(Protocol::Tcp),
        b"_udp" => Some(Protocol::Udp),
        _ => None,
    }
}
