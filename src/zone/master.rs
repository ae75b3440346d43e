//! Reads master files (RFC 1035 §5) into a zone.
//!
//! Directives and the parts that a record may leave out (owner, TTL, class) are state of the reading, and this file is
//! that state. Each mistake is kept with its file and line and the reading goes on, so that one attempt shows up to
//! [`MAX_ERRORS`] of them; a file with any mistake gives no zone. Files come through a [`Source`], which decides what may
//! be read; nothing here touches a disk.
//!
//! A file is octets (RFC 1035 §5.1): its text may be in any encoding that has ASCII in it, and names and strings are what
//! octets it has.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::assemble::{Place, Record, assemble};
use super::error::{Caution, Located, Reason, ZoneError, ZoneWarning};
use super::forms::record_type;
use super::scan::{Entry, Head, Scanner, Token};
use super::{Zone, rdata, ttl};
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType};

/// How deep `$INCLUDE` may go: deeper is a file that includes itself.
pub const MAX_DEPTH: u32 = 8;
/// How many mistakes, and how many warnings, are reported: more than anyone mends in one go.
pub const MAX_ERRORS: usize = 100;
/// The octets of all files of a zone, each counted as often as it is included: 1 GiB, some thirty million records. This
/// also bounds what files that include each other can cost.
pub const MAX_OCTETS: u64 = 1 << 30;

/// Whence files are read.
pub trait Source {
    /// The octets of a file, of which more than `at_most` are of no use. `$INCLUDE` asks for a path relative to the
    /// directory of the including file, as it was written: what may be read at all is decided here.
    fn read(&mut self, path: &Path, at_most: u64) -> io::Result<Vec<u8>>;
}

impl<F: FnMut(&Path) -> io::Result<Vec<u8>>> Source for F {
    fn read(&mut self, path: &Path, _: u64) -> io::Result<Vec<u8>> {
        self(path)
    }
}

/// A zone, and what looks wrong in its files.
#[derive(Debug)]
pub struct Parsed {
    pub zone: Zone,
    pub warnings: Vec<ZoneWarning>,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A zone of its own: SOA and NS at its apex are required.
    Own,
    /// An addition to the live zone, which has SOA and NS already.
    Live,
}

/// Reads the zone `origin` from the file `path`, which begins with `origin` as its origin.
///
/// # Errors
/// Everything that is wrong, in the order of the files, up to [`MAX_ERRORS`].
pub fn parse(source: &mut dyn Source, path: &Path, origin: &Name, kind: Kind) -> Result<Parsed, Vec<ZoneError>> {
    let mut reader = Reader::new(source);
    match reader.text(path) {
        Ok(text) => {
            let file = reader.add_file(path);
            reader.file(Scope { file, depth: 0, origin: origin.clone(), owner: None }, &text);
        }
        Err(reason) => return Err(vec![ZoneError { path: path.into(), line: 0, reason }]),
    }
    let Reader { files, records, mut errors, .. } = reader;
    let located = |place: Option<Place>| place.map_or((0, 0), |place| (place.file, place.line));
    match assemble(origin, records, kind == Kind::Own, errors.is_empty()) {
        Ok((zone, cautions)) if errors.is_empty() => {
            let warnings: Vec<Said<Caution>> =
                cautions.into_iter().map(|(place, caution)| (located(Some(place)), caution)).collect();
            return Ok(Parsed { zone, warnings: in_order(warnings, &files) });
        }
        Ok(_) => {}
        Err(flaws) => errors.extend(flaws.into_iter().map(|(place, reason)| (located(place), reason))),
    }
    Err(in_order(errors, &files))
}

/// Something to say, after the number of its file and its line.
type Said<R> = ((usize, u32), R);

/// In the order of files and lines, as many as are told.
fn in_order<R>(mut said: Vec<Said<R>>, files: &[PathBuf]) -> Vec<Located<R>> {
    said.sort_by_key(|(place, _)| *place);
    said.truncate(MAX_ERRORS);
    let placed = |((file, line), reason): Said<R>| Located { path: files[file].clone(), line, reason };
    said.into_iter().map(placed).collect()
}

/// What holds for one file and ends with it.
struct Scope {
    file: usize,
    depth: u32,
    origin: Name,
    /// The owner of the last record.
    owner: Option<Name>,
}

/// What goes on over all files of the zone.
struct Reader<'s> {
    source: &'s mut dyn Source,
    files: Vec<PathBuf>,
    records: Vec<Record>,
    errors: Vec<Said<Reason>>,
    /// Octets that may still be read.
    left: u64,
    /// `$TTL` (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// The last TTL that a record stated (RFC 1035 §5.1), or the first SOA's minimum.
    last_ttl: Option<u32>,
}

impl<'s> Reader<'s> {
    fn new(source: &'s mut dyn Source) -> Self {
        let (files, records, errors) = (Vec::new(), Vec::new(), Vec::new());
        Self { source, files, records, errors, left: MAX_OCTETS, default_ttl: None, last_ttl: None }
    }

    fn text(&mut self, path: &Path) -> Result<Vec<u8>, Reason> {
        let text = self.source.read(path, self.left).map_err(Reason::Read)?;
        self.left = self.left.checked_sub(text.len() as u64).ok_or(Reason::TooLarge(MAX_OCTETS))?;
        Ok(text)
    }

    fn add_file(&mut self, path: &Path) -> usize {
        self.files.push(path.into());
        self.files.len() - 1
    }

    fn file(&mut self, mut scope: Scope, text: &[u8]) {
        for entry in Scanner::new(text) {
            if self.errors.len() >= MAX_ERRORS {
                return;
            }
            let result = match entry {
                Err((line, error)) => Err((line, error.into())),
                Ok(Entry { line, head: Head::Directive(name), tokens }) => {
                    self.directive(&mut scope, name, &tokens).map_err(|reason| (line, reason))
                }
                Ok(Entry { line, head, tokens }) => self.record(&mut scope, line, head, &tokens),
            };
            if let Err((line, reason)) = result {
                self.errors.push(((scope.file, line), reason));
            }
        }
    }

    fn directive(&mut self, scope: &mut Scope, name: &str, tokens: &[Token<'_>]) -> Result<(), Reason> {
        match (name.to_ascii_uppercase().as_str(), tokens) {
            ("ORIGIN", [origin]) => scope.origin = domain_name(origin, &scope.origin)?,
            ("ORIGIN", _) => return Err(Reason::DirectiveForm("$ORIGIN NAME")),
            ("TTL", [seconds]) => self.default_ttl = Some(ttl_of(seconds)?),
            ("TTL", _) => return Err(Reason::DirectiveForm("$TTL SECONDS")),
            ("INCLUDE", [path]) => self.include(scope, path, scope.origin.clone())?,
            ("INCLUDE", [path, origin]) => self.include(scope, path, domain_name(origin, &scope.origin)?)?,
            ("INCLUDE", _) => return Err(Reason::DirectiveForm("$INCLUDE FILE, or $INCLUDE FILE ORIGIN")),
            ("GENERATE", _) => return Err(Reason::Generate),
            _ => return Err(Reason::UnknownDirective(name.chars().take(80).collect())),
        }
        Ok(())
    }

    /// Origin and owner name of the including file come back after the included one (RFC 1035 §5.1).
    fn include(&mut self, scope: &Scope, path: &Token<'_>, origin: Name) -> Result<(), Reason> {
        if scope.depth == MAX_DEPTH {
            return Err(Reason::IncludeDepth(MAX_DEPTH));
        }
        let path = self.files[scope.file].parent().unwrap_or(Path::new("")).join(OsStr::from_bytes(path.text));
        let text = self.text(&path).map_err(|reason| match reason {
            Reason::Read(source) => Reason::Include { path: path.clone(), source },
            other => other,
        })?;
        let file = self.add_file(&path);
        self.file(Scope { file, depth: scope.depth + 1, origin, owner: scope.owner.clone() }, &text);
        Ok(())
    }

    fn record(
        &mut self,
        scope: &mut Scope,
        line: u32,
        head: Head<'_>,
        tokens: &[Token<'_>],
    ) -> Result<(), (u32, Reason)> {
        let here = |reason| (line, reason);
        if let Head::Owner(owner) = head {
            // a bad owner name must not lend its records to the one before
            scope.owner = None;
            scope.owner = Some(domain_name(&owner, &scope.origin).map_err(here)?);
        }
        let owner = scope.owner.clone().ok_or(here(Reason::NoOwner))?;
        let (stated, rtype, data) = preamble(tokens).map_err(here)?;
        let rdata = rdata::parse(rtype, data, &scope.origin)
            .map_err(|(at, source)| (if at == 0 { line } else { at }, Reason::Rdata { rtype, source }))?;
        if rtype == RecordType::SOA {
            self.last_ttl = self.last_ttl.or(Soa::minimum_of(&rdata));
        }
        self.last_ttl = stated.or(self.last_ttl);
        let ttl = stated.or(self.default_ttl).or(self.last_ttl);
        let place = Place { order: self.records.len(), file: scope.file, line };
        self.records.push(Record { place, owner, rtype, ttl, rdata });
        Ok(())
    }
}

/// What stands before the data: TTL and class, either or both in any order, and the type (RFC 1035 §5.1).
fn preamble<'t, 'a>(tokens: &'t [Token<'a>]) -> Result<(Option<u32>, RecordType, &'t [Token<'a>]), Reason> {
    let (mut stated, mut class) = (None, false);
    for (at, token) in tokens.iter().enumerate() {
        if stated.is_none() && token.text.first().is_some_and(u8::is_ascii_digit) {
            stated = Some(ttl_of(token)?);
        } else if !class && is_class(token)? {
            class = true;
        } else {
            let unknown = || Reason::UnknownType(token.shown());
            let rtype = record_type(token.word()).filter(|_| !token.quoted).ok_or_else(unknown)?;
            if rtype.is_meta() {
                return Err(Reason::MetaType(rtype));
            }
            return Ok((stated, rtype, &tokens[at + 1..]));
        }
    }
    Err(Reason::NoType)
}

/// Whether a word is the class IN; another class is an error.
fn is_class(token: &Token<'_>) -> Result<bool, Reason> {
    match token.word().to_ascii_uppercase().as_str() {
        "IN" | "CLASS1" => Ok(true),
        "CH" | "CS" | "HS" | "NONE" => Err(Reason::Class(token.shown())),
        other if other.starts_with("CLASS") => Err(Reason::Class(token.shown())),
        _ => Ok(false),
    }
}

fn domain_name(token: &Token<'_>, origin: &Name) -> Result<Name, Reason> {
    Name::parse_below(token.text, Some(origin)).map_err(|source| Reason::Name { text: token.shown(), source })
}

fn ttl_of(token: &Token<'_>) -> Result<u32, Reason> {
    ttl::parse(token.word()).map_err(|source| Reason::Ttl { text: token.shown(), source })
}

#[cfg(test)]
mod tests;
