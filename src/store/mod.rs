//! Places that keep the registry's state: one file each, behind the engine's port.
//!
//! [`Memory`] forgets everything at the end; [`Embedded`] is one file on this machine. All of them pass the same battery
//! of behaviours; a further one is a line there.

mod codec;
mod embedded;
mod memory;
#[cfg(test)]
mod tests;

pub use embedded::Embedded;
pub use memory::Memory;
