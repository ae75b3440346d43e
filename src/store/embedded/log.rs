//! The log: what has changed since a state, one frame for each batch.
//!
//! A batch is on the disk when [`Log::append`] returns. What a failed append left is cut off before anything else is
//! written, so a log heals when its disk does.
//!
//! A file that grows costs the file system a write of its own at every append, for the new length and the new blocks. So
//! zeros are written ahead once in a while, and frames take their place: an fdatasync then takes 100 µs where it took 167
//! (ext4, 6 kB, virtual disk), and two thirds of the processor time. A log that is closed has none left.

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
/// Zeros that are written ahead.
const AHEAD: usize = 256 << 10;
/// Frames that are longer get no zeros behind them: they gain little, and one batch after the other would be written twice.
const SMALL: usize = AHEAD / 16;
/// So much is searched at most for the reason why a log does not go on.
const SEARCH: u64 = 512 << 20;

/// A log that is written.
#[derive(Debug)]
pub struct Log {
    file: File,
    path: PathBuf,
    /// Octets that are whole and on the disk.
    length: u64,
    /// Octets that the file has; from `length` on they are zeros.
    room: u64,
    /// The number of the next frame.
    number: u32,
    /// Something else may follow.
    torn: bool,
    /// Nothing was written since it was closed in order.
    closed: bool,
    /// Zeros are written ahead. No more once an append has failed: what lacks room for them may have it for frames.
    ahead: bool,
    octets: Vec<u8>,
}

/// Where a log that was read ends.
#[derive(Debug)]
pub struct End {
    at: u64,
    number: u32,
    closed: bool,
    /// Octets after it that are no whole frame, up to the last that is not zero.
    torn: u64,
    /// Octets that the file has.
    room: u64,
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
        let length = head.len() as u64;
        Ok(Self {
            file,
            path,
            length,
            room: length,
            number: 1,
            torn: false,
            closed: false,
            ahead: true,
            octets: Vec::new(),
        })
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
        let End { at: length, number, closed, torn, room } = *end;
        if !closed {
            // The last frame may have been written and not brought to the disk when the process ended.
            file.sync_data().map_err(|error| unusable(&path, error))?;
        }
        Ok(Self { file, path, length, room, number, torn: torn > 0, closed, ahead: true, octets: Vec::new() })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Octets of what is in it.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Cuts off what is not whole.
    pub fn mend(&mut self) -> io::Result<()> {
        if self.torn { self.cut() } else { Ok(()) }
    }

    /// Cuts off all that follows what is whole.
    fn cut(&mut self) -> io::Result<()> {
        self.file.set_len(self.length)?;
        self.file.sync_all()?;
        (self.room, self.torn) = (self.length, false);
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
        let end = self.length + self.octets.len() as u64;
        self.torn = true;
        self.put(end).inspect_err(|_| self.ahead = false)?;
        self.torn = false;
        self.closed = false;
        self.length = end;
        self.number += 1;
        Ok(())
    }

    /// Brings the octets of a frame to the disk, so that it ends at `end`.
    fn put(&mut self, end: u64) -> io::Result<()> {
        self.file.write_all_at(&self.octets, self.length)?;
        if end > self.room {
            self.room = if self.ahead && self.octets.len() <= SMALL { self.fill(end) } else { end };
        }
        self.file.sync_data()
    }

    /// Writes zeros from `end` on; returns how long the file is then. They are no condition of anything: a disk without room
    /// for them may have it for frames.
    fn fill(&self, end: u64) -> u64 {
        match self.file.write_all_at(&vec![0; AHEAD], end) {
            Ok(()) => end + AHEAD as u64,
            Err(_) => self.file.metadata().map_or(end, |file| file.len()),
        }
    }

    /// Writes that it ends here in order: damage to the last batch is told from a batch that was not finished.
    pub fn close(&mut self) -> io::Result<()> {
        if !self.closed {
            // They would be cut off again.
            let ahead = std::mem::take(&mut self.ahead);
            self.append(|body| body.push(b'C'))?;
            (self.ahead, self.closed) = (ahead, true);
        }
        if self.torn || self.room > self.length { self.cut() } else { Ok(()) }
    }
}

/// Reads a log. The last one may end with zeros, or within a batch that nobody was told of; one that was followed by
/// another may not.
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
            Ok(None) => return Ok(End { at, number, closed, torn: 0, room: at }),
            Ok(Some(Body::Closed)) => closed = true,
            Ok(Some(Body::Batch(batch))) => {
                closed = false;
                take(batch).map_err(|fault| faulty(path, fault))?;
            }
            Ok(Some(Body::End { .. })) => return Err(faulty(path, Fault::Alien)),
            Err(fault @ (Fault::Short { .. } | Fault::Damaged { .. })) if is_last => {
                drop(frames);
                let Some(rest) = rest(&file, at).map_err(|error| unusable(path, error))? else {
                    return Err(faulty(path, fault));
                };
                let torn = rest.iter().rposition(|octet| *octet != 0).map_or(0, |last| last as u64 + 1);
                if torn > 0 && has_later_frame(&rest, number) {
                    return Err(faulty(path, fault));
                }
                return Ok(End { at, number, closed, torn, room: at + rest.len() as u64 });
            }
            Err(fault) => return Err(faulty(path, fault)),
        }
    }
}

/// What there is from `at` on, unless it is too much to be one batch that was not finished.
fn rest(mut file: &File, at: u64) -> io::Result<Option<Vec<u8>>> {
    if file.metadata()?.len().saturating_sub(at) > SEARCH {
        return Ok(None);
    }
    file.seek(SeekFrom::Start(at))?;
    let mut rest = Vec::new();
    file.read_to_end(&mut rest)?;
    Ok(Some(rest))
}
