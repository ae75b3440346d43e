//! Reading the static zones of a directory.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::wire::{Name, NameError};
use crate::zone::master::{self, Kind, Parsed, Source};
use crate::zone::{Zone, ZoneError, ZoneWarning, Zones};

/// Every zone of a directory, the additions to the live one among them, in canonical order.
#[derive(Debug, Default, Clone)]
pub struct StaticZones {
    zones: BTreeMap<Name, Arc<Zone>>,
    warnings: Vec<ZoneWarning>,
}

impl StaticZones {
    /// The records that join the live zone.
    pub fn additions(&self, live: &Name) -> Option<&Zone> {
        self.zones.get(live).map(Arc::as_ref)
    }

    /// The zones that are served by themselves.
    pub fn beside(&self, live: &Name) -> Zones {
        Zones::new(self.iter().filter(|zone| zone.apex() != live).cloned()).unwrap_or_default()
    }

    pub fn find(&self, apex: &Name) -> Option<&Arc<Zone>> {
        self.zones.get(apex)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Zone>> {
        self.zones.values()
    }

    /// What looks wrong in the files that were last read.
    pub fn warnings(&self) -> &[ZoneWarning] {
        &self.warnings
    }
}

/// Why a zone file cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ZonesError {
    #[error("{path}: {source}")]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{path}: the file's name must be the zone's name and `.zone`: {reason}")]
    FileName { path: PathBuf, reason: NameError },
    #[error(transparent)]
    Zone(#[from] ZoneError),
    #[error("{path}: another file holds the same zone")]
    Twice { path: PathBuf },
}

/// Reads every `*.zone` in `directory`. A directory that is not there holds none. The file whose apex is `live` joins the
/// live zone.
///
/// # Errors
/// Everything that is wrong in any file.
pub fn load(directory: &Path, live: &Name) -> Result<StaticZones, Vec<ZonesError>> {
    let Reading { zones, faults, .. } = read_directory(directory, live).map_err(|error| vec![error])?;
    if faults.is_empty() { Ok(zones) } else { Err(faults) }
}

/// Reads the directory again while `old` is served. A zone whose file is wrong stays as it was, and all do when the
/// directory cannot be read; the faults say why.
pub fn reload(directory: &Path, live: &Name, old: &StaticZones) -> (StaticZones, Vec<ZonesError>) {
    match read_directory(directory, live) {
        Ok(Reading { mut zones, refused, faults }) => {
            let kept = refused.into_iter().filter_map(|apex| old.find(&apex).map(|zone| (apex, Arc::clone(zone))));
            zones.zones.extend(kept);
            (zones, faults)
        }
        Err(error) => (old.clone(), vec![error]),
    }
}

/// What is in the files of a directory.
#[derive(Default)]
struct Reading {
    /// The zones whose files are right.
    zones: StaticZones,
    /// The names of those whose files are not.
    refused: Vec<Name>,
    faults: Vec<ZonesError>,
}

fn read_directory(directory: &Path, live: &Name) -> Result<Reading, ZonesError> {
    let unreadable = |source| ZonesError::Unreadable { path: directory.to_owned(), source };
    let files = match zone_files(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Reading::default()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut source = Contained { root: fs::canonicalize(directory).map_err(unreadable)? };
    let (mut reading, mut seen) = (Reading::default(), BTreeSet::new());
    for path in files {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let apex = match Name::parse(stem) {
            Ok(apex) => apex,
            Err(reason) => {
                reading.faults.push(ZonesError::FileName { path, reason });
                continue;
            }
        };
        let kind = if apex == *live { Kind::Live } else { Kind::Own };
        let parsed = master::parse(&mut source, &path, &apex, kind);
        reading.take(parsed, seen.insert(apex.clone()), apex, path);
    }
    Ok(reading)
}

impl Reading {
    fn take(&mut self, parsed: Result<Parsed, Vec<ZoneError>>, first: bool, apex: Name, path: PathBuf) {
        match parsed {
            Ok(Parsed { zone, warnings }) if first => {
                self.zones.zones.insert(apex, Arc::new(zone));
                self.zones.warnings.extend(warnings);
            }
            Ok(_) => {
                self.zones.zones.remove(&apex);
                self.refused.push(apex);
                self.faults.push(ZonesError::Twice { path });
            }
            Err(faults) => {
                self.zones.zones.remove(&apex);
                self.refused.push(apex);
                self.faults.extend(faults.into_iter().map(ZonesError::from));
            }
        }
    }
}

fn zone_files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<_>>>()?;
    let mut files: Vec<_> =
        entries.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "zone")).collect();
    files.sort();
    Ok(files)
}

/// Reads files below one directory and no others, wherever links and `..` may lead.
struct Contained {
    root: PathBuf,
}

impl Source for Contained {
    fn read(&mut self, path: &Path, at_most: u64) -> io::Result<Vec<u8>> {
        let real = fs::canonicalize(path)?;
        if !real.starts_with(&self.root) {
            let reason = format!("it lies outside {}", self.root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        // A pipe would keep the server waiting for its other end.
        if !fs::metadata(&real)?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut text = Vec::new();
        fs::File::open(real)?.take(at_most.saturating_add(1)).read_to_end(&mut text)?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RecordType;

    const OWN: &str = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn zones(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<StaticZones, Vec<String>>) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let loaded = load(directory.path(), &name("svc.local"));
        let loaded = loaded.map_err(|errors| errors.iter().map(ToString::to_string).collect());
        (directory, loaded)
    }

    #[test]
    fn files_become_zones_by_their_names() {
        let files = [("a.example.zone", OWN), ("svc.local.zone", "www 60 A 192.0.2.2\n"), ("notes.txt", "nothing")];
        let (_directory, loaded) = zones(&files);
        let loaded = loaded.unwrap();
        let live = name("svc.local");
        assert!(loaded.beside(&live).find(&name("x.a.example")).is_some());
        assert!(loaded.beside(&live).find(&live).is_none());
        let additions = loaded.additions(&live).unwrap();
        assert!(additions.node(&name("www.svc.local")).unwrap().rrset(RecordType::A).is_some());
    }

    #[test]
    fn every_fault_is_named_with_its_file() {
        let (_directory, loaded) =
            zones(&[("a.example.zone", "nonsense\n"), ("b...zone", OWN), ("c.example.zone", "$INCLUDE ../x\n")]);
        let faults = loaded.unwrap_err();
        for part in ["a.example.zone:1:", "b...zone: the file's name", "c.example.zone:1:"] {
            assert!(faults.iter().any(|fault| fault.contains(part)), "{part} in {faults:?}");
        }
    }

    #[test]
    fn includes_stay_inside() {
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("secret"), "x A 192.0.2.1\n").unwrap();
        let include = format!("{OWN}$INCLUDE {}\n", outside.path().join("secret").display());
        let (_directory, loaded) = zones(&[("a.example.zone", &include)]);
        assert!(loaded.unwrap_err()[0].contains("lies outside"));
        let (_directory, loaded) =
            zones(&[("a.example.zone", &format!("{OWN}$INCLUDE more\n")), ("more", "y A 192.0.2.9\n")]);
        assert!(loaded.unwrap().find(&name("a.example")).unwrap().node(&name("y.a.example")).is_some());
    }

    #[test]
    fn a_directory_that_is_not_there_holds_nothing() {
        let loaded = load(Path::new("/nonexistent/zones"), &name("svc.local")).unwrap();
        assert_eq!(loaded.iter().len(), 0);
    }

    #[test]
    fn a_wrong_file_keeps_its_own_zone_and_no_other() {
        let old = OWN;
        let new = old.replace("hostmaster 1", "hostmaster 2");
        let (directory, loaded) = zones(&[("a.example.zone", old), ("b.example.zone", old), ("c.example.zone", old)]);
        let (loaded, live) = (loaded.unwrap(), name("svc.local"));
        let write = |file: &str, text: &str| fs::write(directory.path().join(file), text).unwrap();
        write("a.example.zone", &new);
        write("b.example.zone", &format!("{new}nonsense\n"));
        write("B.EXAMPLE.zone", &new);
        write("c.example.zone", &new);
        write("C.EXAMPLE.zone", &new);
        write("d.example.zone", "nonsense\n");
        let serials = |zones: &StaticZones| zones.iter().map(|zone| zone.serial().unwrap()).collect::<Vec<_>>();
        let (reloaded, faults) = reload(directory.path(), &live, &loaded);
        assert_eq!(serials(&reloaded), [2, 1, 1], "a is new, b and c stay, d never was");
        assert_eq!(faults.len(), 3, "{faults:?}");
        for file in ["b.example.zone", "B.EXAMPLE.zone", "C.EXAMPLE.zone"] {
            fs::remove_file(directory.path().join(file)).unwrap();
        }
        assert_eq!(serials(&reload(directory.path(), &live, &reloaded).0), [2, 2], "b went with its file");
    }

    #[test]
    fn a_directory_that_cannot_be_read_keeps_all() {
        let (directory, loaded) = zones(&[("a.example.zone", OWN)]);
        let (reloaded, faults) = reload(&directory.path().join("a.example.zone"), &name("svc.local"), &loaded.unwrap());
        assert_eq!((reloaded.iter().len(), faults.len()), (1, 1));
    }
}
