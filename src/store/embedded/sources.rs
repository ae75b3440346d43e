//! What the files of a store hold together: a state, and the logs over it.
//!
//! Everything is read twice and nothing is kept: first the logs, for where the last word on each record is, then state
//! and logs for those words. So a million records take the memory of those that changed since the state was written.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::files::{Directory, Listing, faulty, unusable};
use super::log::{self, End};
use crate::archive::{Entry, Fault, Reader};
use crate::engine::StoreError;
use crate::model::Revision;
use crate::registry::Kind;

/// The files of one moment, oldest first.
#[derive(Debug, Clone)]
pub struct Sources {
    pub state: Option<PathBuf>,
    pub logs: Vec<PathBuf>,
}

/// Where the last word on each record of the logs is: the number of its entry.
#[derive(Debug)]
pub struct Newest {
    entries: HashMap<u128, u64, foldhash::fast::RandomState>,
    names: Names,
    /// Revisions that are known to be in use.
    pub revision: Revision,
    /// The end of the last log.
    pub end: Option<End>,
}

/// Which records are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Instances,
    Others,
}

impl Sources {
    /// The files that count in a directory; the number of the state is that of the first log.
    ///
    /// # Errors
    /// When one is missing.
    pub fn find(directory: &Directory, listing: &Listing) -> Result<Self, StoreError> {
        let first = listing.states.last().copied().unwrap_or(0);
        let last = listing.last().unwrap_or(0);
        if let Some(missing) = (first..=last).find(|number| !listing.logs.contains(number)) {
            let path = directory.path().display().to_string();
            let detail = format!("{} is missing", directory.log(missing).display());
            return Err(StoreError::Damaged { path, detail });
        }
        let state = listing.states.last().map(|number| directory.state(*number));
        Ok(Self { state, logs: (first..=last).map(|number| directory.log(number)).collect() })
    }

    /// Reads the logs, and looks for the last word on each record. With `is_open` the last log may be torn.
    ///
    /// # Errors
    /// When a file is damaged or cannot be read.
    pub fn newest(&self, is_open: bool) -> Result<Newest, StoreError> {
        let mut newest =
            Newest { entries: HashMap::default(), names: Names::default(), revision: Revision::ZERO, end: None };
        if let Some(path) = &self.state {
            let file = File::open(path).map_err(|error| unusable(path, error))?;
            newest.revision = Reader::open(file).map_err(|fault| faulty(path, fault))?.head().revision;
        }
        let mut number = 0;
        for (at, path) in self.logs.iter().enumerate() {
            let is_last = is_open && at + 1 == self.logs.len();
            let end = log::read(path, is_last, |batch| {
                newest.revision = newest.revision.max(batch.reserve.unwrap_or_default());
                each(batch.entries, |entry| {
                    let name = newest.names.hash(entry.kind, entry.name);
                    newest.entries.insert(name, number);
                    number += 1;
                })
            })?;
            newest.end = Some(end);
        }
        Ok(newest)
    }

    /// Hands over the last word on each record that is there.
    ///
    /// # Errors
    /// When a file is damaged or cannot be read, or `take` fails.
    pub fn each(
        &self,
        newest: &Newest,
        which: Which,
        mut take: impl FnMut(&Entry<'_>) -> Result<(), Fault>,
    ) -> Result<(), StoreError> {
        let wanted = |entry: &Entry<'_>| entry.is_instance() == (which == Which::Instances);
        if let Some(path) = &self.state {
            let file = File::open(path).map_err(|error| unusable(path, error))?;
            let reader = Reader::open(file).map_err(|fault| faulty(path, fault))?;
            reader
                .each(|entry| {
                    if wanted(entry) && !newest.entries.contains_key(&newest.names.hash(entry.kind, entry.name)) {
                        take(entry)?;
                    }
                    // Instances come last.
                    Ok::<bool, Fault>(which == Which::Instances || wanted(entry))
                })
                .map_err(|fault| faulty(path, fault))?;
        }
        let mut number = 0;
        for (at, path) in self.logs.iter().enumerate() {
            log::read(path, at + 1 == self.logs.len(), |batch| {
                let mut taken = Ok(());
                each(batch.entries, |entry| {
                    let is_last = || newest.entries.get(&newest.names.hash(entry.kind, entry.name)) == Some(&number);
                    if taken.is_ok() && wanted(&entry) && entry.value.is_some() && is_last() {
                        taken = take(&entry);
                    }
                    number += 1;
                })?;
                taken
            })?;
        }
        Ok(())
    }
}

/// Names in little room: 128 bits of a keyed hash, which no two names share.
#[derive(Debug)]
pub struct Names([u8; 16]);

impl Default for Names {
    fn default() -> Self {
        Self(rand::random())
    }
}

impl Names {
    pub fn hash(&self, kind: Kind, name: &str) -> u128 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        std::hash::Hasher::write(&mut hasher, &[kind as u8]);
        std::hash::Hasher::write(&mut hasher, name.as_bytes());
        hasher.finish128().as_u128()
    }
}

fn each(mut entries: &[u8], mut take: impl FnMut(Entry<'_>)) -> Result<(), Fault> {
    while !entries.is_empty() {
        take(Entry::take(&mut entries).ok_or(Fault::Entry)?);
    }
    Ok(())
}
