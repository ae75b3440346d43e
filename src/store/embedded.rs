//! The embedded store: one file on this machine, in redb's format.
//!
//! A table for each kind of record (`instances`, `settings`, `maintenance`, `subscriptions`), from the record's name to
//! the form of [`super::codec`], and `about`, which holds the version of that form and the bound on revisions in use. A
//! file of an older version is read as it is, and is one of this version from the first write on. A batch is one
//! transaction, and a transaction is on the disk when it returns. The file is locked while it is open, so that no two
//! processes write it.
//!
//! Calls wait for the disk where they are called, so the caller has a thread of its own for them.
//!
//! After an I/O error (a full disk, say) the file is closed and the next commit opens it again, so a store heals when its
//! disk does. What cannot be read is an error that says so; nothing is ever emptied to go on.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use super::codec::{self, VERSION};
use crate::engine::{Batch, Loaded, Store, StoreError, Write};
use crate::model::Revision;
use crate::registry::{Kind, RecordName};

const ABOUT: TableDefinition<'_, &str, u64> = TableDefinition::new("about");
const FORMAT: &str = "format";
const REVISION: &str = "revision";
const FILE: &str = "registry.redb";

/// Where the records of one kind are.
fn table(kind: Kind) -> TableDefinition<'static, &'static str, &'static [u8]> {
    TableDefinition::new(kind.plural())
}

/// The state in a file.
#[derive(Debug)]
pub struct Embedded {
    file: PathBuf,
    /// Closed after an error, and opened again by the next call.
    database: Option<Database>,
}

impl Embedded {
    /// A store in the directory `path`, which is made if it is not there. The first call opens it.
    pub fn at(path: &Path) -> Self {
        Self { file: path.join(FILE), database: None }
    }

    /// The open database.
    ///
    /// # Errors
    /// When another process has it open, or it cannot be read or written.
    fn database(&mut self) -> Result<&Database, StoreError> {
        let database = match self.database.take() {
            Some(database) => database,
            None => self.open()?,
        };
        Ok(self.database.insert(database))
    }

    fn open(&self) -> Result<Database, StoreError> {
        let directory = self.file.parent().unwrap_or(Path::new("."));
        let unusable =
            |source: io::Error| StoreError::Unusable { path: directory.display().to_string(), source: source.into() };
        fs::create_dir_all(directory).map_err(unusable)?;
        let database = Database::create(&self.file).map_err(|error| self.cannot_open(error))?;
        // A file that was just made is there after a power loss only when its directories are on the disk too.
        for made in [Some(directory), directory.parent().filter(|parent| !parent.as_os_str().is_empty())] {
            let Some(made) = made else { continue };
            fs::File::open(made).and_then(|directory| directory.sync_all()).map_err(unusable)?;
        }
        Ok(database)
    }

    fn cannot_open(&self, error: DatabaseError) -> StoreError {
        let path = self.file.display().to_string();
        match error {
            DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path },
            DatabaseError::Storage(redb::StorageError::Corrupted(detail)) => StoreError::Damaged { path, detail },
            DatabaseError::Storage(redb::StorageError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                StoreError::Damaged { path, detail: error.to_string() }
            }
            other => StoreError::Unusable { path, source: other.into() },
        }
    }

    /// Names the file in an error of the database.
    fn failed(&self, error: redb::Error) -> StoreError {
        let path = self.file.display().to_string();
        match error {
            redb::Error::Corrupted(detail) => StoreError::Damaged { path, detail },
            other => StoreError::Unusable { path, source: other.into() },
        }
    }

    fn read(&mut self) -> Result<Loaded, StoreError> {
        let path = self.file.display().to_string();
        let mut loaded = Loaded::default();
        let rows = read_rows(self.database()?).map_err(|error| self.failed(error))?;
        if let Some(found) = rows.format.filter(|found| !(1..=VERSION).contains(found)) {
            return Err(StoreError::Format { path, found, known: VERSION });
        }
        loaded.revision = Revision(rows.revision);
        for (kind, name, value) in rows.records {
            let damaged = |detail| StoreError::Damaged { path: path.clone(), detail };
            let name = RecordName::parse(kind, &name)
                .ok_or_else(|| damaged(format!("`{name}` in the table {} names nothing", kind.plural())))?;
            codec::decode(name, &value, &mut loaded).map_err(damaged)?;
        }
        Ok(loaded)
    }

    fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        write_rows(self.database()?, batch).map_err(|error| {
            self.database = None;
            self.failed(error)
        })
    }
}

impl Store for Embedded {
    async fn load(&mut self) -> Result<Loaded, StoreError> {
        self.read()
    }

    async fn commit(&mut self, batch: Batch) -> Result<(), StoreError> {
        self.write(&batch)
    }
}

/// Everything in the file.
#[derive(Default)]
struct Rows {
    format: Option<u64>,
    revision: u64,
    records: Vec<(Kind, String, Vec<u8>)>,
}

fn read_rows(database: &Database) -> Result<Rows, redb::Error> {
    let transaction = database.begin_read()?;
    let about = match transaction.open_table(ABOUT) {
        // A new file has no tables.
        Err(TableError::TableDoesNotExist(_)) => return Ok(Rows::default()),
        about => about?,
    };
    let format = about.get(FORMAT)?.map(|found| found.value());
    let revision = about.get(REVISION)?.map_or(0, |found| found.value());
    let mut records = Vec::new();
    for kind in Kind::ALL {
        let table = match transaction.open_table(table(kind)) {
            // Nothing of this kind was ever written.
            Err(TableError::TableDoesNotExist(_)) => continue,
            table => table?,
        };
        for row in table.iter()? {
            let (name, value) = row?;
            records.push((kind, name.value().to_owned(), value.value().to_vec()));
        }
    }
    Ok(Rows { format, revision, records })
}

fn write_rows(database: &Database, batch: &Batch) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut about = transaction.open_table(ABOUT)?;
        if about.get(FORMAT)?.is_none_or(|found| found.value() != VERSION) {
            about.insert(FORMAT, VERSION)?;
        }
        if let Some(revision) = batch.reserve {
            about.insert(REVISION, revision.0)?;
        }
    }
    for kind in Kind::ALL {
        let mut of_kind = batch.writes.iter().filter(|write| write.kind() == kind).peekable();
        if of_kind.peek().is_none() {
            continue;
        }
        let mut table = transaction.open_table(table(kind))?;
        for write in of_kind {
            match write {
                Write::Put(record) => drop(table.insert(&*record.name().to_string(), &*codec::encode(record))?),
                Write::Remove(name) => drop(table.remove(&*name.to_string())?),
            }
        }
    }
    transaction.commit()?;
    Ok(())
}
