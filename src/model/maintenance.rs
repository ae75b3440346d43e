//! An operator's mark that an instance is being worked on.

use smol_str::SmolStr;

use super::Moment;

/// The mark. It belongs to the name of an instance and not to its registration: it stays when the instance goes, and is
/// there when it comes back, until it is lifted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    pub reason: Option<SmolStr>,
    /// When it was set; another reason does not move it. The tick of one from before a restart is that of the start.
    pub since: Moment,
}
