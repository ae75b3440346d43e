//! Copies: all records at one moment, complete and known to be.

use std::io::{self, Read, Write};

use super::frame::Heads;
use super::octets::put_varint;
use super::{Body, Coder, Entry, Fault, Frames, Head, HeadKind, Restored, begin, begin_batch, framed};
use crate::registry::Record;

/// Octets that entries gather before they are written as one frame.
const FRAME: usize = 64 << 10;

/// Writes a copy, a frame at a time. Records that are no instances have to come first.
#[derive(Debug)]
pub struct Writer<W> {
    output: W,
    coder: Coder,
    entries: Vec<u8>,
    octets: Vec<u8>,
    heads: Heads,
    number: u32,
    records: u64,
}

impl<W: Write> Writer<W> {
    pub fn new(mut output: W, head: &Head) -> io::Result<Self> {
        let octets = begin(head);
        output.write_all(&octets)?;
        let mut heads = Heads::default();
        heads.add(&octets[super::frame::MAGIC.len()..]);
        let coder = Coder::default();
        Ok(Self { output, coder, entries: Vec::new(), octets, heads, number: 1, records: 0 })
    }

    pub fn put(&mut self, record: &Record) -> io::Result<()> {
        self.coder.put(&mut self.entries, record);
        self.added()
    }

    /// The same for a record that was read elsewhere.
    pub fn put_restored(&mut self, restored: Restored) -> io::Result<()> {
        self.put(&restored.into_record())
    }

    /// Takes over an entry as it stands elsewhere.
    pub fn take_over(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        self.entries.extend_from_slice(entry.octets);
        self.added()
    }

    /// What is written to, to take from it what is there already.
    pub fn output(&mut self) -> &mut W {
        &mut self.output
    }

    fn added(&mut self) -> io::Result<()> {
        self.records += 1;
        if self.entries.len() < FRAME { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.entries.is_empty() {
            return Ok(());
        }
        let entries = std::mem::take(&mut self.entries);
        let written = self.frame(|body| {
            begin_batch(body, None);
            body.extend_from_slice(&entries);
        });
        self.entries = entries;
        self.entries.clear();
        written
    }

    fn frame(&mut self, body: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.octets.clear();
        framed(&mut self.octets, self.number, body);
        self.heads.add(&self.octets);
        self.number += 1;
        self.output.write_all(&self.octets)
    }

    /// Writes the end, without which the copy is not whole.
    pub fn finish(mut self) -> io::Result<W> {
        self.flush()?;
        let (records, check) = (self.records, self.heads.check());
        self.frame(|body| {
            body.push(b'E');
            put_varint(body, records);
            body.extend_from_slice(&check.to_le_bytes());
        })?;
        self.output.flush()?;
        Ok(self.output)
    }
}

/// Reads a copy.
#[derive(Debug)]
pub struct Reader<R> {
    frames: Frames<R>,
    head: Head,
}

impl<R: Read> Reader<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no copy, or is damaged at its beginning.
    pub fn open(input: R) -> Result<Self, Fault> {
        let (frames, head) = Frames::open(input)?;
        if head.kind != HeadKind::Copy {
            return Err(Fault::Alien);
        }
        Ok(Self { frames, head })
    }

    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Hands every entry to `take`, which goes on while it returns true.
    ///
    /// # Errors
    /// When the copy is damaged or cut short, which may be seen only after all entries; or the error of `take`.
    pub fn each<E: From<Fault>>(mut self, mut take: impl FnMut(&Entry<'_>) -> Result<bool, E>) -> Result<(), E> {
        let mut taken = 0;
        loop {
            let at = self.frames.at();
            match self.frames.next_frame()? {
                None => return Err(Fault::Short { at }.into()),
                Some(Body::Closed) => return Err(Fault::damaged(at, "a copy is not closed like a log").into()),
                Some(Body::End { records }) if records != taken => {
                    return Err(
                        Fault::damaged(at, format!("{records} records were written, and {taken} are here")).into()
                    );
                }
                Some(Body::End { .. }) => break,
                Some(Body::Batch(batch)) => {
                    let mut rest = batch.entries;
                    while !rest.is_empty() {
                        let unreadable = || Fault::damaged(at, "an entry cannot be read");
                        let entry = Entry::take(&mut rest).filter(|entry| entry.value.is_some());
                        if !take(&entry.ok_or_else(unreadable)?)? {
                            return Ok(());
                        }
                        taken += 1;
                    }
                }
            }
        }
        let at = self.frames.at();
        match self.frames.next_frame() {
            Ok(None) => Ok(()),
            _ => Err(Fault::damaged(at, "something follows the end").into()),
        }
    }
}
