//! Finding whose names are asked for: of a whole batch, one step of all at a time.

use std::hint::black_box;

use super::{Asked, Hot};
use crate::answer::Block;
use crate::engine::{Likely, Reading};
use crate::model::Protocol;
use crate::wire::MAX_LABEL;

/// What a name stands for.
#[derive(Debug, Clone, Copy)]
pub enum Target<'r> {
    Of(Part, &'r Block),
    Nothing,
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
    /// Looks up whose names are asked for, of at most so many questions; `None` where that is not for the hot path. What is
    /// found has been touched, so that it may still be on its way from memory.
    ///
    /// The table leads to an entry and the entry to a block, and each may have to come from memory. All questions take one
    /// step before any takes the next, so that they wait together.
    pub fn find<'r, const MOST: usize>(
        &self,
        asked: &[Option<Asked<'_>>],
        reading: &'r Reading<'_>,
    ) -> [Option<Target<'r>>; MOST] {
        let (mut sought, mut found) = ([const { None }; MOST], [None; MOST]);
        for (asked, sought) in asked.iter().zip(&mut sought) {
            *sought = asked.as_ref().and_then(|asked| Sought::new(asked, reading));
        }
        let likely = sought.iter().flatten().filter_map(|sought| sought.likely);
        black_box(likely.fold(0, |sum: u8, likely| sum.wrapping_add(likely.touch())));
        for (sought, found) in sought.iter().zip(&mut found) {
            *found = sought.as_ref().and_then(|sought| self.target(sought, reading));
        }
        black_box(found.iter().flatten().fold(0, |sum: u8, target| sum.wrapping_add(target.touch())));
        found
    }

    #[inline]
    fn target<'r>(&self, sought: &Sought<'_, 'r>, reading: &'r Reading<'_>) -> Option<Target<'r>> {
        match sought.likely.and_then(|likely| likely.block_of(sought.label)) {
            Some(block) => block.map(|block| Target::Of(sought.part, block)),
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
            (Some(block), part) => block.map(|block| Target::Of(part, block)),
            (None, Part::Service) => self.has_nothing_at(lowered).then_some(Target::Nothing),
            (None, Part::Type(_) | Part::Instance) => None,
        }
    }
}

impl<'q, 'r> Sought<'q, 'r> {
    /// `None` when the name is not for the hot path.
    #[inline]
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

impl<'r> Target<'r> {
    /// Has what the answer is made of read from memory, without waiting for it as long as what comes of it is not looked at.
    #[inline]
    fn touch(&self) -> u8 {
        self.block().map_or(0, Block::touch)
    }

    pub(super) fn block(&self) -> Option<&'r Block> {
        match self {
            Self::Of(_, block) => Some(block),
            Self::Nothing => None,
        }
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
