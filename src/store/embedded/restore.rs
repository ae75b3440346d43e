//! Putting a copy in the place of a store that nobody has open.
//!
//! The copy is read to its end, every record of it, before anything that is there goes; only the last log is closed before,
//! if a crash has left it open. The revision goes on from the higher of both, so that whoever saw the old registry sees the
//! new one as later.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::files::{Directory, Listing, unusable};
use super::import;
use super::log::Log;
use super::sources::{Names, Sources};
use crate::archive::{Coder, Fault, Head, HeadKind, LineReader, Reader, Writer};
use crate::engine::StoreError;
use crate::model::Revision;
use crate::registry::Kind;

/// What is to be restored, and where.
#[derive(Debug, Clone)]
pub struct Restoration {
    pub copy: PathBuf,
    pub directory: PathBuf,
    /// Whether what is there may go.
    pub replace: bool,
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    pub records: u64,
    /// The revision from which the registry goes on.
    pub revision: Revision,
}

/// Why a copy was not put in place. What was there is there still.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{}: {fault}", path.display())]
    Copy { path: PathBuf, fault: Fault },
    #[error("{} holds a registry already; with --replace the copy takes its place", .0.display())]
    NotEmpty(PathBuf),
    #[error(transparent)]
    Store(#[from] StoreError),
}

type Output = Writer<File>;

impl Restoration {
    /// Does it; `progress` is told how many more octets of the copy were read.
    ///
    /// # Errors
    /// Why not. Then the registry that is there has not changed.
    pub fn carry_out(&self, mut progress: impl FnMut(u64)) -> Result<Outcome, RestoreError> {
        let faulty = |fault| RestoreError::Copy { path: self.copy.clone(), fault };
        let is_text = is_text(&self.copy).map_err(|error| faulty(error.into()))?;
        let of_copy =
            if is_text { self.lines(&mut |_| {})?.revision() } else { self.reader(&mut |_| {})?.head().revision };
        let directory = Directory::take(&self.directory)?;
        let listing = directory.list()?;
        if !self.replace && (!listing.is_empty() || import::is_there(&directory)) {
            return Err(RestoreError::NotEmpty(self.directory.clone()));
        }
        let revision = of_copy.max(closed(&directory, &listing)?);
        let number = listing.last().map_or(0, |last| last + 1);
        // The log first: until the state is there, it is an empty one after the others.
        Log::begin(&directory, number, revision).map_err(|error| unusable(&directory.log(number), error))?;
        let mut failure = None;
        let path = directory.state(number);
        let placed = directory.place(&path, |file| {
            let head = Head { kind: HeadKind::Copy, generation: number, revision, records: 0 };
            let mut writer = Writer::new(file, &head)?;
            let read = if is_text {
                self.take_lines(&mut writer, &mut progress)
            } else {
                self.take_copy(&mut writer, &mut progress)
            };
            let records = read.map_err(|error| {
                failure = Some(error);
                io::Error::other("the copy cannot be read")
            })?;
            Ok((writer.finish()?, records))
        });
        match placed {
            Ok(records) => {
                import::set_aside(&directory);
                directory.clear(&listing, number);
                Ok(Outcome { records, revision })
            }
            Err(error) => {
                std::fs::remove_file(directory.log(number)).ok();
                Err(failure.unwrap_or_else(|| unusable(&path, error).into()))
            }
        }
    }

    fn reader<'a>(&self, progress: &'a mut dyn FnMut(u64)) -> Result<Reader<Counted<'a>>, RestoreError> {
        let faulty = |fault| RestoreError::Copy { path: self.copy.clone(), fault };
        let file = File::open(&self.copy).map_err(|error| faulty(error.into()))?;
        Reader::open(Counted { file, progress }).map_err(faulty)
    }

    fn lines<'a>(&self, progress: &'a mut dyn FnMut(u64)) -> Result<LineReader<BufReader<Counted<'a>>>, RestoreError> {
        let faulty = |fault| RestoreError::Copy { path: self.copy.clone(), fault };
        let file = File::open(&self.copy).map_err(|error| faulty(error.into()))?;
        LineReader::open(BufReader::new(Counted { file, progress })).map_err(faulty)
    }

    fn take_copy(&self, writer: &mut Output, progress: &mut dyn FnMut(u64)) -> Result<u64, RestoreError> {
        let (mut coder, mut records) = (Coder::default(), 0);
        let read = self.reader(progress)?.each(|entry| {
            coder.read(entry).map_err(Fault::Record)?;
            writer.take_over(entry)?;
            records += 1;
            Ok::<bool, Fault>(true)
        });
        read.map(|()| records).map_err(|fault| RestoreError::Copy { path: self.copy.clone(), fault })
    }

    /// Lines may stand in any order, so they are read twice.
    fn take_lines(&self, writer: &mut Output, progress: &mut dyn FnMut(u64)) -> Result<u64, RestoreError> {
        let faulty = |fault| RestoreError::Copy { path: self.copy.clone(), fault };
        let (names, mut seen) = (Names::default(), HashSet::<u128, foldhash::fast::RandomState>::default());
        let mut nothing = |_| {};
        for of_instances in [false, true] {
            let mut lines = self.lines(if of_instances { &mut nothing } else { &mut *progress })?;
            while let Some(restored) = lines.next_record().map_err(faulty)? {
                let kind = restored.name().kind();
                if (kind == Kind::Instance) != of_instances {
                    continue;
                }
                let name = restored.name().to_string();
                if !seen.insert(names.hash(kind, &name)) {
                    return Err(faulty(lines.fault(format!("{name} is there already among the {}", kind.plural()))));
                }
                writer.put_restored(restored).map_err(|error| faulty(error.into()))?;
            }
        }
        Ok(seen.len() as u64)
    }
}

/// Whether a copy is one of lines; what is neither is found to be alien later.
fn is_text(path: &Path) -> io::Result<bool> {
    let mut input = BufReader::new(File::open(path)?);
    Ok(input.fill_buf()?.trim_ascii_start().starts_with(b"{"))
}

/// Closes the last log of a store that is about to be replaced, as it has to be when another follows. Returns the revision
/// that the store had come to; one that is damaged cannot tell.
fn closed(directory: &Directory, listing: &Listing) -> Result<Revision, StoreError> {
    if listing.is_empty() {
        return Ok(Revision::ZERO);
    }
    let read = Sources::find(directory, listing).and_then(|sources| Ok((sources.newest(true)?, sources)));
    let (newest, sources) = match read {
        Ok(read) => read,
        Err(error) => {
            tracing::warn!(error = crate::store::causes(&error), "the registry that is replaced cannot be read");
            return Ok(Revision::ZERO);
        }
    };
    if let (Some(last), Some(end)) = (sources.logs.last(), &newest.end) {
        Log::go_on(last.clone(), end)?.close().map_err(|error| unusable(last, error))?;
    }
    Ok(newest.revision)
}

/// Tells how much of a file was read.
struct Counted<'a> {
    file: File,
    progress: &'a mut dyn FnMut(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(room)?;
        (self.progress)(count as u64);
        Ok(count)
    }
}
