//! The open store: what is read from its files, and what is written to them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::compact::Compaction;
use super::files::{Directory, unusable};
use super::log::Log;
use super::sources::{Sources, Which};
use super::{Limits, import};
use crate::archive::{Coder, Fault, Restored};
use crate::engine::{Batch, Loaded, StoreError, Write};
use crate::model::Revision;

/// Instances that are handed over together when the state is read.
const PART: usize = 4096;

/// A store that is open.
#[derive(Debug)]
pub struct Disk {
    directory: Arc<Directory>,
    limits: Limits,
    sources: Sources,
    log: Log,
    /// The number of the log.
    number: u64,
    /// Octets of the state, and of the logs over it that are not written any more.
    state: u64,
    sealed: u64,
    /// No compaction before the logs take so much, after one that failed.
    patience: u64,
    compaction: Option<Compaction>,
    revision: Revision,
    coder: Coder,
}

impl Disk {
    /// Opens the store in a directory, or begins one there.
    ///
    /// # Errors
    /// When another process has it, it is damaged or of a later format, or it cannot be used.
    pub fn open(path: &Path, limits: Limits) -> Result<Self, StoreError> {
        let directory = Directory::take(path)?;
        let mut listing = directory.list()?;
        if listing.is_empty() {
            let revision = import::old_file(&directory)?.unwrap_or_default();
            Log::begin(&directory, 0, revision).map_err(|error| unusable(path, error))?;
            import::set_aside(&directory);
            listing = directory.list()?;
        }
        let sources = Sources::find(&directory, &listing)?;
        let newest = sources.newest(true)?;
        let (Some(last), Some(end)) = (sources.logs.last(), &newest.end) else {
            return Err(unusable(path, "it has no log"));
        };
        let mut log = Log::go_on(last.clone(), end)?;
        log.mend().map_err(|error| unusable(log.path(), error))?;
        directory.clear(&listing, listing.states.last().copied().unwrap_or(0));
        let length = |path: &PathBuf| path.metadata().map_or(0, |file| file.len());
        let state = sources.state.as_ref().map_or(0, length);
        let sealed = sources.logs.iter().map(length).sum::<u64>() - length(last);
        let number = listing.last().unwrap_or(0);
        Ok(Self {
            directory: Arc::new(directory),
            limits,
            number,
            state,
            sealed,
            patience: 0,
            compaction: None,
            revision: newest.revision,
            coder: Coder::default(),
            sources,
            log,
        })
    }

    /// Hands over everything in parts: first the records that are no instances, with the revision.
    ///
    /// # Errors
    /// When a file is damaged or cannot be read.
    pub fn load(&mut self, mut take: impl FnMut(Loaded)) -> Result<(), StoreError> {
        self.end_compaction();
        let newest = self.sources.newest(true)?;
        let revision = newest.revision.max(self.revision);
        let mut part = Loaded { revision, ..Loaded::default() };
        for which in [Which::Others, Which::Instances] {
            self.sources.each(&newest, which, |entry| {
                match self.coder.read(entry).map_err(Fault::Record)? {
                    Restored::Instance(stored) => part.instances.push(stored),
                    Restored::Record(record) => part.records.push(record),
                }
                if part.instances.len() == PART {
                    let next = Loaded { revision, ..Loaded::default() };
                    take(std::mem::replace(&mut part, next));
                }
                Ok(())
            })?;
            let next = Loaded { revision, ..Loaded::default() };
            take(std::mem::replace(&mut part, next));
        }
        Ok(())
    }

    /// Writes a batch, and returns when it is on the disk.
    ///
    /// # Errors
    /// When it may not be.
    pub fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if batch.writes.is_empty() && batch.reserve.is_none() {
            return Ok(());
        }
        let coder = &mut self.coder;
        let written = self.log.append(|body| {
            crate::archive::begin_batch(body, batch.reserve);
            for write in &batch.writes {
                match write {
                    Write::Put(record) => coder.put(body, record),
                    Write::Remove(name) => Coder::remove(body, name),
                }
            }
        });
        written.map_err(|error| unusable(self.log.path(), error))?;
        self.revision = self.revision.max(batch.reserve.unwrap_or_default());
        self.consider_compaction();
        Ok(())
    }

    /// Ends a compaction that is done, and begins one when the logs have grown.
    fn consider_compaction(&mut self) {
        if self.compaction.as_ref().is_some_and(Compaction::has_ended) {
            self.end_compaction();
        }
        let bound = self.limits.log.max(self.state / 2).max(self.patience);
        if self.compaction.is_some() || self.sealed + self.log.length() < bound {
            return;
        }
        if let Err(error) = self.begin_compaction() {
            self.compaction_failed(&error);
        }
    }

    fn begin_compaction(&mut self) -> Result<(), StoreError> {
        let number = self.number + 1;
        self.log.close().map_err(|error| unusable(self.log.path(), error))?;
        let path = self.directory.log(number);
        let log = Log::begin(&self.directory, number, self.revision).map_err(|error| unusable(&path, error))?;
        let merged = self.sources.clone();
        self.sources.logs.push(path);
        self.sealed += self.log.length();
        (self.log, self.number) = (log, number);
        let begun = Compaction::begin(Arc::clone(&self.directory), merged, number);
        self.compaction = Some(begun.map_err(|error| unusable(self.directory.path(), error))?);
        Ok(())
    }

    /// Waits for the compaction that is under way.
    fn end_compaction(&mut self) {
        match self.compaction.take().map(Compaction::result) {
            None => {}
            Some(Ok(length)) => {
                tracing::debug!(octets = length, "the store was compacted");
                // The state that was written is that of the newest log.
                let last = self.sources.logs.split_off(self.sources.logs.len() - 1);
                self.sources = Sources { state: Some(self.directory.state(self.number)), logs: last };
                (self.state, self.sealed, self.patience) = (length, 0, 0);
            }
            Some(Err(error)) => self.compaction_failed(&error),
        }
    }

    fn compaction_failed(&mut self, error: &StoreError) {
        let logs = self.sealed + self.log.length();
        tracing::warn!(
            error = crate::store::causes(error),
            logs,
            "the store cannot be compacted now, and goes on to grow"
        );
        self.patience = logs + self.limits.log;
    }

    /// Ends in order.
    pub fn close(mut self) {
        if let Some(compaction) = self.compaction.take() {
            compaction.stop();
        }
        if let Err(error) = self.log.close() {
            tracing::debug!(%error, "the log could not be closed");
        }
    }
}
