//! Places that keep the registry's state, behind the engine's ports.
//!
//! [`Memory`] forgets everything at the end; [`Embedded`] is one file on this machine; [`Etcd`] is shared by any number of
//! servers. All of them pass the same battery of behaviours; a further one is a line there.

mod codec;
mod embedded;
pub mod etcd;
mod memory;
#[cfg(test)]
mod tests;

pub use embedded::Embedded;
pub use etcd::Etcd;
pub use memory::Memory;
