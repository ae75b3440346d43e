//! Choosing among the instances of a service: which of them a client means, and the one that it gets.
//!
//! Nothing here reads a clock or draws a number: randomness is an argument, and what a strategy remembers from one pick
//! to the next is in [`Rotations`], which its owner keeps.

mod pick;
mod rotation;
mod selector;

pub use pick::{Pick, any, drawn, eligible, keep_first, least};
pub use rotation::Rotations;
pub use selector::Selector;

#[cfg(test)]
mod tests;
