//! The log: what has changed since a state, one frame for each batch.
//!
//! A batch is on the disk when [`Log::append`] returns. What a failed append left is cut off before anything else is
//! written, so a log heals when its disk does.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::files::{Directory, faulty, unusable};
use crate::archive::{Batch, Body, Fault, Frames, Head, HeadKind, LONGEST, begin, framed, has_later_frame};
use crate::engine::StoreError;
use crate::model::Revision;

/// Room for the usual batch, which is kept.
const ROOM: usize = 1 << 20;
/// So much is searched at most for the reason why a log does not go on.
const SEARCH: u64 = 512 << 20;

/// A log that is written.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// Octets that are whole and on the disk.
    length: u64,
    /// The number of the next frame.
    number: u32,
    /// Something may follow that is not.
    torn: bool,
    /// Nothing was written since it was closed in order.
    closed: bool,
    octets: Vec<u8>,
}

/// Where a log that was read ends.
#[derive(Debug)]
pub struct End {
    at: u64,
    number: u32,
    closed: bool,
    /// Octets after it that are no whole frame.
    torn: u64,
}

impl Log {
    /// Begins the log `generation` in a directory.
    pub fn begin(directory: &Directory, generation: u64, revision: Revision) -> io::Result<Self> {
        let path = directory.log(generation);
        let head = begin(&Head { kind: HeadKind::Log, generation, revision, records: 0 });
        let file = directory.place(&path, |file| {
            file.write_all_at(&head, 0)?;
            Ok((file.try_clone()?, file))
        })?;
        Ok(Self { file, path, length: head.len() as u64, number: 1, torn: false, closed: false, octets: Vec::new() })
    }

    /// Goes on with a log that was read to its `end`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn go_on(path: PathBuf, end: &End) -> Result<Self, StoreError> {
        let file = OpenOptions::new().read(true).write(true).open(&path).map_err(|error| unusable(&path, error))?;
        if end.torn > 0 {
            tracing::warn!(
                path = %path.display(), at = end.at, octets = end.torn,
                "the last batch was being written when the server ended; nobody was told that it was done, and it is left out"
            );
        }
        let (length, number, closed) = (end.at, end.number, end.closed);
        Ok(Self { file, path, length, number, torn: end.torn > 0, closed, octets: Vec::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Octets that it takes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Cuts off what is not whole.
    pub fn mend(&mut self) -> io::Result<()> {
        if self.torn {
            self.file.set_len(self.length)?;
            self.file.sync_all()?;
            self.torn = false;
        }
        Ok(())
    }

    /// Writes one frame, whose body `write` appends, and returns when it is on the disk.
    ///
    /// # Errors
    /// When it may not be. Then it does not count.
    pub fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.mend()?;
        self.octets.clear();
        self.octets.shrink_to(ROOM);
        framed(&mut self.octets, self.number, write);
        if self.octets.len() > LONGEST as usize {
            return Err(io::Error::other("the batch is too large to be written"));
        }
        self.torn = true;
        self.file.write_all_at(&self.octets, self.length)?;
        self.file.sync_data()?;
        self.torn = false;
        self.closed = false;
        self.length += self.octets.len() as u64;
        self.number += 1;
        Ok(())
    }

    /// Writes that it ends here in order: damage to the last batch is told from a batch that was not finished.
    pub fn close(&mut self) -> io::Result<()> {
        if !self.closed {
            self.append(|body| body.push(b'C'))?;
            self.closed = true;
        }
        Ok(())
    }
}

/// Reads a log. The last one may end within a batch that nobody was told of; one that was followed by another may not.
///
/// # Errors
/// When it is damaged or cannot be read.
pub fn read(
    path: &Path,
    is_last: bool,
    mut take: impl FnMut(Batch<'_>) -> Result<(), Fault>,
) -> Result<End, StoreError> {
    let file = File::open(path).map_err(|error| unusable(path, error))?;
    let (mut frames, head) = Frames::open(&file).map_err(|fault| faulty(path, fault))?;
    if head.kind != HeadKind::Log {
        return Err(faulty(path, Fault::Alien));
    }
    let mut closed = false;
    loop {
        let (at, number) = (frames.at(), frames.number());
        match frames.next_frame() {
            Ok(None) => return Ok(End { at, number, closed, torn: 0 }),
            Ok(Some(Body::Closed)) => closed = true,
            Ok(Some(Body::Batch(batch))) => {
                closed = false;
                take(batch).map_err(|fault| faulty(path, fault))?;
            }
            Ok(Some(Body::End { .. })) => return Err(faulty(path, Fault::Alien)),
            Err(fault @ (Fault::Short { .. } | Fault::Damaged { .. })) if is_last => {
                drop(frames);
                return torn(&file, at, number)
                    .map_err(|error| unusable(path, error))?
                    .map(|torn| End { at, number, closed, torn })
                    .ok_or_else(|| faulty(path, fault));
            }
            Err(fault) => return Err(faulty(path, fault)),
        }
    }
}

/// How many octets of a frame there are that was not finished; `None` if a later one is whole, so that it once was.
fn torn(mut file: &File, at: u64, number: u32) -> io::Result<Option<u64>> {
    let left = file.metadata()?.len().saturating_sub(at);
    if left > SEARCH {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok((!has_later_frame(&rest, number)).then_some(left))
}
