//! How long an instance lives without being heard.

use super::Span;

/// How long an instance lives without a heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeaseTtl {
    For(Span),
    /// Until it is deregistered.
    Permanent,
}

/// The same in four octets: milliseconds, or the mark below. What is longer than they can say, which is seven weeks
/// and far above the longest lease, counts as that long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedTtl(pub u32);

impl PackedTtl {
    pub const PERMANENT: Self = Self(u32::MAX);
}

impl From<LeaseTtl> for PackedTtl {
    fn from(ttl: LeaseTtl) -> Self {
        match ttl {
            LeaseTtl::For(span) => Self(u32::try_from(span.as_millis()).unwrap_or(u32::MAX).min(u32::MAX - 1)),
            LeaseTtl::Permanent => Self::PERMANENT,
        }
    }
}

impl From<PackedTtl> for LeaseTtl {
    fn from(packed: PackedTtl) -> Self {
        match packed {
            PackedTtl::PERMANENT => Self::Permanent,
            PackedTtl(millis) => Self::For(Span::from_millis(millis.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::limits;

    #[test]
    fn every_lease_can_be_said_in_short() {
        let longest = *limits::LEASE_TTL.end();
        for ttl in [0, 1, longest, u64::from(u32::MAX) - 1].map(Span::from_millis).map(LeaseTtl::For) {
            assert_eq!(LeaseTtl::from(PackedTtl::from(ttl)), ttl);
        }
        assert_eq!(LeaseTtl::from(PackedTtl::from(LeaseTtl::Permanent)), LeaseTtl::Permanent);
        let endless = LeaseTtl::from(PackedTtl::from(LeaseTtl::For(Span::from_millis(u64::MAX))));
        assert_eq!(endless, LeaseTtl::For(Span::from_millis(u64::from(u32::MAX) - 1)));
    }
}
