//! Entries: what becomes of one record.

use std::sync::Arc;

use super::octets::{Octets, put_text, put_varint};
use super::{compact, text};
use crate::model::{Instance, Pulse, Tick};
use crate::registry::{Kind, Record, RecordName, Stored};

/// The record goes.
const REMOVE: u8 = 0x80;

/// An entry as it stands in a file.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    pub kind: Kind,
    pub name: &'a str,
    /// The form and the octets of the new state; `None` when the record goes.
    pub value: Option<&'a [u8]>,
    /// The whole entry.
    pub octets: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Takes the first entry from `entries`; `None` when it cannot be read.
    pub fn take(entries: &mut &'a [u8]) -> Option<Self> {
        let mut octets = Octets(entries);
        let action = octets.octet()?;
        let kind = Kind::ALL.into_iter().find(|kind| number(*kind) == action & !REMOVE)?;
        let name = octets.str()?;
        let value = if action & REMOVE == 0 { Some(octets.text()?) } else { None };
        let whole = &entries[..entries.len() - octets.0.len()];
        *entries = octets.0;
        Some(Self { kind, name, value, octets: whole })
    }

    /// Whether it is about an instance.
    pub fn is_instance(&self) -> bool {
        self.kind == Kind::Instance
    }
}

/// The numbers of kinds in files.
fn number(kind: Kind) -> u8 {
    match kind {
        Kind::Instance => 1,
        Kind::Settings => 2,
        Kind::Maintenance => 3,
        Kind::Subscription => 4,
    }
}

/// A record that was read.
#[derive(Debug)]
pub enum Restored {
    Instance(Stored),
    Record(Record),
}

impl Restored {
    pub fn name(&self) -> RecordName {
        match self {
            Self::Instance(stored) => RecordName::Instance(stored.key.clone()),
            Self::Record(record) => record.name(),
        }
    }

    /// The record, with a lease that nobody keeps.
    pub fn into_record(self) -> Record {
        match self {
            Self::Record(record) => record,
            Self::Instance(Stored { key, registration, condition, created_at, changed_at, revision }) => {
                let pulse = Arc::new(Pulse::begin(Tick(0), registration.ttl()));
                let registration = Arc::new(registration);
                let (created_at, changed_at) = (created_at.into(), changed_at.into());
                let instance = Instance { key, registration, condition, created_at, changed_at, revision, pulse };
                Record::Instance(Arc::new(instance))
            }
        }
    }
}

/// Writes entries and reads them. It remembers what many records share, so one goes through many of them.
#[derive(Debug, Default)]
pub struct Coder {
    value: Vec<u8>,
    checks: compact::Checks,
}

impl Coder {
    /// Appends the present state of a record.
    pub fn put(&mut self, to: &mut Vec<u8>, record: &Record) {
        match record {
            Record::Instance(instance) => self.put_instance(to, instance),
            other => {
                self.value.clear();
                self.value.push(text::FORM);
                self.value.extend_from_slice(&text::encode(other));
                to.push(number(other.kind()));
                put_text(to, other.name().to_string().as_bytes());
                put_text(to, &self.value);
            }
        }
    }

    /// The same for an instance.
    pub fn put_instance(&mut self, to: &mut Vec<u8>, instance: &Instance) {
        self.value.clear();
        self.value.push(compact::FORM);
        compact::encode(instance, &mut self.checks, &mut self.value);
        to.push(number(Kind::Instance));
        let (service, id) = (instance.key.service.as_str(), instance.key.id.as_str());
        put_varint(to, (service.len() + 1 + id.len()) as u64);
        for part in [service.as_bytes(), b"/", id.as_bytes()] {
            to.extend_from_slice(part);
        }
        put_text(to, &self.value);
    }

    /// Appends a value that has a form already.
    pub fn put_value(to: &mut Vec<u8>, kind: Kind, name: &str, form: u8, value: &[u8]) {
        to.push(number(kind));
        put_text(to, name.as_bytes());
        put_varint(to, value.len() as u64 + 1);
        to.push(form);
        to.extend_from_slice(value);
    }

    /// Appends that a record goes.
    pub fn remove(to: &mut Vec<u8>, name: &RecordName) {
        to.push(number(name.kind()) | REMOVE);
        put_text(to, name.to_string().as_bytes());
    }

    /// Reads what [`Self::put`] wrote.
    ///
    /// # Errors
    /// What does not read, as text for the person who will look at the file.
    pub fn read(&mut self, entry: &Entry<'_>) -> Result<Restored, String> {
        let Entry { kind, name: written, value, .. } = *entry;
        let name = RecordName::parse(kind, written);
        let name = name.ok_or_else(|| format!("`{written}` names nothing among the {}", kind.plural()))?;
        let (form, value) = value.and_then(<[u8]>::split_first).ok_or_else(|| format!("{written}: has no value"))?;
        match (*form, name) {
            (text::FORM, name) => text::decode(name, value),
            (compact::FORM, RecordName::Instance(key)) => compact::decode(key, value, &mut self.checks)
                .map(Restored::Instance)
                .map_err(|what| format!("{written}: {what}")),
            (form, _) => Err(format!("{written}: is in form {form}, which this version does not know")),
        }
    }
}
