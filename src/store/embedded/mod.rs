//! The embedded store: a directory on this machine, with a state and a log of what has changed since.
//!
//! The registry is in memory whole, so nothing is ever looked up here: batches are appended to the log, and read once, at
//! the next start. A batch is one frame with checksums, and is on the disk when [`Store::commit`] returns. When the log has
//! grown, a thread of its own writes a new state beside it, and the old files go. The form of the files is that of
//! [`crate::archive`]. So the disk holds at most the state twice and the logs, which are bounded by half of it.
//!
//! All files are read and written by one thread, so no one else waits for the disk. The directory is locked while it is
//! open, so that no two processes write it. After an I/O error (a full disk, say) the log is cut back to what was whole
//! before anything else is written, so a store heals when its disk does. A log that ends within a batch is cut there: the
//! process ended before anybody was told of that batch. Any other damage is an error that says where it is; nothing is
//! ever emptied to go on.

mod compact;
mod disk;
mod files;
mod import;
mod log;
mod restore;
mod sources;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::mpsc as thread_mpsc;
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use self::disk::Disk;
pub use self::restore::{Outcome, Restoration, RestoreError};
use crate::engine::{Batch, Loaded, Store, StoreError};

/// Parts of the state that wait to be taken while more is read.
const PARTS: usize = 4;
/// So long the owner waits for the files to be closed. A disk that hangs keeps nobody.
const CLOSE: Duration = Duration::from_secs(2);

/// From the beginning of a commit to that of the next while some write at once. An fdatasync may be much quicker, but all
/// who share the processors feel each.
const SPACING: Duration = Duration::from_micros(700);

/// Octets that logs take as a rule before the store is compacted.
const LOGS: u64 = 32 << 20;

/// Bounds of the store.
#[derive(Debug, Clone, Copy)]
struct Limits {
    /// Octets that the logs may take, or half of the state if that is more, before a new state is written.
    log: u64,
}

/// The state in a directory.
#[derive(Debug)]
pub struct Embedded {
    path: PathBuf,
    limits: Limits,
    /// Started by the first call.
    thread: Option<Thread>,
}

/// The thread that reads and writes. It ends when there is nobody left to ask it.
#[derive(Debug)]
struct Thread {
    jobs: thread_mpsc::Sender<Job>,
    closed: thread_mpsc::Receiver<()>,
}

enum Job {
    Load(mpsc::Sender<Result<Loaded, StoreError>>),
    Commit(Batch, oneshot::Sender<Result<(), StoreError>>),
}

impl Embedded {
    /// A store in the directory `path`, which is made if it is not there. The first call opens it.
    pub fn at(path: &Path) -> Self {
        Self::with_logs_of(path, LOGS)
    }

    /// The same, which is compacted when its logs take so many octets, or half of the state.
    pub fn with_logs_of(path: &Path, octets: u64) -> Self {
        Self { path: path.to_owned(), limits: Limits { log: octets }, thread: None }
    }

    fn ask(&mut self, job: Job) -> Result<(), StoreError> {
        if self.thread.is_none() {
            let started = Thread::start(self.path.clone(), self.limits);
            self.thread = Some(started.map_err(|error| files::unusable(&self.path, error))?);
        }
        let sent = self.thread.as_ref().map(|thread| thread.jobs.send(job));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.ended()) }
    }

    fn ended(&self) -> StoreError {
        files::unusable(&self.path, "the thread of the store has ended")
    }
}

impl Store for Embedded {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        let mut whole = Loaded::default();
        self.load_in_parts(|part| {
            whole.revision = part.revision;
            whole.records.extend(part.records);
            whole.instances.extend(part.instances);
        })
        .await?;
        Ok(whole)
    }

    async fn load_in_parts(&mut self, mut take: impl FnMut(Loaded) + Send) -> Result<(), StoreError> {
        let (send, mut parts) = mpsc::channel(PARTS);
        self.ask(Job::Load(send))?;
        while let Some(part) = parts.recv().await {
            take(part?);
        }
        Ok(())
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        let (send, done) = oneshot::channel();
        self.ask(Job::Commit(batch, send))?;
        done.await.unwrap_or_else(|_| Err(self.ended()))
    }

    fn spacing(&self) -> Duration {
        SPACING
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Some(Thread { jobs, closed }) = self.thread.take() {
            drop(jobs);
            closed.recv_timeout(CLOSE).ok();
        }
    }
}

impl Thread {
    fn start(path: PathBuf, limits: Limits) -> std::io::Result<Self> {
        let (jobs, queue) = thread_mpsc::channel();
        // Dropped with everything that the thread has.
        let (alive, closed) = thread_mpsc::channel();
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            work(&path, limits, &queue);
            drop::<thread_mpsc::Sender<()>>(alive);
        })?;
        Ok(Self { jobs, closed })
    }
}

fn work(path: &Path, limits: Limits, queue: &thread_mpsc::Receiver<Job>) {
    let mut open: Option<Disk> = None;
    while let Ok(job) = queue.recv() {
        // What could not be opened is tried again by the next call.
        let disk = match open.take().map_or_else(|| Disk::open(path, limits), Ok) {
            Ok(disk) => Ok(open.insert(disk)),
            Err(error) => Err(error),
        };
        match (job, disk) {
            (Job::Load(parts), Ok(disk)) => {
                if let Err(error) = disk.load(|part| drop(parts.blocking_send(Ok(part)))) {
                    parts.blocking_send(Err(error)).ok();
                }
            }
            (Job::Load(parts), Err(error)) => drop(parts.blocking_send(Err(error))),
            (Job::Commit(batch, done), Ok(disk)) => drop(done.send(disk.commit(&batch))),
            (Job::Commit(_, done), Err(error)) => drop(done.send(Err(error))),
        }
    }
    if let Some(disk) = open {
        disk.close();
    }
}
