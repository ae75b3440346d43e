//! Frames: pieces of a file that are whole or seen not to be.

use std::io::{self, BufReader, Read};

use super::octets::{Octets, put_text, put_varint};
use super::{FORMAT, Fault};
use crate::model::Revision;

/// What every file begins with. A transfer that takes it for text changes the line ends.
pub const MAGIC: [u8; 8] = *b"srvd\r\n\x1a\n";
/// Octets before the body of a frame.
const HEAD: usize = 16;
/// The most octets of a body. All instances of a large registry that turn at once are one batch.
pub const LONGEST: u32 = u32::MAX;

/// What the first frame says about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub kind: HeadKind,
    /// Logs go on from the copy of the same generation.
    pub generation: u64,
    /// Revisions up to this one were in use when the file was begun.
    pub revision: Revision,
    /// Records that are to come, as far as known.
    pub records: u64,
}

/// What kind of file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeadKind {
    /// All records at one moment.
    Copy = 1,
    /// Changes, each after the other.
    Log = 2,
}

/// What a frame holds.
#[derive(Debug)]
pub enum Body<'a> {
    Batch(Batch<'a>),
    Closed,
    End { records: u64 },
}

/// Changes that count together.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The new bound on revisions in use, if it moves.
    pub reserve: Option<Revision>,
    /// The entries, one after the other.
    pub entries: &'a [u8],
}

/// Makes a frame of the body that stands in `octets` from `start` on, [`HEAD`] octets of room before it included.
fn seal(octets: &mut [u8], start: usize, number: u32) {
    let length = (octets.len() - start - HEAD) as u32;
    let check = crc32fast::hash(&octets[start + HEAD..]);
    octets[start..start + 4].copy_from_slice(&length.to_le_bytes());
    octets[start + 4..start + 8].copy_from_slice(&number.to_le_bytes());
    let own = crc32fast::hash(&octets[start..start + 8]);
    octets[start + 8..start + 12].copy_from_slice(&own.to_le_bytes());
    octets[start + 12..start + HEAD].copy_from_slice(&check.to_le_bytes());
}

/// Appends the frame `number`, whose body `write` appends.
pub fn framed(octets: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let start = octets.len();
    octets.extend_from_slice(&[0; HEAD]);
    write(octets);
    seal(octets, start, number);
}

/// The beginning of a file: the magic and the first frame.
pub fn begin(head: &Head) -> Vec<u8> {
    let mut octets = MAGIC.to_vec();
    framed(&mut octets, 0, |body| {
        body.push(b'H');
        body.extend_from_slice(&FORMAT.to_le_bytes());
        body.push(head.kind as u8);
        for number in [head.generation, head.revision.0, head.records] {
            put_varint(body, number);
        }
        put_text(body, concat!("srvd ", env!("CARGO_PKG_VERSION")).as_bytes());
    });
    octets
}

/// Begins the body of a batch; its entries follow.
pub fn begin_batch(body: &mut Vec<u8>, reserve: Option<Revision>) {
    body.push(b'B');
    put_varint(body, reserve.unwrap_or_default().0);
}

/// Reads a file frame by frame.
#[derive(Debug)]
pub struct Frames<R> {
    input: BufReader<R>,
    /// Where the next frame begins.
    at: u64,
    number: u32,
    body: Vec<u8>,
    /// Of the heads of all frames.
    heads: crc32fast::Hasher,
}

impl<R: Read> Frames<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// When it is no file of srvd, or of a later format, or is damaged at its beginning.
    pub fn open(input: R) -> Result<(Self, Head), Fault> {
        let input = BufReader::with_capacity(256 << 10, input);
        let mut frames = Self { input, at: 0, number: 0, body: Vec::new(), heads: crc32fast::Hasher::new() };
        let mut magic = [0; MAGIC.len()];
        match frames.fill(&mut magic)? {
            count if magic[..count] != MAGIC[..count] => return Err(Fault::Alien),
            count if count < magic.len() => return Err(Fault::Short { at: count as u64 }),
            _ => frames.at = MAGIC.len() as u64,
        }
        let at = frames.at;
        if !frames.read()? {
            return Err(Fault::Short { at });
        }
        let head = head(&frames.body).map_err(|fault| match fault {
            Some(found) => Fault::Format { found, known: FORMAT },
            None => Fault::damaged(at, "the head cannot be read"),
        })?;
        Ok((frames, head))
    }

    /// Where the next frame begins: what is before is whole.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The number of the next frame.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The next frame, or `None` where the file ends.
    ///
    /// # Errors
    /// When the file ends within it, or it is damaged. Nothing can be read after that.
    pub fn next_frame(&mut self) -> Result<Option<Body<'_>>, Fault> {
        let (at, heads) = (self.at, self.heads.clone().finalize());
        if !self.read()? {
            return Ok(None);
        }
        let unreadable = || Fault::damaged(at, "a frame cannot be read");
        let mut octets = Octets(&self.body);
        match octets.octet().ok_or_else(unreadable)? {
            b'B' => {
                let reserve = octets.varint().ok_or_else(unreadable)?;
                let reserve = Some(Revision(reserve)).filter(|reserve| *reserve > Revision::ZERO);
                Ok(Some(Body::Batch(Batch { reserve, entries: octets.0 })))
            }
            b'C' => Ok(Some(Body::Closed)),
            b'E' => {
                let records = octets.varint().ok_or_else(unreadable)?;
                let check = octets.array().map(u32::from_le_bytes).ok_or_else(unreadable)?;
                if check != heads {
                    return Err(Fault::damaged(at, "the checksum of the whole does not fit"));
                }
                Ok(Some(Body::End { records }))
            }
            _ => Err(unreadable()),
        }
    }

    /// Reads a frame into `body`; false at the end of the file.
    fn read(&mut self) -> Result<bool, Fault> {
        let at = self.at;
        let mut head = [0; HEAD];
        match self.fill(&mut head)? {
            0 => return Ok(false),
            HEAD => {}
            _ => return Err(Fault::Short { at }),
        }
        let length = length(&head, |number| number == self.number).ok_or_else(|| {
            Fault::damaged(at, "the checksum of a frame's head does not fit, or another frame stands in its place")
        })?;
        self.body.clear();
        let count = (&mut self.input).take(u64::from(length)).read_to_end(&mut self.body)?;
        if count < length as usize {
            return Err(Fault::Short { at });
        }
        if !fits(&head, &self.body) {
            return Err(Fault::damaged(at, "the checksum of a frame does not fit"));
        }
        self.heads.update(&head);
        self.at += (HEAD + count) as u64;
        self.number += 1;
        Ok(true)
    }

    /// Reads as much as there is room for, or is there.
    fn fill(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let mut count = 0;
        while count < room.len() {
            match self.input.read(&mut room[count..])? {
                0 => break,
                read => count += read,
            }
        }
        Ok(count)
    }
}

/// The checksum of the heads of frames in a file that is being written.
#[derive(Debug, Clone, Default)]
pub struct Heads(crc32fast::Hasher);

impl Heads {
    /// Takes in frames as they were written, from the first on.
    pub fn add(&mut self, frames: &[u8]) {
        let mut rest = frames;
        while let Some((head, after)) = rest.split_at_checked(HEAD) {
            self.0.update(head);
            let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
            rest = after.get(length as usize..).unwrap_or_default();
        }
    }

    pub fn check(&self) -> u32 {
        self.0.clone().finalize()
    }
}

/// The length that a head gives, if the head is whole and of a number that is `expected`.
fn length(head: &[u8; HEAD], expected: impl Fn(u32) -> bool) -> Option<u32> {
    let mut octets = Octets(head);
    let mut number = || octets.array().map(u32::from_le_bytes);
    let (length, own, check) = (number()?, number()?, number()?);
    (crc32fast::hash(&head[..8]) == check && expected(own)).then_some(length)
}

fn fits(head: &[u8; HEAD], body: &[u8]) -> bool {
    crc32fast::hash(body).to_le_bytes() == head[12..]
}

/// Whether a whole frame of a later number than `number` begins anywhere in `rest`: then what is before it was once whole
/// too, as frames are written one after the other.
pub fn has_later_frame(rest: &[u8], number: u32) -> bool {
    rest.windows(HEAD).enumerate().any(|(at, window)| {
        let Ok(head) = window.try_into() else { return false };
        let Some(length) = length(head, |found| found > number) else { return false };
        rest[at + HEAD..].get(..length as usize).is_some_and(|body| fits(head, body))
    })
}

/// Reads the first frame; the error is the number of a format that is not known.
fn head(body: &[u8]) -> Result<Head, Option<u32>> {
    let mut octets = Octets(body);
    if octets.octet() != Some(b'H') {
        return Err(None);
    }
    let format = octets.array().map(u32::from_le_bytes).ok_or(None)?;
    if format != FORMAT {
        return Err(Some(format));
    }
    let kind = match octets.octet() {
        Some(1) => HeadKind::Copy,
        Some(2) => HeadKind::Log,
        _ => return Err(None),
    };
    let mut number = || octets.varint().ok_or(None);
    Ok(Head { kind, generation: number()?, revision: Revision(number()?), records: number()? })
}
