//! A long vector that never moves what it holds.
//!
//! A plain one copies all of it when it grows, in the middle of one unlucky change, and has up to twice the room that it
//! needs. This one grows by a chunk.

use std::ops::{Index, IndexMut};

const CHUNK: usize = 4096;

#[derive(Debug)]
pub(super) struct Chunks<T>(Vec<Vec<T>>);

impl<T> Default for Chunks<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Chunks<T> {
    /// Adds a value at the end and tells its place.
    pub fn push(&mut self, value: T) -> u32 {
        let full = self.0.len().saturating_sub(1) * CHUNK;
        match self.0.last_mut().filter(|last| last.len() < CHUNK) {
            Some(last) => {
                last.push(value);
                (full + last.len() - 1) as u32
            }
            None => {
                let place = self.0.len() * CHUNK;
                let mut chunk = Vec::with_capacity(CHUNK);
                chunk.push(value);
                self.0.push(chunk);
                place as u32
            }
        }
    }
}

impl<T> Index<u32> for Chunks<T> {
    type Output = T;

    fn index(&self, place: u32) -> &T {
        &self.0[place as usize / CHUNK][place as usize % CHUNK]
    }
}

impl<T> IndexMut<u32> for Chunks<T> {
    fn index_mut(&mut self, place: u32) -> &mut T {
        &mut self.0[place as usize / CHUNK][place as usize % CHUNK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_at_their_places() {
        let mut chunks = Chunks::default();
        let count = 2 * CHUNK as u32 + 1;
        assert!((0..count).all(|number| chunks.push(number) == number));
        assert!((0..count).all(|place| chunks[place] == place));
        chunks[CHUNK as u32] = 0;
        assert_eq!((chunks[CHUNK as u32 - 1], chunks[CHUNK as u32]), (CHUNK as u32 - 1, 0));
    }
}
