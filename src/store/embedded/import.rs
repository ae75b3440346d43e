//! Taking over what an older version left: one file of redb with tables of JSON, formats 1 and 2.
//!
//! It is read once and then set aside under another name, as it was. What was taken over is complete and on the disk
//! before that; if the process ends in between, the old file is left alone, as the new ones count from then on.

use std::fs;
use std::io;
use std::path::Path;

use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::files::{Directory, unusable};
use crate::archive::{Coder, Entry, Head, HeadKind, Writer, text};
use crate::engine::StoreError;
use crate::model::Revision;
use crate::registry::Kind;

const FILE: &str = "registry.redb";
const ASIDE: &str = "registry.redb.imported";
const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
/// The formats of such files.
const KNOWN: u64 = 2;

/// Writes what is in an old file as the state 0. Returns the revision that was reached, or `None` without such a file.
///
/// # Errors
/// When it is damaged, or in use, or cannot be taken over. Then it is left as it is.
pub fn old_file(directory: &Directory) -> Result<Option<Revision>, StoreError> {
    let path = directory.path().join(FILE);
    if !is_there(directory) {
        return Ok(None);
    }
    let database = open(&path)?;
    let about = about(&database).map_err(|error| failed(&path, error))?;
    if let Some(found) = about.format.filter(|found| !(1..=KNOWN).contains(found)) {
        return Err(StoreError::Format { path: path.display().to_string(), found, known: KNOWN });
    }
    let mut failure = None;
    let placed = directory.place(&directory.state(0), |file| {
        let head = Head { kind: HeadKind::Copy, generation: 0, revision: about.revision, records: 0 };
        let mut writer = Writer::new(file, &head)?;
        for kind in [Kind::Settings, Kind::Maintenance, Kind::Subscription, Kind::Instance] {
            copy(&database, kind, &path, &mut writer).map_err(|error| {
                failure = Some(error);
                io::Error::other("the old file cannot be read")
            })?;
        }
        Ok((writer.finish()?, ()))
    });
    placed.map_err(|error| failure.unwrap_or_else(|| unusable(directory.path(), error)))?;
    Ok(Some(about.revision))
}

/// Gives an old file that was taken over another name.
pub fn set_aside(directory: &Directory) {
    let (old, new) = (directory.path().join(FILE), directory.path().join(ASIDE));
    if old.exists() {
        match fs::rename(&old, &new) {
            Ok(()) => tracing::info!(kept = %new.display(), "the store of an older version was taken over"),
            Err(error) => tracing::warn!(path = %old.display(), %error, "the old file cannot be set aside"),
        }
    }
}

/// Whether there is an old file.
pub fn is_there(directory: &Directory) -> bool {
    directory.path().join(FILE).exists()
}

struct About {
    format: Option<u64>,
    revision: Revision,
}

fn open(path: &Path) -> Result<Database, StoreError> {
    Database::open(path).map_err(|error| {
        let path = path.display().to_string();
        match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
            redb::DatabaseError::Storage(redb::StorageError::Corrupted(detail)) => StoreError::Damaged { path, detail },
            redb::DatabaseError::Storage(redb::StorageError::Io(error))
                if error.kind() == io::ErrorKind::InvalidData =>
            {
                StoreError::Damaged { path, detail: error.to_string() }
            }
            other => StoreError::Unusable { path, source: other.into() },
        }
    })
}

fn failed(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Corrupted(detail) => StoreError::Damaged { path: path.display().to_string(), detail },
        other => unusable(path, other),
    }
}

fn about(database: &Database) -> Result<About, redb::Error> {
    let transaction = database.begin_read()?;
    let table = match transaction.open_table(ABOUT) {
        // A new file has no tables.
        Err(TableError::TableDoesNotExist(_)) => return Ok(About { format: None, revision: Revision::ZERO }),
        table => table?,
    };
    let format = table.get("format")?.map(|found| found.value());
    let revision = Revision(table.get("revision")?.map_or(0, |found| found.value()));
    Ok(About { format, revision })
}

/// Copies the records of one kind, each of which has to read.
fn copy(database: &Database, kind: Kind, path: &Path, writer: &mut Writer<fs::File>) -> Result<(), StoreError> {
    let failed = |error| failed(path, error);
    let transaction = database.begin_read().map_err(|error| failed(error.into()))?;
    let table = match transaction.open_table(TableDefinition::<&str, &[u8]>::new(kind.plural())) {
        // Nothing of this kind was ever written.
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        table => table.map_err(|error| failed(error.into()))?,
    };
    let (mut coder, mut octets) = (Coder::default(), Vec::new());
    for row in table.iter().map_err(|error| failed(error.into()))? {
        let (name, value) = row.map_err(|error| failed(error.into()))?;
        octets.clear();
        Coder::put_value(&mut octets, kind, name.value(), text::FORM, value.value());
        let damaged = |detail| StoreError::Damaged { path: path.display().to_string(), detail };
        let entry = Entry::take(&mut octets.as_slice()).ok_or_else(|| damaged("a name is no text".to_owned()))?;
        coder.read(&entry).map_err(damaged)?;
        writer.take_over(&entry).map_err(|error| unusable(path, error))?;
    }
    Ok(())
}
