//! Places that keep the registry's state, behind the engine's ports.
//!
//! [`Memory`] forgets everything at the end; [`Embedded`] is a directory on this machine; [`Etcd`] is shared by any number
//! of servers. All of them pass the same battery of behaviours; a further one is a line there.

mod embedded;
pub mod etcd;
mod memory;
#[cfg(test)]
mod tests;

pub use embedded::{Embedded, Outcome, Restoration, RestoreError};
pub use etcd::Etcd;
pub use memory::Memory;

/// An error with its causes on one line.
fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
