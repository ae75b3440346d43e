//! Reading the static zones of a directory.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::wire::{Name, NameError};
use crate::zone::master::{self, Kind, Source};
use crate::zone::{Zone, ZoneError, Zones};

/// Every zone of a directory.
#[derive(Debug, Default)]
pub struct StaticZones {
    /// Records that join the live zone.
    pub additions: Option<Arc<Zone>>,
    pub zones: Zones,
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

/// Reads every `*.zone` in `directory`, in the order of their names. A directory that is not there holds none. The file
/// whose apex is `live` joins the live zone.
///
/// # Errors
/// Everything that is wrong in any file.
pub fn load(directory: &Path, live: &Name) -> Result<StaticZones, Vec<ZonesError>> {
    let unreadable = |source| vec![ZonesError::Unreadable { path: directory.to_owned(), source }];
    let files = match zone_files(directory) {
        Ok(files) => files,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(StaticZones::default()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut source = Contained { root: fs::canonicalize(directory).map_err(unreadable)? };
    let (mut own, mut additions, mut errors) = (Vec::new(), None, Vec::new());
    for path in files {
        match read(&mut source, &path, live) {
            Ok(zone) if zone.apex() == live => {
                if additions.replace(Arc::new(zone)).is_some() {
                    errors.push(ZonesError::Twice { path });
                }
            }
            Ok(zone) if own.iter().any(|other: &Arc<Zone>| other.apex() == zone.apex()) => {
                errors.push(ZonesError::Twice { path });
            }
            Ok(zone) => own.push(Arc::new(zone)),
            Err(more) => errors.extend(more),
        }
    }
    match Zones::new(own) {
        Ok(zones) if errors.is_empty() => Ok(StaticZones { additions, zones }),
        // Zones of one name have been found above.
        _ => Err(errors),
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

fn read(source: &mut Contained, path: &Path, live: &Name) -> Result<Zone, Vec<ZonesError>> {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let origin = Name::parse(stem).map_err(|reason| vec![ZonesError::FileName { path: path.to_owned(), reason }])?;
    let kind = if origin == *live { Kind::Live } else { Kind::Own };
    master::parse(source, path, &origin, kind).map_err(|errors| errors.into_iter().map(ZonesError::from).collect())
}

/// Reads files below one directory and no others, wherever links and `..` may lead.
struct Contained {
    root: PathBuf,
}

impl Source for Contained {
    fn read(&mut self, path: &Path) -> io::Result<String> {
        let real = fs::canonicalize(path)?;
        if !real.starts_with(&self.root) {
            let reason = format!("it lies outside {}", self.root.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
        }
        fs::read_to_string(real)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::RecordType;

    const OWN: &str = "$TTL 60\n@ SOA ns hostmaster 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n";

    fn zones(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<StaticZones, Vec<String>>) {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(directory.path().join(name), text).unwrap();
        }
        let loaded = load(directory.path(), &Name::parse("svc.local").unwrap());
        let loaded = loaded.map_err(|errors| errors.iter().map(ToString::to_string).collect());
        (directory, loaded)
    }

    #[test]
    fn files_become_zones_by_their_names() {
        let files = [("a.example.zone", OWN), ("svc.local.zone", "www 60 A 192.0.2.2\n"), ("notes.txt", "nothing")];
        let (_directory, loaded) = zones(&files);
        let loaded = loaded.unwrap();
        assert!(loaded.zones.find(&Name::parse("x.a.example").unwrap()).is_some());
        let www = Name::parse("www.svc.local").unwrap();
        assert!(loaded.additions.unwrap().node(&www).unwrap().rrset(RecordType::A).is_some());
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
        assert!(loaded.unwrap().zones.find(&Name::parse("y.a.example").unwrap()).is_some());
    }

    #[test]
    fn a_directory_that_is_not_there_holds_nothing() {
        let loaded = load(Path::new("/nonexistent/zones"), &Name::parse("svc.local").unwrap()).unwrap();
        assert!(loaded.additions.is_none() && loaded.zones.iter().next().is_none());
    }
}
