//! What a registration says beyond an address, a port and a weight: most say nothing, and those of one service mostly
//! say the same.

use std::sync::Arc;

use smol_str::SmolStr;

use crate::model::{CheckSpec, Port, PortName, Span, Tag};

/// The members that a registration may leave out and that take room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Particulars {
    /// In the order of their names.
    pub ports: Box<[(PortName, Port)]>,
    pub scheme: SmolStr,
    pub version: Option<SmolStr>,
    pub tags: Box<[Tag]>,
    pub deregister_after: Option<Span>,
    pub slow_start: Option<Span>,
    pub checks: Box<[CheckSpec]>,
}

/// The scheme of those that name none.
pub(super) const SCHEME: &str = "http";

impl Default for Particulars {
    fn default() -> Self {
        Self {
            ports: Box::default(),
            scheme: SmolStr::new_static(SCHEME),
            version: None,
            tags: Box::default(),
            deregister_after: None,
            slow_start: None,
            checks: Box::default(),
        }
    }
}

impl Particulars {
    /// These, unless they say nothing.
    pub fn if_any(self) -> Option<Arc<Self>> {
        (self != Self::default()).then(|| Arc::new(self))
    }
}
