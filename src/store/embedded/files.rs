//! The directory of a store: which files are in it, and whose it is.
//!
//! `state-N.srvd` holds all records as they were when `log-N.srvd` was begun; the logs from N on hold what has changed
//! since. A file is written under the name `….new` and takes its own when it is whole and on the disk. So at every moment
//! the newest state and the logs from its number on are everything, and what is older is left over.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::archive::Fault;
use crate::engine::StoreError;

const LOCK: &str = "lock";
/// How often a lock is tried that somebody has, and how long between. A program that was just started from this one has all
/// of its locks until it is itself (flock(2), execve(2)).
const TRIES: usize = 20;
const BETWEEN: Duration = Duration::from_millis(5);
const STATE: &str = "state";
const LOG: &str = "log";

/// A directory that no other process has open.
#[derive(Debug)]
pub struct Directory {
    path: PathBuf,
    /// Locked as long as this lives.
    _lock: File,
}

/// The files of a store, by their numbers, in order.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub states: Vec<u64>,
    pub logs: Vec<u64>,
    /// Files that were never finished.
    unfinished: Vec<PathBuf>,
}

impl Listing {
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.logs.is_empty()
    }

    /// The number of the newest file.
    pub fn last(&self) -> Option<u64> {
        self.states.last().max(self.logs.last()).copied()
    }
}

/// Locks a file that somebody may have for a moment.
fn patiently(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(BETWEEN),
            other => return other,
        }
    }
    lock.try_lock()
}

impl Directory {
    /// Takes a directory, and makes it if it is not there.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub fn take(path: &Path) -> Result<Self, StoreError> {
        let failed = |error| unusable(path, error);
        let is_new = !path.is_dir();
        fs::create_dir_all(path).map_err(failed)?;
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(path.join(LOCK)).map_err(failed)?;
        match patiently(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::InUse { path: path.display().to_string() }),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let directory = Self { path: path.to_owned(), _lock: lock };
        // It is there after a power loss only when the one above is on the disk too.
        let above = path.parent().filter(|above| is_new && !above.as_os_str().is_empty());
        above.map_or(Ok(()), sync).map_err(failed)?;
        directory.sync()?;
        Ok(directory)
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn state(&self, number: u64) -> PathBuf {
        self.path.join(format!("{STATE}-{number}.srvd"))
    }

    pub fn log(&self, number: u64) -> PathBuf {
        self.path.join(format!("{LOG}-{number}.srvd"))
    }

    /// What is there.
    pub fn list(&self) -> Result<Listing, StoreError> {
        let mut listing = Listing::default();
        for entry in fs::read_dir(&self.path).map_err(|error| unusable(&self.path, error))? {
            let path = entry.map_err(|error| unusable(&self.path, error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            let numbered = |name: &str| {
                let (kind, number) = name.strip_suffix(".srvd")?.split_once('-')?;
                Some((kind.to_owned(), number.parse::<u64>().ok()?))
            };
            match numbered(name.strip_suffix(".new").unwrap_or(name)) {
                Some(_) if name.ends_with(".new") => listing.unfinished.push(path),
                Some((kind, number)) if kind == STATE => listing.states.push(number),
                Some((kind, number)) if kind == LOG => listing.logs.push(number),
                _ => {}
            }
        }
        listing.states.sort_unstable();
        listing.logs.sort_unstable();
        Ok(listing)
    }

    /// Writes a file that is there whole or not at all.
    pub fn place<T>(&self, path: &Path, write: impl FnOnce(File) -> io::Result<(File, T)>) -> io::Result<T> {
        let unfinished = path.with_extension("srvd.new");
        let file = OpenOptions::new().create(true).truncate(true).read(true).write(true).open(&unfinished)?;
        let placed = write(file).and_then(|(file, value)| {
            file.sync_all()?;
            fs::rename(&unfinished, path)?;
            sync(&self.path)?;
            Ok(value)
        });
        if placed.is_err() {
            fs::remove_file(&unfinished).ok();
        }
        placed
    }

    /// Removes what is left over: what was never finished, and what is older than the state `number`.
    pub fn clear(&self, listing: &Listing, number: u64) {
        let states = listing.states.iter().filter(|old| **old < number).map(|old| self.state(*old));
        let logs = listing.logs.iter().filter(|old| **old < number).map(|old| self.log(*old));
        for path in states.chain(logs).chain(listing.unfinished.iter().cloned()) {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "a file that is not needed any more cannot be removed");
            }
        }
    }

    fn sync(&self) -> Result<(), StoreError> {
        sync(&self.path).map_err(|error| unusable(&self.path, error))
    }
}

fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Names the file in what is wrong with it.
pub fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Unusable { path: path.display().to_string(), source: error.into() }
}

/// The same for what was read.
pub fn faulty(path: &Path, fault: Fault) -> StoreError {
    match fault {
        Fault::Io(error) => unusable(path, error),
        Fault::Format { found, known } => {
            StoreError::Format { path: path.display().to_string(), found: found.into(), known: known.into() }
        }
        damage => StoreError::Damaged { path: path.display().to_string(), detail: damage.to_string() },
    }
}
