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
    Service(&'r Block),
    /// The instances of one protocol.
    ServiceType(&'r Block, Protocol),
    /// One instance, whose id is the first label.
    Instance(&'r Block),
    Nothing,
}

/// What a name is of a service.
#[derive(Debug, Clone, Copy)]
enum What {
    Service,
    ServiceType(Protocol),
    Instance,
}

/// A service whose entry has not been read yet.
struct Sought<'q, 'r> {
    what: What,
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

    fn target<'r>(&self, sought: &Sought<'_, 'r>, reading: &'r Reading<'_>) -> Option<Target<'r>> {
        let Sought { what, label, likely } = sought;
        if let Some(block) = likely.and_then(|likely| likely.block_of(label)) {
            return block.map(|block| what.of(block));
        }
        let mut octets = [0; MAX_LABEL];
        let lowered = octets.get_mut(..label.len())?;
        lowered.copy_from_slice(label);
        lowered.make_ascii_lowercase();
        match (reading.block(lowered), what) {
            (Some(block), what) => block.map(|block| what.of(block)),
            (None, What::Service) => self.has_nothing_at(lowered).then_some(Target::Nothing),
            (None, What::ServiceType(_) | What::Instance) => None,
        }
    }
}

impl What {
    #[inline]
    fn of(self, block: &Block) -> Target<'_> {
        match self {
            Self::Service => Target::Service(block),
            Self::ServiceType(protocol) => Target::ServiceType(block, protocol),
            Self::Instance => Target::Instance(block),
        }
    }
}

impl<'q, 'r> Sought<'q, 'r> {
    /// `None` when the name is not for the hot path.
    #[inline]
    fn new(asked: &Asked<'q>, reading: &'r Reading<'_>) -> Option<Self> {
        let (mut labels, mut octets) = (asked.labels(), [0; MAX_LABEL]);
        let front = labels.next()?;
        let (what, label, lowered) = match labels.next() {
            None => (What::Service, front, asked.lowered(0, &mut octets)?),
            Some(back) => {
                let lowered = asked.lowered(1, &mut octets)?;
                match transport(lowered) {
                    None => (What::Instance, back, lowered),
                    Some(protocol) => {
                        let lowered = asked.lowered(0, &mut octets)?.strip_prefix(b"_")?;
                        (What::ServiceType(protocol), &front[1..], lowered)
                    }
                }
            }
        };
        let likely = reading.seek(lowered);
        labels.next().is_none().then_some(Self { what, label, likely })
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
            Self::Service(block) | Self::ServiceType(block, _) | Self::Instance(block) => Some(block),
            Self::Nothing => None,
        }
    }
}

#[inline]
fn transport(label: &[u8]) -> Option<Protocol> {
    match label {
        b"_tcp" => Some(Protocol::Tcp),
        b"_udp" => Some(Protocol::Udp),
        _ => None,
    }
}
