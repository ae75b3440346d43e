//! The port to whatever keeps the registry's state: what a store must do, and no more.

use std::future::Future;
use std::time::Duration;

use crate::model::Revision;
use crate::registry::{Kind, Record, RecordName, Stored};

/// A place that keeps records and a revision. One engine owns it; calls never overlap.
pub trait Store: Send + 'static {
    /// Everything that was committed.
    fn load(&mut self) -> impl Future<Output = Result<Loaded, StoreError>> + Send;

    /// The same in parts, so that nobody holds everything twice. Each part has the revision; the first has all records
    /// that are no instances.
    fn load_in_parts(
        &mut self,
        mut take: impl FnMut(Loaded) + Send,
    ) -> impl Future<Output = Result<(), StoreError>> + Send {
        async move {
            take(self.load().await?);
            Ok(())
        }
    }

    /// Makes a batch durable, whole or not at all. When this returns `Ok`, the batch outlives a crash of the process
    /// and of the machine, as far as the store promises that at all. After an error the next call tries afresh. The future
    /// never blocks the thread that polls it: who waits for a disk does so on a thread of its own.
    fn commit(&mut self, batch: Batch) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How far apart commits should begin while many write: long enough that what a commit costs beside its changes does not
    /// matter, and so short that nobody minds. Not at all, where it costs nothing.
    fn spacing(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a store gives back at the start.
#[derive(Debug, Default)]
pub struct Loaded {
    /// No revision up to this one may be given out again.
    pub revision: Revision,
    pub instances: Vec<Stored>,
    /// The records that are no instances.
    pub records: Vec<Record>,
}

/// Changes that are made durable together: the last state of each record that they touch.
#[derive(Debug, Default, Clone)]
pub struct Batch {
    pub writes: Vec<Write>,
    /// The new bound on revisions in use, if it moves.
    pub reserve: Option<Revision>,
}

/// The new state of one record.
#[derive(Debug, Clone)]
pub enum Write {
    Put(Record),
    Remove(RecordName),
}

impl Write {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Put(record) => record.kind(),
            Self::Remove(name) => name.kind(),
        }
    }
}

/// Why a store could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path} is in use by another process")]
    InUse { path: String },
    #[error(
        "{path} is damaged: {detail}; put a backup in its place with `srvd restore --replace`, or move it away to begin empty"
    )]
    Damaged { path: String, detail: String },
    #[error("{path} was written by format {found}; this version reads up to {known}")]
    Format { path: String, found: u64, known: u64 },
    /// A store on other machines does not answer. What was on its way to it may have arrived.
    #[error("the shared store cannot be reached: {why}")]
    Unreachable { why: String },
    /// A store on other machines answers, and does not do what it is asked to.
    #[error("the shared store refuses: {why}")]
    Refuses { why: String },
    /// Others changed the same all the time.
    #[error("others change the same at the same time; try again")]
    Contended,
    #[error("{path} cannot be used")]
    Unusable {
        path: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
