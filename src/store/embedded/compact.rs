//! Compaction: a new state in place of an old one and its logs, on a thread of its own.

use std::fs::File;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use super::files::{Directory, unusable};
use super::sources::{Sources, Which};
use crate::archive::{Fault, Head, HeadKind, Writer};
use crate::engine::StoreError;

/// Octets between two times that a new state is brought to the disk. So no commit waits long behind it.
const SYNC: usize = 4 << 20;

/// A compaction that is under way.
#[derive(Debug)]
pub struct Compaction {
    thread: JoinHandle<Result<u64, StoreError>>,
    stop: Arc<AtomicBool>,
}

impl Compaction {
    /// Begins to write the state `number` from `sources`, which nobody writes any more.
    pub fn begin(directory: Arc<Directory>, sources: Sources, number: u64) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new().name("compaction".to_owned()).spawn(move || {
            let length = compact(&directory, &sources, number, &stopped)?;
            let listing = directory.list()?;
            directory.clear(&listing, number);
            Ok(length)
        })?;
        Ok(Self { thread, stop })
    }

    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// The octets of the new state.
    pub fn result(self) -> Result<u64, StoreError> {
        self.thread.join().unwrap_or_else(|_| Err(unusable("compaction".as_ref(), "the thread panicked")))
    }

    /// Has it end, whether or not it is done.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().ok();
    }
}

fn compact(directory: &Directory, sources: &Sources, number: u64, stop: &AtomicBool) -> Result<u64, StoreError> {
    let newest = sources.newest(false)?;
    let path = directory.state(number);
    let mut failure = None;
    let placed = directory.place(&path, |file| {
        let head = Head { kind: HeadKind::Copy, generation: number, revision: newest.revision, records: 0 };
        let mut writer = Writer::new(Gentle { file, unsynced: 0 }, &head)?;
        for which in [Which::Others, Which::Instances] {
            let written = sources.each(&newest, which, |entry| {
                if stop.load(Ordering::Relaxed) {
                    return Err(Fault::Io(io::ErrorKind::Interrupted.into()));
                }
                Ok(writer.take_over(entry)?)
            });
            written.map_err(|error| {
                failure = Some(error);
                io::Error::other("the sources cannot be read")
            })?;
        }
        let file = writer.finish()?.file;
        let length = file.metadata()?.len();
        Ok((file, length))
    });
    placed.map_err(|error| failure.unwrap_or_else(|| unusable(&path, error)))
}

/// A file that goes to the disk bit by bit.
struct Gentle {
    file: File,
    unsynced: usize,
}

impl Write for Gentle {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let count = self.file.write(octets)?;
        self.unsynced += count;
        if self.unsynced >= SYNC {
            self.unsynced = 0;
            self.file.sync_data()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
