//! Reads master files (RFC 1035 §5) into a zone.
//!
//! Directives and the parts that a record may leave out (owner, TTL, class) are state of the reading, and this file is
//! that state. Each mistake is kept with its file and line and the reading goes on, so that one attempt shows up to
//! [`MAX_ERRORS`] of them; a file with any mistake gives no zone. Files come through a [`Source`], which decides what may
//! be read; nothing here touches a disk.

use std::io;
use std::path::{Path, PathBuf};

use super::assemble::{Place, Record, assemble};
use super::error::{Reason, ZoneError};
use super::scan::{Entry, Head, Scanner, Token};
use super::{Zone, rdata, ttl};
use crate::wire::record::Soa;
use crate::wire::{Name, RecordType};

/// How deep `$INCLUDE` may go: deeper is a file that includes itself.
pub const MAX_DEPTH: u32 = 8;
/// How many mistakes are reported: more than anyone mends in one go.
pub const MAX_ERRORS: usize = 100;

/// Whence files are read.
pub trait Source {
    /// The text of a file. `$INCLUDE` asks for a path relative to the directory of the including file, as it was
    /// written: what may be read at all is decided here.
    fn read(&mut self, path: &Path) -> io::Result<String>;
}

impl<F: FnMut(&Path) -> io::Result<String>> Source for F {
    fn read(&mut self, path: &Path) -> io::Result<String> {
        self(path)
    }
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
pub fn parse(source: &mut dyn Source, path: &Path, origin: &Name, kind: Kind) -> Result<Zone, Vec<ZoneError>> {
    let mut reader = Reader::new(source);
    match reader.source.read(path) {
        Ok(text) => {
            let file = reader.add_file(path);
            reader.file(Scope { file, depth: 0, origin: origin.clone(), owner: None }, &text);
        }
        Err(error) => return Err(vec![ZoneError { path: path.into(), line: 0, reason: Reason::Read(error) }]),
    }
    let Reader { files, records, mut errors, .. } = reader;
    let assembled = assemble(origin, records, kind == Kind::Own, errors.is_empty());
    let flaws = match assembled {
        Ok(zone) if errors.is_empty() => return Ok(zone),
        Ok(_) => Vec::new(),
        Err(flaws) => flaws,
    };
    errors.extend(
        flaws.into_iter().map(|(place, reason)| (place.map_or((0, 0), |place| (place.file, place.line)), reason)),
    );
    errors.sort_by_key(|(place, _)| *place);
    errors.truncate(MAX_ERRORS);
    let placed = |((file, line), reason): Flaw| ZoneError { path: files[file].clone(), line, reason };
    Err(errors.into_iter().map(placed).collect())
}

/// A mistake, after the number of its file and its line.
type Flaw = ((usize, u32), Reason);

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
    errors: Vec<Flaw>,
    /// `$TTL` (RFC 2308 §4).
    default_ttl: Option<u32>,
    /// The last TTL that a record stated (RFC 1035 §5.1), or the first SOA's minimum.
    last_ttl: Option<u32>,
}

impl<'s> Reader<'s> {
    fn new(source: &'s mut dyn Source) -> Self {
        Self { source, files: Vec::new(), records: Vec::new(), errors: Vec::new(), default_ttl: None, last_ttl: None }
    }

    fn add_file(&mut self, path: &Path) -> usize {
        self.files.push(path.into());
        self.files.len() - 1
    }

    fn file(&mut self, mut scope: Scope, text: &str) {
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
            _ => return Err(Reason::UnknownDirective(name.into())),
        }
        Ok(())
    }

    /// Origin and owner name of the including file come back after the included one (RFC 1035 §5.1).
    fn include(&mut self, scope: &Scope, path: &Token<'_>, origin: Name) -> Result<(), Reason> {
        if scope.depth == MAX_DEPTH {
            return Err(Reason::IncludeDepth(MAX_DEPTH));
        }
        let path = self.files[scope.file].parent().unwrap_or(Path::new("")).join(path.text);
        let text = self.source.read(&path).map_err(|source| Reason::Include { path: path.clone(), source })?;
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
        if stated.is_none() && token.text.starts_with(|first: char| first.is_ascii_digit()) {
            stated = Some(ttl_of(token)?);
        } else if !class && is_class(token.text)? {
            class = true;
        } else {
            let unknown = || Reason::UnknownType(token.text.into());
            let rtype = rdata::record_type(token.text).filter(|_| !token.quoted).ok_or_else(unknown)?;
            if rtype.is_meta() {
                return Err(Reason::MetaType(rtype));
            }
            return Ok((stated, rtype, &tokens[at + 1..]));
        }
    }
    Err(Reason::NoType)
}

/// Whether a word is the class IN; another class is an error.
fn is_class(text: &str) -> Result<bool, Reason> {
    match text.to_ascii_uppercase().as_str() {
        "IN" | "CLASS1" => Ok(true),
        "CH" | "CS" | "HS" | "NONE" => Err(Reason::Class(text.into())),
        other if other.starts_with("CLASS") => Err(Reason::Class(text.into())),
        _ => Ok(false),
    }
}

fn domain_name(token: &Token<'_>, origin: &Name) -> Result<Name, Reason> {
    Name::parse_below(token.text, Some(origin)).map_err(|source| Reason::Name { text: token.text.into(), source })
}

fn ttl_of(token: &Token<'_>) -> Result<u32, Reason> {
    ttl::parse(token.text).map_err(|source| Reason::Ttl { text: token.text.into(), source })
}

#[cfg(test)]
mod tests;
