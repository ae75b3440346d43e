//! A copy that people can read and edit: one JSON object on a line.
//!
//! ```text
//! {"srvd":"backup","format":3,"revision":1042,"records":2}
//! {"settings":"web","value":{"record_ttl":1}}
//! {"instance":"web/a","value":{"registration":{…},…}}
//! {"end":true}
//! ```
//!
//! The values are those of [`super::text`]. Lines may be changed, added and taken out, in any order between the first and
//! the last, so there is no checksum, and `records` need not be right. The last line says that nothing is cut off.

use std::io::{self, BufRead, Read, Write};

use serde_json::{Map, Value, json};

use super::{FORMAT, Fault, Restored, text};
use crate::model::Revision;
use crate::registry::{Kind, Record, RecordName};

/// No line is longer; far more than the largest record takes.
const LONGEST: u64 = 16 << 20;

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Instance => "instance",
        Kind::Settings => "settings",
        Kind::Maintenance => "maintenance",
        Kind::Subscription => "subscription",
    }
}

/// Writes such a copy.
#[derive(Debug)]
pub struct LineWriter<W>(W);

impl<W: Write> LineWriter<W> {
    pub fn new(mut output: W, revision: Revision, records: u64) -> io::Result<Self> {
        let head = json!({"srvd": "backup", "format": FORMAT, "revision": revision.0, "records": records});
        writeln!(output, "{head}")?;
        Ok(Self(output))
    }

    pub fn put(&mut self, record: &Record) -> io::Result<()> {
        let name = Value::from(record.name().to_string());
        write!(self.0, "{{\"{}\":{name},\"value\":", word(record.kind()))?;
        self.0.write_all(&text::encode(record))?;
        writeln!(self.0, "}}")
    }

    /// What is written to, to take from it what is there already.
    pub fn output(&mut self) -> &mut W {
        &mut self.0
    }

    /// Writes the last line, without which the copy is not whole.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(self.0, "{}", json!({"end": true}))?;
        self.0.flush()?;
        Ok(self.0)
    }
}

/// Reads such a copy.
#[derive(Debug)]
pub struct LineReader<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
    revision: Revision,
}

impl<R: BufRead> LineReader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no copy.
    pub fn open(input: R) -> Result<Self, Fault> {
        let mut reader = Self { input, line: Vec::new(), number: 0, revision: Revision::ZERO };
        let head = match reader.line() {
            Ok(Some(head)) if head.get("srvd").and_then(Value::as_str) == Some("backup") => head,
            Ok(_) | Err(Fault::Line { .. }) => return Err(Fault::Alien),
            Err(fault) => return Err(fault),
        };
        let number = |name: &str| head.get(name).and_then(Value::as_u64);
        let format = number("format").ok_or_else(|| reader.fault("`format` is missing"))?;
        if format != u64::from(FORMAT) {
            return Err(Fault::Format { found: u32::try_from(format).unwrap_or(u32::MAX), known: FORMAT });
        }
        reader.revision = Revision(number("revision").ok_or_else(|| reader.fault("`revision` is missing"))?);
        Ok(reader)
    }

    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The next record; `None` after the last.
    ///
    /// # Errors
    /// Which line is wrong, and how; or that the last is missing.
    pub fn next_record(&mut self) -> Result<Option<Restored>, Fault> {
        let Some(line) = self.line()? else { return Err(Fault::NoEnd) };
        if line.get("end") == Some(&Value::Bool(true)) {
            return Ok(None);
        }
        let kind = Kind::ALL.into_iter().find(|kind| line.contains_key(word(*kind)));
        let kind = kind.ok_or_else(|| self.fault("it names no record"))?;
        let name = line.get(word(kind)).and_then(Value::as_str);
        let name = name.and_then(|name| RecordName::parse(kind, name));
        let name = name.ok_or_else(|| self.fault(format!("`{}` is no name", word(kind))))?;
        let value = line.get("value").ok_or_else(|| self.fault("`value` is missing"))?;
        text::read(name, value).map(Some).map_err(|what| self.fault(what))
    }

    fn line(&mut self) -> Result<Option<Map<String, Value>>, Fault> {
        loop {
            self.line.clear();
            self.number += 1;
            let count = (&mut self.input).take(LONGEST).read_until(b'\n', &mut self.line)?;
            if count == 0 {
                return Ok(None);
            }
            if count as u64 == LONGEST {
                return Err(self.fault("it is too long"));
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        match serde_json::from_slice(&self.line) {
            Ok(Value::Object(line)) => Ok(Some(line)),
            Ok(_) => Err(self.fault("it is no object")),
            Err(error) => Err(self.fault(error.to_string())),
        }
    }

    /// Says that the line which was read last is wrong.
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::Line { number: self.number, what: what.into() }
    }
}
